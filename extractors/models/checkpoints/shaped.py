"""Layers with the channels and kernels of a checkpoint's tensors: an architecture says only what no shape does.

``prefix`` is where a layer's tensors stand, ``features.3.conv`` say, without a point at its end.
"""

from torch import Tensor, nn

from extractors.models.checkpoints.resnet import Shapes


def conv(shapes: Shapes, prefix: str, stride: int = 1, *, padded: bool = True, into: int = 0) -> nn.Conv2d:
    """A convolution.

    padded: by half its kernel, so that a stride of 1 keeps the size.
    into:   channels that come in, where they are more than the kernel sees: the convolution is grouped.
    """
    out, seen, *kernel = shapes[f"{prefix}.weight"]
    groups = max(1, into // seen)
    padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
    bias = f"{prefix}.bias" in shapes
    size = (kernel[0], kernel[1])
    return nn.Conv2d(seen * groups, out, size, stride, padding, groups=groups, bias=bias)


def norm(shapes: Shapes, prefix: str, eps: float = 1e-5) -> nn.BatchNorm2d:
    """A batch normalization."""
    return nn.BatchNorm2d(shapes[f"{prefix}.weight"][0], eps=eps)


def count(shapes: Shapes, prefix: str) -> int:
    """How many children under ``prefix`` are numbered from 0 without a gap."""
    numbers = {key[len(prefix) + 1 :].partition(".")[0] for key in shapes if key.startswith(f"{prefix}.")}
    found = 0
    while str(found) in numbers:
        found += 1
    return found


class Residual(nn.Module):
    """Two or three convolutions, each normalized, beside a shortcut; all of stride 1."""

    def __init__(self, shapes: Shapes, prefix: str) -> None:
        super().__init__()
        self.depth = 3 if f"{prefix}.conv3.weight" in shapes else 2
        for place in range(1, self.depth + 1):
            self.add_module(f"conv{place}", conv(shapes, f"{prefix}.conv{place}"))
            self.add_module(f"bn{place}", norm(shapes, f"{prefix}.bn{place}"))
        self.downsample = None
        if f"{prefix}.downsample.0.weight" in shapes:
            self.downsample = nn.Sequential(
                conv(shapes, f"{prefix}.downsample.0"), norm(shapes, f"{prefix}.downsample.1")
            )

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for place in range(1, self.depth + 1):
            out = self.get_submodule(f"bn{place}")(self.get_submodule(f"conv{place}")(out))
            out = out.relu() if place < self.depth else out
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


def residuals(shapes: Shapes, prefix: str) -> nn.Sequential:
    """As many of them as there are under ``prefix``, one after the other."""
    return nn.Sequential(*(Residual(shapes, f"{prefix}.{place}") for place in range(count(shapes, prefix))))
