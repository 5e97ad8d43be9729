"""Descriptors from before networks, of scikit-image and NumPy: a model that needs no weights, and a floor to beat.

    hog[:CELL[:ORIENTATIONS]]   histograms of oriented gradients (Dalal and Triggs, CVPR 2005)
    colour[:BINS]               histograms of hue, saturation and value in horizontal stripes
    pixels                      the picture itself, made small

All take values 0..1. They are centred or root-scaled where that makes Euclidean distances mean something; none is
made length 1 here (``--l2 end`` does).
"""

import hashlib
from collections.abc import Callable

import numpy as np

from ensemble.base.errors import refuse_if_any
from extractors.extras import need
from extractors.options import refuse_unknown, size_of

OPTIONS = {"hog": ("size", "grey"), "colour": ("size", "stripes"), "pixels": ("size", "grey")}
SIZES = {"hog": (96, 96), "colour": (96, 96), "pixels": (32, 32)}
NUMBERS = {"hog": (8, 9), "colour": (8,), "pixels": ()}  # what may stand after colons, with defaults
Describe = Callable[[np.ndarray], np.ndarray]  # (h, w, 3) of 0..1 -> (d,)


class Descriptor:
    """A descriptor with its settings; the digest is of these and of the library's version."""

    mean = (0.0, 0.0, 0.0)
    std = (1.0, 1.0, 1.0)

    def __init__(self, name: str, size: tuple[int, int], digest: str, describe: Describe) -> None:
        self.name, self.size, self.digest, self.describe = name, size, digest, describe

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        rows = [self.describe(image) for image in images.transpose(0, 2, 3, 1)]
        return {"": np.stack(rows).astype(np.float32)}


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Descriptor:
    """Make a descriptor.

    options: ``size`` HEIGHTxWIDTH; ``grey`` yes (``hog`` and ``pixels``: brightness alone; default no: all pixels,
             or the strongest gradient of the three channels); ``stripes`` (``colour``; default 6).
    device, precision: without a meaning here; anything but float32 is refused.
    Raises:  InputError with everything that does not fit.
    """
    kind, *texts = spec.split(":")
    problems = refuse_unknown(spec, options, OPTIONS[kind])
    if precision != "float32":
        problems.append(f"{spec}: wanted float32, found {precision}; leave --precision out")
    numbers = list(NUMBERS[kind])
    for place, text in enumerate(texts):
        if place >= len(numbers) or not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
            problems.append(f"{spec}: wanted {_form(kind)}, found {text!r}")
        else:
            numbers[place] = int(text)
    size = size_of(spec, options.get("size"), problems) or SIZES[kind]
    if options.get("grey", "no") not in ("yes", "no"):
        problems.append(f"{spec}: wanted grey=yes or no, found {options['grey']}")
    stripes = options.get("stripes", "6")
    if kind == "colour" and not (stripes.isascii() and stripes.isdigit() and 1 <= int(stripes) <= size[0]):
        problems.append(f"{spec}: wanted stripes=1 to {size[0]}, the height, found {stripes}")
    if kind == "hog" and min(size) < numbers[0]:
        problems.append(f"{spec}: wanted a cell that fits into {size[0]}x{size[1]}, found {numbers[0]}; add size=")
    refuse_if_any(problems)
    grey = options.get("grey") == "yes"
    describe = {
        "hog": lambda: _hog(spec, numbers[0], numbers[1], grey),
        "colour": lambda: _colour(spec, numbers[0], int(stripes)),
        "pixels": lambda: _pixels(grey),
    }[kind]()
    library = "" if kind == "pixels" else need("skimage", "scikit-image", spec).__version__
    told = f"{kind} {numbers} {size} {grey} {stripes} {library}"
    return Descriptor(name or spec.replace(":", ""), size, hashlib.sha256(told.encode()).hexdigest(), describe)


def _form(kind: str) -> str:
    return {"hog": "hog:CELL:ORIENTATIONS", "colour": "colour:BINS", "pixels": "no number"}[kind]


def _hog(spec: str, cell: int, orientations: int, grey: bool) -> Describe:
    feature = need("skimage.feature", "scikit-image", spec)

    def describe(image: np.ndarray) -> np.ndarray:
        blocks = min(2, min(image.shape[:2]) // cell)
        found: np.ndarray = feature.hog(
            _brightness(image) if grey else image,
            orientations=orientations,
            pixels_per_cell=(cell, cell),
            cells_per_block=(blocks, blocks),
            block_norm="L2-Hys",
            channel_axis=None if grey else -1,
        )
        return found

    return describe


def _colour(spec: str, bins: int, stripes: int) -> Describe:
    colour = need("skimage.color", "scikit-image", spec)

    def describe(image: np.ndarray) -> np.ndarray:
        values = colour.rgb2hsv(image)
        places = np.minimum((values * bins).astype(int), bins - 1)
        out = []
        for stripe, shown in zip(np.array_split(places, stripes), np.array_split(values, stripes), strict=True):
            for channel in range(3):
                weights = (
                    shown[..., 1].ravel() if channel == 0 else None
                )  # hue means little where there is no colour
                found = np.bincount(stripe[..., channel].ravel(), weights, bins).astype(float)
                out.append(np.sqrt(found / max(stripe[..., 0].size, 1)))  # Euclid of roots: Hellinger
        return np.concatenate(out)

    return describe


def _pixels(grey: bool) -> Describe:
    def describe(image: np.ndarray) -> np.ndarray:
        values = (_brightness(image) if grey else image).astype(np.float64).ravel()
        centred: np.ndarray = values - values.mean()
        return centred if centred.any() else np.full_like(centred, 1e-6)  # one colour everywhere: no zeros

    return describe


def _brightness(image: np.ndarray) -> np.ndarray:
    found: np.ndarray = image @ np.array([0.299, 0.587, 0.114], image.dtype)
    return found
