"""Starts the kernel `nchw` as JupyterLab does and runs cells in it.

Without arguments: prints, as one line of JSON, how long the start and a cell
with a tensor took, which device libtorch computes on, and what the library says
when it is asked for CIFAR-10.
With --build: only runs the first cell, which compiles what is not compiled.
"""

import contextlib
import json
import os
import sys
import threading
import time

from jupyter_client.manager import KernelManager

import kernels

FIRST = ':dep nchw = { path = "../crates/nchw" }\nuse nchw::prelude::*;'
WAIT = 3600
DATA = """match Dataset::cifar10_or_stand_in() {
    Ok(data) => println!("data set: {}", data.name),
    Err(error) => println!("error: {error}"),
}"""


def run(client, code):
    """Runs a cell: (seconds, stdout). Raises with what the cell complained of."""
    out, complaints = [], []

    def hook(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            (out if content["name"] == "stdout" else complaints).append(content["text"])
        elif message["msg_type"] == "error":
            complaints.append("\n".join(content["traceback"]))

    start = time.monotonic()
    client.execute_interactive(code, timeout=WAIT, output_hook=hook)
    if complaints:
        raise SystemExit("".join(complaints))
    return time.monotonic() - start, "".join(out)


def watch(manager, group, done):
    """Ends this program when the kernel died, which a waiting cell never hears, or when set-up did.

    Else it would hold set-up's lock for an hour.
    """
    parent = os.getppid()
    while not done.wait(1):
        died = manager.provisioner is None or manager.provisioner.process.poll() is not None
        if died or os.getppid() != parent:
            kernels.kill_group(group)
            # Nobody may be left who reads it.
            with contextlib.suppress(OSError):
                print("the kernel died" if died else "set-up was ended", file=sys.stderr, flush=True)
            os._exit(1)


def main():
    build = "--build" in sys.argv
    manager = KernelManager(kernel_name="nchw")
    start = time.monotonic()
    # evcxr prints what cargo compiles on its own standard error.
    manager.start_kernel()
    group = kernels.group_of(manager)
    done = threading.Event()
    threading.Thread(target=watch, args=(manager, group, done), daemon=True).start()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT)
        ready = time.monotonic() - start
        run(client, FIRST)
        if build:
            run(client, "let nchw_warm_up = nchw::warm_up(); drop(nchw_warm_up);")
            return
        seconds, _ = run(client, "let t = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));")
        _, device = run(client, 'println!("{:?}", device());')
        _, data = run(client, DATA)
        print(json.dumps({"start": ready, "cell": seconds, "device": device.strip(), "data": data}))
    finally:
        done.set()
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        kernels.kill_group(group)


if __name__ == "__main__":
    main()
