"""Networks as ONNX files, run by onnxruntime: no deep-learning framework is needed."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, near, refuse_if_any
from extractors.calling import misfit
from extractors.extras import need
from extractors.model import IMAGENET_MEAN, IMAGENET_STD
from extractors.options import floats, refuse_unknown, size_of
from postproc.base.extras import install

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


LEVELS = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


class OnnxModel:
    """A session with one input of images; the first output, or ``output``, is the feature."""

    def __init__(
        self,
        session: Any,
        digest: str,
        name: str,
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        outputs: dict[str, str],
        batch: int | None = None,
        bgr: bool = False,
        frames: int | None = None,
    ) -> None:
        self.session, self.digest, self.name, self.size = session, digest, name, size
        self.mean, self.std = (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])
        self.outputs = outputs  # what the caller calls it: what the file calls it
        self.batch = batch  # images that the file wants at once, if it says so
        self.bgr = bgr
        self.frames = frames  # of a clip, 0 for any number; None: it takes images
        self.input = session.get_inputs()[0].name
        self.half = "float16" in session.get_inputs()[0].type

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        if self.bgr:
            images = np.ascontiguousarray(np.flip(images, axis=-3))
        if self.half:
            images = images.astype(np.float16)
        steps = self.batch or len(images)
        found = [self._run(images[start : start + steps]) for start in range(0, len(images), steps)]
        return {
            key: np.concatenate([rows[place] for rows in found]) if len(found) > 1 else found[0][place]
            for place, key in enumerate(self.outputs)
        }

    def _run(self, images: np.ndarray) -> list[np.ndarray]:
        count = len(images)
        if self.batch and count < self.batch:  # a file of fixed batches: the rest is filled with copies
            images = np.concatenate([images, np.repeat(images[-1:], self.batch - count, axis=0)])
        try:
            out = self.session.run(list(self.outputs.values()), {self.input: images})
        except Exception as error:  # onnxruntime has a class for each of its faults, none of them documented
            raise InputError([f"{misfit(self.name, images.shape, error)}; fixed sizes take no --scales"]) from None
        wrong = [file for file, rows in zip(self.outputs.values(), out, strict=True) if len(rows) != len(images)]
        if wrong:
            raise InputError([f"{self.name}: wanted one row an image, found another number in {examples(wrong)}"])
        return [
            rows[:count]
            .astype(np.float32, copy=False)
            .reshape((count, -1) if key != "parts" else rows[:count].shape)
            for key, rows in zip(self.outputs, out, strict=True)
        ]


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> OnnxModel:
    """Open an ONNX file.

    Takes:   PATH.onnx with one input (n, 3, height, width), or (n, t, 3, height, width) of clips.
    options: ``size`` HEIGHTxWIDTH, where the file leaves it open; ``mean``, ``std`` R/G/B of values 0..1, default
             ImageNet's; ``range`` 1 or 255: 255 is for files that take whole pixel values, without mean and std;
             ``channels`` rgb or bgr; ``output`` the output that is the feature, default the first; every other
             output (n, k) is a head, and (n, p, d) called ``parts`` the parts, left out with ``heads`` no;
             ``optimize`` none, basic, extended or all (default): how far onnxruntime rewrites the graph, which
             changes no more than the last digits.
    precision: as the file has it; anything but float32 is refused.
    Raises:  InputError with everything that does not fit.
    """
    problems = refuse_unknown(
        spec, options, ("size", "mean", "std", "range", "channels", "output", "heads", "optimize")
    )
    runtime = need("onnxruntime", "onnxruntime", spec)
    path = Path(spec)
    content = _content(spec, path, problems)
    level = options.get("optimize", "all")
    if level not in LEVELS:
        raise InputError(
            [*problems, f"{spec}: wanted optimize={', '.join(LEVELS)}, found {level}{near(level, LEVELS)}"]
        )
    session = _open(runtime, path, device, level)
    batch, *frames, height, width = _input(spec, session, problems)
    if precision != "float32":
        problems.append(f"--precision: wanted float32 for {spec}, found {precision}; convert the file itself")
    size = _size(spec, options, height, width, problems)
    outputs = {one.name: len(one.shape) for one in session.get_outputs()}
    feature = options.get("output", next(iter(outputs)))
    if feature not in outputs:
        problems.append(
            f"{spec}: wanted output= one of {examples(list(outputs), 8)}, found {feature}{near(feature, outputs)}"
        )
    whole = options.get("range") == "255"
    mean = floats(spec, "mean", options.get("mean"), (0.0,) * 3 if whole else IMAGENET_MEAN, problems)
    std = floats(spec, "std", options.get("std"), (1 / 255,) * 3 if whole else IMAGENET_STD, problems)
    for key, offered in (("range", ("1", "255")), ("channels", ("rgb", "bgr")), ("heads", ("yes", "no"))):
        if key in options and options[key] not in offered:
            problems.append(
                f"{spec}: wanted {key}={' or '.join(offered)}, found {options[key]}{near(options[key], offered)}"
            )
    refuse_if_any(problems)
    assert size is not None
    heads = [one for one, rank in outputs.items() if one != feature and rank == (3 if one == "parts" else 2)]
    if options.get("heads") == "no":
        heads = []
    return OnnxModel(
        session,
        hashlib.sha256(content).hexdigest(),
        name or path.stem,
        size,
        mean,
        std,
        outputs={"": feature, **{head: head for head in heads}},
        batch=batch if isinstance(batch, int) else None,
        bgr=options.get("channels") == "bgr",
        frames=(frames[0] if isinstance(frames[0], int) else 0) if frames else None,
    )


def _content(spec: str, path: Path, problems: list[str]) -> bytes:
    """All bytes of the file, with the weights that lie outside."""
    try:
        content = path.read_bytes()
        for beside in (path.with_name(f"{path.name}.data"), path.with_name(f"{path.name}_data")):
            content += beside.read_bytes() if beside.is_file() else b""
    except OSError as error:
        raise InputError(
            [*problems, f"{spec}: wanted an ONNX file, found none ({error.strerror}); check the path"]
        ) from None
    return content


def _input(spec: str, session: Any, problems: list[str]) -> list[Any]:
    """Batch, frames where there are any, height, width: numbers where the file says them."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) not in (4, 5):
        found = examples([f"{one.name} {one.shape}" for one in inputs])
        wanted = "one input (n, 3, height, width), or (n, t, 3, height, width) of clips"
        raise InputError([*problems, f"{spec}: wanted {wanted}, found {found}; export it again"])
    *before, channels, height, width = inputs[0].shape
    if isinstance(channels, int) and channels != 3:
        order = "(n, t, 3, h, w)" if len(before) == 2 else "(n, 3, h, w)"
        problems.append(
            f"{spec}: wanted 3 channels as in {order}, found {inputs[0].shape}; export it in this order"
        )
    return [*before, height, width]


