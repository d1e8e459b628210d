"""The training of `nchw train` in PyTorch, for `cargo xtask bench train`: images per second.

    peer_train.py VARIANT --epochs 2 --pictures 10000 --device cpu

VARIANT is what people write first (`eager-fp32`: NCHW, fp32), the same with what makes it
fast (`eager-bf16`: autocast to bf16, channels last), or that compiled (`compile-bf16`).
All of them do what the course's own training does in a step: images mirrored and shifted,
forward, loss with label smoothing, backward, Nesterov SGD, averaged weights.
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
from pytorch import DEVIATION, MEAN, LectureNet  # noqa: E402  (its folder had to be named first)

BATCH, SHIFT = 256, 2


def augmented(images, places):
    """Whole batches: a row and a column of offsets a picture, the edge mirrored into the gap."""
    count, device = len(places), images.device
    batch = F.pad(images[places].float(), [SHIFT] * 4, mode="reflect")
    down, right = (torch.randint(2 * SHIFT + 1, (count, 1), device=device) for _ in range(2))
    along = torch.arange(32, device=device)
    mirrored = torch.rand(count, 1, device=device) < 0.5
    columns = torch.where(mirrored, 31 - along, along) + right
    rows = along + down
    n = torch.arange(count, device=device).view(-1, 1, 1)
    return batch.permute(0, 2, 3, 1)[n, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=["eager-fp32", "eager-bf16", "compile-bf16"])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    fast = arguments.variant != "eager-fp32"

    torch.manual_seed(1)
    torch.set_default_device(arguments.device)
    images = torch.randint(256, (arguments.pictures, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(10, (arguments.pictures,))
    mean, deviation = (255 * torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, DEVIATION))

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
        steps = len(images) // BATCH
        for step in range(steps):
            places = order[step * BATCH:(step + 1) * BATCH]
            pictures = (augmented(images, places) - mean) / deviation
            if fast:
                pictures = pictures.contiguous(memory_format=torch.channels_last)
            with torch.autocast(arguments.device, torch.bfloat16, enabled=fast):
                logits = forward(pictures)
            loss = F.cross_entropy(logits.float(), labels[places], label_smoothing=0.1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                for mine, now in zip(averaged.parameters(), layers.parameters()):
                    mine.lerp_(now, 0.05)
        loss.item()  # a GPU may still be at work
        print(json.dumps({"speed": steps * BATCH / (time.perf_counter() - start)}), flush=True)


if __name__ == "__main__":
    main()
