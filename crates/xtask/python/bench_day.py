"""A day in class: every notebook, again and again, two at once, in one JupyterLab.

    bench_day.py --rounds N

Measured after every round: the memory of the server, of each notebook's kernel
at its end, the files in the folder for temporary ones and the kernels' working
folders; at the end, what still runs. Fails when one of them grows beyond LIMITS:
what grows in a day is what fails in the last lesson.
"""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

import nbformat
import psutil
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from bench_kernel import memory
from kernels import command_of, free_port

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = ROOT / "notebooks"
AT_ONCE = 2
# Seconds: for the server, a kernel, a cell, and until a kernel that was shut down is gone.
START_LIMIT, KERNEL_LIMIT, CELL_LIMIT, GONE_LIMIT = 120, 600, 900, 20
# How much more there may be after the last round than after the first.
LIMITS = {
    "server": (30, "MiB of the server"),
    "kernel": (200, "MiB of the same notebook's kernel"),
    "temporary": (0, "temporary files"),
    "slots": (150, "MiB of the kernels' working folders"),
}


class Wrong(Exception):
    """What is wrong, in words."""


def marked(mark):
    """All processes that were started with this in their environment, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("NCHW_DAY") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):  # Gone meanwhile, or not ours.
            continue
    return found


class Server:
    """JupyterLab as a class would have it, with everything it writes in one folder."""

    def __init__(self, folder):
        self.folder, self.mark, self.token = folder, secrets.token_hex(16), secrets.token_hex(24)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        own = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
        own |= {"NCHW_DAY": self.mark, "TMPDIR": str(self.temporary), "JUPYTER_TOKEN": self.token,
                "NCHW_PROGRESS": str(folder / "progress.json")}
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--port={port}",
                   "--ServerApp.port_retries=0", f"--ServerApp.root_dir={NOTEBOOKS}"]
        if os.geteuid() == 0:
            command.append("--allow-root")
        self.log = folder / "log"
        with self.log.open("w") as log:
            # Every notebook of a round trains anew: its runs go into a folder of its own, see `Kernel`.
            self.process = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            try:
                self.ask("GET", "/api/status")
                return
            except OSError:
                time.sleep(0.3)
        raise Wrong(f"JupyterLab did not start:\n{self.log.read_text(encoding='utf-8', errors='replace')}")

    def ask(self, method, path, content=None):
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, method=method,
                                         headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=KERNEL_LIMIT) as answer:
            return json.loads(answer.read() or "null")

    async def call(self, *arguments):
        return await asyncio.to_thread(self.ask, *arguments)

    def stop(self):
        self.ask("POST", "/api/shutdown")
        self.process.wait(timeout=60)

    def mebibytes(self):
        return psutil.Process(self.process.pid).memory_full_info().uss / 2**20


async def execute(channels, code):
    """Runs a cell to its end; whether a kernel answered."""
    number = uuid.uuid4().hex
    header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number, "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    await channels.write_message(json.dumps({"channel": "shell", "header": header, "parent_header": {}, "metadata": {},
                                             "content": content, "buffers": []}))
    while True:
        text = await asyncio.wait_for(channels.read_message(), CELL_LIMIT)
        if text is None:
            raise Wrong(f"the connection to the kernel ended at:\n{code}")
        message = json.loads(text)
        if message["parent_header"].get("msg_id") == number and message["msg_type"] == "status" \
                and message["content"]["execution_state"] == "idle":
            return


async def lesson(server, name):
    """One notebook from its first cell to its last: MiB of its kernel at the end."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    before = {process.pid for process in psutil.Process(server.process.pid).children()}
    session = await server.call("POST", "/api/sessions", {"path": f"{uuid.uuid4()}.ipynb", "type": "notebook",
                                                          "name": name, "kernel": {"name": "nchw"}})
    kernel = session["kernel"]["id"]
    address = f"ws://{server.address}/api/kernels/{kernel}/channels?session_id={session['id']}"
    request = HTTPRequest(address, headers={"Authorization": f"token {server.token}"},
                          connect_timeout=KERNEL_LIMIT, request_timeout=KERNEL_LIMIT)
    channels = await websocket_connect(request, max_message_size=2**28)
    try:
        # Trainings of an earlier round would be found, and not be done again.
        runs = server.folder / f"runs-{uuid.uuid4().hex}"
        await execute(channels, f"unsafe {{ std::env::set_var(\"NCHW_RUNS\", {json.dumps(str(runs))}) }};")
        for cell in cells:
            if cell.cell_type == "code":
                await execute(channels, cell.source)
        process = kernel_process(server, kernel, before)
        used = await asyncio.to_thread(memory, process.pid)
        family = [process, *process.children(recursive=True)]
    finally:
        channels.close()
        await server.call("DELETE", f"/api/sessions/{session['id']}")
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, GONE_LIMIT)
    if alive:
        raise Wrong(f"{name}: its kernel was shut down, and these still run: {alive}")
    return used


