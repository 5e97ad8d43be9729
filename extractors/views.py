"""Test-time augmentation: the views of an image, and how their features become one.

A view is the image, or the detector's crop of it; mirrored or not; at a scale; one of ten crops. The model runs on
every view, and the features are joined by mean or sum, with L2 where it is asked for:

    AI City 2020, 5th place   flip ``mean``, l2 ``each``: features of length 1 that agree little become short ones
    st-ReID, FGReID, layumi   flip ``sum``, l2 ``end``
    light-reid, BoT           one view; light-reid leaves features as they are

Heads beside the feature (camera, orientation, …) are taken from the first view alone: a mirrored car drives the
other way.

Source: the extraction scripts of these systems. Differs: a scale applies to the image, not to the result of the
scale before it; ``compounding`` brings that back.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ensemble.base.errors import InputError
from extractors import resample
from extractors.calling import called
from extractors.model import Model
from extractors.parts import Parts, join
from postproc import l2_normalize

FLIPS = ("none", "mean", "sum")
NORMS = ("none", "each", "end")


@dataclass(frozen=True)
class Views:
    """Which views, and how they are joined.

    flip:        ``none``; ``mean``: (f + f') / 2, not made unit length again; ``sum``: f + f'.
    scales:      factors of the area: both sides grow by the square root.
    compounding: scales multiply up, as in layumi's ``test.py``: 1,1.1,1.2 are areas of 1, 1.1 and 1.32.
    ten_crop:    four corners and centre of the resized image, and the same of its mirror image, as torchvision's
                 ``TenCrop``; joined by mean.
    l2:          ``none``; ``each`` view; at the ``end``.
    parts:       what becomes of the features of parts, where the model gives them.
    """

    flip: str = "none"
    scales: tuple[float, ...] = (1.0,)
    compounding: bool = False
    ten_crop: bool = False
    l2: str = "none"
    parts: Parts = field(default_factory=Parts)


def features(
    model: Model,
    images: np.ndarray,
    views: Views,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    part_weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Run a model over the views of a batch.

    Takes:   images (n, files, height, width, 3) uint8, resized: each row one image, or it and the detector's crop.
    Returns: float32 arrays with n rows: ``""`` the feature (n, d), and every head of the model by its name.
    mean, std: instead of the model's, of values 0..1.
    part_weights: (n, p), for parts that are weighted.
    Raises:  InputError where the model gives another number of values at another scale, or no parts to join.
    """
    pixels = normalised(images, mean or model.mean, std or model.std)
    total: dict[str, np.ndarray] = {}
    heads: dict[str, np.ndarray] = {}
    count = 0
    for view in _views(pixels, model.size, views):
        found = {name: np.asarray(rows, np.float32) for name, rows in called(model, view).items()}
        if not count:
            heads = {name: rows for name, rows in found.items() if name not in ("", "parts")}
        for name in ("", "parts"):
            if name in found:
                _add(total, name, found[name], views.l2 == "each", model)
        count += 1
    if count > 1 and views.flip != "sum":
        total = {name: rows / np.float32(count) for name, rows in total.items()}
    feature = join(total, views.parts, part_weights, model.name)
    return {"": l2_normalize(feature) if views.l2 == "end" else feature, **heads}


def _add(total: dict[str, np.ndarray], name: str, rows: np.ndarray, unit: bool, model: Model) -> None:
    if unit and np.isfinite(rows).all():  # the others are reported by name, later
        rows = l2_normalize(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape)
    if name not in total:
        total[name] = rows
        return
    if total[name].shape != rows.shape:
        raise InputError(
            [
                f"{model.name}: wanted as many values from every view, found {total[name].shape[1:]} and "
                f"{rows.shape[1:]}; leave out --scales"
            ]
        )
    total[name] = total[name] + rows


def normalised(images: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """(n, files, h, w, 3) uint8 -> (n, files, 3, h, w) float32: (v / 255 - mean) / std, in float32 as in torch."""
    values = np.arange(256, dtype=np.float32) / np.float32(255)
    out = np.empty((*images.shape[:2], 3, *images.shape[2:4]), np.float32)
    for channel in range(3):
        table = (values - np.float32(mean[channel])) / np.float32(std[channel])
        np.take(table, images[..., channel], out=out[:, :, channel], mode="clip")
    return out


def _views(pixels: np.ndarray, size: tuple[int, int], views: Views) -> Iterator[np.ndarray]:
    """Each view as (n, 3, h, w), contiguous; the plain one first."""
    for mirrored in (False, True) if views.flip != "none" or views.ten_crop else (False,):
        for file in range(pixels.shape[1]):
            images = pixels[:, file]
            if mirrored:
                images = images[..., ::-1]
            for top, left in _corners((images.shape[2], images.shape[3]), size, views.ten_crop):
                crop = np.ascontiguousarray(images[:, :, top : top + size[0], left : left + size[1]])
                yield from _scaled(crop, views)


def _corners(found: tuple[int, int], size: tuple[int, int], ten_crop: bool) -> list[tuple[int, int]]:
    """Where crops begin, in torchvision's order; its centre rounds half to even."""
    down, right = found[0] - size[0], found[1] - size[1]
    centre = (round(down / 2), round(right / 2))
    return [(0, 0), (0, right), (down, 0), (down, right), centre] if ten_crop else [centre]


def _scaled(images: np.ndarray, views: Views) -> Iterator[np.ndarray]:
    original = images
    for area in views.scales:
        factor = math.sqrt(area)
        source = images if views.compounding else original
        images = source if factor == 1 else resample.by_factor(source, factor)
        yield np.ascontiguousarray(images)
