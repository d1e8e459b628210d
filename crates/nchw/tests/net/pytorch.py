"""Writes pytorch.txt: the lecture's network in PyTorch, its logits, gradients and one step.

    python pytorch.py > pytorch.txt        (PyTorch 2.11.0)

Weights and pictures are given by formulas, so that both sides begin with the
same ones; pixel (n, c, h, w) is the byte (41 n + 31 c + 7 h * h + 13 w + 5 h w) mod 256.
A line: what, name, shape, the root of the sum of all squares, and eight numbers
of it, evenly spread.
"""

import math
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

MEAN, DEVIATION = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]


def block(inputs, maps, convolutions):
    layers = {}
    for number in range(1, convolutions + 1):
        layers[f"conv{number}"] = nn.Conv2d(inputs, maps, 3, padding=1, bias=False)
        layers[f"norm{number}"] = nn.BatchNorm2d(maps)
        layers[f"relu{number}"] = nn.ReLU()
        inputs = maps
    layers["pool"] = nn.MaxPool2d(2)
    return nn.Sequential(OrderedDict(layers))


class LectureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1, self.block2, self.block3 = block(3, 32, 2), block(32, 64, 3), block(64, 128, 3)
        self.head = nn.Linear(128 * 4 * 4, 10)

    def forward(self, pictures):
        mean, deviation = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, DEVIATION))
        maps = (pictures.float() / 255 - mean) / deviation
        return self.head(self.block3(self.block2(self.block1(maps))).flatten(1))


def by_formula(name, size, number):
    wave = torch.tensor([math.sin(1 + 0.7 * i + number) for i in range(math.prod(size))], dtype=torch.float64)
    if name.endswith("running_var"):
        wave = 1 + 0.3 * wave
    elif "norm" in name:
        wave = (1 if name.endswith("weight") else 0) + 0.1 * wave
    elif len(size) > 1:
        wave = wave / math.sqrt(math.prod(size[1:]))
    return wave.float().view(size)


def tell(what, name, tensor):
    numbers = tensor.detach().double().flatten()
    spread = [numbers[(len(numbers) - 1) * i // 7].item() for i in range(8)]
    shown = " ".join(f"{v:.8g}" for v in [numbers.square().sum().sqrt().item(), *spread])
    print(f"{what}; {name}; {' '.join(map(str, tensor.shape))}; {shown}")


def main():
    net = LectureNet()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    for number, name in enumerate(sorted(state)):
        state[name].copy_(by_formula(name, state[name].shape, number))

    n, c, h, w = torch.meshgrid(*(torch.arange(size) for size in (6, 3, 32, 32)), indexing="ij")
    pictures = ((41 * n + 31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256).to(torch.uint8)
    labels = torch.tensor([3, 0, 9, 5, 1, 7])

    net.eval()
    tell("asked", "logits", net(pictures))
    net.train()
    decayed = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() == 1]
    optimiser = torch.optim.SGD(
        [{"params": decayed, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}],
        lr=0.05, momentum=0.9, nesterov=True,
    )
    for step in range(2):
        optimiser.zero_grad()
        logits = net(pictures)
        loss = F.cross_entropy(logits, labels, label_smoothing=0.1)
        loss.backward()
        tell(f"step {step}", "logits", logits)
        tell(f"step {step}", "loss", loss.view(1))
        for name, parameter in sorted(net.named_parameters()):
            tell(f"gradient {step}", name, parameter.grad)
        optimiser.step()
    for name in sorted(state):
        tell("after", name, state[name])


if __name__ == "__main__":
    main()
