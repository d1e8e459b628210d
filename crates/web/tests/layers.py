"""Writes the numbers that tests/layers.rs and tests/layers.mjs compare with.

Run it with a Python that has PyTorch 2.11.0, safetensors, numpy and Pillow:

    python crates/web/tests/layers.py

It runs three networks on images and writes, for each layer, evenly spread values and two sums over all
values (tests/layers/values.safetensors), and the two random networks (odd.safetensors in BF16,
unpooled.safetensors in F16).
"""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FOLDER = HERE / "layers"
MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
STD = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)
# At most this many values of a layer are stored.
VALUES = 100
KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def read(path):
    """The tensors and the metadata of a safetensors file."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    notes = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        part = bytearray(data[8 + length + first : 8 + length + last])
        tensors[name] = torch.frombuffer(part, dtype=KINDS[entry["dtype"]]).view(entry["shape"])
    return tensors, notes


def write(path, tensors, notes):
    """A safetensors file. Its tensors are sorted by name, so that the same numbers give the same bytes."""
    names = {kind: name for name, kind in KINDS.items()}
    header, parts, start = {"__metadata__": notes}, [], 0
    for name, tensor in sorted(tensors.items()):
        part = tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        kind = names[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, start + len(part)]}
        parts.append(part)
        start += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def build(maps, pooling):
    """The lecture's network as a PyTorch module with the names of the course's weight files."""
    net, channels = nn.Module(), 3
    for block, (width, count) in enumerate(zip(maps, [2, 3, 3]), 1):
        layers = nn.Module()
        for number in range(1, count + 1):
            layers.add_module(f"conv{number}", nn.Conv2d(channels, width, 3, padding=1, bias=False))
            layers.add_module(f"norm{number}", nn.BatchNorm2d(width))
            channels = width
        net.add_module(f"block{block}", layers)
    net.add_module("head", nn.Linear(channels * (16 if pooling else 1024), 10))
    return net.eval()


def outputs(net, pooling, image):
    """The output of every layer, by name. An image that is not 32 x 32 has no head."""
    x = ((image - MEAN) / STD).unsqueeze(0)
    all = []
    for block, count in [(1, 2), (2, 3), (3, 3)]:
        layers = getattr(net, f"block{block}")
        for number in range(1, count + 1):
            x = getattr(layers, f"conv{number}")(x)
            all.append((f"block{block}.conv{number}", x))
            x = getattr(layers, f"norm{number}")(x)
            all.append((f"block{block}.norm{number}", x))
            x = functional.relu(x)
            all.append((f"block{block}.relu{number}", x))
        if pooling:
            x = functional.max_pool2d(x, 2)
            all.append((f"block{block}.pool", x))
    if tuple(image.shape) == (3, 32, 32):
        x = x.flatten(1)
        all.append(("flatten", x))
        x = net.head(x)
        all.append(("head", x))
        all.append(("softmax", x.softmax(1)))
    return all


def random_network(maps, pooling, kind, name):
    """Writes a network in which every number is random, and reads it back as a reader of the file does."""
    net = build(maps, pooling)
    weights = {}
    for key, tensor in net.state_dict().items():
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.tensor(7)
            continue
        scale = 1.5 / tensor[0].numel() ** 0.5 if tensor.dim() > 1 else 1.0
        numbers = (torch.rand(tensor.shape) * 1.3 - 0.6) * scale
        if key.endswith("running_var"):
            numbers = torch.rand(tensor.shape) + 0.5
        if key.endswith("norm1.weight"):
            numbers = numbers + 0.8
        weights[key] = numbers.to(kind)
    config = json.dumps({"maps": maps, "pooling": pooling})
    write(FOLDER / f"{name}.safetensors", weights, {"config": config})
    net.load_state_dict({key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in weights.items()})
    return net


def sample(index):
    """A test image of CIFAR-10."""
    (path,) = (ROOT / "datasets/samples").glob(f"cifar10_{index:02}_*.png")
    pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB")))
    return pixels.permute(2, 0, 1).float() / 255


def main():
    torch.manual_seed(18)
    FOLDER.mkdir(exist_ok=True)
    weights, notes = read(ROOT / "crates/nchw/assets/lecture-net.safetensors")
    plan = json.loads(notes["plan"])
    lecture = build(plan["maps"], plan["pooling"])
    lecture.load_state_dict(weights, strict=False)
    odd = random_network([5, 7, 3], True, torch.bfloat16, "odd")
    unpooled = random_network([2, 3, 1], False, torch.float16, "unpooled")
    cases = [
        ("lecture-cat", lecture, True, sample(0)),
        ("lecture-horse", lecture, True, sample(13)),
        ("lecture-zeros", lecture, True, torch.zeros(3, 32, 32)),
        ("odd-wide", odd, True, torch.rand(3, 20, 28)),
        ("odd-square", odd, True, torch.rand(3, 32, 32)),
        ("odd-small", odd, True, torch.rand(3, 9, 13)),
        ("unpooled-square", unpooled, False, torch.rand(3, 32, 32)),
        ("unpooled-tall", unpooled, False, torch.rand(3, 17, 6)),
        ("unpooled-pixel", unpooled, False, torch.rand(3, 1, 1)),
    ]
    stored = {}
    with torch.no_grad():
        for case, net, pooling, image in cases:
            stored[f"{case}/image"] = image
            for number, (layer, x) in enumerate(outputs(net, pooling, image)):
                x = x.flatten()
                step = max(1, -(-x.numel() // VALUES))
                # An odd step visits all columns of a map.
                step += step > 1 and step % 2 == 0
                sums = torch.stack([x.double().sum(), x.double().abs().sum()]).float()
                stored[f"{case}/{number:02} {layer}/values"] = x[::step].clone()
                stored[f"{case}/{number:02} {layer}/sums"] = sums
    write(FOLDER / "values.safetensors", stored, {"step": "ceil(count / 100), odd if above 1"})
    for file in sorted(FOLDER.iterdir()):
        print(file.name, file.stat().st_size)


main()
