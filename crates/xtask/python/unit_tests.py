"""Runs unit tests, and adds the skipped ones to the list that `cargo xtask test` prints at its end.

    unit_tests.py tests.test_kernel ...

Several modules run two at once, because their tests mostly wait for other programs.
"""

import os
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor


def record_skips(lines):
    """Appends the lines to the file that the environment variable NCHW_SKIPS names."""
    if lines and "NCHW_SKIPS" in os.environ:
        with open(os.environ["NCHW_SKIPS"], "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def run_here(module):
    """Whether there are tests in the module and all of them succeed."""
    result = unittest.TextTestRunner(failfast=True).run(unittest.defaultTestLoader.loadTestsFromName(module))
    record_skips([f"{test.id()}: {reason}" for test, reason in result.skipped])
    return result.wasSuccessful() and result.testsRun > 0


def run_apart(module):
    """The same in a process of its own, whose output is printed when it ends."""
    command = [sys.executable, "-m", "unit_tests", module]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    print(f"{module}:\n{done.stdout}", flush=True)
    return done.returncode == 0


def main():
    modules = sys.argv[1:]
    if len(modules) == 1:
        sys.exit(0 if run_here(modules[0]) else 1)
    with ThreadPoolExecutor(2) as pool:
        succeeded = list(pool.map(run_apart, modules))
    sys.exit(0 if succeeded and all(succeeded) else 1)


if __name__ == "__main__":
    main()
