"""Runs unit tests, and adds the skipped ones to the list that `cargo xtask test` prints at its end.

    unit_tests.py tests.test_kernel ...
"""

import os
import sys
import unittest


def record_skips(lines):
    """Appends the lines to the file that the environment variable NCHW_SKIPS names."""
    if lines and "NCHW_SKIPS" in os.environ:
        with open(os.environ["NCHW_SKIPS"], "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def main():
    result = unittest.TextTestRunner(failfast=True).run(unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:]))
    record_skips([f"{test.id()}: {reason}" for test, reason in result.skipped])
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
