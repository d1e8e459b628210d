"""A class on one server: several kernels at once, what they take of time and memory.

    bench_class.py --kernels 10 [--folder notebooks]

All start together, each runs the first cell, a tensor, a convolution and a filter on a photo, and stays.
Memory is PSS: what processes share (libtorch, the compiled crate) is counted once, in parts.
"""

import argparse
import statistics
import threading
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

import kernels

CELLS = (
    ("first cell", ':dep nchw = { path = "../crates/nchw" }\nuse nchw::prelude::*;'),
    ("a tensor", "let t = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));"),
    ("a convolution", 'let map = Tensor::ones([1, 3, 20, 30], (Kind::Float, Device::Cpu))\n'
     '    .conv2d::<&Tensor>(&Tensor::ones([8, 3, 3, 3], (Kind::Float, Device::Cpu)), None, 1, 0, 1, 1);\n'
     'println!("{:?}", map.size());'),
    ("a figure", 'Filter::vertical_edge().apply(&Image::open("../datasets/photos/chelsea.png")?)?'),
)
LIMIT = 900


def processes(group):
    """All processes of a kernel."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and int((folder / "stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()[2]) == group:
                found.append(folder)
        except (OSError, IndexError):
            pass  # It ended in between.
    return found


def memory(group, what):
    """Megabytes of a kernel: `Pss` or `Rss`."""
    total = 0
    for folder in processes(group):
        try:
            lines = (folder / "smaps_rollup").read_text(encoding="utf-8").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
        except OSError:
            pass
    return total / 1024


def learner(folder, results, number, barrier):
    manager = KernelManager(kernel_name="nchw")
    start = time.monotonic()
    manager.start_kernel(cwd=str(folder))
    group, client = kernels.group_of(manager), manager.client()
    client.start_channels()
    times, failed = [], []
    try:
        client.wait_for_ready(timeout=LIMIT)
        times.append(time.monotonic() - start)

        def hook(message):
            content = message["content"]
            if message["msg_type"] == "error" or content.get("name") == "stderr":
                failed.append(content.get("text") or content.get("evalue"))

        for _, code in CELLS:
            begun = time.monotonic()
            client.execute_interactive(code, timeout=LIMIT, output_hook=hook)
            times.append(time.monotonic() - begun)
        barrier.wait(LIMIT)
        results[number] = (times, memory(group, "Pss"), memory(group, "Rss"), failed)
        barrier.wait(LIMIT)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        kernels.kill_group(group)


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench class")
    parser.add_argument("--kernels", type=int, default=10)
    count = parser.parse_args().kernels
    results, barrier = [None] * count, threading.Barrier(count)
    start = time.monotonic()
    learners = [threading.Thread(target=learner, args=(Path.cwd(), results, n, barrier)) for n in range(count)]
    for one in learners:
        one.start()
    for one in learners:
        one.join()
    done = [result for result in results if result]
    wrong = [text for *_, failed in done for text in failed]
    print(f"{len(done)} of {count} kernels answered every cell, {time.monotonic() - start:.0f} s in all")
    for place, name in enumerate(["kernel ready"] + [name for name, _ in CELLS]):
        times = sorted(times[place] for times, *_ in done)
        print(f"| {name} | median {statistics.median(times):.1f} s | slowest {times[-1]:.1f} s |")
    for place, name in ((1, "memory, shared parts divided (PSS)"), (2, "memory, shared parts in each (RSS)")):
        sizes = [result[place] for result in done]
        print(f"| {name} | {statistics.mean(sizes):.0f} MB a kernel | {sum(sizes) / 1024:.1f} GB in all |")
    if wrong or len(done) < count:
        raise SystemExit("\n".join(wrong) or "not all kernels came through")


if __name__ == "__main__":
    main()
