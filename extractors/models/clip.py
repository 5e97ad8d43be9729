"""The image towers of open_clip: CLIP, SigLIP, EVA, CoCa."""

from typing import Any

from ensemble.base.errors import InputError, examples, near, refuse_if_any
from extractors.extras import need
from extractors.model import IMAGENET_MEAN, IMAGENET_STD, Model
from extractors.models.timm_models import vision
from extractors.options import refuse_unknown, size_of


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Make the image tower of a model of open_clip; the feature is its embedding, not normalised.

    Takes:   ``open_clip:NAME:PRETRAINED``, where PRETRAINED is one of open_clip's names of weights (fetched once)
             or a file.
    options: ``size`` HEIGHTxWIDTH, ``mean``, ``std``: default as the weights want them; ``channels_last``;
             ``pretrained`` no: random weights, the same each time, for trials only.
    Raises:  InputError with everything that does not fit.
    """
    need("torch", "torch", spec)
    open_clip: Any = vision("open_clip", "open_clip_torch", spec, "clip")
    import torch

    from extractors.models import torch_run as run

    model_name, _, tag = spec.partition(":")[2].partition(":")
    problems = refuse_unknown(spec, options, (*run.COMMON, "pretrained"))
    size = size_of(spec, options.get("size"), problems)
    random = options.get("pretrained") == "no"
    if not model_name.startswith("hf-hub") and model_name not in open_clip.list_models():
        some = examples([one for one in open_clip.list_models() if one.startswith(model_name[:4])], 8)
        problems.append(
            f"{spec}: wanted a model of open_clip (there are {some or 'others'}), found {model_name!r}"
            f"{near(model_name, open_clip.list_models())}"
        )
    elif not tag and not random:
        tags = examples(open_clip.list_pretrained_tags_by_model(model_name), 8)
        problems.append(f"{spec}: wanted weights after the name, found none; there are {tags or 'none'}")
    refuse_if_any(problems)
    where = run.place(device, precision, options.get("channels_last", "auto"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            weights = None if random else tag
            model = open_clip.create_model(model_name, pretrained=weights, device="cpu", force_image_size=size)
        except Exception as error:  # no network, no such weights, a file that does not fit
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise InputError([f"{spec}: wanted weights of open_clip, found: {reason}; check the name"]) from None
    tower = model.visual
    height, width = tower.image_size if isinstance(tower.image_size, tuple) else (tower.image_size,) * 2
    return run.torch_model(
        tower,
        spec,
        where,
        {**options, "output": options.get("output", "0")},
        name=name or model_name,
        digest=run.state_digest(tower),
        size=(int(height), int(width)),
        mean=tuple(getattr(tower, "image_mean", None) or IMAGENET_MEAN),
        std=tuple(getattr(tower, "image_std", None) or IMAGENET_STD),
    )
