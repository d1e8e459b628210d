"""Writes filters.txt: the results of PyTorch's conv2d for every named filter of the course.

    python filters.py > filters.txt                    (PyTorch 2.11.0)
    python filters.py "vertical line" >> filters.txt   (only the lines of a new filter)

The last digits of a few numbers depend on the machine.

C, H and W of the images all differ, so that a mix-up of axes is found; pixel (c, h, w) is the byte
(31 c + 7 h * h + 13 w + 5 h w) mod 256.
"""

import sys

import torch
import torch.nn.functional as F

FILTERS = {
    "vertical edge": [[-1, 0, 1]] * 3,
    "horizontal edge": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "falling diagonal": [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]],
    "rising diagonal": [[-1, -1, 0], [-1, 0, 1], [0, 1, 1]],
    "blur": [[1 / 25] * 5] * 5,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-1, 0, 0], [0, 0, 0], [0, 0, 1]],
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
}


def image(c, h, w):
    c, h, w = torch.meshgrid(*(torch.arange(size) for size in (c, h, w)), indexing="ij")
    return ((31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256).float()[None] / 255


for name in sys.argv[1:] or FILTERS:
    kernel = FILTERS[name]
    for c, h, w, bias in [(1, 6, 9, 0.0), (3, 8, 5, 0.25)]:
        weight = torch.tensor(kernel, dtype=torch.float32).repeat(c, 1, 1, 1)
        out = F.conv2d(image(c, h, w), weight, torch.full((c,), bias), groups=c)
        numbers = " ".join(f"{v:.7g}" for v in out.flatten().tolist())
        print(f"{name}; {c} {h} {w}; {bias}; {' '.join(map(str, out.shape))}; {numbers}")
