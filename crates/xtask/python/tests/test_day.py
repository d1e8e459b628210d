"""What `cargo xtask bench day` counts as growth."""

import tempfile
import unittest
from pathlib import Path

from bench import day


class GrowthTest(unittest.TestCase):
    def round(self, **changes):
        return {"server": 100, "kernels": {"a": 900, "b": 1200}, "temporary": 2, "slots": 500} | changes

    def test_no_growth_and_shrinking_are_allowed(self):
        grown, beyond = day.growth([self.round(), self.round(server=90)])
        self.assertEqual(beyond, [])
        self.assertEqual(grown, {"server": -10, "kernel": 0, "temporary": 0, "slots": 0})

    def test_every_limit_is_checked(self):
        for changes, words in [({"server": 131}, "31 more MiB of the server"), ({"temporary": 3}, "1 more temporary files"),
                            ({"kernels": {"a": 1101, "b": 1200}}, "201 more MiB of the same notebook's kernel"),
                            ({"slots": 651}, "151 more MiB of the kernels' working folders")]:
            _, (failure,) = day.growth([self.round(), self.round(), self.round(**changes)])
            self.assertTrue(failure.startswith(words), failure)

    def test_a_file_with_two_hard_links_counts_once(self):
        with tempfile.TemporaryDirectory() as folder:
            one = Path(folder) / "one"
            one.write_bytes(b"7" * 2**20)
            alone = day.disk_usage(Path(folder))
            (Path(folder) / "two").hardlink_to(one)
            self.assertEqual(day.disk_usage(Path(folder)), alone)
