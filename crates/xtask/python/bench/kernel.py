"""Measures the kernel `nchw`, without and with a spare kernel, and a Python kernel with PyTorch that does the same.

The cells of the kernel `nchw` are new to it, apart from the imports, which are the same in every notebook; a kernel does
not compile again what an earlier one has compiled. Another start runs the same cells as the one before.

    python -m bench.kernel --python PEER --rounds N

The Python of `.venv` runs this script; PEER is a Python with PyTorch, matplotlib and ipykernel. The kernels take
turns, so that other load on the machine affects all. The cells run without pauses, as with Run All Cells.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from bench.spare import SPARE, arguments, nchw_spare, wait_until_ready
from common import FIRST_CELL, exit_on_sigterm, python_path, wait_until
from kernel import Kernel, family, memory

# The kernel of `cargo xtask lab`, which has started before it is needed.
SPARE_NAME = "with spare"
# A kernel without a spare, with the cells of the one before.
AGAIN_NAME = "again"
# The imports, the photo, and the figure: cells of the course, and the same in PyTorch.
RUST_FIRST = [
    FIRST_CELL,
    'let photo = Image::open("../datasets/photos/china.jpg")?.grey();',
    "Filter::vertical_edge().convolve(&photo)?",
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

# Ordinary cells, line by line the same in both languages.
RUST_CELLS = [
    "let t = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));",
    'println!("{:?}", t.size());',
    "let padded: i64 = 32 + 2 * 1;",
    "fn positions(size: i64, kernel: i64) -> i64 { size - kernel + 1 }",
    'println!("{}", positions(padded, 5));',
    "let doubled = &t * 2.0;",
    'println!("{}", doubled.sum(Kind::Float).double_value(&[]));',
    "doubled.size()",
]
PYTHON_CELLS = [
    "t = torch.ones(2, 3)",
    "print(t.shape)",
    "padded = 32 + 2 * 1",
    "def positions(size, kernel): return size - kernel + 1",
    "print(positions(padded, 5))",
    "doubled = t * 2",
    "print(doubled.sum().item())",
    "doubled.shape",
]

ROWS = [
    ("start", "start → ready", "s"),
    ("imports", "first cell (imports)", "s"),
    ("figure", "start → first figure", "s"),
    ("cell", "ordinary cell", "s"),
    ("memory", "memory", "MiB"),
    ("both", "memory with its spare", "MiB"),
]
# Seconds until the next spare kernel must start.
LIMIT = 120


def peer_specs(python, folder):
    """Returns kernelspecs with one kernel, `peer`, which runs another Python."""
    spec = folder / "peer"
    spec.mkdir()
    # With a folder of its own, the kernel does not run the user's start-up files.
    environment = {"IPYTHONDIR": str(folder / "ipython")}
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    text = json.dumps({"argv": argv, "display_name": "peer", "language": "python", "env": environment})
    (spec / "kernel.json").write_text(text, encoding="utf-8")
    return KernelSpecManager(kernel_dirs=[str(folder)], ensure_native_kernel=False)


@contextlib.contextmanager
def spare_kernel():
    """Has a spare kernel ready, which the next start receives, as in `cargo xtask lab`."""
    nchw_spare.turn_on()
    try:
        SPARE.warm(*arguments())
        wait_for_spare()
        yield
    finally:
        nchw_spare.turn_off()


def wait_for_spare():
    """Waits until the spare kernel is ready; returns it."""
    spare = wait_until(lambda: SPARE.kernel, LIMIT, "no spare kernel started: 2 GB of memory must be free, and "
                       "no JupyterLab may use this course folder")
    wait_until_ready(spare)
    return spare


def measure(manager, first, cells):
    """Measures one kernel from its start to its end."""
    # Quiet, because the kernel's own stderr would appear in the table.
    with Kernel(manager=manager, quiet=True) as kernel:
        ready = kernel.wait_until_ready()
        imports = kernel.run_successfully(first[0]).seconds
        for code in first[1:-1]:
            kernel.run_successfully(code)
        before = time.monotonic() - kernel.started
        figure_after = kernel.run_successfully(first[-1]).figure_after
        if figure_after is None:
            raise SystemExit(f"this cell showed no figure:\n{first[-1]}")
        cell = statistics.median(kernel.run_successfully(code).seconds for code in cells)
        result = {"start": ready, "imports": imports, "figure": before + figure_after, "cell": cell,
                  "memory": memory(kernel.processes)}
        if SPARE.on:
            result["both"] = memory(kernel.processes + family(wait_for_spare().process.pid))
        return result


def new(cells, number):
    """The same cells with a comment, so that the compiler has never seen them. evcxr drops one before or after a line."""
    return [cell if cell == FIRST_CELL else f"{cell[:-1]}/* {number} */{cell[-1]}" for cell in cells]


def measure_all(kernels, rounds):
    """Returns every kernel's measurements; the kernels take turns."""
    results = {name: [] for name in kernels}
    # The first round is a warm-up: it fills the disk cache and compiles what is not compiled.
    for number in range(rounds + 1):
        for name, (make, first, cells) in kernels.items():
            if name == "Rust":
                seen = time.time_ns()
            if name != "Python":
                stamp = time.time_ns() if name == SPARE_NAME else seen
                first, cells = new(first, stamp), new(cells, stamp)
            with spare_kernel() if name == SPARE_NAME else contextlib.nullcontext():
                result = measure(make(), first, cells)
            if number == 0:
                continue
            results[name].append(result)
            numbers = ", ".join(f"{key} {show(result[key], unit)} {unit}" for key, _, unit in ROWS if key in result)
            print(f"  round {number}, {name:<10} {numbers}", flush=True)
    return results


