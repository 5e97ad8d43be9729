"""Torch modules as models: where they run, in which precision and layout, and what their outputs are called.

Imported only after ``need("torch", …)``.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from ensemble.base.errors import InputError, refuse_if_any
from extractors.calling import FAULTS, misfit
from extractors.model import IMAGENET_MEAN, IMAGENET_STD
from extractors.models.faster import OPTIONS, faster
from extractors.options import COMMON as COMMON
from extractors.options import floats, size_of

BATCH = 32  # images on which compiled code is tried, as many as are usual: it is made anew for very other numbers
PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Place:
    """Where and how a module runs.

    precision:     float32 means float32: no TF32. Lower ones are automatic mixed precision, on CUDA only.
    channels_last: the memory layout that convolutions are fastest in; changes no result but the last bits.
    """

    device: torch.device
    precision: torch.dtype = torch.float32
    channels_last: bool = False


def place(device: str, precision: str, channels_last: str = "auto") -> Place:
    """Check ``--device``, ``--precision`` and the option ``channels_last`` (auto: on CUDA).

    Raises: InputError with everything that does not fit.
    """
    problems = []
    if device not in ("auto", "cpu", "cuda"):
        problems.append(f"--device: wanted auto, cpu or cuda, found {device}")
    cuda = torch.cuda.is_available() and device != "cpu"
    if device == "cuda" and not cuda:
        problems.append("--device: wanted CUDA, found none that torch can use; take --device cpu")
    if precision not in PRECISIONS:
        problems.append(f"--precision: wanted {', '.join(PRECISIONS)}, found {precision}")
    elif precision != "float32" and not cuda:
        problems.append(f"--precision: wanted float32 without CUDA, found {precision}; leave it out")
    if channels_last not in ("auto", "yes", "no"):
        problems.append(f"channels_last: wanted auto, yes or no, found {channels_last}")
    refuse_if_any(problems)
    return Place(
        torch.device("cuda" if cuda else "cpu"),
        PRECISIONS[precision],
        cuda if channels_last == "auto" else channels_last == "yes",
    )


@dataclass(frozen=True)
class TorchModel:
    """A torch module behind the signature of :class:`extractors.model.Model`.

    ``output``  which of several outputs is the feature: a place or a key; None where there is only one, or where a
                dictionary has the key ``""``.
    ``batch``   how many images the module wants at once, where it was exported so; None: any number.
    ``code_lengths``, ``frames``  as :class:`extractors.model.Model` has them.
    """

    name: str
    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    digest: str
    module: Any
    where: Place
    output: str | None = None
    batch: int | None = None
    code_lengths: tuple[int, ...] = ()
    frames: int | None = None

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        count = len(images)
        step = self.batch or count
        with _running(self.where):
            found = [self._run(images[start : start + step]) for start in range(0, count, step)]
        if len(found) == 1:
            return found[0]
        return {key: np.concatenate([part[key] for part in found]) for key in found[0]}

    def _run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        count = len(images)
        if self.batch and count < self.batch:  # the rest is filled with copies and cut off again
            images = np.concatenate([images, np.repeat(images[-1:], self.batch - count, axis=0)])
        if not images.flags.writeable or not images.flags.c_contiguous:  # torch only takes what it may write to
            images = images.copy()
        batch = torch.from_numpy(images)
        if self.where.device.type == "cuda":
            batch = batch.pin_memory().to(self.where.device, non_blocking=True)
        if self.where.channels_last and batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        try:
            out = self.module(batch)
        except torch.OutOfMemoryError:
            raise InputError([f"{self.name}: wanted memory on the device, found none; lower --batch"]) from None
        except FAULTS as error:
            raise InputError([misfit(self.name, images.shape, error)]) from None
        named = outputs_of(out, self.name, self.output)
        return {key: _rows(tensor, self.name, key, len(images))[:count] for key, tensor in named.items()}


def torch_model(
    module: Any,
    spec: str,
    where: Place,
    options: Mapping[str, str],
    *,
    name: str,
    digest: str,
    size: tuple[int, int] | None,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
    batch: int | None = None,
    frames: int | None = None,
) -> TorchModel:
    """Put a module where it shall run. ``size``, ``mean`` and ``std`` are its own; the options come before them.

    options: those of :data:`COMMON`. ``clips``: yes, or the number of frames, for a module that takes clips;
             ``fold`` and ``compile`` as :mod:`extractors.models.faster` says.
    Raises: InputError if nobody knows the size, or an option does not fit.
    """
    problems: list[str] = []
    size = size_of(spec, options.get("size"), problems) or size
    if size is None and not problems:
        problems.append(f"{spec}: wanted size=HEIGHTxWIDTH, since the file leaves it open; add it after a comma")
    mean = floats(spec, "mean", options.get("mean"), mean, problems)
    std = floats(spec, "std", options.get("std"), std, problems)
    text = options.get("clips", "no")
    if text not in ("yes", "no") and not (text.isdecimal() and 1 <= int(text) < 10_000):
        problems.append(f"{spec}: wanted clips=yes, no or the frames of a clip, found {text}")
    refuse_if_any(problems)
    assert size is not None
    if text != "no":
        frames = int(text) if text.isdecimal() else 0
    codes = tuple(getattr(module, "code_lengths", ()))
    if isinstance(module, torch.nn.Module):
        module = to_place(module, where)
    if any(options.get(option, "no") != "no" for option in OPTIONS):
        count = 2 if options.get("compile", "no") == "no" else BATCH
        shape = (count, 3, *size) if frames is None else (count, frames or 4, 3, *size)
        sample = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(where.device)
        module = faster(module, spec, options, sample)
    output = options.get("output")
    return TorchModel(name, size, mean, std, digest, module, where, output, batch, codes, frames)


def to_place(module: torch.nn.Module, where: Place) -> torch.nn.Module:
    """On its device, in its memory layout, ready to extract: without dropout."""
    module.eval()
    if where.channels_last:
        return cast(Any, module).to(where.device, memory_format=torch.channels_last)  # torch's stubs lack it
    return module.to(where.device)


@contextmanager
def _running(where: Place) -> Iterator[None]:
    """Inference, deterministic, in the wanted precision; what is borrowed from torch's settings is given back."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        if where.device.type == "cuda":
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
            if where.precision != torch.float32:
                stack.enter_context(torch.autocast("cuda", where.precision))
        yield


