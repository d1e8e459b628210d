"""Jupyter kernels: starting one, running cells in it, measuring its memory (jupyter_client and psutil)."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from queue import Empty

import psutil
from jupyter_client.manager import KernelManager

from common import NOTEBOOKS, Failure, strip_ansi


@dataclass
class Output:
    """The output of a cell."""

    stdout: str = ""
    stderr: str = ""
    # The messages of errors, without the lines of code that they are about.
    errors: list[str] = field(default_factory=list)
    # Values and figures: {MIME type: data}.
    results: list[dict] = field(default_factory=list)
    # All text in the order in which it arrived.
    text: str = ""
    # What a successful cell does not write: stderr and errors. evcxr reports success even after a panic.
    complaint: str = ""
    seconds: float = 0.0
    # Seconds until the first figure.
    figure_after: float | None = None

    def add(self, message, seconds):
        """Adds a message from the kernel, received after so many seconds."""
        kind, content, text = message["msg_type"], message["content"], ""
        if kind == "stream":
            text = strip_ansi(content["text"])
            setattr(self, content["name"], getattr(self, content["name"]) + text)
        elif kind == "error":
            self.errors.append(strip_ansi(content["evalue"]))
            text = strip_ansi("\n".join(content["traceback"])) + "\n"
        elif kind in ("execute_result", "display_data"):
            self.results.append(content["data"])
            text = content["data"].get("text/plain", "")
            if "image/png" in content["data"] and self.figure_after is None:
                self.figure_after = seconds
        self.text += text
        if kind == "error" or content.get("name") == "stderr":
            self.complaint += text


class Kernel:
    """A running kernel, as a context manager. It connects to the kernel when it runs the first cell."""

    def __init__(self, name="nchw", folder=NOTEBOOKS, timeout=600, quiet=False, manager=None):
        self.manager = manager or KernelManager(kernel_name=name)
        self.folder, self.timeout, self.quiet = folder, timeout, quiet

    def __enter__(self):
        self.started = time.monotonic()
        # evcxr prints on its own stderr what cargo compiles.
        self.manager.start_kernel(cwd=str(self.folder), **({"stderr": subprocess.DEVNULL} if self.quiet else {}))
        self.group = group_of(self.manager)
        return self

    def __exit__(self, *_):
        if "client" in vars(self):
            self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        kill_group(self.group)

    @cached_property
    def client(self):
        """A client that is connected to the kernel; waits until the kernel answers."""
        client = self.manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=self.timeout)
        except BaseException:
            client.stop_channels()
            raise
        return client

    def wait_until_ready(self):
        """Waits until the kernel answers; returns the seconds since its start."""
        assert self.client
        return time.monotonic() - self.started

    def run(self, code, timeout=None, interrupt_after=None, answer=None, from_output=False):
        """Runs a cell and returns its `Output`. `answer` is what the user types if the cell asks for input.

        `interrupt_after` are seconds after the start or, with `from_output`, after the first output: compiling the cell
        takes long on a busy machine.
        """
        client, output, timeout, start = self.client, Output(), timeout or self.timeout, time.monotonic()
        timer = threading.Timer(interrupt_after or 0, self.manager.interrupt_kernel)
        if interrupt_after and not from_output:
            timer.start()

        def hook(message):
            output.add(message, time.monotonic() - start)
            if from_output and message["msg_type"] == "stream" and timer.ident is None:
                timer.start()

        try:
            client.execute_interactive(
                code, timeout=timeout, output_hook=hook,
                allow_stdin=answer is not None, stdin_hook=lambda _: client.input(answer))
        except (TimeoutError, Empty):
            raise Failure(f"{output.text}\nthe cell did not end within {timeout} s") from None
        finally:
            timer.cancel()
        output.seconds = time.monotonic() - start
        return output

    def run_successfully(self, code):
        """Like `run`, but ends this program if the cell fails."""
        output = self.run(code)
        if output.complaint:
            raise SystemExit(f"{output.complaint}\n(in the cell: {code})")
        return output

    @property
    def processes(self):
        """The kernel's process and its descendants."""
        return family(self.manager.provisioner.pid)


class Toolchain:
    """Lets a kernel call cargo, rustc and the linker through scripts that note when each of them starts and ends."""

    NAMES = ("cargo", "rustc", "cc")

    def __init__(self, manager, folder):
        self.log = Path(folder) / "log"
        environment = manager.kernel_spec.env
        cargo = Path(environment["NCHW_CARGO"])
        programs = {"cargo": cargo, "rustc": cargo.with_name("rustc"), "cc": Path(shutil.which("cc"))}
        for name in self.NAMES:
            script = Path(folder) / name
            code = (f"#!/bin/sh\nstart=$(date +%s.%N)\n'{programs[name]}' \"$@\"\nstatus=$?\n"
                    f"echo \"{name} $start $(date +%s.%N) $*\" >> '{self.log}'\nexit $status\n")
            # For the kernel, a script with another time would be another compiler.
            if not script.exists():
                script.write_text(code, encoding="utf-8")
                script.chmod(0o755)
        environment["NCHW_CARGO"] = str(Path(folder) / "cargo")
        environment["PATH"] = os.pathsep.join([str(folder), os.environ["PATH"]])

    def calls(self):
        """What compiled a cell since the last call: (name, start, end) of each program, in the order in which they ended."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        marks = {"cargo": "--message-format=json", "rustc": "--crate-name ctx", "cc": "libctx"}
        calls = []
        for line in lines:
            name, start, end, arguments = line.split(" ", 3)
            if marks[name] in arguments:
                calls.append((name, float(start), float(end)))
        return calls


def family(number):
    """The process with this id, and its descendants."""
    process = psutil.Process(number)
    return [process, *process.children(recursive=True)]


def group_of(manager):
    """The process group of a running kernel; unknown after the kernel is shut down."""
    return getattr(manager.provisioner, "pgid", None)


def kill_group(group):
    """Kills what evcxr leaves running when it is killed: the process that runs the cells, and cargo."""
    if group:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def command_line(process):
    """The command line of a process; empty if the process has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, FileNotFoundError):
        return ""


def memory(processes):
    """MiB of memory that the processes use. Pages of a file that they share count once.

    PSS would depend on the other kernels of the machine: it divides shared pages among all processes.
    """
    total, files = 0, {}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            for mapping in process.memory_maps():
                total += mapping.anonymous
                files[mapping.path] = max(files.get(mapping.path, 0), mapping.rss - mapping.anonymous)
    return (total + sum(files.values())) / 2**20
