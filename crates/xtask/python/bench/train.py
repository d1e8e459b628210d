"""Measures `nchw train`, PyTorch's eager mode and PyTorch's compiler, in images per second.

    python -m bench.train --nchw PROGRAM --python PEER --rounds N [--device cuda]

PEER is a Python with PyTorch (for a GPU, with CUDA). All programs take turns, so that other load on the machine affects
all of them. The fastest epoch of each counts: the first epoch is a warm-up, and other load only makes epochs slower.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import LOADER_VARIABLE, ROOT, run_command

PEER = ROOT / "bench" / "peer_train.py"
# A small network designed for speed, on a GPU: what the lecture's network could be compared with at best.
YARDSTICK = ROOT / "bench" / "yardstick.py"
# A GPU trains on ten thousand images too quickly to measure; it gets as many as CIFAR-10 has.
IMAGES = {"cpu": 10_000, "cuda": 50_000}
EPOCHS = {"cpu": 3, "cuda": 4}
PEERS = {
    "eager-fp32": "PyTorch eager, fp32, NCHW",
    "eager-bf16": "PyTorch eager, bf16, channels last",
    "compile-bf16": "PyTorch compiled, bf16, channels last",
}
# Only on a GPU.
GRAPHS = {
    "graph-bf16": "PyTorch, bf16, a step as a CUDA graph",
    "graph-compile-bf16": "the same, with a compiled forward pass",
}
OURS = {"fp32": "nchw, fp32", "bf16": "nchw, bf16"}


def nchw(program, device, precision):
    with tempfile.TemporaryDirectory(prefix="nchw-bench-") as folder:
        subprocess.run(
            [program, "train", "--stand-in", str(IMAGES[device]), "--device", device, "--precision", precision,
             "--preset", "lecture", "--set", "batch_size=256", "--epochs", str(EPOCHS[device]), "--out", folder],
            check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return fastest(lines)


def peer(python, device, variant):
    return fastest(lines_of([python, PEER, variant, "--device", device, "--epochs", str(EPOCHS[device]),
                             "--images", str(IMAGES[device])]))


def yardstick(python):
    """Prints how soon the yardstick learns CIFAR-10."""
    folder = os.environ.get("NCHW_DATA")
    if not folder:
        print(f"without {YARDSTICK.name}: it needs CIFAR-10; set NCHW_DATA to the folder with its binary files",
              file=sys.stderr)
        return
    result = json.loads(list(lines_of([python, YARDSTICK, "--data", folder]))[-1])
    print(f"\nfor comparison, {YARDSTICK.name}: {100 * result['accuracy']:.1f} % after {result['seconds']:.1f} s "
          f"({100 * result['with_copies']:.1f} % with six copies of each image), {result['speed']:.0f} images/s")


def lines_of(command):
    """The lines of JSON that a program prints; the others are PyTorch's warnings."""
    environment = {k: v for k, v in os.environ.items() if k != LOADER_VARIABLE}
    status, output = run_command(command, env=environment)
    if status:
        raise SystemExit(f"{' '.join(map(str, command[1:3]))} ended with {status}:\n{output}")
    return [line for line in output.splitlines() if line.startswith("{")]


def fastest(lines):
    return max(json.loads(line)["speed"] for line in lines)


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask bench train")
    parser.add_argument("--nchw", required=True, metavar="PROGRAM")
    parser.add_argument("--python", required=True, metavar="PEER")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--device", choices=list(IMAGES), required=True)
    arguments = parser.parse_args()
    device = arguments.device
    peers = PEERS | (GRAPHS if device == "cuda" else {})
    runs = {name: (lambda v=variant: peer(arguments.python, device, v)) for variant, name in peers.items()}
    runs |= {name: (lambda p=precision: nchw(arguments.nchw, device, p)) for precision, name in OURS.items()}
    speeds = {name: [] for name in runs}
    for number in range(arguments.rounds):
        for name, run in runs.items():
            speeds[name].append(run())
            print(f"round {number + 1}: {name}: {speeds[name][-1]:.0f} images/s", file=sys.stderr, flush=True)
    fast = OURS["bf16"]
    print(f"\n{'':40}{'images/s':>11}{'spread':>14}   {fast} is faster by")
    for name, all_speeds in speeds.items():
        ratios = [ours / other for ours, other in zip(speeds[fast], all_speeds)]
        spread = f"{min(all_speeds):.0f}-{max(all_speeds):.0f}"
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"{name:40}{statistics.median(all_speeds):11.0f}{spread:>14}   {ratio}")
    if device == "cuda":
        yardstick(arguments.python)


if __name__ == "__main__":
    main()
