"""What the scripts about kernels and servers share."""

import os
import signal
import socket


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
