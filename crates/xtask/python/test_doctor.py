"""`cargo xtask doctor` says of CIFAR-10 what the library says: a cell of a notebook would find the same."""

import os
import tempfile
import unittest
from pathlib import Path

import kernels

ROOT = Path(__file__).resolve().parents[3]
FILES = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
SIZE = 10_000 * 3073


def cifar_line(**environment):
    """What doctor says of CIFAR-10: how the line begins, and the line."""
    clean = {name: value for name, value in os.environ.items() if name != "NCHW_DATA"}
    _, said = kernels.output_of(["cargo", "xtask", "doctor"], timeout=300, cwd=ROOT, env=clean | environment)
    lines = [line for line in said.splitlines() if line.split()[1:2] == ["CIFAR-10"]]
    if len(lines) != 1:
        raise AssertionError(f"expected one line about CIFAR-10 in:\n{said}")
    return lines[0].split()[0], lines[0]


class CifarTest(unittest.TestCase):
    def test_it_is_looked_for_where_the_library_looks(self):
        with tempfile.TemporaryDirectory() as folder:
            whole, empty = Path(folder) / "cache/cifar-10-batches-bin", Path(folder) / "empty"
            whole.mkdir(parents=True)
            empty.mkdir()
            for name in FILES:
                # Ten thousand black airplanes, which take no room on the disk.
                with open(whole / name, "wb") as file:
                    file.truncate(SIZE)
            self.assertEqual(cifar_line(NCHW_DATA=str(whole))[0], "ok")
            # The folder in which the archive was unpacked does as well.
            self.assertEqual(cifar_line(NCHW_DATA=str(whole.parent))[0], "ok")
            # What NCHW_DATA names was meant to be used, whatever is elsewhere; and the right size is not enough.
            self.assertEqual(cifar_line(NCHW_DATA=str(empty), NCHW_CACHE=str(whole.parent))[0], "FAIL")
            with open(whole / FILES[0], "r+b") as file:
                file.write(b"\xff")
            self.assertEqual(cifar_line(NCHW_DATA=str(whole))[0], "FAIL")


if __name__ == "__main__":
    unittest.main()
