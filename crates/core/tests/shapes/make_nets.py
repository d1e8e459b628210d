#!/usr/bin/env python3
"""Writes nets.txt: torchinfo's numbers for four well-known networks.

    pip install torch==2.11.0 torchvision==0.26.0 torchinfo==1.8.0 && python make_nets.py

One line `=name|input|chain|parameters|multiply-adds|flops` for each network, then one line
`output|parameters|multiply-adds` for each of its layers. The chain is the network in the course's notation, without the
adaptive pooling of AlexNet and VGG, which does not change the size here (checked below). Parameters and multiply-adds
are torchinfo's; for complete networks, the number of parameters is compared with torchvision's. torchinfo counts every
bias as one more multiply-add. `flops` are from PyTorch's own counter, which does not: it counts two for each
multiply-add of convolutions and linear layers.
"""
from pathlib import Path

import torch
import torchinfo
import torchvision.models as models
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

LENET = nn.Sequential(  # LeCun et al. 1998, as taught today: 5x5 filters, average pooling
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class Flattened(nn.Module):
    """A torchvision network whose flatten is a layer, too."""

    def __init__(self, net):
        super().__init__()
        self.layers = nn.Sequential(*net.features, net.avgpool, nn.Flatten(), *net.classifier)

    def forward(self, x):
        return self.layers(x)


alexnet, vgg, resnet = models.alexnet(), models.vgg16(), models.resnet18()
stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool)
ALEXNET = ("conv 64 11x11 stride 4 padding 2; relu; maxpool 3 stride 2; conv 192 5x5 padding 2; relu; maxpool 3 stride 2; "
           "conv 384 3x3 padding 1; relu; conv 256 3x3 padding 1; relu; conv 256 3x3 padding 1; relu; maxpool 3 stride 2; "
           "flatten; dropout; linear 9216->4096; relu; dropout; linear 4096; relu; linear 1000")
VGG = "; ".join(
    "; ".join([f"conv {n} 3x3 padding 1; relu"] * times + ["maxpool 2"])
    for n, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
) + "; flatten; linear 25088->4096; relu; dropout; linear 4096; relu; dropout; linear 1000"
NETS = [
    ("LeNet-5", LENET, (3, 1, 28, 28), "conv 6 5x5 padding 2; relu; avgpool 2; conv 16 5x5; relu; avgpool 2; flatten; "
     "linear 400->120; relu; linear 84; relu; linear 10", None),
    ("AlexNet", Flattened(alexnet), (2, 3, 224, 224), ALEXNET, models.AlexNet_Weights.IMAGENET1K_V1),
    ("VGG-16", Flattened(vgg), (2, 3, 224, 224), VGG, models.VGG16_Weights.IMAGENET1K_V1),
    ("ResNet-18 stem", stem, (2, 3, 224, 224), "conv 64 7x7 stride 2 padding 3 nobias; bn; relu; maxpool 3 stride 2 padding 1",
     None),
]
lines = []
x = lambda sizes: "x".join(map(str, sizes))
leaf_params = lambda layer: max(layer.param_bytes // 4, 0)
for name, net, size, chain, weights in NETS:
    stats = torchinfo.summary(net, size, verbose=0, device="cpu")
    leaves = [layer for layer in stats.summary_list if layer.is_leaf_layer]
    for layer in [layer for layer in leaves if "Adaptive" in layer.class_name]:
        assert layer.input_size == layer.output_size
        leaves.remove(layer)
    if weights:
        assert stats.total_params == weights.meta["num_params"]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.zeros(size))
    lines.append(f"={name}|{x(size)}|{chain}|{stats.total_params}|{stats.total_mult_adds}|{counter.get_total_flops()}")
    lines += [f"{x(layer.output_size)}|{leaf_params(layer)}|{layer.macs}" for layer in leaves]
(Path(__file__).parent / "nets.txt").write_text("\n".join(lines) + "\n")
