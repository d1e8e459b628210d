"""What the scripts about kernels and servers share."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock


@contextlib.contextmanager
def own_progress():
    """Cells that run meanwhile have quiz answers and trainings of their own, in a folder that goes away.

    The author's are no part of a notebook, and not to be changed by a check.
    """
    # Ended from outside, it still goes away.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="nchw-", ignore_cleanup_errors=True) as folder:
            own = {"NCHW_PROGRESS": os.path.join(folder, "progress.json"), "NCHW_RUNS": os.path.join(folder, "runs")}
            with mock.patch.dict(os.environ, own):
                yield Path(folder)
    finally:
        signal.signal(signal.SIGTERM, before)


def output_of(command, timeout=None, **more):
    """Runs a program to its end: (exit status, all that it wrote).

    It writes into a file: the end of a pipe comes only when every process that inherited it has ended. What is not
    UTF-8 is replaced: programs write in the user's own encoding.
    """
    with tempfile.TemporaryFile() as file:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              timeout=timeout, check=False, **more)
        file.seek(0)
        return done.returncode, file.read().decode("utf-8", "replace")


def group_of(manager):
    """The process group of a running kernel; ask before it is shut down."""
    return getattr(manager.provisioner, "pgid", None)


def kill_group(group):
    """Killed, evcxr leaves behind the process that runs the cells, and a cargo that still compiles."""
    if group:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass


def command_of(process):
    """Its command line, or none when it is gone: servers and kernels start some that are over at once."""
    import psutil  # Not everywhere this file is: the browser's environment has none.

    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, FileNotFoundError):
        return ""


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
