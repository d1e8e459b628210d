"""Writes pytorch.txt: the logits, gradients and first two steps of the lecture's network in PyTorch.

    python pytorch.py > pytorch.txt        (PyTorch 2.11.0)

Weights and images are computed by formulas, so that the Rust test starts with the same values; pixel (n, c, h, w) is the
byte (41 n + 31 c + 7 h * h + 13 w + 5 h w) mod 256. Each line has the step, the name, the shape, the Euclidean norm,
and eight elements at equal distances.
"""

import math
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]


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

    def forward(self, images):
        mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))
        maps = (images.float() / 255 - mean) / std
        return self.head(self.block3(self.block2(self.block1(maps))).flatten(1))


def weights_by_formula(name, size, number):
    wave = torch.tensor([math.sin(1 + 0.7 * i + number) for i in range(math.prod(size))], dtype=torch.float64)
    if name.endswith("running_var"):
        wave = 1 + 0.3 * wave
    elif "norm" in name:
        wave = (1 if name.endswith("weight") else 0) + 0.1 * wave
    elif len(size) > 1:
        wave = wave / math.sqrt(math.prod(size[1:]))
    return wave.float().view(size)


def print_line(step, name, tensor):
    numbers = tensor.detach().double().flatten()
    elements = [numbers[(len(numbers) - 1) * i // 7].item() for i in range(8)]
    shown = " ".join(f"{v:.8g}" for v in [numbers.square().sum().sqrt().item(), *elements])
    print(f"{step}; {name}; {' '.join(map(str, tensor.shape))}; {shown}")


def main():
    net = LectureNet()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    for number, name in enumerate(sorted(state)):
        state[name].copy_(weights_by_formula(name, state[name].shape, number))

    n, c, h, w = torch.meshgrid(*(torch.arange(size) for size in (6, 3, 32, 32)), indexing="ij")
    images = ((41 * n + 31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256).to(torch.uint8)
    labels = torch.tensor([3, 0, 9, 5, 1, 7])

    net.eval()
    print_line("asked", "logits", net(images))
    net.train()
    decayed = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() == 1]
    optimiser = torch.optim.SGD(
        [{"params": decayed, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}],
        lr=0.05, momentum=0.9, nesterov=True,
    )
    for step in range(2):
        optimiser.zero_grad()
        logits = net(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=0.1)
        loss.backward()
        print_line(f"step {step}", "logits", logits)
        print_line(f"step {step}", "loss", loss.view(1))
        for name, parameter in sorted(net.named_parameters()):
            print_line(f"gradient {step}", name, parameter.grad)
        optimiser.step()
    for name in sorted(state):
        print_line("after", name, state[name])


if __name__ == "__main__":
    main()
