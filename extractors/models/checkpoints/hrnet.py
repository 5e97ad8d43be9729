"""HRNet with the AI City 2020 team's head. Parameter names as in Microsoft's image classification code.

Source: Wang et al., "Deep High-Resolution Representation Learning", TPAMI 2020, and its public definition. Outputs
equal to timm's on random weights (W18, W48); no trained checkpoint was at hand. Sides of images: multiples of 32.
"""

from torch import Tensor, nn
from torch.nn import functional

from extractors.models.checkpoints.resnet import Shapes
from extractors.models.checkpoints.shaped import conv, count, norm, residuals


def normed(shapes: Shapes, prefix: str, stride: int, *, relu: bool) -> nn.Sequential:
    """Convolution, normalization, perhaps a ReLU."""
    layers = [conv(shapes, f"{prefix}.0", stride), norm(shapes, f"{prefix}.1")]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class Exchange(nn.Module):
    """Branches of several resolutions, each of which then gets the sum of all, brought to its resolution."""

    def __init__(self, shapes: Shapes, prefix: str) -> None:
        super().__init__()
        self.width = count(shapes, f"{prefix}.branches")
        self.branches = nn.ModuleList(
            residuals(shapes, f"{prefix}.branches.{place}") for place in range(self.width)
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    str(source): _brought(shapes, f"{prefix}.fuse_layers.{goal}.{source}", source - goal)
                    for source in range(self.width)
                    if source != goal
                }
            )
            for goal in range(self.width)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        found = []
        for goal, layers in enumerate(self.fuse_layers):
            assert isinstance(layers, nn.ModuleDict)
            total = maps[0] if goal == 0 else layers["0"](maps[0])
            for source in range(1, self.width):
                total = total + (maps[source] if source == goal else layers[str(source)](maps[source]))
            found.append(total.relu())
        return found


def _brought(shapes: Shapes, prefix: str, finer: int) -> nn.Module:
    """From one resolution to another, ``finer`` doublings up, or as many halvings down where it is below 0."""
    if finer > 0:
        layers = normed(shapes, prefix, 1, relu=False)
        return nn.Sequential(*layers, nn.Upsample(scale_factor=2.0**finer, mode="nearest"))
    steps = -finer
    return nn.Sequential(*(normed(shapes, f"{prefix}.{step}", 2, relu=step < steps - 1) for step in range(steps)))


class HrNet(nn.Module):
    """Images to unit vectors after the reduction's normalization; ``after`` False: before it, as they are.

    The normalization's eps is 0: the original hands over False in its place.
    """

    def __init__(self, shapes: Shapes, *, after: bool, head: str = "") -> None:
        super().__init__()
        self.after, self.head = after, head
        self.conv1, self.bn1 = conv(shapes, "conv1", 2), norm(shapes, "bn1")
        self.conv2, self.bn2 = conv(shapes, "conv2", 2), norm(shapes, "bn2")
        self.layer1 = residuals(shapes, "layer1")
        self.widths = [count(shapes, f"stage{stage}.0.branches") for stage in (2, 3, 4)]
        for stage, width in enumerate(self.widths, 2):
            self.add_module(f"transition{stage - 1}", _transition(shapes, f"transition{stage - 1}", width))
            modules = (Exchange(shapes, f"stage{stage}.{n}") for n in range(count(shapes, f"stage{stage}")))
            self.add_module(f"stage{stage}", nn.Sequential(*modules))
        last = range(self.widths[-1])
        self.incre_modules = nn.ModuleList(residuals(shapes, f"incre_modules.{place}") for place in last)
        self.downsamp_modules = nn.ModuleList(
            normed(shapes, f"downsamp_modules.{place}", 2, relu=True) for place in last[:-1]
        )
        self.final_layer = normed(shapes, "final_layer", 1, relu=True)
        features, width = shapes["reid_head.weight"]
        self.reid_head = nn.Linear(width, features, bias=False)
        self.reid_head_bn = nn.BatchNorm1d(features, eps=0.0)
        if head:
            self.classifier_reid = nn.Linear(features, shapes["classifier_reid.weight"][0], bias=False)

    def maps(self, x: Tensor) -> Tensor:
        """Images to the last map."""
        x = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        maps = [self.layer1(x)]
        for stage, width in enumerate(self.widths, 2):
            transition = self.get_submodule(f"transition{stage - 1}")
            assert isinstance(transition, nn.ModuleDict)
            maps = [
                transition[str(place)](maps[-1]) if str(place) in transition else maps[place]
                for place in range(width)
            ]
            maps = self.get_submodule(f"stage{stage}")(maps)
        y = self.incre_modules[0](maps[0])
        for place, down in enumerate(self.downsamp_modules, 1):
            y = self.incre_modules[place](maps[place]) + down(y)
        return self.final_layer(y)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        before = self.reid_head(self.maps(x).mean((2, 3)))
        after = self.reid_head_bn(before)
        out = {"": functional.normalize(after) if self.after else before}
        if self.head:
            out[self.head] = self.classifier_reid(after).softmax(1)
        return out


def _transition(shapes: Shapes, prefix: str, width: int) -> nn.ModuleDict:
    """From the branches that there are to one more; those that go on as they are have no layer."""
    layers: dict[str, nn.Module] = {}
    for place in range(width):
        at = f"{prefix}.{place}"
        if f"{at}.0.weight" in shapes:
            layers[str(place)] = normed(shapes, at, 1, relu=True)
        elif f"{at}.0.0.weight" in shapes:
            steps = range(count(shapes, at))
            layers[str(place)] = nn.Sequential(*(normed(shapes, f"{at}.{n}", 2, relu=True) for n in steps))
    return nn.ModuleDict(layers)
