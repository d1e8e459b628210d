"""Measures the kernel `nchw` beside a Python kernel with PyTorch that does the same.

    bench_kernel.py --python PEER --rounds N

Run by the Python of `.venv` (jupyter_client); PEER is a Python with PyTorch,
matplotlib and ipykernel. Both kernels are started by the same client, by
turns, so that what else the machine does hits both. No cell waits for a
reader: it is what a learner sees who clicks Run All at once.
"""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from kernels import group_of, kill_group

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"
WAIT = 600

# Imports, what is needed for the picture, the picture: the course's cells, and what a
# PyTorch course writes for them.
RUST_FIRST = [
    ':dep nchw = { path = "../crates/nchw" }\nuse nchw::prelude::*;',
    'let photo = Image::open("../datasets/photos/china.jpg")?.grey();',
    "Filter::vertical_edge().apply(&photo)?",
]
PYTHON_FIRST = [
    "%matplotlib inline\nimport torch, numpy as np\nimport torch.nn.functional as F\n"
    "from PIL import Image\nimport matplotlib.pyplot as plt",
    'photo = torch.tensor(np.array(Image.open("../datasets/photos/china.jpg").convert("L"))) / 255',
    "weight = torch.tensor([[-1., 0., 1.]] * 3).reshape(1, 1, 3, 3)\n"
    "result = F.conv2d(photo[None, None], weight)[0, 0]\n"
    "fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4))\n"
    'left.imshow(photo, cmap="gray")\n'
    'shown = right.imshow(result, cmap="RdBu_r", vmin=-3, vmax=3)\n'
    "fig.colorbar(shown)\nplt.show()",
]

# What a learner types between two figures, line by line the same.
RUST_CELLS = [
    "let t = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));",
    'println!("{:?}", t.size());',
    "let padded: i64 = 32 + 2 * 1;",
    "fn places(size: i64, kernel: i64) -> i64 { size - kernel + 1 }",
    'println!("{}", places(padded, 5));',
    "let doubled = &t * 2.0;",
    'println!("{}", doubled.sum(Kind::Float).double_value(&[]));',
    "doubled.size()",
]
PYTHON_CELLS = [
    "t = torch.ones(2, 3)",
    "print(t.shape)",
    "padded = 32 + 2 * 1",
    "def places(size, kernel): return size - kernel + 1",
    "print(places(padded, 5))",
    "doubled = t * 2",
    "print(doubled.sum().item())",
    "doubled.shape",
]

ROWS = [
    ("start", "start → ready", "s"),
    ("imports", "first cell (imports)", "s"),
    ("picture", "start → first picture", "s"),
    ("cell", "ordinary cell", "s"),
    ("memory", "memory", "MiB"),
]


def peer_specs(python, folder):
    """Kernelspecs with one kernel, `peer`, of another Python."""
    spec = folder / "peer"
    spec.mkdir()
    # A start-up file of the user's own must not be measured.
    environment = {"IPYTHONDIR": str(folder / "ipython")}
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    text = json.dumps({"argv": argv, "display_name": "peer", "language": "python", "env": environment})
    (spec / "kernel.json").write_text(text, encoding="utf-8")
    return KernelSpecManager(kernel_dirs=[str(folder)], ensure_native_kernel=False)


def run(client, code):
    """Runs a cell: (seconds, seconds to its picture or None). Raises where the cell complains."""
    start, picture, complaints = time.monotonic(), [], []

    def hook(message):
        content = message["content"]
        if "image/png" in content.get("data", {}):
            picture.append(time.monotonic() - start)
        elif message["msg_type"] == "error":
            complaints.append("\n".join(content["traceback"]))
        # evcxr says "ok" to a panic; only stderr tells.
        elif message["msg_type"] == "stream" and content["name"] == "stderr":
            complaints.append(content["text"])

    client.execute_interactive(code, timeout=WAIT, output_hook=hook)
    if complaints:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", "".join(complaints))
        raise SystemExit(f"this cell complained:\n{code}\n\n{plain}")
    return time.monotonic() - start, picture[0] if picture else None


