"""Writes from_scratch.txt: the losses of five steps of notebook 08's training loop in PyTorch.

    python from_scratch.py > from_scratch.txt        (PyTorch 2.11.0)

The network is the one of pytorch.py, with its initial weights and images. As in the notebook, pixels are scaled to
(x / 255 - 0.5) * 4, and the optimizer is SGD with a momentum of 0.9. Each line has the step, counted from 0, and the loss.
"""

import torch
from pytorch import LectureNet, block, weights_by_formula
from torch import nn
from torch.nn import functional as F


def main():
    blocks = block(3, 32, 2), block(32, 64, 3), block(64, 128, 3)
    net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128 * 4 * 4, 10))
    names = sorted(k for k in LectureNet().state_dict() if not k.endswith("num_batches_tracked"))
    state = net.state_dict()
    for number, name in enumerate(names):
        part, _, rest = name.partition(".")
        own = f"{['block1', 'block2', 'block3', '', 'head'].index(part)}.{rest}"
        state[own].copy_(weights_by_formula(name, state[own].shape, number))

    n, c, h, w = torch.meshgrid(*(torch.arange(size) for size in (6, 3, 32, 32)), indexing="ij")
    images = ((41 * n + 31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256).float()
    images = (images / 255 - 0.5) * 4
    labels = torch.tensor([3, 0, 9, 5, 1, 7])

    net.train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for step in range(5):
        optimiser.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimiser.step()
        print(f"{step} {loss.item():.8g}")


if __name__ == "__main__":
    main()
