"""A class of the user's own: any callable that makes a torch module, or a ready model."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ensemble.base.errors import InputError, refuse_if_any
from extractors.extras import need
from extractors.model import IMAGENET_MEAN, IMAGENET_STD, Model
from extractors.options import COMMON, refuse_unknown

OF_A_MODEL = ("name", "size", "mean", "std", "digest")


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Call ``FACTORY`` of a module that Python finds (the current folder included, under ``python -m``).

    Takes:   ``module:PACKAGE.MODULE:FACTORY``. It returns a torch module, or something that is a
             :class:`extractors.model.Model` itself, which is handed on as it is.
    options: ``arguments``  a JSON object: its keyword arguments;
             ``checkpoint`` a file whose keys must all be the module's;
             ``size`` HEIGHTxWIDTH, ``mean``, ``std``: default the module's attributes of these names, then
             ImageNet's for the last two; ``output`` which of several outputs is the feature; ``channels_last``,
             ``clips``, ``fold``, ``compile``.
    A module of clips may have the attribute ``frames``, 0 for any number.
    A module may return a tensor (n, d), or a dictionary: ``""`` the feature, ``parts`` (n, p, d), heads by name.
    Raises:  InputError with everything that does not fit. What FACTORY itself raises goes on.
    """
    refuse_if_any(refuse_unknown(spec, options, (*COMMON, "arguments", "checkpoint", "output")))
    factory = _factory(spec)
    made = factory(**_arguments(spec, options.get("arguments", "{}")))
    if callable(made) and not hasattr(made, "state_dict") and all(hasattr(made, one) for one in OF_A_MODEL):
        refuse_if_any(
            [
                f"{spec}: wanted no {key} for a model that is ready, found it; leave it out"
                for key in options
                if key != "arguments"
            ]
        )
        return cast(Model, made)
    torch: Any = need("torch", "torch", spec)
    if not isinstance(made, torch.nn.Module):
        raise InputError(
            [f"{spec}: wanted a torch module or a model with {', '.join(OF_A_MODEL)}, found {type(made).__name__}"]
        )
    from extractors.models import torch_run as run

    where = run.place(device, precision, options.get("channels_last", "auto"))
    checkpoint = options.get("checkpoint")
    if checkpoint is not None:
        from extractors.models.checkpoints.matching import fill
        from extractors.models.checkpoints.reading import read_state

        fill(made, read_state(Path(checkpoint)), checkpoint, hint=f"; is it one of {spec}?")
    size = getattr(made, "size", None)
    return run.torch_model(
        made,
        spec,
        where,
        options,
        name=name or spec.rpartition(":")[2],
        digest=run.file_digest(Path(checkpoint)) if checkpoint else run.state_digest(made),
        size=(int(size[0]), int(size[1])) if isinstance(size, (tuple, list)) and len(size) == 2 else None,
        mean=tuple(getattr(made, "mean", IMAGENET_MEAN)),
        std=tuple(getattr(made, "std", IMAGENET_STD)),
        frames=getattr(made, "frames", None),
    )


def _factory(spec: str) -> Any:
    _, module_name, *rest = spec.split(":")
    wanted = f"{spec}: wanted module:PACKAGE.MODULE:FACTORY"
    if len(rest) != 1 or not module_name or not rest[0]:
        raise InputError([f"{wanted}, found another form"])
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # it is there, and lacks something itself
        raise InputError([f"{wanted}, found no module {error.name}; run where it is, or set PYTHONPATH"]) from None
    factory = getattr(module, rest[0], None)
    if not callable(factory):
        found = ", ".join(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
        raise InputError([f"{wanted}, found no {rest[0]} in {module_name}; there are {found[:200] or 'none'}"])
    return factory


def _arguments(spec: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError([f"{spec}: wanted arguments= as a JSON object, found {text!r} ({error})"]) from None
    if not isinstance(found, dict):
        raise InputError([f"{spec}: wanted arguments= as a JSON object, found {text!r}"])
    return found
