"""`cargo xtask doctor` finds CIFAR-10 where the library, and therefore a cell of a notebook, finds it."""

import os
import tempfile
import unittest
from pathlib import Path

from common import ROOT, run_command

FILES = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
SIZE = 10_000 * 3073


def cifar10(**environment):
    """Returns doctor's verdict on CIFAR-10: `ok` or `FAIL`."""
    clean = {name: value for name, value in os.environ.items() if name != "NCHW_DATA"}
    _, output = run_command(["cargo", "xtask", "doctor"], timeout=300, cwd=ROOT, env=clean | environment)
    lines = [line.split() for line in output.splitlines() if line.split()[1:2] == ["CIFAR-10"]]
    if len(lines) != 1:
        raise AssertionError(f"expected one line about CIFAR-10 in:\n{output}")
    return lines[0][0]


class CifarTest(unittest.TestCase):
    def test_doctor_looks_where_the_library_looks(self):
        with tempfile.TemporaryDirectory() as folder:
            complete, empty = Path(folder) / "cache/cifar-10-batches-bin", Path(folder) / "empty"
            complete.mkdir(parents=True)
            empty.mkdir()
            for name in FILES:
                # Ten thousand black images of airplanes; the sparse file takes no space on the disk.
                with open(complete / name, "wb") as file:
                    file.truncate(SIZE)
            self.assertEqual(cifar10(NCHW_DATA=str(complete)), "ok")
            # The parent folder works, too.
            self.assertEqual(cifar10(NCHW_DATA=str(complete.parent)), "ok")
            # If NCHW_DATA is set, no other folder is used.
            self.assertEqual(cifar10(NCHW_DATA=str(empty), NCHW_CACHE=str(complete.parent)), "FAIL")
            # The right size is not enough.
            with open(complete / FILES[0], "r+b") as file:
                file.write(b"\xff")
            self.assertEqual(cifar10(NCHW_DATA=str(complete)), "FAIL")
