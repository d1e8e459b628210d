"""What `bench day` calls growth."""

import tempfile
import unittest
from pathlib import Path

import bench_day


class GrowthTest(unittest.TestCase):
    def round(self, **more):
        return {"server": 100, "kernels": {"a": 900, "b": 1200}, "temporary": 2, "slots": 500} | more

    def test_what_stays_the_same_is_fine_and_what_shrinks_too(self):
        grown, beyond = bench_day.growth([self.round(), self.round(server=90)])
        self.assertEqual(beyond, [])
        self.assertEqual(grown, {"server": -10, "kernel": 0, "temporary": 0, "slots": 0})

    def test_each_limit_is_held(self):
        for more, words in [({"server": 131}, "31 more MiB of the server"), ({"temporary": 3}, "1 more temporary files"),
                            ({"kernels": {"a": 1101, "b": 1200}}, "201 more MiB of the same notebook's kernel"),
                            ({"slots": 651}, "151 more MiB of the kernels' working folders")]:
            _, (said,) = bench_day.growth([self.round(), self.round(), self.round(**more)])
            self.assertTrue(said.startswith(words), said)

    def test_a_file_with_two_names_is_counted_once(self):
        with tempfile.TemporaryDirectory() as folder:
            one = Path(folder) / "one"
            one.write_bytes(b"7" * 2**20)
            alone = bench_day.size(Path(folder))
            (Path(folder) / "two").hardlink_to(one)
            self.assertEqual(bench_day.size(Path(folder)), alone)


if __name__ == "__main__":
    unittest.main()
