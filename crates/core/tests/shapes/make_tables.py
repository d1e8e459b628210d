#!/usr/bin/env python3
"""Writes layers.txt, chains.txt and fields.txt: PyTorch's results for random layers and chains of layers.

    pip install torch==2.11.0 numpy && python make_tables.py

A layer is valid if both of PyTorch's CPU backends (oneDNN and the native one) accept it: the device "meta" checks less
(it accepts a kernel of 0 and an output_padding that is too large), and oneDNN alone accepts a transposed convolution
with 0 output rows. PyTorch skips checks for an empty batch; so N=0 is valid only if N=1 is valid, too, and batch
normalisation of an empty batch is tried only with the right channels. There is no convolution of an image without
channels: PyTorch then returns 0 channels for any number of filters, and the course reports an error.

layers.txt  input|layer|output|weight|biases|parameters       or  input|layer|x
chains.txt  input|chain|output>output>...[>x]|parameters       x: the next layer does not fit
fields.txt  input|chain|row,col|rows|columns                   the inputs on which that value depends, by gradients
"""
import random
import sys
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
HERE = Path(__file__).parent
R = random.Random(20240607)
LAYERS, CHAINS, FIELDS = 5600, 700, 420


class Layer:
    """A layer in the course's notation, and PyTorch's module for it."""

    def __init__(self, op, **options):
        self.op = op
        self.o = options

    def text(self):
        o, op = self.o, self.op
        words = [op]
        if op in ("conv", "convt", "linear"):
            words.append(f"{o['given']}->{o['out']}" if "given" in o else f"{o['out']}")
        if op == "bn" and "given" in o:
            words.append(str(o["given"]))
        if op == "dropout":
            words.append(str(o["rate"]))
        if "kernel" in o:
            words.append("x".join(map(str, o["kernel"])))
        for name in ("stride", "padding", "output_padding", "dilation"):
            if name in o:
                value = o[name]
                h, w = value if isinstance(value, tuple) else (value, value)
                words.append(f"{name} {value if value == 'same' else h if h == w and R.random() < .7 else f'{h}x{w}'}")
        if "groups" in o:
            words.append(f"groups {o['groups']}")
        return " ".join(words + [name for name in ("ceil", "nobias") if o.get(name)])

    def module(self, shape):
        o, op = self.o, self.op
        flat = len(shape) == 2
        channels = shape[1] if len(shape) != 3 else shape[0]
        given = o.get("given", shape[-1] if op == "linear" else channels)
        bias = not o.get("nobias")
        one = (1, 1)
        if op == "conv":
            return nn.Conv2d(given, o["out"], o["kernel"], o.get("stride", one), o.get("padding", 0),
                             o.get("dilation", one), o.get("groups", 1), bias)
        if op == "convt":
            return nn.ConvTranspose2d(given, o["out"], o["kernel"], o.get("stride", one), o.get("padding", 0),
                                      o.get("output_padding", 0), o.get("groups", 1), bias, o.get("dilation", 1))
        if op == "maxpool":
            return nn.MaxPool2d(o["kernel"], o.get("stride"), o.get("padding", 0), o.get("dilation", 1),
                                ceil_mode=bool(o.get("ceil")))
        if op == "avgpool":
            return nn.AvgPool2d(o["kernel"], o.get("stride"), o.get("padding", 0), bool(o.get("ceil")))
        return {
            "gap": lambda: nn.AdaptiveAvgPool2d(1),
            "gmp": lambda: nn.AdaptiveMaxPool2d(1),
            "flatten": nn.Flatten,
            "linear": lambda: nn.Linear(given, o["out"], bias),
            "relu": nn.ReLU,
            "bn": lambda: (nn.BatchNorm1d if flat else nn.BatchNorm2d)(given),
            "dropout": lambda: nn.Dropout(o["rate"]),
        }[op]()


def once(layer, shape, onednn):
    # Any error means that the layer is invalid.
    try:
        with torch.no_grad(), torch.backends.mkldnn.flags(enabled=onednn), torch.backends.nnpack.flags(enabled=onednn):
            module = layer.module(shape).eval()
            return tuple(module(torch.zeros(*shape)).shape), module
    except (RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError):
        return None, None


