"""Measures where the time of a cell goes, with cargo for every cell and without.

    python -m bench.cell --rounds N

The cells of notebook 02 run in three kernels, which take turns. Before each cell of the first one, the recorded command
line is removed, so that cargo compiles the cell, as evcxr does without this course's stand-in. The second one calls
rustc, and keeps what it compiles; the third one finds it. Scripts note when cargo, rustc and the linker start and end;
they add about 3 ms to each.
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
KINDS = ("through cargo", "rustc at once", "compiled before")
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
    """The parts of a cell's time in seconds; if nothing was compiled, only all of it."""
    rustc = [(begin, stop) for name, begin, stop in calls if name == "rustc"]
    if not rustc:
        return {"all": end - start, "compilations": 0}
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
            # What the compiler answers is kept for one compiler: for each folder of scripts.
            cargo, rustc = [stack.enter_context(tempfile.TemporaryDirectory(prefix="nchw-bench-")) for _ in range(2)]
            managers = {kind: KernelManager(kernel_name="nchw") for kind in KINDS}
            for kind, folder in zip(KINDS, (cargo, rustc, rustc)):
                kernels[kind] = Toolchain(managers[kind], folder)
            for kind, toolchain in kernels.items():
                kernel = stack.enter_context(Kernel(manager=managers[kind], quiet=True))
                kernel.wait_until_ready()
                record = Path(kernel.processes[0].environ()["EVCXR_TMPDIR"]) / "build/ctx.json"
                kernels[kind] = kernel, toolchain, record
            for at, code in enumerate(codes):
                times = {}
                for kind, (kernel, toolchain, record) in kernels.items():
                    if kind == KINDS[0]:
                        record.unlink(missing_ok=True)
                    toolchain.calls()
                    start = time.time()
                    kernel.run(code)
                    times[kind] = split(toolchain.calls(), start, time.time())
                # The first cell's `:dep` makes evcxr ask cargo for all packages; some cells only have commands.
                if at > 0 and times[KINDS[0]]["compilations"]:
                    for kind in KINDS:
                        results[kind].append(times[kind])
        print(f"  round {number + 1}: {len(codes)} cells", flush=True)
    return results


def table(results):
    lines = [f"| median of {len(results[KINDS[0]])} cells, ms | " + " | ".join(KINDS) + " |", "| --- " * 4 + "|"]
    for key, title in ROWS:
        known = [[parts[key] for parts in results[kind] if key in parts] for kind in KINDS]
        # Of the cells that were compiled before, one in twenty may be compiled again: it is not in these rows.
        shown = [f"{1000 * statistics.median(values):.0f}" if 2 * len(values) > len(results[KINDS[0]]) else "–"
                 for values in known]
        lines.append(f"| {title} | " + " | ".join(shown) + " |")
    for title, least in (("cells that were compiled", 1), ("cells that were compiled more than once", 2)):
        counts = [sum(parts["compilations"] >= least for parts in results[kind]) for kind in KINDS]
        lines.append(f"| {title} | " + " | ".join(map(str, counts)) + " |")
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
