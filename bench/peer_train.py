"""The training of `nchw train` in PyTorch, for `cargo xtask bench train`; prints images per second.

    peer_train.py VARIANT --epochs 2 --images 10000 --device cpu

VARIANT is `eager-fp32`, which people usually write first (NCHW, fp32); `eager-bf16`, with the usual optimisations
(autocast to bf16, channels last); `compile-bf16`, the same compiled; or, on a GPU, `graph-bf16` and
`graph-compile-bf16`: the whole step is recorded as a CUDA graph, without and with a compiled forward pass. Each step
does the same as a step of `nchw train`: images mirrored and shifted, forward pass, loss with label smoothing, backward
pass, Nesterov SGD, averaged weights.
"""

import argparse
import copy
import json
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "crates" / "nchw" / "tests" / "net"))
from pytorch import MEAN, STD, LectureNet  # noqa: E402  (needs the path above)

BATCH_SIZE, MAX_SHIFT = 256, 2


VARIANTS = ["eager-fp32", "eager-bf16", "compile-bf16", "graph-bf16", "graph-compile-bf16"]
# How often a step runs before it is recorded, so that memory is allocated and algorithms are chosen.
WARM_UP = 5


class Choice:
    """What changes from step to step: which images, and how they are shifted and mirrored."""

    def __init__(self, count):
        self.indices = torch.zeros(count, dtype=torch.long)
        self.down, self.right = (torch.zeros(count, 1, dtype=torch.long) for _ in range(2))
        self.mirrored = torch.zeros(count, 1, dtype=torch.bool)

    def draw(self, order):
        """Draws new values into the same tensors, because a recorded step always reads these."""
        self.indices.copy_(order)
        for shift in (self.down, self.right):
            shift.random_(2 * MAX_SHIFT + 1)
        self.mirrored.bernoulli_(0.5)


def augment(images, choice):
    """Returns the chosen images, each shifted and perhaps mirrored; the padding reflects the edge."""
    count, device = len(choice.indices), images.device
    batch = F.pad(images[choice.indices].float(), [MAX_SHIFT] * 4, mode="reflect")
    pixels = torch.arange(32, device=device)
    columns = torch.where(choice.mirrored, 31 - pixels, pixels) + choice.right
    rows = pixels + choice.down
    n = torch.arange(count, device=device).view(-1, 1, 1)
    return batch.permute(0, 2, 3, 1)[n, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def recorded(step):
    """Returns a function that repeats the operations of `step` on the GPU."""
    own = torch.cuda.Stream()
    own.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(own):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(own)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    fast = arguments.variant != "eager-fp32"
    graph = arguments.variant.startswith("graph")
    if graph and arguments.device != "cuda":
        parser.error(f"{arguments.variant} records a CUDA graph: it needs --device cuda")

    torch.manual_seed(1)
    torch.set_default_device(arguments.device)
    if graph:
        torch.backends.cudnn.benchmark = True
    images = torch.randint(256, (arguments.images, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(10, (arguments.images,))
    mean, std = (255 * torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))

    net = LectureNet()
    if fast:
        net = net.to(memory_format=torch.channels_last)
    layers = torch.nn.Sequential(net.block1, net.block2, net.block3, torch.nn.Flatten(1), net.head)
    averaged = copy.deepcopy(layers)
    forward = torch.compile(layers) if "compile" in arguments.variant else layers
    optimiser = torch.optim.SGD(layers.parameters(), lr=torch.tensor(0.01) if graph else 0.01, momentum=0.9,
                                nesterov=True, weight_decay=5e-4, fused=graph)
    parameters, averages = list(layers.parameters()), list(averaged.parameters())
    choice, last_loss = Choice(BATCH_SIZE), torch.zeros(())

    def step():
        batch = (augment(images, choice) - mean) / std
        if fast:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(arguments.device, torch.bfloat16, enabled=fast):
            logits = forward(batch)
        loss = F.cross_entropy(logits.float(), labels[choice.indices], label_smoothing=0.1)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            if graph:
                torch._foreach_lerp_(averages, parameters, 0.05)
            else:
                for average, parameter in zip(averages, parameters):
                    average.lerp_(parameter, 0.05)
            last_loss.copy_(loss)

    run = recorded(step) if graph else step
    for _ in range(arguments.epochs):
        order = torch.randperm(len(images))
        start = time.perf_counter()
        steps = len(images) // BATCH_SIZE
        for number in range(steps):
            choice.draw(order[number * BATCH_SIZE:(number + 1) * BATCH_SIZE])
            run()
        last_loss.item()  # Waits for the GPU.
        print(json.dumps({"speed": steps * BATCH_SIZE / (time.perf_counter() - start)}), flush=True)


if __name__ == "__main__":
    main()