def descendants(process):
    """The process and all that it started, by their parents in /proc."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which may hold spaces: state, parent.
            parent = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:  # Gone meanwhile.
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = [], [process]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def pages(process):
    """KiB in memory: (of its own, {file: pages of that file})."""
    own, files, path = 0, {}, None
    for line in Path(f"/proc/{process}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if not words[0].endswith(":"):  # A mapping begins: addresses, rights, offset, device, inode, path.
            path = " ".join(words[5:]) or None
        elif words[0] == "Rss:":
            files[path] = files.get(path, 0) + int(words[1])
        elif words[0] == "Anonymous:":
            own += int(words[1])
            files[path] -= int(words[1])
    return own, files


def memory(process):
    """MiB of the process tree, its shared pages once, as if it were alone on the machine.

    Not the kernel's PSS: that falls with every other kernel that has libtorch open.
    """
    total, files = 0, {}
    for each in descendants(process):
        try:
            own, mapped = pages(each)
        except OSError:  # Gone meanwhile.
            continue
        total += own
        for path, size in mapped.items():
            files[path] = max(files.get(path, 0), size)
    return (total + sum(files.values())) / 1024


def measure(manager, first, cells):
    """One kernel from its start to its end."""
    begun = time.monotonic()
    # Its own standard error is of no interest here, and would break the table.
    with open(os.devnull, "w") as nowhere:
        manager.start_kernel(cwd=str(NOTEBOOKS), stderr=nowhere)
    group = group_of(manager)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT)
        start = time.monotonic() - begun
        imports, _ = run(client, first[0])
        for code in first[1:-1]:
            run(client, code)
        before = time.monotonic() - begun
        _, shown = run(client, first[-1])
        if shown is None:
            raise SystemExit(f"this cell showed no picture:\n{first[-1]}")
        seconds = [run(client, code)[0] for code in cells]
        return {"start": start, "imports": imports, "picture": before + shown,
                "cell": statistics.median(seconds), "memory": memory(manager.provisioner.pid)}
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        kill_group(group)


def rounds_of(kernels, rounds):
    """Every kernel's measurements, taken by turns."""
    results = {name: [] for name in kernels}
    # The first turn is not counted: it fills the disk cache, and compiles what is not compiled.
    for number in range(rounds + 1):
        for name, (make, first, cells) in kernels.items():
            result = measure(make(), first, cells)
            if number == 0:
                continue
            results[name].append(result)
            print(f"  round {number}, {name:<6} " + ", ".join(
                f"{key} {show(result[key], unit)} {unit}" for key, _, unit in ROWS), flush=True)
    return results


def show(value, unit):
    return f"{value:.0f}" if unit == "MiB" else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def table(results):
    lines = [f"{'':<24}{'Rust min':>10}{'median':>9}{'Python min':>12}{'median':>9}{'Rust / Python':>15}"]
    for key, title, unit in ROWS:
        rust, python = ([r[key] for r in results[name]] for name in ("Rust", "Python"))
        middle = statistics.median(rust), statistics.median(python)
        lines.append(f"{f'{title}, {unit}':<24}{show(min(rust), unit):>10}{show(middle[0], unit):>9}"
                     f"{show(min(python), unit):>12}{show(middle[1], unit):>9}{middle[0] / middle[1]:>15.2f}")
    return "\n".join(lines)


def load():
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected at least one round")
    return number


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench kernel")
    # Not resolved: a virtual environment's Python is a link, and its path says which environment.
    parser.add_argument("--python", type=os.path.abspath, required=True, metavar="PEER")
    parser.add_argument("--rounds", type=at_least_one, default=5, metavar="N")
    arguments = parser.parse_args()
    # Ended from outside, it still ends its kernels.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"before: {load()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="nchw-bench-", ignore_cleanup_errors=True) as folder:
        specs = peer_specs(arguments.python, Path(folder))
        kernels = {
            "Rust": (lambda: KernelManager(kernel_name="nchw"), RUST_FIRST, RUST_CELLS),
            "Python": (lambda: KernelManager(kernel_name="peer", kernel_spec_manager=specs),
                       PYTHON_FIRST, PYTHON_CELLS),
        }
        results = rounds_of(kernels, arguments.rounds)
    print(f"after: {load()}\n\n{table(results)}\n\nratio of the medians; each kernel was started "
          f"{arguments.rounds} times, by turns, after one turn that is not counted")


if __name__ == "__main__":
    main()
