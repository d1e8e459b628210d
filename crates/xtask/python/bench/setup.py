"""Measures set-up: a first clone with empty caches, then a second clone that finds the caches of the first.

    python -m bench.setup

Both clones, the caches of set-up and of pip, and cargo's home are in a temporary folder (6 GB), so nothing of this user
helps. The clones have what is committed. Prints the CPU seconds and the seconds by the clock of each step.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from common import LOADER_VARIABLE, ROOT, Failure, exit_on_sigterm, marked_environment

STEP = re.compile(r"  ([a-z-]+): .*\)$")
DONE = re.compile(r" +done in \d+ s$")
# What would lead to the user's own caches, or change how packages are compiled.
REMOVED = ["CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "RUSTFLAGS", "RUSTC_WRAPPER", "LIBTORCH", LOADER_VARIABLE]


def empty_caches(folder, environment):
    """The environment with empty caches in a folder. The user's choice of registries and mirrors stays."""
    home = Path(environment.get("CARGO_HOME") or Path.home() / ".cargo")
    cargo = folder / "cargo"
    cargo.mkdir()
    for name in ["config.toml", "config", "credentials.toml"]:
        if (home / name).is_file():
            shutil.copy2(home / name, cargo)
    own = {"CARGO_HOME": str(cargo), "NCHW_CACHE": str(folder / "cache"), "PIP_CACHE_DIR": str(folder / "pip"),
           "PYTHONDONTWRITEBYTECODE": "1"}
    return {name: value for name, value in environment.items() if name not in REMOVED} | own


def cpu_of_children(process):
    """CPU seconds of all processes that this one has started and waited for, and of theirs: the user's, the system's."""
    times = process.cpu_times()
    return times.children_user, times.children_system


def measure(clone, environment):
    """Sets a clone up; returns (step, CPU seconds of the user, of the system, seconds) for each step."""
    command = ["cargo", "xtask", "setup", "--cpu"]
    started = time.monotonic()
    process = psutil.Popen(command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           encoding="utf-8", errors="replace", start_new_session=True)
    steps, output = [], []
    # Cargo compiles `cargo xtask` first, and then becomes it: the process stays the same.
    name, before, begun = "cargo xtask", (0.0, 0.0), started
    for line in process.stdout:
        output.append(line)
        found = STEP.match(line)
        if found or DONE.match(line):
            now, cpu = time.monotonic(), cpu_of_children(process)
            if name:
                steps.append((name, cpu[0] - before[0], cpu[1] - before[1], now - begun))
            name, before, begun = found and found[1], cpu, now
    if process.wait() != 0:
        raise Failure(f"set-up failed:\n{''.join(output[-30:])}")
    return steps, time.monotonic() - started


def show(title, steps, total):
    print(f"\n{title}\n\n  {'step':<14} {'user s':>7} {'system s':>9} {'clock s':>8}")
    together = ("together", sum(step[1] for step in steps), sum(step[2] for step in steps), total)
    for name, user, system, clock in [*steps, together]:
        print(f"  {name:<14} {user:>7.0f} {system:>9.0f} {clock:>8.0f}", flush=True)


def main():
    exit_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="nchw-setup-", ignore_cleanup_errors=True) as name, \
            marked_environment() as marked:
        folder = Path(name)
        environment = empty_caches(folder, marked)
        for title, clone in [("First clone, empty caches", "first"), ("Second clone", "second")]:
            subprocess.run(["git", "clone", "--quiet", ROOT, folder / clone], check=True)
            show(title, *measure(folder / clone, environment))
    print(f"\n{psutil.cpu_count()} cores, {psutil.getloadavg()[0]:.1f} processes wanted one at the end")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
