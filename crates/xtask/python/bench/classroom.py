"""Measures many kernels on one server, as in a class: their times and their memory.

    python -m bench.classroom --kernels 10

All kernels start together. Each runs the first cell, a tensor, a convolution and a filter on a photo, then waits for
the others.
"""

import argparse
import statistics
import threading
import time

from common import FIRST_CELL
from kernel import Kernel

CELLS = {
    "first cell": FIRST_CELL,
    "a tensor": "let t = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));",
    "a convolution": 'let map = Tensor::ones([1, 3, 20, 30], (Kind::Float, Device::Cpu))\n'
    '    .conv2d::<&Tensor>(&Tensor::ones([8, 3, 3, 3], (Kind::Float, Device::Cpu)), None, 1, 0, 1, 1);\n'
    'println!("{:?}", map.size());',
    "a figure": 'Filter::vertical_edge().convolve(&Image::open("../datasets/photos/chelsea.png")?.grey())?',
}
LIMIT = 900


def learner(results, number, barrier):
    """One kernel: its times, its memory (PSS and RSS) and its error messages."""
    with Kernel(timeout=LIMIT) as kernel:
        times = [kernel.wait_until_ready()]
        outputs = [kernel.run(code) for code in CELLS.values()]
        times += [output.seconds for output in outputs]
        barrier.wait(LIMIT)
        # PSS divides the pages that processes share (libtorch, the compiled crate) among them; RSS counts them in each.
        memory = [process.memory_full_info() for process in kernel.processes]
        results[number] = (times, sum(m.pss for m in memory) / 2**20, sum(m.rss for m in memory) / 2**20,
                           [output.complaint for output in outputs if output.complaint])
        barrier.wait(LIMIT)


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench class")
    parser.add_argument("--kernels", type=int, required=True)
    count = parser.parse_args().kernels
    results, barrier = [None] * count, threading.Barrier(count)
    start = time.monotonic()
    learners = [threading.Thread(target=learner, args=(results, number, barrier)) for number in range(count)]
    for thread in learners:
        thread.start()
    for thread in learners:
        thread.join()
    done = [result for result in results if result]
    complaints = [text for *_, texts in done for text in texts]
    print(f"{len(done)} of {count} kernels answered every cell, {time.monotonic() - start:.0f} s in total")
    for index, name in enumerate(["kernel ready", *CELLS]):
        times = sorted(times[index] for times, *_ in done)
        print(f"| {name} | median {statistics.median(times):.1f} s | slowest {times[-1]:.1f} s |")
    for index, name in ((1, "memory, shared pages divided (PSS)"), (2, "memory, shared pages in each (RSS)")):
        sizes = [result[index] for result in done]
        print(f"| {name} | {statistics.mean(sizes):.0f} MB per kernel | {sum(sizes) / 1024:.1f} GB in total |")
    if complaints or len(done) < count:
        raise SystemExit("\n".join(complaints) or "not all kernels finished")


if __name__ == "__main__":
    main()
