"""Starts the kernel `nchw` as JupyterLab does, and runs cells in it.

Without arguments, prints one line of JSON: the seconds until the kernel answered, the seconds of a cell with a tensor,
the device that libtorch uses, and the library's answer to a request for CIFAR-10.
With --build, runs only the first cell, which compiles the library if it changed.
"""

import contextlib
import json
import os
import sys
import threading

from common import FIRST_CELL
from kernel import Kernel, kill_group

TIMEOUT = 3600
DATA = """match Dataset::cifar10_or_stand_in() {
    Ok(data) => println!("data set: {}", data.name),
    Err(error) => println!("error: {error}"),
}"""


def watch(manager, group, done):
    """Ends this program if the kernel dies, which a waiting client does not notice, or if set-up ends.

    Otherwise this program would hold set-up's lock for an hour.
    """
    parent = os.getppid()
    while not done.wait(1):
        died = manager.provisioner is None or manager.provisioner.process.poll() is not None
        if died or os.getppid() != parent:
            kill_group(group)
            # Perhaps no process reads stderr any more.
            with contextlib.suppress(OSError):
                print("the kernel died" if died else "set-up was ended", file=sys.stderr, flush=True)
            os._exit(1)


def main():
    done = threading.Event()
    with Kernel(timeout=TIMEOUT) as kernel:
        threading.Thread(target=watch, args=(kernel.manager, kernel.group, done), daemon=True).start()
        try:
            ready = kernel.wait_until_ready()
            kernel.run_successfully(FIRST_CELL)
            if "--build" in sys.argv:
                kernel.run_successfully("let nchw_warm_up = nchw::warm_up(); drop(nchw_warm_up);")
                return
            cell = kernel.run_successfully("let t = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));")
            device = kernel.run_successfully('println!("{:?}", device());').stdout.strip()
            data = kernel.run_successfully(DATA).stdout
            print(json.dumps({"start": ready, "cell": cell.seconds, "device": device, "data": data}))
        finally:
            done.set()


if __name__ == "__main__":
    main()
