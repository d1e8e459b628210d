"""Helpers that use only the standard library, so that they run in every virtual environment of the course."""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = ROOT / "notebooks"
# The first cell of every notebook.
FIRST_CELL = ':dep nchw = { path = "../crates/nchw" }\nuse nchw::prelude::*;'
# Where the loader looks for libraries; the same as in crates/xtask/src/system/platform.rs.
LOADER_VARIABLE = "DYLD_FALLBACK_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
# Marks the processes that a script starts; see `marked_processes`.
MARK = "NCHW_STARTED_BY"


class Failure(Exception):
    """A check failed. The message says what was expected and what was found."""


def wait_until(condition, timeout, message, pause=0.1):
    """Calls `condition` until it returns a true value, and returns that value.

    Raises `Failure` after `timeout` seconds, with `message` (a string, or a function that returns one).
    """
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            raise Failure(message() if callable(message) else message)
        time.sleep(pause)
    return result


def exit_on_sigterm():
    """Makes SIGTERM raise `SystemExit`, so that context managers clean up. Returns the previous handler."""
    return signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@contextlib.contextmanager
def temporary_progress():
    """Gives cells a temporary folder for quiz answers and training runs; yields the folder.

    The answers of the person who runs a check must not affect it, and it must not change them.
    """
    previous = exit_on_sigterm()
    try:
        with tempfile.TemporaryDirectory(prefix="nchw-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            variables = {"NCHW_PROGRESS": str(folder / "progress.json"), "NCHW_RUNS": str(folder / "runs")}
            with mock.patch.dict(os.environ, variables):
                yield folder
    finally:
        signal.signal(signal.SIGTERM, previous)


def run_command(command, timeout=None, **options):
    """Runs a program and returns its exit status and its output (stdout and stderr together).

    The output goes to a file: a pipe would stay open until every process that inherited it has ended. Programs write
    in the user's encoding, so bytes that are not UTF-8 are replaced.
    """
    with tempfile.TemporaryFile() as file:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              timeout=timeout, check=False, **options)
        file.seek(0)
        return done.returncode, file.read().decode("utf-8", "replace")


def strip_ansi(text):
    """Removes the escape sequences that colour text in a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def python_path(text):
    """An absolute path, for argparse. Links are kept: a virtual environment's Python is a link to another Python."""
    return Path(os.path.abspath(text))


def read_log(path):
    return path.read_text(encoding="utf-8", errors="replace")


def free_port():
    """A port of this machine on which no program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def marked_environment(**variables):
    """The environment with `variables` and a mark; on exit, ends every process that has this mark.

    Descendants inherit the mark, so they are found even after their parents have ended.
    """
    environment = {**os.environ, **variables, MARK: secrets.token_hex(16)}
    try:
        yield environment
    finally:
        for signal_number, patience in ((signal.SIGTERM, 8), (signal.SIGKILL, 5)):
            for process in marked_processes(environment):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal_number)
            with contextlib.suppress(Failure):
                wait_until(lambda: not marked_processes(environment), patience, "some processes still run")


def marked_processes(environment):
    """The ids of all running processes with the mark of this environment."""
    mark, found = f"{MARK}={environment[MARK]}".encode(), []
    if not Path("/proc/self/environ").exists():
        return listed_processes(mark)
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # The process has ended, or belongs to another user.
            if mark in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
    return found


def listed_processes(mark):
    """The same for macOS, which has no /proc: there, `ps` shows the environments of a user's own processes."""
    listed = subprocess.run(["ps", "axeww", "-o", "pid=,command="], stdout=subprocess.PIPE, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if mark in line.split()]


class JupyterLab:
    """A JupyterLab server on this machine, with a token of its own and without the user's settings.

    `environment` is from `marked_environment`, which ends the server. Settings and runtime files go to `folder`.
    """

    START_LIMIT = 120

    def __init__(self, python, root_dir, folder, log, environment):
        port = free_port()
        self.address, self.token = f"127.0.0.1:{port}", secrets.token_hex(24)
        own = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
        inherited = {name: value for name, value in environment.items() if not name.startswith("JUPYTERLAB_S")}
        command = [python, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
                   "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root_dir}"]
        if os.geteuid() == 0:
            command.append("--allow-root")
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command, cwd=root_dir, env={**inherited, **own, "JUPYTER_TOKEN": self.token}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

        def answers():
            if self.process.poll() is not None:
                raise Failure(f"JupyterLab ended with {self.process.returncode}:\n{read_log(log)[-2000:]}")
            with contextlib.suppress(OSError):
                return self.request("/api/status")

        wait_until(answers, self.START_LIMIT,
                   lambda: f"JupyterLab did not answer within {self.START_LIMIT} s:\n{read_log(log)[-2000:]}")

    def request(self, path, method="GET", content=None, timeout=10):
        """Sends a request to the server's REST API and returns the answer."""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, method=method,
                                         headers={"Authorization": f"token {self.token}"})
        # The server is on this machine, so no proxy is used.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
            return json.loads(answer.read() or "null")
