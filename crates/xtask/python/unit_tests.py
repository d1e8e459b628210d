"""Runs unit tests, and adds what they skip to the list that `cargo xtask test` prints at its end.

    unit_tests.py MODULE ...
"""

import os
import sys
import unittest


def skip(lines):
    """Adds to the list that the environment variable NCHW_SKIPS names."""
    if lines and "NCHW_SKIPS" in os.environ:
        with open(os.environ["NCHW_SKIPS"], "a", encoding="utf-8") as skips:
            skips.writelines(f"{line}\n" for line in lines)


def main():
    result = unittest.TextTestRunner(failfast=True).run(unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:]))
    skip([f"{test.id()}: {reason}" for test, reason in result.skipped])
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
