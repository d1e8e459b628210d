"""A small network that was designed for speed, as a yardstick: how soon could CIFAR-10 be learned on this GPU?

    yardstick.py --data FOLDER [--device cuda] [--epochs 9.9] [--batch 1024]

Written from Jordan (2024, arXiv:2404.00498). The first layer is computed from the images, not learned: its 2 x 2 filters
make neighbouring pixels independent of each other. The others begin as the identity. Biases learn 64 times as fast as
weights, the weights are averaged while they learn, and each image is mirrored in every second epoch. FOLDER has CIFAR-10's
binary files. Prints one line of JSON: seconds of training, images/s, accuracy, and accuracy with mirrored and shifted copies.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
WIDTHS = (64, 256, 256)
LR, MOMENTUM, WEIGHT_DECAY, BIAS_SCALE = 11.5, 0.85, 0.0153, 64
LABEL_SMOOTHING, SHIFT, SCALE = 0.2, 2, 1 / 9
# The weights are averaged every so many steps.
AVERAGED_EVERY = 5


def read(folder, names, limit):
    """Images [N, 3, 32, 32], bytes, and labels [N]."""
    rows = torch.cat([torch.frombuffer(bytearray((folder / name).read_bytes()), dtype=torch.uint8).view(-1, 3073)
                      for name in names])[:limit]
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].long()


def normalised(images, device):
    mean, std = (torch.tensor(numbers, device=device).view(1, 3, 1, 1) for numbers in (MEAN, STD))
    return ((images.to(device).float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


class Block(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1, self.norm2 = (nn.BatchNorm2d(width, eps=1e-12, momentum=0.4) for _ in range(2))
        for conv in (self.conv1, self.conv2):
            nn.init.dirac_(conv.weight[:conv.in_channels])
        for norm in (self.norm1, self.norm2):
            norm.weight.requires_grad = False

    def forward(self, maps):
        maps = F.gelu(self.norm1(F.max_pool2d(self.conv1(maps), 2)))
        return F.gelu(self.norm2(self.conv2(maps)))


class Fast(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.white = nn.Conv2d(3, 24, 2)
        self.white.weight.requires_grad = False
        self.white.weight.copy_(whitening(images))
        nn.init.zeros_(self.white.bias)
        self.blocks = nn.Sequential(*(Block(i, o) for i, o in zip((24, *WIDTHS), WIDTHS)))
        self.head = nn.Linear(WIDTHS[-1], 10, bias=False)

    def forward(self, images):
        maps = self.blocks(F.gelu(self.white(images)))
        return self.head(F.max_pool2d(maps, 3).flatten(1)) * SCALE


def whitening(images, eps=5e-4):
    """Filters [24, 3, 2, 2], whose outputs do not depend on each other, and their negatives."""
    patches = F.unfold(images.contiguous(), 2).transpose(1, 2).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / torch.sqrt(values + eps)).T.reshape(12, 3, 2, 2)
    return torch.cat([filters, -filters])


def shifted(images):
    """Each image, shifted by up to SHIFT rows and columns; the edge is reflected."""
    count, size = len(images), images.shape[-1]
    padded = F.pad(images, [SHIFT] * 4, mode="reflect").permute(0, 2, 3, 1)
    first = torch.randint(2 * SHIFT + 1, (2, count, 1), device=images.device)
    rows, columns = first + torch.arange(size, device=images.device)
    n = torch.arange(count, device=images.device).view(-1, 1, 1)
    return padded[n, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def learning_rate(done):
    """Rises over the first 23 % of all steps, then falls; 1 is the maximum."""
    return 0.2 + 0.8 * done / 0.23 if done < 0.23 else 1 - 0.93 * (done - 0.23) / 0.77


def accuracy(net, images, labels, copies):
    """With `copies`, the logits of six versions of an image are averaged: shifted by one pixel, and mirrored."""
    right = 0
    for part, expected in zip(images.split(2000), labels.split(2000)):
        padded = F.pad(part, [1] * 4, mode="reflect")
        versions = [part, *((padded[:, :, :32, :32], padded[:, :, 2:, 2:]) if copies else ())]
        logits = sum(net(version) + (net(version.flip(3)) if copies else 0) for version in versions)
        right += (logits.argmax(1) == expected).sum().item()
    return right / len(labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--epochs", type=float, default=9.9)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--limit", type=int, help="use only so many images for training and as many for the test")
    arguments = parser.parse_args()
    device, batch = arguments.device, arguments.batch
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    train = read(arguments.data, [f"data_batch_{i}.bin" for i in range(1, 6)], arguments.limit)
    test = read(arguments.data, ["test_batch.bin"], arguments.limit)
    images, test_images = normalised(train[0], device), normalised(test[0], device)
    labels, test_labels = train[1].to(device), test[1].to(device)

    with torch.no_grad():
        net = Fast(images[:5000].cpu()).to(device, memory_format=torch.channels_last)
    # The learning rate and the decay were chosen for 1024 images, whose losses are added.
    scale = 1024 * (1 + 1 / (1 - MOMENTUM))
    lr, decay = LR / scale, WEIGHT_DECAY * batch / scale
    learned = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
    biases = [p for name, p in learned if name.endswith("bias")]
    weights = [p for name, p in learned if not name.endswith("bias")]
    optimiser = torch.optim.SGD(
        [{"params": weights, "lr": lr, "weight_decay": decay / lr},
         {"params": biases, "lr": lr * BIAS_SCALE, "weight_decay": decay / (lr * BIAS_SCALE)}],
        momentum=MOMENTUM, nesterov=True)
    peaks = [group["lr"] for group in optimiser.param_groups]
    state = [*net.parameters(), *(b for b in net.buffers() if b.is_floating_point())]
    averages = [tensor.detach().clone() for tensor in state]

    steps = len(images) // batch
    total = max(1, round(arguments.epochs * steps))
    mirrored = torch.rand(len(images), device=device) < 0.5
    start, done = time.perf_counter(), 0
    while done < total:
        augmented = shifted(torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images))
        mirrored = ~mirrored
        order = torch.randperm(len(images), device=device)
        for part in order[:steps * batch].split(batch)[:total - done]:
            for group, peak in zip(optimiser.param_groups, peaks):
                group["lr"] = peak * learning_rate(done / total)
            with torch.autocast(device, torch.bfloat16):
                logits = net(augmented[part])
            loss = F.cross_entropy(logits.float(), labels[part], label_smoothing=LABEL_SMOOTHING, reduction="sum")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            done += 1
            if done % AVERAGED_EVERY == 0 or done == total:
                keep = 0.95 ** AVERAGED_EVERY * (done / total) ** 3 if done < total else 1.0
                with torch.no_grad():
                    torch._foreach_lerp_(averages, state, 1 - keep)
                    torch._foreach_copy_(state, averages)
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    net.eval()
    with torch.no_grad(), torch.autocast(device, torch.bfloat16):
        plain, copies = (accuracy(net, test_images, test_labels, copies) for copies in (False, True))
    print(json.dumps({"seconds": seconds, "speed": total * batch / seconds, "accuracy": plain, "with_copies": copies}))


if __name__ == "__main__":
    main()
