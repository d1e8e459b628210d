"""environment.yml agrees with what set-up needs; the tests do without conda."""

import re
import unittest

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from common import ROOT


class EnvironmentTest(unittest.TestCase):
    def setUp(self):
        self.environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
        lines = (line.split() for line in self.environment["dependencies"])
        self.pins = {name: "".join(pin) for name, *pin in lines}
        self.paths = (ROOT / "crates/xtask/src/paths.rs").read_text(encoding="utf-8")

    def allows(self, name, version):
        return Version(version) in Requirement(f"{name}{self.pins[name]}").specifier

    def test_one_channel_and_every_package_that_setup_needs(self):
        self.assertEqual((self.environment["name"], self.environment["channels"]), ("nchw", ["conda-forge"]))
        needed = {"python", "jupyterlab", "nbclient", "jupytext", "libtorch", "cxx-compiler", "rust", "rust-src"}
        self.assertEqual(set(self.pins), needed)

    def test_libtorch_is_the_version_that_tch_supports(self):
        torch = re.search(r'TORCH: &str = "(.+)"', self.paths)[1]
        self.assertEqual(self.pins["libtorch"], f"{torch}.*")

    def test_rust_and_python_are_new_enough_and_no_newer_than_needed(self):
        major, minor = re.search(r"RUST: \(u32, u32\) = \((\d+), (\d+)\)", self.paths).groups()
        self.assertEqual(self.pins["rust"], f">={major}.{minor}")
        self.assertFalse(self.allows("python", "3.9"))
        self.assertTrue(self.allows("python", "3.10"))

    def test_the_locked_versions_are_allowed(self):
        lock = (ROOT / "requirements/lab.lock").read_text(encoding="utf-8")
        for name in ["jupyterlab", "nbclient", "jupytext"]:
            locked = re.search(rf"^{name}==(\S+)", lock, re.MULTILINE)[1]
            self.assertTrue(self.allows(name, locked), f"{name} {locked}")
