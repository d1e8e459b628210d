"""The spare kernel (`assets/nchw_spare.py`) in this process, without a Jupyter server; for tests and measurements."""

import json
import os
import sys
from pathlib import Path

import psutil
from jupyter_client.kernelspec import KernelSpecManager

from common import NOTEBOOKS, ROOT, wait_until

sys.path.append(str(ROOT / "crates/xtask/assets"))
import nchw_spare  # noqa: E402

SPARE = nchw_spare.SPARE
# Seconds until evcxr must run; copying its build folder takes long on a busy machine.
LIMIT = 120


def arguments(folder=NOTEBOOKS, **environment):
    """What the kernel's program needs for its start: its path, a folder and an environment."""
    kernelspec = KernelSpecManager().get_kernel_spec("nchw")
    return kernelspec.argv[0], str(folder), {**os.environ, **kernelspec.env, **environment}


def wait_until_ready(kernel):
    """Waits until a spare kernel has loaded the crate. It is asked at evcxr's own ports, which are not Jupyter's."""
    def folder():
        return psutil.Process(kernel.process.pid).environ().get("EVCXR_TMPDIR")

    wait_until(folder, LIMIT, "the spare kernel did not become evcxr")
    connection = json.loads((Path(folder()) / "connection.json").read_text(encoding="utf-8"))
    if not nchw_spare.answers(kernel, connection):
        raise SystemExit("the spare kernel ended")
