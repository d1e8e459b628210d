"""Runs every notebook again and again, two at once, in one JupyterLab, as on a day in class.

    python -m bench.day --rounds N

After every round it measures the memory of the server and of each notebook's kernel, the temporary files and the
kernels' working folders; at the end, the processes that still run. It fails if one of them grows by more than LIMITS:
whatever grows during a day fails in the last lesson.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
import uuid
from pathlib import Path

import nbformat
import psutil
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from common import NOTEBOOKS, ROOT, Failure, JupyterLab, exit_on_sigterm, marked_environment, marked_processes
from kernel import command_line, family, memory

AT_ONCE = 2
# Seconds for a kernel to start, for a cell, and for a kernel to end.
KERNEL_LIMIT, CELL_LIMIT, END_LIMIT = 600, 900, 20
# The growth that is allowed between the first and the last round.
LIMITS = {
    "server": (30, "MiB of the server"),
    "kernel": (200, "MiB of the same notebook's kernel"),
    "temporary": (0, "temporary files"),
    "slots": (150, "MiB of the kernels' working folders"),
}


async def request(server, *arguments):
    return await asyncio.to_thread(server.request, *arguments, timeout=KERNEL_LIMIT)


async def execute(channels, code):
    """Runs a cell and waits for its end."""
    number = uuid.uuid4().hex
    header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number, "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    await channels.write_message(json.dumps({"channel": "shell", "header": header, "parent_header": {}, "metadata": {},
                                             "content": content, "buffers": []}))
    while True:
        text = await asyncio.wait_for(channels.read_message(), CELL_LIMIT)
        if text is None:
            raise Failure(f"the connection to the kernel ended at:\n{code}")
        message = json.loads(text)
        if message["parent_header"].get("msg_id") == number and message["msg_type"] == "status" \
                and message["content"]["execution_state"] == "idle":
            return


async def run_notebook(server, name, folder):
    """Runs one notebook from its first cell to its last; returns the MiB of its kernel at the end."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    session = await request(server, "/api/sessions", "POST", {"path": f"{uuid.uuid4()}.ipynb", "type": "notebook",
                                                              "name": name, "kernel": {"name": "nchw"}})
    kernel = session["kernel"]["id"]
    address = f"ws://{server.address}/api/kernels/{kernel}/channels?session_id={session['id']}"
    channels = await websocket_connect(
        HTTPRequest(address, headers={"Authorization": f"token {server.token}"}, connect_timeout=KERNEL_LIMIT,
                    request_timeout=KERNEL_LIMIT), max_message_size=2**28)
    try:
        # With a folder of its own for runs, the notebook trains again in every round.
        runs = folder / f"runs-{uuid.uuid4().hex}"
        await execute(channels, f"unsafe {{ std::env::set_var(\"NCHW_RUNS\", {json.dumps(str(runs))}) }};")
        for cell in cells:
            if cell.cell_type == "code":
                await execute(channels, cell.source)
        processes = family(kernel_process(server, kernel).pid)
        used = await asyncio.to_thread(memory, processes)
    finally:
        channels.close()
        await request(server, f"/api/sessions/{session['id']}", "DELETE")
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, END_LIMIT)
    if alive:
        raise Failure(f"{name}: its kernel was shut down, but these processes still run: {alive}")
    return used


def kernel_process(server, kernel):
    """The server's child process for this kernel. The connection file in its relay's command line contains the id."""
    for process in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(kernel in command_line(child) for child in process.children()):
                return process
    raise Failure("the server has no process for the kernel")


async def run_round(server, names, folder):
    """Runs every notebook once, two at once; returns {name: MiB of its kernel}."""
    waiting, used = list(reversed(names)), {}

    async def worker():
        while waiting:
            name = waiting.pop()
            used[name] = await run_notebook(server, name, folder)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return used


def disk_usage(folder):
    """MiB that a folder uses on the disk. A file with several hard links counts once."""
    files = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # The file was removed.
            status = path.lstat()
            files[status.st_ino] = status.st_blocks * 512
    return sum(files.values()) / 2**20


def measure(server, names, rounds, folder):
    """Runs all rounds; returns the measurements after each."""
    measured = []
    for number in range(1, rounds + 1):
        start = time.monotonic()
        used = asyncio.run(run_round(server, names, folder))
        now = {"server": psutil.Process(server.process.pid).memory_full_info().uss / 2**20, "kernels": used,
               "temporary": sum(path.is_file() for path in (folder / "tmp").rglob("*")),
               "slots": disk_usage(ROOT / ".nchw/kernel/slots")}
        measured.append(now)
        print(f"  round {number:2}: {time.monotonic() - start:4.0f} s, server {now['server']:4.0f} MiB, kernels "
              f"{min(used.values()):.0f} to {max(used.values()):.0f} MiB, temporary files {now['temporary']}, "
              f"working folders {now['slots']:.0f} MiB", flush=True)
    return measured


def growth(measured):
    """Returns the growth between the first and the last round, and descriptions of what exceeds its limit."""
    first, last = measured[0], measured[-1]
    grown = {what: last[what] - first[what] for what in ("server", "temporary", "slots")}
    grown["kernel"] = max(last["kernels"][name] - first["kernels"][name] for name in last["kernels"])
    return grown, [f"{grown[what]:.0f} more {words} (at most {limit} are allowed)"
                   for what, (limit, words) in LIMITS.items() if grown[what] > limit]


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench day")
    parser.add_argument("--rounds", type=int, required=True)
    rounds = parser.parse_args().rounds
    exit_on_sigterm()
    names = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    with tempfile.TemporaryDirectory(prefix="nchw-day-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        own = {"TMPDIR": str(folder / "tmp"), "NCHW_PROGRESS": str(folder / "progress.json")}
        with marked_environment(**own) as environment:
            try:
                server = JupyterLab(sys.executable, NOTEBOOKS, folder, folder / "log", environment)
                measured = measure(server, names, rounds, folder)
                server.request("/api/shutdown", "POST")
                server.process.wait(timeout=60)
            except Failure as failure:
                raise SystemExit(f"  FAIL  {failure}") from None
            left = marked_processes(environment)
    grown, failures = growth(measured)
    if left:
        failures.append(f"{len(left)} processes still run after shut-down: {left}")
    print(f"  grown from round 1 to {rounds}: " + ", ".join(f"{grown[what]:.0f} {words}"
                                                           for what, (_, words) in LIMITS.items()))
    print(f"  still running after shut-down: {len(left)}")
    raise SystemExit("\n".join(f"  FAIL  {failure}" for failure in failures) or 0)


if __name__ == "__main__":
    main()
