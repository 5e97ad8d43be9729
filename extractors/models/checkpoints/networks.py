"""Backbones with the heads of the code bases that trained them: what goes in and out at test time.

Parameter names as in the original of each class, so that its checkpoints fit; layers that only training needs
are left out. Outputs: ``""`` the feature, not normalised unless the original does it inside the model;
``"parts"``; softmax heads under the name that the user gave. Outputs equal to the published formulas on random
weights; no trained checkpoint was at hand.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from extractors.models.checkpoints import resnet
from extractors.models.checkpoints.layers import GeneralizedMean, GlobalMean


class Baseline(nn.Module):
    """reid-strong-baseline (BoT) and the many that grew from it: mean or GeM, BNNeck.

    after:   the feature after the neck, instead of before.
    classes: of the classifier, kept as a softmax head under ``head``; 0: dropped.
    """

    def __init__(
        self,
        base: nn.Module,
        width: int,
        *,
        gem: bool = False,
        neck: bool = True,
        after: bool = True,
        classes: int = 0,
        bias: bool = False,
        head: str = "",
    ) -> None:
        super().__init__()
        self.after, self.head = after, head
        self.base = base
        self.gap = GeneralizedMean() if gem else GlobalMean()
        self.bottleneck = nn.BatchNorm1d(width) if neck else nn.Identity()
        if classes:
            self.classifier = nn.Linear(width, classes, bias=bias)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        pooled = self.gap(self.base(x)).flatten(1)
        normed = self.bottleneck(pooled)
        out = {"": normed if self.after else pooled}
        if self.head:
            out[self.head] = self.classifier(normed).softmax(1)
        return out


class FastReidHeads(nn.Module):
    """fast-reid's heads at test time: pooling, perhaps a 1x1 convolution to fewer channels, BNNeck."""

    def __init__(self, width: int, *, gem: bool, embedding: int, neck: bool, named_bnneck: bool) -> None:
        super().__init__()
        self.pool_layer = GeneralizedMean() if gem else GlobalMean()
        layers: list[nn.Module] = []
        if embedding:
            layers.append(nn.Conv2d(width, embedding, 1, bias=False))
            width = embedding
        if neck and not named_bnneck:
            layers.append(nn.BatchNorm2d(width))
        self.bottleneck = nn.Sequential(*layers)
        if named_bnneck:
            self.bnneck = nn.BatchNorm2d(width)
        self.named = named_bnneck

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.pool_layer(x)
        after = self.bottleneck(pooled)
        return pooled, self.bnneck(after) if self.named else after


class FastReid(nn.Module):
    """fast-reid's baseline. At test time its own hands out what comes after the neck; ``after`` False: before."""

    def __init__(self, backbone: nn.Module, heads: FastReidHeads, *, after: bool) -> None:
        super().__init__()
        self.after = after
        self.backbone = backbone
        self.heads = heads

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        before, after = self.heads(self.backbone(x))
        return {"": (after if self.after else before).flatten(1)}


class Reduced(nn.Module):
    """The global models of the AI City 2020 team: mean, 1x1 convolution, batch normalization, classifier.

    after:  unit vectors after the normalization (their SAC models), instead of before it (all others, which divide
            by norm + 1e-8).
    corner: average only so many rows and columns of the map, those at its upper left; 0: all.
    """

    def __init__(
        self,
        base: nn.Module,
        width: int,
        features: int,
        *,
        after: bool,
        classes: int,
        bias: bool,
        head: str,
        corner: int = 0,
    ) -> None:
        super().__init__()
        self.after, self.head, self.corner = after, head, corner
        self.base = base
        self.dim_red_conv = nn.Conv2d(width, features, 1, bias=False)
        self.dim_red_bn = nn.BatchNorm2d(features)
        if classes:
            self.fc = nn.Linear(features, classes, bias=bias)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        before = self.dim_red_conv(self._averaged(self.base(x)))
        after = self.dim_red_bn(before).flatten(1)
        before = before.flatten(1)
        unit = functional.normalize(after) if self.after else before / (before.norm(dim=1, keepdim=True) + 1e-8)
        out = {"": unit}
        if self.head:
            out[self.head] = self.fc(after).softmax(1)
        return out

    def _averaged(self, found: Tensor) -> Tensor:
        side = self.corner
        if side and not all(side <= pixels < 2 * side for pixels in found.shape[2:]):
            raise ValueError(
                f"a map of {found.shape[2]} x {found.shape[3]} pixels where {side} to {2 * side - 1} are wanted"
            )
        return found[:, :, : side or None, : side or None].mean((2, 3), keepdim=True)


