"""Backbones of timm, with the weights it comes with or a checkpoint of one's own.

Also DINOv2, DINOv3, and the towers of SigLIP and CLIP as timm has them, and the backbones that the AI City 2020
team trained: densenet161, seresnet152d, senet154, dpn107, hrnet_w48, resnet152, resnext, inception_v4, res2net101.
"""

import re
from pathlib import Path
from typing import Any

from ensemble.base.errors import InputError, examples, near, refuse_if_any
from extractors.extras import need
from extractors.model import Model
from extractors.options import refuse_unknown, size_of
from postproc.base.extras import install

HUBS = ("hf-hub:", "hf_hub:", "local-dir:")  # timm's own prefixes have a colon too


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Make a model of timm without its classifier.

    Takes:   ``timm:NAME[:CHECKPOINT]``. Without a checkpoint timm's own weights are fetched, once.
    options: ``size`` HEIGHTxWIDTH, ``mean``, ``std``: default as the weights want them; ``channels_last``;
             ``pretrained`` no: random weights, the same each time, for trials only.
    The keys of a checkpoint must all fit; those of the classifier are left out, the rest is read as
    ``extractors.models.checkpoints`` says.
    Raises:  InputError with everything that does not fit.
    """
    need("torch", "torch", spec)
    timm: Any = vision("timm", "timm", spec, "timm")
    import torch

    from extractors.models import torch_run as run

    problems = refuse_unknown(spec, options, (*run.COMMON, "pretrained"))
    if options.get("pretrained", "yes") not in ("yes", "no"):
        problems.append(f"{spec}: wanted pretrained=yes or no, found {options['pretrained']}")
    size = size_of(spec, options.get("size"), problems)
    refuse_if_any(problems)
    where = run.place(device, precision, options.get("channels_last", "auto"))
    model_name, checkpoint = parts_of(spec.partition(":")[2])
    fetch = checkpoint is None and options.get("pretrained") != "no"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            module = timm.create_model(model_name, pretrained=fetch, num_classes=0)
        except Exception as error:  # unknown names, no network, no weights of that name: all of their own kinds
            some = examples(timm.list_models(f"*{model_name.partition('.')[0]}*"), 8)
            hint = (
                f"; timm has {some}" if some else near(model_name, timm.list_models()) or "; timm has none like it"
            )
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise InputError([f"{spec}: wanted a model of timm, found: {reason}{hint}"]) from None
    config = timm.data.resolve_model_data_config(module)
    own = (int(config["input_size"][1]), int(config["input_size"][2]))
    if size is not None and size != own and hasattr(module, "set_input_size"):
        module.set_input_size(img_size=size)  # transformers; convolutions take any size
    if checkpoint is not None:
        _fill(module, checkpoint, spec)
    return run.torch_model(
        module,
        spec,
        where,
        options,
        name=name or (checkpoint.stem if checkpoint else re.sub(r"[^\w.-]+", "_", model_name)),
        digest=run.file_digest(checkpoint) if checkpoint else run.state_digest(module),
        size=own,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def parts_of(text: str) -> tuple[str, Path | None]:
    """The name and the checkpoint.

    >>> parts_of("resnet50:best.pth"), parts_of("hf-hub:timm/resnet18.a1_in1k")
    (('resnet50', PosixPath('best.pth')), ('hf-hub:timm/resnet18.a1_in1k', None))
    """
    hub = next((prefix for prefix in HUBS if text.startswith(prefix)), "")
    model_name, _, checkpoint = text.removeprefix(hub).partition(":")
    return hub + model_name, Path(checkpoint) if checkpoint else None


def vision(module: str, package: str, spec: str, extra: str) -> Any:
    """A package of an extra that needs torchvision. A missing or foreign torchvision ends in one line too."""
    try:
        need("torchvision", "torchvision", spec, extra=extra, whole=True)
        return need(module, package, spec, extra=extra, whole=True)
    except (RuntimeError, ImportError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise InputError(
            [
                f"{spec}: wanted a torchvision that fits torch, found one that does not load ({reason}); "
                f"install the torchvision that was made for this torch, from where torch came, or both anew: "
                f"{install('timm', 'torchvision')} --upgrade torch"
            ]
        ) from None


def _fill(module: Any, checkpoint: Path, spec: str) -> None:
    from extractors.models.checkpoints.matching import fill
    from extractors.models.checkpoints.reading import read_state

    named = (getattr(module, "pretrained_cfg", None) or {}).get("classifier") or ()
    classifiers = tuple(f"{one}." for one in ([named] if isinstance(named, str) else named))
    state = read_state(checkpoint)
    wanted = module.state_dict()
    kept = {key: value for key, value in state.items() if key in wanted or not key.startswith(classifiers)}
    fill(module, kept, str(checkpoint), hint=f"; is it one of {spec.split(':')[1]}?")
