"""The training of `nchw train` in PyTorch, for `cargo xtask bench train`; prints images per second.

    peer_train.py VARIANT --epochs 2 --images 10000 --device cpu

VARIANT is `eager-fp32`, which people usually write first (NCHW, fp32); `eager-bf16`, with the usual optimisations
(autocast to bf16, channels last); or `compile-bf16`, the same compiled. Each step does the same as a step of
`nchw train`: images mirrored and shifted, forward pass, loss with label smoothing, backward pass, Nesterov SGD,
averaged weights.
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


def augment(images, indices):
    """Returns the images at these indices, each shifted and perhaps mirrored; the padding reflects the edge."""
    count, device = len(indices), images.device
    batch = F.pad(images[indices].float(), [MAX_SHIFT] * 4, mode="reflect")
    down, right = (torch.randint(2 * MAX_SHIFT + 1, (count, 1), device=device) for _ in range(2))
    pixels = torch.arange(32, device=device)
    mirrored = torch.rand(count, 1, device=device) < 0.5
    columns = torch.where(mirrored, 31 - pixels, pixels) + right
    rows = pixels + down
    n = torch.arange(count, device=device).view(-1, 1, 1)
    return batch.permute(0, 2, 3, 1)[n, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=["eager-fp32", "eager-bf16", "compile-bf16"])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    fast = arguments.variant != "eager-fp32"

    torch.manual_seed(1)
    torch.set_default_device(arguments.device)
    images = torch.randint(256, (arguments.images, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(10, (arguments.images,))
    mean, std = (255 * torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))

    net = LectureNet()
    if fast:
        net = net.to(memory_format=torch.channels_last)
    layers = torch.nn.Sequential(net.block1, net.block2, net.block3, torch.nn.Flatten(1), net.head)
    averaged = copy.deepcopy(layers)
    forward = torch.compile(layers) if arguments.variant == "compile-bf16" else layers
    optimiser = torch.optim.SGD(layers.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)

    for _ in range(arguments.epochs):
        order = torch.randperm(len(images))
        start = time.perf_counter()
        steps = len(images) // BATCH_SIZE
        for step in range(steps):
            indices = order[step * BATCH_SIZE:(step + 1) * BATCH_SIZE]
            batch = (augment(images, indices) - mean) / std
            if fast:
                batch = batch.contiguous(memory_format=torch.channels_last)
            with torch.autocast(arguments.device, torch.bfloat16, enabled=fast):
                logits = forward(batch)
            loss = F.cross_entropy(logits.float(), labels[indices], label_smoothing=0.1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                for average, parameter in zip(averaged.parameters(), layers.parameters()):
                    average.lerp_(parameter, 0.05)
        loss.item()  # Waits for the GPU.
        print(json.dumps({"speed": steps * BATCH_SIZE / (time.perf_counter() - start)}), flush=True)


if __name__ == "__main__":
    main()
