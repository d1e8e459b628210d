"""An extension of the Jupyter server: it keeps one kernel "Rust (nchw)" ready, which the next notebook receives.

It is used if NCHW_SPARE is 1 in the server's environment, as `cargo xtask lab` sets it. Programs that run notebooks one
after another (nbclient, nbgrader) load no extensions of the server, so their kernels start as ever.

The kernel starts before Jupyter has chosen its ports. `nchw-kernel --spare` (`crates/xtask/src/kernel/spare.rs`) waits for
them on a socket, and ends the kernel when this process ends. It also notices that the kernel is stale.

The server's kernels are started by a provisioner, an extension point of jupyter_client. The kernelspec does not name it:
Jupyter refuses a kernelspec whose provisioner it does not know, and the kernelspec is also found by a Jupyter outside of
`.venv` (Binder, Dockerfile). Instead, it becomes this server's default.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import psutil
import zmq
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from jupyter_client.session import Session

PROVISIONER = "nchw-spare"
# A kernel must know its key when it starts, so all of this server's kernels have the same one.
KEY = secrets.token_hex(32)
# Bytes of memory that must be free before a spare kernel starts. It uses a quarter of them.
NEEDED = 2 * 2**30
# Seconds in which the relay opens Jupyter's ports; after a restart, it waits for those of the previous kernel.
LIMIT = 60
# Seconds without work after which a kernel counts as idle, and the work in this time that does not count.
QUIET, WORK = 2, 0.1
# The name of the notebook, and the process that starts the kernel; evcxr and the cells do not need them.
DIFFERENT = {"JPY_SESSION_NAME", "JPY_PARENT_PID"}


class Waiting:
    """A kernel that waits for Jupyter's ports."""

    def __init__(self, program, folder, environment, **options):
        self.belongs = self.key(program, folder, environment)
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(LIMIT)
        with theirs:
            self.process = subprocess.Popen(
                [program, "--spare"], cwd=folder, env={**environment, "JPY_PARENT_PID": str(os.getpid())}, stdin=theirs,
                start_new_session=True, **options)
        self.send({"transport": "tcp", "signature_scheme": "hmac-sha256", "key": KEY})

    @staticmethod
    def key(program, folder, environment):
        """What must be the same when this kernel is needed. `nchw-kernel` compares the files that it has loaded."""
        same = {name: value for name, value in environment.items() if name not in DIFFERENT}
        return program, os.path.realpath(folder or os.getcwd()), same

    def send(self, message):
        # If the kernel has ended, `connect` and `alive` say so.
        with contextlib.suppress(OSError):
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def connect(self, connection):
        """Gives the kernel Jupyter's ports. If it cannot be used, it is ended."""
        self.send({name: value for name, value in connection.items() if name == "ip" or name.endswith("_port")})
        answer = b""
        with contextlib.suppress(OSError):
            answer = self.socket.makefile("rb").readline()
        # For a moment, the relay of a kernel that has just ended still answers.
        ready = answer == b"ready\n" and self.alive()
        if not ready:
            self.end()
        return ready

    def alive(self):
        return self.process.poll() is None

    def end(self):
        # The group is the kernel's own, and its leader has not been waited for, so no other process has this number.
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        # If the leader has ended by itself, the relay ends the others.
        self.socket.close()
        self.process.wait()


class Spare:
    """At most one spare kernel, for this process and all others that use the same course folder."""

    def __init__(self):
        self.lock, self.kernel, self.file, self.on = threading.RLock(), None, None, False
        # The last kernel that was started, and all whose sockets must stay open: a kernel ends with its socket.
        self.last, self.started = None, []

    def warm(self, program, folder, environment):
        """Starts a spare kernel, unless there is one already or memory is scarce. Returns whether there is one now."""
        with self.lock:
            if self.kernel and self.kernel.alive():
                return True
            self.drop()
            if not self.on or available_memory() < NEEDED or not self.claim(environment):
                return False
            try:
                # Without the caller's pipes: a program that reads them to their end would wait for this kernel.
                null = subprocess.DEVNULL
                self.kernel = Waiting(program, folder, environment, stdout=null, stderr=null)
            except OSError:
                self.release()
            return self.kernel is not None

    def claim(self, environment):
        """Whether no other process has a spare kernel of this course folder. The claim ends with this process."""
        try:
            self.file = open(Path(environment["NCHW_KERNEL"]) / "spare.lock", "wb")
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            self.release()
            return False

    def release(self):
        if self.file:
            self.file.close()
            self.file = None

    def drop(self):
        """Ends the spare kernel."""
        with self.lock:
            if self.kernel:
                self.kernel.end()
                self.kernel = None
            self.release()

    def start(self, connection, program, folder, environment, **options):
        """The spare kernel or a new one, connected to Jupyter's ports; None if neither can be used."""
        with self.lock:
            kernel, self.kernel = self.kernel, None
            # No earlier kernel may start a spare one now.
            self.last = None
            self.release()
        if kernel and kernel.belongs != Waiting.key(program, folder, environment):
            kernel.end()
            kernel = None
        if not (kernel and kernel.connect(connection)):
            kernel = Waiting(program, folder, environment, **options)
            if not kernel.connect(connection):
                return None
        with self.lock:
            self.last = kernel
            for ended in [other for other in self.started if not other.alive()]:
                ended.end()
                self.started.remove(ended)
            self.started.append(kernel)
        arguments = (kernel, connection, program, folder, environment)
        threading.Thread(target=self.warm_after, args=arguments, daemon=True).start()
        return kernel

    def warm_after(self, kernel, connection, *arguments):
        """Starts the next spare kernel when this one has answered and is idle: two that start at once take twice as long."""
        if answers(kernel, connection):
            wait_until_idle(kernel)
            with self.lock:
                if self.last is kernel:
                    self.warm(*arguments)


