"""Small layers that several architectures share; parameter names as the public code bases have them."""

import torch
from torch import Tensor, nn


class GeneralizedMean(nn.Module):
    """``(mean x^p)^(1/p)`` over a map, values below 1e-6 lifted to it; ``p`` is learned (fast-reid, GeM)."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=1e-6).pow(self.p).mean((2, 3), keepdim=True).pow(1 / self.p)


class GlobalMean(nn.Module):
    """The mean of a map, (n, c, 1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class IBN(nn.Module):
    """Instance normalization for the first half of the channels, batch normalization for the rest (IBN-a)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = channels // 2
        self.IN = nn.InstanceNorm2d(self.first, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.first)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.IN(x[:, : self.first].contiguous()), self.BN(x[:, self.first :].contiguous())], 1)


class SqueezeConv(nn.Module):
    """Squeeze and excitation with biased 1x1 convolutions ``fc1``, ``fc2`` (SENet's own release)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class SqueezeLinear(nn.Module):
    """The same with linear layers without bias, ``fc.0`` and ``fc.2`` (IBN-Net, fast-reid)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class NonLocal(nn.Module):
    """Each position adds what all others say, weighted by dot products over their number (fast-reid).

    ``x + W(theta(x) phi(x)^T g(x) / hw)``; fast-reid's own has one inner channel.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.g = nn.Conv2d(channels, inner, 1)
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)
        self.W = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        theta, phi, g = (layer(x).flatten(2) for layer in (self.theta, self.phi, self.g))
        weights = theta.transpose(1, 2) @ phi / theta.shape[2]  # (n, hw, hw)
        said = (weights @ g.transpose(1, 2)).transpose(1, 2)
        return x + self.W(said.reshape(len(x), -1, *x.shape[2:]))
