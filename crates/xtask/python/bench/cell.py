"""Measures where the time of a cell goes, with cargo for every cell and without.

    python -m bench.cell --rounds N

The cells of notebook 02 run in two kernels, which take turns. Before each cell of one of them, the recorded command
line is removed, so that cargo compiles the cell, as evcxr does without this course's stand-in. Scripts note when cargo,
rustc and the linker start and end; they add about 3 ms to each.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

from bench.kernel import load
from common import NOTEBOOKS, exit_on_sigterm, temporary_progress
from kernel import Kernel, Toolchain
from notebooks import build

SOURCE = NOTEBOOKS / "src/02-convolution.md"
KINDS = ("through cargo", "rustc at once")
ROWS = [
    ("all", "from the request to the end"),
    ("before", "evcxr, and cargo before it calls rustc"),
    ("rustc", "rustc without the linker"),
    ("linker", "linker"),
    ("after", "cargo's end, loading, running, answers"),
]


def cells():
    notebook = build(SOURCE.read_text(encoding="utf-8"), SOURCE.stem)
    return [cell.source for cell in notebook.cells
            if cell.cell_type == "code" and "fails" not in cell.metadata.get("tags", [])]


def split(calls, start, end):
    """The parts of a cell's time in seconds; None if nothing was compiled."""
    rustc = [(begin, stop) for name, begin, stop in calls if name == "rustc"]
    if not rustc:
        return None
    linker = sum(stop - begin for name, begin, stop in calls if name == "cc")
    inside = sum(stop - begin for begin, stop in rustc)
    before, after = rustc[0][0] - start, end - rustc[-1][1]
    return {"all": end - start, "before": before, "rustc": inside - linker, "linker": linker, "after": after,
            "compilations": len(rustc)}


def measure(rounds):
    """The parts of every cell's time, for each kind."""
    results = {kind: [] for kind in KINDS}
    codes = cells()
    for number in range(rounds):
        with contextlib.ExitStack() as stack:
            kernels = {}
            for kind in KINDS:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nchw-bench-"))
                manager = KernelManager(kernel_name="nchw")
                toolchain = Toolchain(manager, folder)
                kernel = stack.enter_context(Kernel(manager=manager, quiet=True))
                kernel.wait_until_ready()
                records = Path(kernel.processes[0].environ()["EVCXR_TMPDIR"]) / "build/ctx.json"
                kernels[kind] = kernel, toolchain, records
            for at, code in enumerate(codes):
                for kind, (kernel, toolchain, record) in kernels.items():
                    if kind == KINDS[0]:
                        record.unlink(missing_ok=True)
                    toolchain.calls()
                    start = time.time()
                    kernel.run(code)
                    parts = split(toolchain.calls(), start, time.time())
                    # The first cell's `:dep` makes evcxr ask cargo for all packages.
                    if parts and at > 0:
                        results[kind].append(parts)
        print(f"  round {number + 1}: {len(codes)} cells", flush=True)
    return results


def table(results):
    lines = [f"| median of {len(results[KINDS[0]])} cells, ms | " + " | ".join(KINDS) + " |", "| --- | --- | --- |"]
    for key, title in ROWS:
        medians = [statistics.median(parts[key] for parts in results[kind]) for kind in KINDS]
        lines.append(f"| {title} | " + " | ".join(f"{1000 * median:.0f}" for median in medians) + " |")
    twice = [sum(parts["compilations"] > 1 for parts in results[kind]) for kind in KINDS]
    lines.append("| cells that were compiled more than once | " + " | ".join(map(str, twice)) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench cell")
    parser.add_argument("--rounds", type=int, required=True, metavar="N")
    arguments = parser.parse_args()
    exit_on_sigterm()
    print(f"before: {load()}", flush=True)
    with temporary_progress():
        results = measure(arguments.rounds)
    print(f"after: {load()}\n\n{table(results)}")


if __name__ == "__main__":
    main()
