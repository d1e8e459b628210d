"""Ends a kernel with everything that it started."""

import os
import signal


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