class ClassBlock(nn.Module):
    """layumi's bottleneck: linear layer (``linear`` 0: none) and batch normalization, without the classifier."""

    def __init__(self, width: int, linear: int) -> None:
        super().__init__()
        layers = [nn.Linear(width, linear)] if linear else []
        self.add_block = nn.Sequential(*layers, nn.BatchNorm1d(linear or width))

    def forward(self, x: Tensor) -> Tensor:
        return self.add_block(x)


class FtNet(nn.Module):
    """layumi's ft_net and ft_net_dense. ``after``: after the bottleneck, instead of the pooled map."""

    def __init__(self, model: nn.Module, width: int, linear: int, *, after: bool) -> None:
        super().__init__()
        self.after = after
        self.model = model
        self.classifier = ClassBlock(width, linear)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        pooled = self.model(x).mean((2, 3))
        return {"": self.classifier(pooled) if self.after else pooled}


class Pcb(nn.Module):
    """layumi's PCB at test time: the means of six horizontal stripes of the last map.

    ``parts`` is (n, 6, 2048), the feature (n, 12288) one channel after the other, as its own files have them.
    Neither is normalised.
    """

    def __init__(self, model: nn.Module, stripes: int) -> None:
        super().__init__()
        self.stripes = stripes
        self.model = model

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        rows = functional.adaptive_avg_pool2d(self.model(x), (self.stripes, 1)).flatten(2)  # (n, 2048, 6)
        return {"": rows.flatten(1), "parts": rows.transpose(1, 2)}