SPARE = Spare()


def answers(kernel, connection):
    """Waits until a kernel answers; returns False if it ends before."""
    session = Session(key=KEY.encode())
    with zmq.Context() as context, context.socket(zmq.DEALER) as channel:
        channel.linger = 0
        channel.connect(f"tcp://{connection['ip']}:{connection['control_port']}")
        session.send(channel, "kernel_info_request")
        while not channel.poll(500):
            if not kernel.alive():
                return False
    return True


def wait_until_idle(kernel):
    """Waits until a kernel has not worked for a while, or has ended a while ago."""
    before, since = work(kernel), time.monotonic()
    while time.monotonic() - since < QUIET:
        time.sleep(0.5)
        now = work(kernel)
        # Less than before: it has ended, perhaps because it is being started again.
        if abs(now - before) > WORK:
            before, since = now, time.monotonic()


def work(kernel):
    """Seconds of processor time that a kernel's processes have used."""
    total = 0
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(kernel.process.pid)
        for process in [leader, *leader.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def available_memory():
    """Bytes of memory that are free on this machine and in this container."""
    return min([psutil.virtual_memory().available, *container_memory(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))])


def container_memory(root, own):
    """What the limits of control groups leave of the memory; an empty list without limits."""
    left = []
    with contextlib.suppress(OSError):
        group = root / own.read_text().splitlines()[-1].split(":")[-1].lstrip("/")
        for folder in [group, *group.parents]:
            with contextlib.suppress(OSError, ValueError):
                limit = int((folder / "memory.max").read_text())
                statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                # The system gives up pages of files that were not read for a while.
                used = int((folder / "memory.current").read_text()) - int(statistics.get("inactive_file", 0))
                left.append(limit - used)
    return left


def is_ours(kernelspec):
    return (Path(kernelspec.argv[0]).name == "nchw-kernel" and kernelspec.argv[1:] == ["--control_file", "{connection_file}"]
            and "NCHW_KERNEL" in kernelspec.env)


class SpareProvisioner(LocalProvisioner):
    """Starts kernels as jupyter_client does, but "Rust (nchw)" by `SPARE`."""

    async def pre_launch(self, **kwargs):
        if is_ours(self.kernel_spec) and self.parent and self.parent.transport == "tcp":
            self.parent.session.key = KEY.encode()
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd, **kwargs):
        options = {name: kwargs[name] for name in ("stdout", "stderr") if name in kwargs}
        arguments = (self.connection_info, cmd[0], kwargs.get("cwd"), kwargs["env"])
        kernel = None
        if SPARE.on and is_ours(self.kernel_spec) and len(cmd) == 3 and self.connection_info["transport"] == "tcp":
            # Errors are shown by the usual start, which follows.
            with contextlib.suppress(OSError):
                kernel = await asyncio.to_thread(SPARE.start, *arguments, **options)
        if kernel is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process, self.cwd = kernel.process, kwargs.get("cwd") or os.getcwd()
        self.pid = self.pgid = kernel.process.pid
        return self.connection_info


def turn_on(parent=None):
    """From now on, this process starts its kernels by `SpareProvisioner`, unless the user has chosen another provisioner."""
    factory = KernelProvisionerFactory.instance(parent=parent)
    if factory.default_provisioner_name == "local-provisioner":
        point = EntryPoint(PROVISIONER, f"{__name__}:SpareProvisioner", KernelProvisionerFactory.GROUP_NAME)
        factory.provisioners[PROVISIONER] = point
        factory.default_provisioner_name = PROVISIONER
    SPARE.on = factory.default_provisioner_name == PROVISIONER


def turn_off():
    """Ends the spare kernel; kernels start as ever."""
    KernelProvisionerFactory.instance().default_provisioner_name = "local-provisioner"
    with SPARE.lock:
        SPARE.on, SPARE.last = False, None
        SPARE.drop()


def _jupyter_server_extension_points():
    return [{"module": "nchw_spare"}]


def _load_jupyter_server_extension(server):
    if os.environ.get("NCHW_SPARE") != "1":
        return
    # This is about this server, not about the servers that a user starts in one of its terminals.
    del os.environ["NCHW_SPARE"]
    turn_on(server)
    with contextlib.suppress(NoSuchKernel):
        kernelspec = server.kernel_spec_manager.get_kernel_spec("nchw")
        if is_ours(kernelspec):
            # While the browser is loading, for the notebooks in the first folder.
            SPARE.warm(kernelspec.argv[0], server.root_dir, {**os.environ, **kernelspec.env})
