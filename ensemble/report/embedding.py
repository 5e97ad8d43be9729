"""A map of the images: a sample of the features that a run ranks by, in two dimensions.

Principal components, or UMAP where ``umap-learn`` is installed.
"""

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.linalg import eigh

from ensemble.base.kinds import Array, Ints

MOST = 600  # points
TINY = 1e-7  # times the longest: shorter ones are rounding
SIDES = ("query", "gallery")


def sample(nq: int, ng: int, *, seed: int = 0) -> dict[str, Ints]:
    """The rows of the queries and of the gallery images that are on the map: a third of it queries, if there are.

    nq is 0 for one set, whose images stand once.
    """
    random = np.random.default_rng(seed)
    queries = min(nq, max(MOST // 3, MOST - ng))
    counts = {"query": (nq, queries), "gallery": (ng, min(ng, MOST - queries))}
    return {side: np.sort(random.choice(n, some, replace=False)) for side, (n, some) in counts.items()}


def mapped(rows: Array, *, seed: int = 0) -> tuple[Array, str]:
    """Points (n, 2) float32 within -1..1, and how they came about.

    The same for the same rows: the sign of a component is that which makes its largest weight positive, and values
    are rounded to what can be seen. Cost: n d min(n, d).
    """
    if find_spec("umap") is not None and len(rows) > 15:
        with warnings.catch_warnings():  # it speaks of packages and threads that do not matter here
            warnings.simplefilter("ignore")
            from umap import UMAP

            points = UMAP(n_components=2, random_state=seed, n_jobs=1).fit_transform(np.asarray(rows, np.float32))
        return _rounded(points), f"UMAP of 15 neighbours, seed {seed}"
    points, shares = principal(rows)
    said = " and ".join(f"{share:.0%}" for share in shares)
    return _rounded(points), f"The two principal components, which hold {said} of the variance"


def principal(rows: Array) -> tuple[Array, Array]:
    """(n, 2) the first two principal components, and the share of the variance that each holds."""
    centred = np.asarray(rows, np.float64) - np.mean(rows, axis=0, dtype=np.float64)
    wide = centred.shape[1] > len(centred)
    products = centred @ centred.T if wide else centred.T @ centred  # the smaller one: both have the same sizes
    last = len(products) - 1
    sizes, vectors = eigh(products, subset_by_index=(max(last - 1, 0), last))
    axes = (vectors.T @ centred if wide else vectors.T)[::-1]
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    axes = axes / np.where(lengths > TINY * lengths.max(), lengths, np.inf)  # of nothing there is no direction
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)[:, None]
    points, shares = np.zeros((len(rows), 2)), np.zeros(2)
    points[:, : len(axes)] = centred @ axes.T
    shares[: len(axes)] = np.maximum(sizes[::-1], 0) / max(float(np.trace(products)), 1e-300)
    return points, shares


def _rounded(points: Any) -> Array:
    centred = np.asarray(points, np.float64)
    centred = centred - (centred.max(axis=0) + centred.min(axis=0)) / 2
    largest = float(np.abs(centred).max()) or 1.0
    return np.round(centred / largest, 3).astype(np.float32)