def show(value, unit):
    return f"{value:.0f}" if unit == "MiB" else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def table(results):
    lines = [f"{'':<28}" + "".join(f"{f'{name} min':>15}{'median':>9}" for name in results)
             + "".join(f"{f'{name} / Python':>20}" for name in results if name != "Python")]
    for key, title, unit in ROWS:
        line, middle = f"{f'{title}, {unit}':<28}", {}
        for name, measured in results.items():
            values = [result[key] for result in measured if key in result]
            middle[name] = statistics.median(values) if values else None
            line += f"{show(min(values), unit):>15}{show(middle[name], unit):>9}" if values else f"{'–':>15}{'–':>9}"
        for name in results:
            if name != "Python":
                known = middle[name] and middle["Python"]
                line += f"{middle[name] / middle['Python']:>20.2f}" if known else f"{'–':>20}"
        lines.append(line)
    return "\n".join(lines)


def load():
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench kernel")
    parser.add_argument("--python", type=python_path, required=True, metavar="PEER")
    parser.add_argument("--rounds", type=int, required=True, metavar="N")
    arguments = parser.parse_args()
    exit_on_sigterm()
    print(f"before: {load()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="nchw-bench-", ignore_cleanup_errors=True) as folder:
        specs = peer_specs(arguments.python, Path(folder))
        kernels = {
            "Rust": (lambda: KernelManager(kernel_name="nchw"), RUST_FIRST, RUST_CELLS),
            AGAIN_NAME: (lambda: KernelManager(kernel_name="nchw"), RUST_FIRST, RUST_CELLS),
            SPARE_NAME: (lambda: KernelManager(kernel_name="nchw"), RUST_FIRST, RUST_CELLS),
            "Python": (lambda: KernelManager(kernel_name="peer", kernel_spec_manager=specs),
                       PYTHON_FIRST, PYTHON_CELLS),
        }
        results = measure_all(kernels, arguments.rounds)
    print(f"after: {load()}\n\n{table(results)}\n\nThe last column is the ratio of the medians. Each kernel was started "
          f"{arguments.rounds} times, after a warm-up.")


if __name__ == "__main__":
    main()