def ask(layer, shape):
    """Returns the output's shape and the module, or (None, None) for an invalid layer."""
    if len(shape) == 4 and shape[0] == 0 and ask(layer, (1, *shape[1:]))[0] is None:
        return None, None
    answers = [once(layer, shape, onednn) for onednn in (True, False)]
    if any(output is None for output, _ in answers):
        return None, None
    assert answers[0][0] == answers[1][0]
    return answers[0]


def x(sizes):
    return "x".join(map(str, sizes))


def pair(low, high):
    return R.randint(low, high), R.randint(low, high)


def random_layer(shape, wild):
    """Returns a random layer; `wild` is the probability that a number is invalid."""
    bad = lambda: R.random() < wild
    flat = len(shape) == 2
    maps = ["conv"] * 8 + ["convt"] * 5 + ["maxpool"] * 5 + ["avgpool"] * 3 + ["gap", "gmp", "flatten", "relu", "bn", "dropout"]
    ops = ["linear"] * 5 + ["relu", "bn", "dropout", "flatten"] if flat and not bad() else maps
    op = R.choice(ops if not flat or "linear" in ops else ["conv", "convt", "maxpool", "avgpool", "gmp"])
    if not flat and len(shape) == 4 and R.random() < .03:
        op = "linear"
    channels = shape[1] if len(shape) != 3 else shape[0]
    o = {}
    if op in ("conv", "convt"):
        o["out"] = R.randint(1, 12)
        common = [g for g in range(1, 13) if channels % g == 0 and o["out"] % g == 0]
        if R.random() < .4:
            o["groups"] = R.randint(0, 4) if bad() else R.choice(common)
        if R.random() < .3:
            o["given"] = channels + R.randint(1, 3) if bad() else channels
        if bad() and bad():
            o["out"] = 0
        o["nobias"] = R.random() < .2
    if op in ("conv", "convt", "maxpool", "avgpool"):
        o["kernel"] = tuple(0 if bad() and bad() else k for k in pair(1, R.choice([3, 5, 7])))
        if R.random() < .6:
            o["stride"] = tuple(0 if bad() and bad() else s for s in pair(1, 4))
        if R.random() < .5 and op != "avgpool":
            o["dilation"] = tuple(0 if bad() and bad() else d for d in pair(1, 3))
        if R.random() < .5:
            half = op in ("maxpool", "avgpool") and not bad()
            o["padding"] = tuple(R.randint(0, k // 2 if half else 4) for k in o["kernel"])
    if op == "conv" and R.random() < .15:
        o["padding"] = "same"
        if not bad():
            o.pop("stride", None)
    if op == "convt" and R.random() < .5:
        s, d = o.get("stride", (1, 1)), o.get("dilation", (1, 1))
        o["output_padding"] = tuple(R.randint(0, 3) if bad() else R.randint(0, max(a, b, 1) - 1) for a, b in zip(s, d))
    if op in ("maxpool", "avgpool"):
        o["ceil"] = R.random() < .5
    if op == "linear":
        o["out"] = R.randint(1, 12)
        if not flat or R.random() < .4:
            o["given"] = shape[-1] + R.randint(1, 3) if bad() else shape[-1]
        o["nobias"] = R.random() < .2
    if op == "bn" and R.random() < .4:
        o["given"] = channels + R.randint(1, 3) if bad() else channels
    if op == "dropout":
        o["rate"] = R.choice([0, 0.25, 0.5, 1])
    return Layer(op, **o)


def random_input():
    kind = R.random()
    if kind < .08:
        return R.randint(1, 5), R.randint(1, 40)
    sizes = R.sample(range(1, 17), 4)
    n, c, h, w = sizes[0] % 5 + 1, sizes[1] % 12 + 1, R.choice([sizes[2], sizes[2] + 7]), sizes[3]
    if kind < .2:
        return c, h, w
    if kind < .26:
        zero = [n, c, h, w]
        zero[R.randrange(4)] = 0
        return tuple(zero)
    return n, c, h, w


def layers():
    while True:
        shape = random_input()
        layer = random_layer(shape, .2)
        # PyTorch's bn and flatten need N; the course assumes N=1.
        if len(shape) == 3 and layer.op in ("bn", "flatten", "linear"):
            shape = (1, *shape)
        if layer.op == "conv" and len(shape) > 2 and shape[-3] == 0:
            continue
        if layer.op == "bn" and 0 in shape:
            layer.o.pop("given", None)
        output, module = ask(layer, shape)
        if output is None:
            yield f"{x(shape)}|{layer.text()}|x"
            continue
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        sizes = "-" if weight is None else x(weight.shape)
        parameters = sum(p.numel() for p in module.parameters())
        biases = 0 if bias is None else bias.numel()
        yield f"{x(shape)}|{layer.text()}|{x(output)}|{sizes}|{biases}|{parameters}"


def chains():
    while True:
        start = shape = (R.randint(1, 4), R.randint(1, 9), R.randint(14, 40), R.randint(14, 40))
        texts, outputs, parameters = [], [], 0
        for _ in range(R.randint(2, 9)):
            layer = random_layer(shape, .06)
            if layer.op in ("gap", "gmp", "flatten") and R.random() < .6:
                continue
            output, module = ask(layer, shape)
            if output is not None and torch.Size(output).numel() > 3e5:
                continue
            texts.append(layer.text())
            outputs.append("x" if output is None else x(output))
            if output is None:
                break
            shape = output
            parameters += sum(p.numel() for p in module.parameters())
        if len(texts) > 1:
            yield f"{x(start)}|{'; '.join(texts)}|{'>'.join(outputs)}|{parameters}"


def dependence(layer, shape, module, value):
    """Applies the layer to `value` with positive weights, so that no gradients cancel."""
    if layer.op not in ("maxpool", "avgpool", "gmp"):
        for weight in module.parameters():
            weight.data.abs_().add_(.1)
        return module.double().eval()(value)
    if layer.op == "gmp":
        return value.mean((2, 3), keepdim=True)
    # Max pooling depends on its whole window, but its gradient is at one position: use a convolution with ones.
    o = layer.o
    kernel, channels = o["kernel"], value.shape[1]
    stride, dilation, padding = o.get("stride", kernel), o.get("dilation", (1, 1)), o.get("padding", (0, 0))
    output = module(value).shape[2:]
    need = [(out - 1) * s + d * (k - 1) + 1 for out, s, d, k in zip(output, stride, dilation, kernel)]
    behind = [n - p - size for n, p, size in zip(need, padding, value.shape[2:])]
    padded = F.pad(value, (padding[1], behind[1], padding[0], behind[0]))
    ones = torch.ones(channels, 1, *kernel, dtype=value.dtype)
    counted = F.conv2d(padded, ones, None, stride, 0, dilation, channels)
    assert counted.shape[2:] == output
    return counted


def fields():
    while True:
        start = shape = (1, R.randint(1, 4), R.randint(36, 70), R.randint(36, 70))
        value = begin = torch.ones(*start, dtype=torch.float64, requires_grad=True)
        texts = []
        many = R.randint(1, 6)
        transposed = R.random() < .3
        while len(texts) < many:
            layer = random_layer(shape, 0)
            if layer.op in ("gap", "gmp", "flatten") or (layer.op == "convt" and not transposed):
                continue
            if layer.op == "linear" and len(shape) == 4:
                continue
            output, module = ask(layer, shape)
            if output is None or min(output[2:]) < 3 or torch.Size(output).numel() > 1e5:
                many -= 1
                continue
            value = dependence(layer, shape, module, value)
            assert tuple(value.shape) == output
            texts.append(layer.text())
            shape = output
        end = R.random()
        if end < .08:
            layer = Layer(R.choice(["gap", "gmp"]))
            value = dependence(layer, shape, layer.module(shape), value)
            texts.append(layer.op)
        elif end < .16:
            texts += ["flatten", "linear 3"]
            value = value.flatten(1).sum(1, keepdim=True)[..., None, None]
        if not texts:
            continue
        # A position near the centre, away from the border.
        row, col = (size // 2 for size in value.shape[2:])
        picked = value[0, :, row, col].sum()
        grad, = torch.autograd.grad(picked, begin, allow_unused=False)
        mask = (grad[0] != 0).any(0)
        rows, cols = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & cols[None, :])
        numbers = lambda line: ",".join(str(i) for i, on in enumerate(line.tolist()) if on)
        yield f"{x(start)}|{'; '.join(texts)}|{row},{col}|{numbers(rows)}|{numbers(cols)}"


for name, lines, many in (("layers", layers(), LAYERS), ("chains", chains(), CHAINS), ("fields", fields(), FIELDS)):
    torch.manual_seed(0)
    lines = [next(lines) for _ in range(many)]
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")
    bad = sum(line.endswith("|x") or ">x|" in line or "|x|" in line for line in lines)
    print(f"{name}: {many}, {bad} of them invalid, torch {torch.__version__}", file=sys.stderr)