def kernel_process(server, kernel, before):
    """The server's child for this kernel: its relay was called with the connection file."""
    for process in psutil.Process(server.process.pid).children():
        if process.pid not in before and any(kernel in command_of(child) for child in process.children()):
            return process
    raise Wrong("the kernel's process is not among the server's")


async def a_round(server, names):
    """Every notebook once, two at once: {name: MiB of its kernel}."""
    waiting, used = list(reversed(names)), {}

    async def one_after_the_other():
        while waiting:
            name = waiting.pop()
            used[name] = await lesson(server, name)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return used


def size(folder):
    """MiB on disk below a folder, a file with several names once."""
    files = {}
    for path in folder.rglob("*"):
        try:
            about = path.lstat()
        except OSError:  # Gone meanwhile.
            continue
        files[about.st_ino] = about.st_blocks * 512
    return sum(files.values()) / 2**20


def day(server, names, rounds):
    """What was measured after every round."""
    measured = []
    for number in range(1, rounds + 1):
        start = time.monotonic()
        used = asyncio.run(a_round(server, names))
        left = [path for path in server.temporary.rglob("*") if path.is_file()]
        measured.append({"server": server.mebibytes(), "kernels": used, "temporary": len(left),
                         "slots": size(ROOT / ".nchw/kernel/slots")})
        now = measured[-1]
        print(f"  round {number:2}: {time.monotonic() - start:4.0f} s, server {now['server']:4.0f} MiB, kernels "
              f"{min(used.values()):.0f} to {max(used.values()):.0f} MiB, temporary files {now['temporary']}, "
              f"working folders {now['slots']:.0f} MiB", flush=True)
    return measured


def growth(measured):
    """How much more there is after the last round than after the first, and what is beyond its limit."""
    first, last = measured[0], measured[-1]
    grown = {what: last[what] - first[what] for what in ("server", "temporary", "slots")}
    name = max(last["kernels"], key=lambda name: last["kernels"][name] - first["kernels"][name])
    grown["kernel"] = last["kernels"][name] - first["kernels"][name]
    return grown, [f"{grown[what]:.0f} more {words} (at most {most} are fine)"
                   for what, (most, words) in LIMITS.items() if grown[what] > most]


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench day")
    parser.add_argument("--rounds", type=int, required=True)
    rounds = parser.parse_args().rounds
    if rounds < 2:
        raise SystemExit("growth is what differs between two rounds: --rounds 2 or more")
    names = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    with tempfile.TemporaryDirectory(prefix="nchw-day-") as folder:
        server = Server(Path(folder))
        try:
            measured = day(server, names, rounds)
            server.stop()
            orphans = marked(server.mark)
        except Wrong as wrong:
            raise SystemExit(f"  FAIL  {wrong}") from None
        finally:
            for process in marked(server.mark):
                process.kill()
    grown, beyond = growth(measured)
    if orphans:
        beyond.append(f"{len(orphans)} processes that nobody ended: {orphans}")
    print(f"  grown from round 1 to {rounds}: " + ", ".join(f"{grown[what]:.0f} {words}"
                                                           for what, (_, words) in LIMITS.items()))
    print(f"  left running after shut-down: {len(orphans)}")
    raise SystemExit("\n".join(f"  FAIL  {what}" for what in beyond) or 0)


if __name__ == "__main__":
    main()
