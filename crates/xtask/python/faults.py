"""Set-up under everything that goes wrong with it, in a clone of its own: `cargo xtask faults`.

    faults.py --libtorch FOLDER

Each fault must end in a clear line that says what to do, and the same command,
run again, in a working kernel. Nothing that set-up did not make may be gone.
FOLDER is a libtorch to build with, so that its 545 MB are not downloaded again.
The clone's name has spaces and Korean letters, and it holds what is committed.
"""

import argparse
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import kernels

ROOT = Path(__file__).resolve().parents[3]
STEPS = ["packages", "python", "libtorch", "rust-source", "wrapper", "evcxr", "kernel", "notebooks"]
# Seconds: for one set-up, and between a step's first line and its interruption.
LIMIT, INTO = 1800, 0.5


class Wrong(Exception):
    """A fault that was not borne."""


class Clone:
    def __init__(self, folder, libtorch):
        self.root = folder / "합성곱 course (1)"
        subprocess.run(["git", "clone", "--quiet", ROOT, self.root], check=True)
        # Without a backtrace what set-up passes on begins with the message itself.
        self.environment = os.environ | {"LIBTORCH": str(libtorch), "RUST_BACKTRACE": "0"}

    def start(self):
        return subprocess.Popen(["cargo", "xtask", "setup"], cwd=self.root, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
                                start_new_session=True)

    def run(self, *command, says=(), fails=False, unset=(), before=(), **more):
        """Runs it to its end: what it wrote."""
        environment = {name: value for name, value in (self.environment | more).items() if name not in unset}
        status, said = kernels.output_of([*before, "cargo", "xtask", *(command or ["setup"])], LIMIT, cwd=self.root,
                                         env=environment, start_new_session=True)
        if (status != 0) != fails:
            raise Wrong(f"ended with {status}:\n{said}")
        missing = [words for words in says if words not in said]
        if missing:
            raise Wrong(f"did not say {missing}:\n{said}")
        return said

    def interrupt(self, begun, how):
        """Starts set-up, and ends it soon after the first step that has not begun before: where it was by then.

        `begun` gets what has begun. None when set-up came to its end without another step.
        """
        process, said = self.start(), []
        for line in process.stdout:
            said.append(line)
            step = step_of(line)
            if step and step not in begun:
                begun.add(step)
                time.sleep(INTO)
                how(process)
                # What was over before the interruption came has begun, too.
                steps = [step, *filter(None, map(step_of, process.stdout))]
                begun.update(steps)
                process.wait(timeout=LIMIT)
                self.wait_for_orphans()
                return steps[-1]
        if process.wait() != 0:
            raise Wrong(f"ended with {process.returncode} after {sorted(begun)} had been interrupted:\n{''.join(said)}")
        return None

    def wait_for_orphans(self):
        """Until what a killed set-up had started has ended."""
        with open(self.root / ".nchw/lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def slots(self):
        """The kernels' working folders of this clone, which has a space in its path."""
        return [folder for folder in slots() if owner(folder) == str(self.root / ".nchw/kernel")]

    def packages(self):
        return next(self.root.glob(".venv/lib/python*/site-packages"))


def step_of(line):
    """The step that set-up says it begins with this line, or None."""
    name = line.strip().split(":")[0]
    return name if name in STEPS else None


def slots():
    """Working folders outside of their clones: those of clones with a space in their path."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("NCHW_CACHE") or Path(caches) / "nchw").glob("slots-*")


def owner(folder):
    """Which clone's working folders these are; None when they do not say."""
    file = folder / "of"
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else None


def ctrl_c(process):
    """What a terminal does: every process of the group gets it."""
    try:
        os.killpg(process.pid, signal.SIGINT)
    except ProcessLookupError:
        pass


def kill(process):
    """Set-up alone is killed (cargo has become it); what it had started goes on."""
    process.kill()


def own_network(command="-n"):
    """A prefix that takes the network, or the mounts, away from a command; None where that is not allowed."""
    user = [] if os.geteuid() == 0 else ["-r"]
    before = ["unshare", *user, command]
    return before if subprocess.run([*before, "true"], capture_output=True).returncode == 0 else None


# --- The faults, in the order of a set-up's life; each takes the clone as the one before left it.


def somebody_elses_environment(clone):
    (clone.root / ".venv").mkdir()
    mine = clone.root / ".venv/mine.py"
    mine.write_text("", encoding="utf-8")
    clone.run(fails=True, says=["set-up did not make it", "mv "])
    if not mine.exists():
        raise Wrong("the user's own .venv is gone")
    mine.unlink()
    mine.parent.rmdir()


def no_network(clone):
    before = own_network()
    if before is None:
        return "skipped: unshare is not allowed here"
    clone.run(fails=True, before=before, says=["could not install Python packages", "the network was not to be had"],
              PIP_NO_CACHE_DIR="1")
    return None


def full_disk(clone):
    before = own_network("-m")
    if before is None or os.geteuid() != 0:
        return "skipped: only root may mount a small disk"
    with tempfile.TemporaryDirectory() as small:
        shell = ["sh", "-c", f"mount -t tmpfs -o size=4m none {small} && exec \"$@\"", "sh"]
        clone.run(fails=True, before=[*before, *shell], says=["a disk is full", "df -h"], TMPDIR=small,
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
    # As if nothing had been done yet, though the downloads are there.
    for step in STEPS:
        (clone.root / ".nchw/steps" / step).unlink(missing_ok=True)
    begun, met = set(), {}
    for how, name in itertools.cycle([(ctrl_c, "Ctrl-C"), (kill, "killed")]):
        step = clone.interrupt(begun, how)
        if step is None:
            break
        met[step] = name
    if begun != set(STEPS):
        raise Wrong(f"never begun: {sorted(set(STEPS) - begun)}")
    clone.run("doctor", says=["kernel"])
    # A step that takes less than INTO is over by then, and the next was interrupted.
    return "in " + ", ".join(f"{step} ({name})" for step, name in met.items())


def two_at_once(clone):
    (clone.root / ".nchw/steps/wrapper").unlink(missing_ok=True)
    first = clone.start()
    for line in first.stdout:
        if line.startswith("  wrapper:"):
            break
    clone.run(fails=True, says=["another set-up of this clone is running", "wait"])
    first.stdout.read()
    first.wait(timeout=LIMIT)
    if first.returncode != 0:
        raise Wrong("the first of the two failed")


def half_an_environment(clone):
    subprocess.run(["rm", "-r", clone.packages() / "jupyterlab"], check=True)
    clone.run(says=["python:", "Ready"])
    clone.run("doctor")


def a_broken_build(clone):
    """Truncated files, as a full disk or a lost battery leaves them."""
    for folder in [clone.root / ".nchw/kernel", *clone.slots()]:
        for library in folder.rglob("libnchw*.so"):
            library.unlink()
            library.write_bytes(b"")
    clone.run("doctor", fails=True, says=["FAIL  kernel", "mend it: cargo xtask setup"])
    clone.run(says=["Ready"])
    clone.run("doctor")


def no_home(clone):
    clone.run(unset=["HOME"], says=["Ready"])


def a_read_only_folder_of_notebooks(clone):
    before, folder = own_network("-m"), clone.root / "notebooks"
    if before is None or os.geteuid() != 0:
        return "skipped: only root may mount a folder read-only"
    shell = ["sh", "-c", f"mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}' && exec \"$@\"", "sh"]
    clone.run("doctor", fails=True, before=[*before, *shell], says=["notebooks", "cannot be written"])
    return None


FAULTS = [somebody_elses_environment, no_network, full_disk, another_libtorch, interrupted_at_every_step, two_at_once,
          half_an_environment, a_broken_build, no_home, a_read_only_folder_of_notebooks]


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask faults")
    parser.add_argument("--libtorch", type=Path, required=True)
    arguments = parser.parse_args()
    # In the background a shell has Ctrl-C ignored, by everything that is started here, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="nchw-faults-") as folder:
        clone = Clone(Path(folder), arguments.libtorch)
        for fault in FAULTS:
            name, start = fault.__name__.replace("_", " "), time.monotonic()
            try:
                note = fault(clone)
                print(f"  ok    {name:<36}{time.monotonic() - start:5.0f} s  {note or ''}".rstrip(), flush=True)
            except Wrong as wrong:
                failed += 1
                print(f"  FAIL  {name:<36}{wrong}", flush=True)
        for left in clone.slots():
            shutil.rmtree(left)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
