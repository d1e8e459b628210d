"""Writes see.txt: sums of feature maps, Grad-CAM and occlusion in PyTorch, for the course's weights and a photo.

    pip install torch==2.11.0 grad-cam==1.5.7 safetensors
    python see.py > see.txt

The first line has the hash of the weights. Each other line has the kind of map, the layer, the rows and columns, and all
elements. `package` is the map of the package grad-cam, before it scales it to 0 to 1 for display.
"""

from pathlib import Path

import numpy
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from safetensors import safe_open
from torch.nn import functional as F

from pytorch import MEAN, LectureNet

HERE = Path(__file__).parent
WEIGHTS = HERE / "../../assets/lecture-net.safetensors"
PHOTO = HERE / "../../../../datasets/samples/cifar10_00_3.png"
# Cat, the class of the photo; any other class would test the same.
CLASS = 3


def print_line(kind, layer, numbers):
    assert numbers.abs().max() > 1e-3, f"{kind} of {layer} is zero everywhere"
    shown = " ".join(f"{v:.7g}" for v in numbers.detach().flatten().tolist())
    print(f"{kind}; {layer}; {numbers.shape[0]} {numbers.shape[1]}; {shown}")


def image_by_formula(height, width):
    c, h, w = torch.meshgrid(*(torch.arange(size) for size in (3, height, width)), indexing="ij")
    return ((31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256).to(torch.uint8)[None]


def maps(net, images, block):
    """Returns the feature maps of a block, and the logits. The network itself normalises the pixels."""
    inner = {}
    hook = getattr(net, block).register_forward_hook(lambda _, __, output: inner.update(maps=output))
    try:
        logits = net(images)
    except RuntimeError:  # The head fits only 32 x 32.
        logits = None
    hook.remove()
    return inner["maps"], logits


def grad_cam(net, images, block):
    found, logits = maps(net, images, block)
    (gradient,) = torch.autograd.grad(logits[0, CLASS], found)
    return (gradient.mean((2, 3), keepdim=True) * found).sum((0, 1)).relu()


def package(net, images, block):
    # The package needs an input with gradients, which must be of floating-point type.
    with GradCAM(model=net, target_layers=[getattr(net, block)]) as cam:
        targets = [ClassifierOutputTarget(CLASS)]
        pixels = images.float()
        cam(input_tensor=pixels, targets=targets)
        found, gradients = (kept[0].numpy() for kept in (cam.activations_and_grads.activations,
                                                         cam.activations_and_grads.gradients))
        image = cam.get_cam_image(pixels, getattr(net, block), targets, found, gradients)
    return torch.from_numpy(numpy.maximum(image, 0))[0]


def occlusion(net, images, patch=8, stride=4):
    grey = (255 * torch.tensor(MEAN)).round().to(torch.uint8).view(3, 1, 1)
    probability = net(images).softmax(1)[0, CLASS]
    drops, covered = torch.zeros(32, 32), torch.zeros(32, 32)
    for top in range(stride - patch, 32, stride):
        for left in range(stride - patch, 32, stride):
            rows, columns = slice(max(top, 0), top + patch), slice(max(left, 0), left + patch)
            hidden = images.clone()
            hidden[0, :, rows, columns] = grey
            drops[rows, columns] += probability - net(hidden).softmax(1)[0, CLASS]
            covered[rows, columns] += 1
    return drops / covered


def main():
    net = LectureNet().eval()
    with safe_open(WEIGHTS, "pt") as file:
        print(f"weights; {file.metadata()['sha256']}")
        net.load_state_dict({name: file.get_tensor(name) for name in file.keys()}, strict=False)
    photo = numpy.array(Image.open(PHOTO).convert("RGB"))
    square, wide = torch.from_numpy(photo).permute(2, 0, 1)[None], image_by_formula(24, 40)

    for block in ("block1", "block2", "block3"):
        found, _ = maps(net, square, block)
        print_line("sum", block, found.sum((0, 1)))
        print_line("mean", block, found.mean((0, 1)))
        print_line("max", block, found.amax((0, 1)))
        print_line("wide sum", block, maps(net, wide, block)[0].sum((0, 1)))
    summed = maps(net, square, "block3")[0].sum((0, 1))
    print_line("enlarged", "block3", F.interpolate(summed[None, None], (32, 32), mode="bilinear")[0, 0])
    summed = maps(net, wide, "block2")[0].sum((0, 1))
    print_line("wide enlarged", "block2", F.interpolate(summed[None, None], (24, 40), mode="bilinear")[0, 0])
    for block in ("block1", "block2", "block3"):
        print_line("Grad-CAM", block, grad_cam(net, square, block))
        print_line("package", block, package(net, square, block))
    with torch.no_grad():
        print_line("occlusion", "", occlusion(net, square))


if __name__ == "__main__":
    main()