class Mgn(nn.Module):
    """The MGN of the AI City 2020 team: three branches from the third stage on, means of maps and stripes.

    The feature is the unit vector of the three global reductions and the middle third's; ``parts`` are the
    five reduced stripes (halves, then thirds). A fourth branch, left and right, is not used at test.
    """

    def __init__(self, plan: resnet.Plan, reduced: int) -> None:
        super().__init__()
        trunk = resnet.ResNet(plan, resnet.Unsaid())
        self.conv1, self.bn1, self.maxpool = trunk.conv1, trunk.bn1, trunk.maxpool
        self.layer1, self.layer2 = trunk.layer1, trunk.layer2
        for branch, stride in enumerate((2, 1, 1)):
            self.add_module(f"layer3_{branch}", resnet.stage(plan, 2, resnet.out_channels(plan, 1), 2))
            self.add_module(f"layer4_{branch}", resnet.stage(plan, 3, resnet.out_channels(plan, 2), stride))
        width = resnet.out_channels(plan, 3)
        for name in ("g1", "g2", "g3", "p2_1", "p2_2", "p3_1", "p3_2", "p3_3"):
            self.add_module(f"{name}_reduce", nn.Sequential(nn.Conv2d(width, reduced, 1), nn.BatchNorm2d(reduced)))

    def _reduce(self, name: str, x: Tensor) -> Tensor:
        return self.get_submodule(f"{name}_reduce")(x.mean((2, 3), keepdim=True)).flatten(1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.layer2(self.layer1(self.maxpool(self.bn1(self.conv1(x)).relu())))
        maps = [self.get_submodule(f"layer4_{b}")(self.get_submodule(f"layer3_{b}")(x)) for b in range(3)]
        whole = [self._reduce(f"g{branch + 1}", one) for branch, one in enumerate(maps)]
        half, third = maps[1].shape[2] // 2, maps[2].shape[2] // 3
        stripes = [maps[1][:, :, :half], maps[1][:, :, half:]]
        stripes += [maps[2][:, :, third * place : third * (place + 1)] for place in range(3)]
        names = ("p2_1", "p2_2", "p3_1", "p3_2", "p3_3")
        parts = [self._reduce(name, one) for name, one in zip(names, stripes, strict=True)]
        feature = functional.normalize(torch.cat([*whole, parts[3]], 1))
        return {"": feature, "parts": torch.stack(parts, 1)}


class TwoBranches(nn.Module):
    """FGReID's image model: two ResNet50, the first of which tells the second where to look.

    Differs: the original lifts a map by the smallest value of the whole batch, so that a feature depends on its
    neighbours in the batch; here by the image's own. ``batch_minimum`` restores it.
    """

    def __init__(self, trunk: Callable[[], nn.Module], *, batch_minimum: bool) -> None:
        super().__init__()
        self.batch_minimum = batch_minimum
        self.base, self.base_mars = trunk(), trunk()
        self.conv1, self.conv2 = nn.Conv2d(2048, 1024, 1), nn.Conv2d(2048, 1024, 1)
        self.bn1, self.bn2 = nn.BatchNorm1d(1024), nn.BatchNorm1d(1024)
        self.theta = nn.Conv2d(1024, 256, 1, bias=False)
        self.g = nn.Conv2d(1024, 256, 1, bias=False)
        self.w_z = nn.Conv2d(256, 1024, 1, bias=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        first, second = self.conv1(self.base(x)), self.conv2(self.base_mars(x))
        pooled = first.mean((2, 3))
        least = first.amin() if self.batch_minimum else first.amin((1, 2, 3), keepdim=True)
        weights = pooled.softmax(1)[:, :, None, None]
        attention = (weights * (first - least)).sum(1, keepdim=True).sigmoid()  # (n, 1, h, w)
        seen = second * attention
        theta = functional.normalize(self.theta(seen).relu().flatten(2), dim=1)  # (n, 256, hw)
        alike = (theta.transpose(1, 2) @ theta).softmax(2)  # (n, hw, hw)
        mixed = alike @ self.g(seen).relu().flatten(2).transpose(1, 2)  # (n, hw, 256)
        mixed = mixed.transpose(1, 2).reshape(len(x), 256, *seen.shape[2:])
        focus = (self.w_z(mixed) + seen).sum((2, 3)) / attention.sum((2, 3))
        return {"": torch.cat([self.bn1(pooled), self.bn2(focus)], 1)}


class Pooled(nn.Module):
    """A backbone and the mean of its map: torchvision's, IBN-Net's and torchreid's ResNets and DenseNets.

    fc:      width of torchreid's layer after it (``fc512``: linear, batch normalization, ReLU); 0: none.
    classes: of the layer ``classifier_name``, kept as a softmax head under ``head``; 0: dropped.
    """

    def __init__(
        self,
        base: nn.Module,
        width: int,
        *,
        fc: int = 0,
        classifier_name: str = "classifier",
        classes: int = 0,
        head: str = "",
    ) -> None:
        super().__init__()
        self.head, self.classifier_name = head, classifier_name
        self.base = base
        self.fc: nn.Module = nn.Identity()
        if fc:
            self.fc = nn.Sequential(nn.Linear(width, fc), nn.BatchNorm1d(fc), nn.ReLU(inplace=True))
        if classes:
            self.add_module(classifier_name, nn.Linear(fc or width, classes))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        pooled = self.base(x).mean((2, 3))
        if not self.head:
            return {"": self.fc(pooled)}
        if self.classifier_name == "fc":  # ImageNet's classifier follows the feature
            return {"": pooled, self.head: self.fc(pooled).softmax(1)}
        feature = self.fc(pooled)
        return {"": feature, self.head: self.get_submodule(self.classifier_name)(feature).softmax(1)}