def _size(
    spec: str, options: Mapping[str, str], height: Any, width: Any, problems: list[str]
) -> tuple[int, int] | None:
    """Height and width: the file's, or those that were asked for where it leaves them open."""
    size = size_of(spec, options.get("size"), problems)
    if isinstance(height, int) and isinstance(width, int):
        if size not in (None, (height, width)):
            problems.append(f"{spec}: wanted size={height}x{width}, as the file says, found {options['size']}")
        size = (height, width)
    if size is None:
        problems.append(f"{spec}: wanted size=HEIGHTxWIDTH, since the file leaves it open; add it after a comma")
    return size


def _open(runtime: Any, path: Path, device: str, level: str) -> Any:
    settings = runtime.SessionOptions()
    settings.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, LEVELS[level])
    settings.log_severity_level = 3
    available = runtime.get_available_providers()
    if device == "cuda" and "CUDAExecutionProvider" not in available:
        raise InputError(
            [f"--device: wanted CUDA in onnxruntime, found only CPU; {install('onnx', 'onnxruntime-gpu')}"]
        )
    wanted = "cuda" if device != "cpu" and "CUDAExecutionProvider" in available else "cpu"
    try:
        return runtime.InferenceSession(str(path), settings, providers=PROVIDERS[wanted])
    except Exception as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise InputError([f"{path}: wanted an ONNX file, found one that cannot be opened ({reason})"]) from None