def outputs_of(out: object, name: str, output: str | None) -> dict[str, torch.Tensor]:
    """What a module returned, by name; ``""`` is the feature.

    A tensor is the feature. Of a list or a dictionary ``output`` (a place or a key) is the feature; a dictionary
    keeps the others as heads under their names, a list drops them.
    Raises: InputError if it is not said which of several is the feature.
    """
    if isinstance(out, torch.Tensor):
        return {"": out}
    if isinstance(out, Mapping):
        tensors = {str(key): value for key, value in out.items() if isinstance(value, torch.Tensor)}
        if output is None and ("" in tensors or len(tensors) == 1):
            return tensors if "" in tensors else {"": next(iter(tensors.values()))}
        if output in tensors:
            return {"": tensors.pop(output), **tensors}
    elif isinstance(out, (list, tuple)):
        tensors = {str(place): value for place, value in enumerate(out) if isinstance(value, torch.Tensor)}
        chosen = output if output is not None else next(iter(tensors)) if len(tensors) == 1 else None
        if chosen in tensors:
            return {"": tensors[chosen]}
    else:
        raise InputError([f"{name}: wanted tensors from the model, found {type(out).__name__}"])
    offered = "; ".join(f"output={key} {tuple(value.shape)}" for key, value in tensors.items()) or "no tensor"
    raise InputError([f"{name}: wanted output= to say which is the feature, found {offered}"])


def _rows(tensor: torch.Tensor, name: str, key: str, count: int) -> np.ndarray:
    shape = tuple(tensor.shape)
    if key == "parts" and tensor.ndim == 3:
        fits = shape[0] == count
    else:
        fits = tensor.ndim >= 2 and shape[0] == count and tensor.numel() == count * shape[1]
        tensor = tensor.reshape(count, -1) if fits else tensor  # (n, d, 1, 1) is a row of d too
    if not fits:
        raise InputError(
            [f"{name}: wanted a row for each of {count} images, found {shape}; end the model in a pooling layer"]
        )
    return tensor.to("cpu", torch.float32).contiguous().numpy()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def state_digest(module: torch.nn.Module) -> str:
    """SHA-256 of a module's weights (names, types, shapes, bytes), for modules that come from no file."""
    found = hashlib.sha256()
    for key, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        found.update(f"{key} {values.dtype} {tuple(values.shape)}\n".encode())
        found.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
