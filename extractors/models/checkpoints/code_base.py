"""What a code base is to the loader of checkpoints: how its files are known, and the network that they fit."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from torch import nn

from ensemble.base.errors import InputError
from extractors.model import IMAGENET_MEAN, IMAGENET_STD
from extractors.models.checkpoints import resnet
from extractors.models.checkpoints.resnet import Shapes

Options = Mapping[str, str]
TAPS = {"before": False, "after": True}
RESNET_OPTIONS = ("last_stride", "stem_relu", "stem_pool")


@dataclass(frozen=True)
class Family:
    """A code base.

    signs:   patterns of keys, each of which some key must match; ``none_of``: patterns that no key may.
    build:   the network from the shapes of the checkpoint and the options.
    unused:  keys that only training needs, dropped by name.
    renamed: pairs for ``re.sub``, from the checkpoint's names to the network's.
    takes:   its options beside those that every model has.
    size, mean, std: of the images, where no option says otherwise.
    """

    title: str
    signs: tuple[str, ...]
    build: Callable[[Shapes, Options, str], nn.Module]
    takes: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    unused: str = r"(?!)"
    renamed: tuple[tuple[str, str], ...] = ()
    size: tuple[int, int] | None = (256, 128)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def fits(self, keys: list[str]) -> bool:
        """Whether the keys are of this code base."""

        def found(pattern: str) -> bool:
            return any(re.match(pattern, key) for key in keys)

        return all(map(found, self.signs)) and not any(map(found, self.none_of))

    def name_of(self, key: str) -> str:
        """The network's name for a key of the checkpoint."""
        for pattern, to in self.renamed:
            key = re.sub(pattern, to, key)
        return key


def choice(spec: str, options: Options, key: str, choices: Mapping[str, bool], default: str) -> bool:
    """What an option means, ``default`` where it is not given."""
    text = options.get(key, default)
    if text not in choices:
        refuse(f"{spec}: wanted {key}={' or '.join(choices)}, found {text}")
    return choices[text]


def refuse(problem: str) -> NoReturn:
    """Raise an InputError of one problem."""
    raise InputError([problem])


def trunk(shapes: Shapes, prefix: str, options: Options, spec: str, **default: str) -> tuple[resnet.ResNet, int]:
    """A ResNet from the keys under ``prefix`` and its number of channels.

    default: ``stride`` of the last stage, ``relu`` and ``pool`` of the stem, where no option says otherwise.
    """
    found = resnet.plan(shapes, prefix)
    if found.stem != "conv1" and "stem_relu" in options:
        refuse(f"{spec}: wanted no stem_relu for an SENet, which has one, found it; leave it out")
    pool = default.get("pool", "padded" if found.stem == "conv1" else "ceil")
    unsaid = resnet.Unsaid(
        1 if choice(spec, options, "last_stride", {"1": True, "2": False}, default["stride"]) else 2,
        choice(spec, options, "stem_relu", {"yes": True, "no": False}, default.get("relu", "yes")),
        "ceil" if choice(spec, options, "stem_pool", {"ceil": True, "padded": False}, pool) else "padded",
    )
    return resnet.ResNet(found, unsaid), resnet.out_channels(found, 3)


def head_of(spec: str, shapes: Shapes, options: Options, layer: str) -> tuple[int, str]:
    """Classes of the softmax head that the user named, and its name; 0 where none is wanted."""
    head = options.get("head", "")
    if not head:
        return 0, ""
    if f"{layer}.weight" not in shapes:
        refuse(f"{spec}: wanted {layer}.weight for head={head}, found none; leave head= out")
    if head == "parts" or not head.isidentifier():
        refuse(f"{spec}: wanted a name for head=, found {head!r}; call it camera or orientation, say")
    return shapes[f"{layer}.weight"][0], head
