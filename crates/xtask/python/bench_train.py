"""Measures `nchw train` beside PyTorch's eager mode and its compiler: images per second.

    bench_train.py --nchw PROGRAM --python PEER --rounds N [--device cuda]

PEER is a Python with PyTorch (for a GPU, one with CUDA). All run by turns, each in every
round, so that what else the machine does hits all. The fastest epoch of each counts: the
first warms up, and what else the machine does only slows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from kernels import output_of

PEER = Path(__file__).resolve().parents[3] / "bench" / "peer_train.py"
# A GPU learns ten thousand pictures in a moment: there the whole of CIFAR-10's number.
PICTURES = {"cpu": 10_000, "cuda": 50_000}
EPOCHS = {"cpu": 3, "cuda": 4}
PEERS = {
    "eager-fp32": "PyTorch eager, fp32, NCHW",
    "eager-bf16": "PyTorch eager, bf16, channels last",
    "compile-bf16": "PyTorch compiled, bf16, channels last",
}
OURS = {"fp32": "nchw, fp32", "bf16": "nchw, bf16"}


def nchw(program, device, precision):
    with tempfile.TemporaryDirectory(prefix="nchw-bench-") as folder:
        subprocess.run(
            [program, "train", "--stand-in", str(PICTURES[device]), "--device", device, "--precision", precision,
             "--preset", "lecture", "--set", "batch_size=256", "--epochs", str(EPOCHS[device]), "--out", folder],
            check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return fastest(lines)


def peer(python, device, variant):
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    command = [python, PEER, variant, "--device", device, "--epochs", str(EPOCHS[device]),
               "--pictures", str(PICTURES[device])]
    status, said = output_of(command, env=environment)
    if status:
        raise SystemExit(f"{PEER.name} {variant} ended with {status}:\n{said}")
    # What PyTorch warns of stands between.
    return fastest(line for line in said.splitlines() if line.startswith("{"))


def fastest(lines):
    return max(json.loads(line)["speed"] for line in lines)


def main():
    parser = argparse.ArgumentParser(prog="bench_train.py")
    parser.add_argument("--nchw", required=True, metavar="PROGRAM")
    parser.add_argument("--python", required=True, metavar="PEER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=list(PICTURES), default="cpu")
    arguments = parser.parse_args()
    device = arguments.device
    runs = {name: (lambda v=variant: peer(arguments.python, device, v)) for variant, name in PEERS.items()}
    runs |= {name: (lambda p=precision: nchw(arguments.nchw, device, p)) for precision, name in OURS.items()}
    speeds = {name: [] for name in runs}
    for number in range(arguments.rounds):
        for name, run in runs.items():
            speeds[name].append(run())
            print(f"round {number + 1}: {name}: {speeds[name][-1]:.0f} images/s", file=sys.stderr, flush=True)
    fast = OURS["bf16"]
    print(f"\n{'':40}{'images/s':>11}{'spread':>14}   {fast} is faster by")
    for name, all_speeds in speeds.items():
        ratios = [mine / other for mine, other in zip(speeds[fast], all_speeds)]
        spread = f"{min(all_speeds):.0f}-{max(all_speeds):.0f}"
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"{name:40}{statistics.median(all_speeds):11.0f}{spread:>14}   {ratio}")


if __name__ == "__main__":
    main()
