"""Other people's models behind one signature; each file here knows one family and is imported when asked for."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from ensemble.base.errors import InputError
from extractors.model import Model
from postproc.base.nearby import nearest

BY_PREFIX = {
    "hog": "classical",
    "colour": "classical",
    "pixels": "classical",
    "efficientnet_lite0": "efficientnet",
    "timm": "timm_models",
    "open_clip": "clip",
    "module": "own",
}
EXTRAS = {  # of ours that a family needs, beside the one that reads images
    "efficientnet": "cnn",
    "timm_models": "timm",
    "clip": "clip",
    "own": "torch",
    "onnx": "onnx",
    "programs": "torch",
    "checkpoints": "torch",
}
BY_SUFFIX = {
    ".onnx": "onnx",
    ".pt": "programs",
    ".pt2": "programs",
    ".ts": "programs",
    ".torchscript": "programs",
    ".pth": "checkpoints",
    ".tar": "checkpoints",
    ".pkl": "checkpoints",
    ".ckpt": "checkpoints",
    ".safetensors": "checkpoints",
}


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Load a model by what is written before the colon, or by how the file's name ends.

    Takes:   ``PATH.onnx``, ``hog[:…]``, ``colour[:…]``, ``pixels[:…]``, ``PATH.pt``, ``PATH.pt2``,
             ``timm:NAME``, ``open_clip:NAME``, ``module:PACKAGE.MODULE:FACTORY``, ``PATH.pth``, ``PATH.pth.tar``.
    device:  ``auto`` (CUDA where there is one), ``cpu``, ``cuda``.
    precision: ``float32``, ``float16`` or ``bfloat16``.
    name:    for the feature files; without it the model's own.
    options: of the family, by their names.
    Raises:  InputError if there is no such model, or an option is not one of its own, or an extra is missing.
    """
    family = _family(spec)
    module = import_module(f"extractors.models.{family}")
    loader = cast(Callable[..., Model], module.load)
    return loader(spec, device=device, precision=precision, name=name, **options)


def extra_of(spec: str) -> str | None:
    """The extra whose packages a model needs; None for one that needs none. Raises as :func:`load` does."""
    return EXTRAS.get(_family(spec))


def is_file(spec: str) -> bool:
    """Whether a model is the path of a file, by how it is written."""
    return spec.partition(":")[0] not in BY_PREFIX


def _family(spec: str) -> str:
    prefix = spec.partition(":")[0]
    if prefix in BY_PREFIX:
        return BY_PREFIX[prefix]
    suffix = Path(spec).suffix.lower()
    if suffix not in BY_SUFFIX:
        known = ", ".join([*(f"{key}:…" for key in BY_PREFIX), *(f"PATH{key}" for key in BY_SUFFIX)])
        meant = nearest(prefix, BY_PREFIX)
        hint = f"did you mean {meant}{spec[len(prefix) :]}?" if meant else "see --help"
        raise InputError([f"{spec}: wanted a model ({known}), found neither; {hint}"])
    return BY_SUFFIX[suffix]
