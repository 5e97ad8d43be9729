"""Resizing as deep-learning frameworks do it on tensors: interpolation at half-pixel centres, no antialiasing.

Source: the definition of ``torch.nn.functional.interpolate`` (``align_corners=False``): bilinear with edges
repeated, and the cubic convolution of Keys 1981 with a = -0.75. Pillow's ``resize`` is something else: it widens
its kernel when it makes an image smaller (antialiasing), and its bicubic has a = -0.5.
"""

import math

import numpy as np

A = -0.75  # of the cubic convolution


def weights(taken: int, made: int, cubic: bool, scale: float | None = None) -> np.ndarray:
    """What each of ``taken`` values gives to each of ``made``: (made, taken) float32, rows add up to 1.

    scale: how far apart the values made are, where that is not ``taken / made``: a framework that is asked for a
           factor rounds the size down and still steps by the factor.
    """
    step = taken / made if scale is None else 1 / scale
    centre = (np.arange(made) + 0.5) * step - 0.5
    if not cubic:
        centre = np.maximum(centre, 0)
    first = np.floor(centre)
    part = centre - first
    if cubic:
        near = [_outer(part + 1), _inner(part), _inner(1 - part), _outer(2 - part)]
        start = -1
    else:
        near, start = [1 - part, part], 0
    out = np.zeros((made, taken))
    rows = np.arange(made)
    for offset, weight in enumerate(near, start):
        column = np.clip(first + offset, 0, taken - 1).astype(int)
        np.add.at(out, (rows, column), weight)
    return out.astype(np.float32)


def _inner(x: np.ndarray) -> np.ndarray:
    """Keys' kernel for |x| <= 1."""
    found: np.ndarray = ((A + 2) * x - (A + 3)) * x * x + 1
    return found


def _outer(x: np.ndarray) -> np.ndarray:
    """Keys' kernel for 1 < |x| <= 2."""
    found: np.ndarray = ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
    return found


def by_factor(images: np.ndarray, factor: float) -> np.ndarray:
    """Scale both sides by ``factor`` with bicubic interpolation, as ``interpolate(scale_factor=…)`` does.

    Takes:   images (n, c, h, w) float32.
    Returns: (n, c, floor(h factor), floor(w factor)) float32; values may leave the range of the input.
    Cost:    O(n c h w (h + w) factor) as two matrix products.
    """
    height, width = (math.floor(side * factor) for side in images.shape[2:])
    rows = weights(images.shape[2], height, True, factor)
    columns = weights(images.shape[3], width, True, factor)
    found: np.ndarray = np.matmul(np.matmul(rows, images), columns.T)
    return found


def to_size(image: np.ndarray, size: tuple[int, int], cubic: bool) -> np.ndarray:
    """Resize one image (h, w, 3) uint8 as a tensor without antialiasing, rounded back to uint8."""
    rows = weights(image.shape[0], size[0], cubic)
    columns = weights(image.shape[1], size[1], cubic)
    made = np.einsum("ih,hwc->iwc", rows, image.astype(np.float32), optimize=True)
    made = np.einsum("jw,iwc->ijc", columns, made, optimize=True)
    return np.rint(np.clip(made, 0, 255)).astype(np.uint8)
