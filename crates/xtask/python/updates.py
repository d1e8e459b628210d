"""Tests updates from older versions: `cargo xtask updates`.

    updates.py [COMMIT ...]

For each commit: sets up a clone as it was then, works in it as a learner would, and updates it as the README says. Then
everything must work, and the learner's files must be as they were.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from common import MARK, ROOT, Failure, marked_environment, read_log, run_command, wait_until

# One commit for each way in which an older version kept its files.
COMMITS = {
    "6ecbccc": "one crate; the notebooks were run where they are published",
    "1634c74": "training, and checkpoints of their first format",
    "a212b03": "five crates",
    "1fa82b2": "the learner's own copies of the notebooks, and interactive figures",
    "e299d70": "spare kernels",
}
# Published notebooks that the learner changes, although they are there for reading.
PUBLISHED = ["03-channels.ipynb", "04-padding-stride.ipynb"]
# What the README says if git therefore refuses to update, and how git says so.
KEEP = "mkdir -p my-notebooks/old && cp notebooks/*.ipynb my-notebooks/old && git restore 'notebooks/*.ipynb'"
REFUSAL = "would be overwritten by merge"
# Seconds for a set-up, and for another command.
SETUP_LIMIT, LIMIT = 3600, 900
# They would change what is set up.
VARIABLES = ["LIBTORCH", "LD_LIBRARY_PATH", "CARGO_TARGET_DIR", "NCHW_COURSE"]


class Clone:
    """A clone at an older commit of `main`."""

    def __init__(self, folder, environment, commit):
        self.root = folder
        self.environment = {name: value for name, value in environment.items() if name not in VARIABLES} | {"LC_ALL": "C"}
        self.call(LIMIT, "git", "clone", "--quiet", ROOT, ".")
        self.call(LIMIT, "git", "checkout", "--quiet", "-B", "main", commit)

    def call(self, limit, *command):
        """Runs a program in the clone and returns its output."""
        try:
            status, output = run_command(command, limit, cwd=self.root, env=self.environment, start_new_session=True)
        except subprocess.TimeoutExpired:
            status, output = f"nothing after {limit} s", ""
        if status != 0:
            raise Failure(f"`{' '.join(map(str, command))}` ended with {status}:\n{output[-4000:]}")
        return output

    def nchw(self, *arguments):
        return self.call(LIMIT, self.root / ".venv/bin/nchw", *arguments)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_own_text(notebook):
    """Changes a notebook, as a learner does."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    content["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": "My own text."})
    notebook.write_text(json.dumps(content), encoding="utf-8")


def work(clone):
    """What a learner leaves in a clone; returns the hashes of the files."""
    notebooks = clone.root / "notebooks"
    own, crate = notebooks / "my own.ipynb", notebooks / "my-crate/src/lib.rs"
    shutil.copy(notebooks / PUBLISHED[0], own)
    crate.parent.mkdir(parents=True)
    crate.write_text("pub fn mine() -> u32 { 7 }\n", encoding="utf-8")
    files = [own, crate]
    for name in PUBLISHED:
        write_own_text(notebooks / name)
    copy = clone.root / "my-notebooks" / PUBLISHED[0]
    if copy.exists():
        write_own_text(copy)
        files.append(copy)
    if trains(clone):
        clone.nchw("train", "--preset", "quick", "--stand-in", "500", "--epochs", "2", "--out", "runs/mine")
        files += [path for path in (clone.root / "runs/mine").rglob("*") if path.is_file()]
    return {path: digest(path) for path in files}


def trains(clone):
    """Whether this version has `nchw train`."""
    return (clone.root / "crates/nchw/src/train").is_dir()


def pull(clone):
    """`git pull`, and what the README says if git refuses."""
    # What is checked out here, also if it is not `main`.
    command = ["git", "pull", "--quiet", "--ff-only", "origin", "HEAD"]
    places = [clone.root / folder for folder in ("notebooks", "my-notebooks/old")]
    before = {name: digest(places[0] / name) for name in PUBLISHED}
    try:
        clone.call(LIMIT, *command)
    except Failure as failure:
        if REFUSAL not in str(failure):
            raise
        clone.call(LIMIT, "sh", "-c", KEEP)
        clone.call(LIMIT, *command)
    for name, hashed in before.items():
        if hashed not in [digest(place / name) for place in places if (place / name).exists()]:
            raise Failure(f"the changes of {name} are lost")


def update(clone):
    """`git pull && cargo xtask lab`, until JupyterLab answers; returns the seconds."""
    start = time.monotonic()
    pull(clone)
    root = ["--allow-root"] if os.geteuid() == 0 else []
    with marked_environment() as marked, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["cargo", "xtask", "lab", "--no-browser", *root], cwd=clone.root, env=clone.environment | {MARK: marked[MARK]},
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)

        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def answered():
            if process.poll() is not None:
                raise Failure(f"`cargo xtask lab` ended with {process.returncode}:\n{read_log(log)[-4000:]}")
            found = re.search(r"\S+//127\.0\.0\.1:\d+/lab\S*", read_log(log))
            # It prints the address before it listens there.
            with contextlib.suppress(OSError):
                return found and direct.open(found.group(), timeout=60).read()

        wait_until(answered, SETUP_LIMIT, lambda: f"JupyterLab did not answer:\n{read_log(log)[-4000:]}")
        return time.monotonic() - start


def judge(clone, before):
    """Everything works, and the learner's files are as they were."""
    clone.call(LIMIT, "cargo", "xtask", "doctor")
    clone.call(LIMIT, "cargo", "xtask", "notebooks", "--check", "00-start")
    lost = [str(path.relative_to(clone.root)) for path, hashed in before.items() if not path.exists() or digest(path) != hashed]
    if lost:
        raise Failure(f"these files of the learner are not as they were: {lost}")
    weights = clone.root / "runs/mine/weights.safetensors"
    if weights.exists():
        clone.nchw("see", "--weights", weights, "--image", "datasets/photos/china.jpg", "--out", "runs/seen.png")


def check(commit):
    """Sets up an older version, works in it and updates it; returns what is to be said."""
    with (tempfile.TemporaryDirectory(prefix="nchw-update-", ignore_cleanup_errors=True) as folder,
          marked_environment() as environment):
        clone = Clone(Path(folder), environment, commit)
        clone.call(SETUP_LIMIT, "cargo", "xtask", "setup")
        before = work(clone)
        seconds = update(clone)
        judge(clone, before)
        return f"updated in {seconds:.0f} s, {len(before)} files kept"


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask updates")
    parser.add_argument("commits", nargs="*", default=list(COMMITS))
    failed = 0
    for commit in parser.parse_args().commits:
        try:
            print(f"  ok    {commit}  {check(commit)} ({COMMITS.get(commit, 'no note')})", flush=True)
        except Failure as failure:
            failed += 1
            print(f"  FAIL  {commit}  {failure}", flush=True)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
