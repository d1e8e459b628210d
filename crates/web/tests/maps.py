"""PyTorch's numbers in the tests of `src/window` and `src/pool.rs`: run it with PyTorch 2.11.0 and compare."""

import torch
from torch.nn import functional as F

torch.set_printoptions(precision=4, sci_mode=False, linewidth=120)


def image(channels, height, width):
    """Whole numbers from -5 to 7 without a pattern that a wrong index could hide in."""
    return ((torch.arange(channels * height * width) * 7 + 3) % 13 - 5).float().reshape(1, channels, height, width)


def kernel(channels, height, width):
    return ((torch.arange(channels * height * width) * 5 + 2) % 11 - 4).float().reshape(1, channels, height, width) / 2


# (channels, image, kernel, stride, padding, dilation, bias)
for c, (h, w), (kh, kw), stride, padding, dilation, bias in [
    (1, (5, 7), (3, 2), 1, 0, 1, 0.0),
    (1, (5, 7), (3, 2), 2, 1, 1, 0.5),
    (1, (7, 6), (2, 3), 1, 2, 2, -1.0),
    (3, (4, 5), (3, 3), 1, 1, 1, 0.25),
    (3, (6, 9), (2, 4), 3, 0, 2, 0.0),
]:
    out = F.conv2d(image(c, h, w), kernel(c, kh, kw), torch.tensor([bias]), stride, padding, dilation)[0, 0]
    print(f"convolution: {c} x {h} x {w}, kernel {kh} x {kw}, stride {stride}, padding {padding}, dilation {dilation}, "
          f"bias {bias}: {list(out.shape)}\n{out.flatten().tolist()}")

for (h, w), window, stride in [((5, 7), 2, 2), ((5, 7), 3, 1), ((7, 4), 3, 2)]:
    x = image(1, h, w)
    print(f"pooling: {h} x {w}, window {window}, stride {stride}")
    print(F.max_pool2d(x, window, stride).flatten().tolist())
    print([round(value, 4) for value in F.avg_pool2d(x, window, stride).flatten().tolist()])

nan = torch.tensor([[[[1.0, float("nan"), 3.0, 4.0]]]])
print("NaN:", F.max_pool2d(nan, (1, 2)).tolist(), F.avg_pool2d(nan, (1, 2)).tolist())
