"""Writes tests/filter.json: feature maps of PyTorch, which the filter lab is compared with (src/filter.rs).

    python crates/web/tests/filter.py
"""

import json
from pathlib import Path

import torch
from torch.nn import functional

# C, H, W of the photo; H, W of the kernel; bias, padding "same", ReLU.
CASES = [
    ([1, 7, 11], [3, 3], 0.0, False, False),
    ([1, 7, 11], [3, 3], 0.25, True, False),
    ([1, 33, 67], [3, 3], -0.5, True, True),
    ([3, 9, 5], [3, 3], 0.1, False, False),
    ([3, 9, 5], [3, 3], 0.1, True, True),
    ([3, 31, 65], [5, 5], -1.5, True, False),
    ([1, 13, 40], [7, 7], 0.0, False, False),
    ([3, 41, 33], [7, 7], 2.0, True, True),
    ([1, 6, 9], [2, 4], 0.0, True, False),
    ([1, 6, 9], [4, 1], 0.0, False, False),
    ([1, 1, 1], [3, 3], 0.5, True, False),
    ([3, 1, 1], [1, 1], 0.0, False, False),
    ([3, 214, 320], [3, 3], 0.0, False, False),
]
# About so many values of a map are stored.
VALUES = 40


def numbers(count, seed):
    """The generator of the Rust test: multiples of 1/256 from 0 to 1."""
    state, found = seed, []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        found.append((state >> 24) / 256)
    return torch.tensor(found)


def case(image, kernel, bias, same, relu):
    c, h, w = image
    pixels = numbers(c * h * w, 1).view(1, c, h, w)
    weight = numbers(c * kernel[0] * kernel[1], 2).view(1, c, *kernel) - 0.5
    values = functional.conv2d(pixels, weight, torch.tensor([bias]), padding="same" if same else "valid")
    if relu:
        values = values.relu()
    size, values = list(values.shape[2:]), values.flatten()
    # An odd step reaches every column.
    step = len(values) // VALUES | 1
    return {"image": image, "kernel": kernel, "bias": bias, "same": same, "relu": relu, "size": size, "step": step,
            "sum": values.double().sum().item(), "values": [round(value, 6) for value in values[::step].tolist()]}


if __name__ == "__main__":
    cases = [json.dumps(case(*arguments)) for arguments in CASES]
    Path(__file__).with_name("filter.json").write_text("[\n" + ",\n".join(cases) + "\n]\n")
