"""Tests set-up under faults, in a temporary clone: `cargo xtask faults`.

    faults.py --libtorch FOLDER

After each fault, set-up must say what to do, and the same command, run again, must give a working kernel. Set-up must
not remove anything that it did not make. FOLDER is a libtorch to build with, so that its 545 MB are not downloaded
again. The clone's name contains spaces and Korean letters; the clone contains only what is committed.
"""

import argparse
import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from common import ROOT, Failure, run_command

STEPS = ["packages", "python", "libtorch", "rust-source", "wrapper", "evcxr", "kernel", "notebooks", "program"]
# Seconds for one set-up, and between a step's first line and its interruption.
LIMIT, DELAY = 1800, 0.5


class Clone:
    """A clone of the repository, in which the faults are caused one after another."""

    def __init__(self, folder, libtorch):
        self.root = folder / "합성곱 course (1)"
        subprocess.run(["git", "clone", "--quiet", ROOT, self.root], check=True)
        # Without backtraces, the output that set-up passes on begins with the message.
        self.environment = os.environ | {"LIBTORCH": str(libtorch), "RUST_BACKTRACE": "0"}

    def start(self):
        return subprocess.Popen(["cargo", "xtask", "setup"], cwd=self.root, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
                                start_new_session=True)

    def run(self, *command, says=(), fails=False, unset=(), prefix=(), **variables):
        """Runs `cargo xtask setup`, or another command. It must succeed or fail as expected, and its output contain `says`.

        `prefix` is put before the command; `variables` are added to its environment, and those in `unset` removed.
        """
        environment = {name: value for name, value in (self.environment | variables).items() if name not in unset}
        status, output = run_command([*prefix, "cargo", "xtask", *(command or ["setup"])], LIMIT, cwd=self.root,
                                     env=environment, start_new_session=True)
        if (status != 0) != fails:
            raise Failure(f"ended with {status}:\n{output}")
        missing = [words for words in says if words not in output]
        if missing:
            raise Failure(f"did not say {missing}:\n{output}")

    def interrupt(self, begun, how):
        """Starts set-up and interrupts it in the first step that is not in `begun`; returns the step that was running.

        Adds the steps that began to `begun`. Returns None if set-up ended without another step.
        """
        process, output = self.start(), []
        for line in process.stdout:
            output.append(line)
            step = step_of(line)
            if step and step not in begun:
                begun.add(step)
                time.sleep(DELAY)
                how(process)
                # More steps may have begun before the interruption.
                steps = [step, *filter(None, map(step_of, process.stdout))]
                begun.update(steps)
                process.wait(timeout=LIMIT)
                self.wait_for_orphans()
                return steps[-1]
        if process.wait() != 0:
            raise Failure(f"ended with {process.returncode} after interruptions in {sorted(begun)}:\n{''.join(output)}")
        return None

    def wait_for_orphans(self):
        """Waits for the processes that a killed set-up left running: they hold its lock."""
        with open(self.root / ".nchw/lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def slots(self):
        """The kernels' working folders of this clone. They are in the cache, because its path contains a space."""
        cache = os.environ.get("NCHW_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nchw"
        return [folder for folder in Path(cache).glob("slots-*") if owner(folder) == str(self.root / ".nchw/kernel")]

    def packages(self):
        return next(self.root.glob(".venv/lib/python*/site-packages"))


def step_of(line):
    """The step whose beginning set-up announces in this line, or None."""
    name = line.strip().split(":")[0]
    return name if name in STEPS else None


def owner(folder):
    """The clone to which a folder of working folders belongs; None if its file is missing."""
    file = folder / "of"
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else None


def ctrl_c(process):
    """Interrupts every process of the group, as a terminal does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)


def kill(process):
    """Kills only set-up itself (cargo has become it by `exec`); the programs that it started continue."""
    process.kill()


def unshare(option):
    """A prefix that runs a command without the network (-n) or with its own mounts (-m); None if that is not allowed."""
    prefix = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), option]
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else None


# The faults, in the order in which set-up meets them. Each starts from the state that the one before left.


def foreign_environment(clone):
    (clone.root / ".venv").mkdir()
    mine = clone.root / ".venv/mine.py"
    mine.write_text("", encoding="utf-8")
    clone.run(fails=True, says=["set-up did not make it", "mv "])
    if not mine.exists():
        raise Failure("the user's own .venv was removed")
    mine.unlink()
    mine.parent.rmdir()


def no_network(clone):
    prefix = unshare("-n")
    if prefix is None:
        return "skipped: unshare is not allowed here"
    clone.run(fails=True, prefix=prefix, says=["could not install Python packages", "the network is not available"],
              PIP_NO_CACHE_DIR="1")
    return None


def full_disk(clone):
    prefix = unshare("-m")
    if prefix is None or os.geteuid() != 0:
        return "skipped: only root may mount a small disk"
    with tempfile.TemporaryDirectory() as small:
        shell = ["sh", "-c", f"mount -t tmpfs -o size=4m none {small} && exec \"$@\"", "sh"]
        clone.run(fails=True, prefix=[*prefix, *shell], says=["a disk is full", "df -h"], TMPDIR=small,
                  PIP_NO_CACHE_DIR="1")
    return None


def another_libtorch(clone):
    with tempfile.TemporaryDirectory() as folder:
        header = Path(folder) / "include/torch/headeronly/version.h"
        header.parent.mkdir(parents=True)
        numbers = zip(["MAJOR", "MINOR", "PATCH"], [2, 10, 0])
        header.write_text("".join(f"#define TORCH_VERSION_{name} {number}\n" for name, number in numbers), encoding="utf-8")
        clone.run(fails=True, LIBTORCH=folder, says=["libtorch 2.11.0 is needed", "has 2.10.0", "unset LIBTORCH"])


def interrupted_at_every_step(clone):
    # Set-up starts from the beginning, but the downloads are in the cache.
    for step in STEPS:
        (clone.root / ".nchw/steps" / step).unlink(missing_ok=True)
    begun, interrupted = set(), {}
    for how, name in itertools.cycle([(ctrl_c, "Ctrl-C"), (kill, "killed")]):
        step = clone.interrupt(begun, how)
        if step is None:
            break
        interrupted[step] = name
    if begun != set(STEPS):
        raise Failure(f"these steps never began: {sorted(set(STEPS) - begun)}")
    clone.run("doctor", says=["kernel"])
    # A step that takes less than DELAY had ended, and the next one was interrupted.
    return "in " + ", ".join(f"{step} ({name})" for step, name in interrupted.items())


def two_at_once(clone):
    # The first one is this program: a real set-up may end before the second one begins.
    with open(clone.root / ".nchw/lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clone.run(fails=True, says=["another set-up of this clone is running", "wait"])
    clone.run(says=["Ready"])


def half_an_environment(clone):
    subprocess.run(["rm", "-r", clone.packages() / "jupyterlab"], check=True)
    clone.run(says=["python:", "Ready"])
    clone.run("doctor")


def a_broken_build(clone):
    """Truncates files, as a full disk or a power failure does."""
    for folder in [clone.root / ".nchw/kernel", *clone.slots()]:
        for library in folder.rglob("libnchw*.so"):
            library.unlink()
            library.write_bytes(b"")
    clone.run("doctor", fails=True, says=["FAIL  kernel", "to fix it: cargo xtask setup"])
    clone.run(says=["Ready"])
    clone.run("doctor")


def no_home(clone):
    clone.run(unset=["HOME"], says=["Ready"])


def a_read_only_folder_of_notebooks(clone):
    prefix, folder = unshare("-m"), clone.root / "my-notebooks"
    if prefix is None or os.geteuid() != 0:
        return "skipped: only root may mount a folder read-only"
    shell = ["sh", "-c", f"mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}' && exec \"$@\"", "sh"]
    clone.run("doctor", fails=True, prefix=[*prefix, *shell], says=["notebooks", "cannot be written"])
    return None


def windows(clone):
    """WSL, whose /proc/version says so."""
    prefix = unshare("-m")
    if prefix is None or os.geteuid() != 0:
        return "skipped: only root may replace /proc/version"
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / "version"
        version.write_text("Linux version 5.15.167.4-microsoft-standard-WSL2 (gcc)\n", encoding="utf-8")
        shell = ["sh", "-c", f"mount --bind '{version}' /proc/version && exec \"$@\"", "sh"]
        clone.run("doctor", prefix=[*prefix, *shell], says=["Windows Subsystem for Linux, version 2"])
    return None


def without_the_spare_kernel(clone):
    """Kernels start without the server's extension, and set-up repairs it."""
    extension = clone.root / ".venv/etc/jupyter/nchw_spare.py"
    extension.unlink()
    clone.run("doctor", says=["kernel"])
    clone.run(says=["kernel:", "Ready"])
    if not extension.exists():
        raise Failure("set-up did not install the spare kernel's extension again")


def spare_kernels(clone):
    """A killed server, an edited crate, a stale build, two servers, little memory: the tests of this clone."""
    python = clone.root / ".venv/bin/python"
    status, output = run_command([python, "-m", "unittest", "tests.test_spare"], LIMIT, env=clone.environment,
                                 cwd=clone.root / "crates/xtask/python", start_new_session=True)
    if status != 0:
        raise Failure(f"ended with {status}:\n{output}")


FAULTS = [foreign_environment, no_network, full_disk, another_libtorch, interrupted_at_every_step, two_at_once,
          half_an_environment, without_the_spare_kernel, spare_kernels, a_broken_build, no_home,
          a_read_only_folder_of_notebooks, windows]


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask faults")
    parser.add_argument("--libtorch", type=Path, required=True)
    arguments = parser.parse_args()
    # A shell starts background commands with SIGINT ignored, and their child processes would inherit this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="nchw-faults-") as folder:
        clone = Clone(Path(folder), arguments.libtorch)
        for fault in FAULTS:
            name, start = fault.__name__.replace("_", " "), time.monotonic()
            try:
                note = fault(clone)
                print(f"  ok    {name:<36}{time.monotonic() - start:5.0f} s  {note or ''}".rstrip(), flush=True)
            except Failure as failure:
                failed += 1
                print(f"  FAIL  {name:<36}{failure}", flush=True)
        for left in clone.slots():
            shutil.rmtree(left)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
