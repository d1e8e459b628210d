"""Loads the weights of a network for other classes (`LectureNet::save`) in PyTorch, and writes the scores of an image.

    python own_classes.py WEIGHTS.safetensors [NEW.safetensors]      (PyTorch 2.11.0, safetensors)

The image has the byte (31 c + 7 h * h + 13 w + 5 h w) mod 256 at (c, h, w). With a second file, it stores the weights
there again, as PyTorch users do, with the class names.
"""

import json
import sys

import torch
from pytorch import MEAN, STD, block
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open(sys.argv[1], "pt") as file:
    notes, state = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
config, classes = json.loads(notes["config"]), json.loads(notes["classes"])
net = torch.nn.Module()
inputs = 3
for number, (maps, convolutions) in enumerate(zip(config["maps"], (2, 3, 3)), 1):
    net.add_module(f"block{number}", block(inputs, maps, convolutions))
    inputs = maps
net.head = torch.nn.Linear(state["head.weight"].shape[1], len(classes))
net.load_state_dict(state, strict=False)
net.eval()

side = config["side"]
c, h, w = torch.meshgrid(torch.arange(3), torch.arange(side), torch.arange(side), indexing="ij")
image = ((31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256).float()[None] / 255
mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))
with torch.no_grad():
    maps = net.block3(net.block2(net.block1((image - mean) / std)))
    scores = net.head(maps.mean((2, 3)) if config["average"] else maps.flatten(1))
print(json.dumps({"classes": classes, "scores": scores[0].double().tolist()}))
if len(sys.argv) > 2:
    save_file(net.state_dict(), sys.argv[2], {key: notes[key] for key in ("config", "classes")})
