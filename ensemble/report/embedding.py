"""A map of the images: a sample of the features that a run ranks by, in two dimensions.

Principal components, or UMAP where ``umap-learn`` is installed.
"""

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from ensemble.base.kinds import Array, Ints

MOST = 600  # points
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
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    axes, sizes = axes[:2], sizes**2
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)[:, None]
    points = np.zeros((len(rows), 2))
    points[:, : len(axes)] = centred @ axes.T
    shares = np.zeros(2)
    shares[: len(axes)] = sizes[: len(axes)] / max(float(sizes.sum()), 1e-300)
    return points, shares


def _rounded(points: Any) -> Array:
    centred = np.asarray(points, np.float64)
    centred = centred - (centred.max(axis=0) + centred.min(axis=0)) / 2
    largest = float(np.abs(centred).max()) or 1.0
    return np.round(centred / largest, 3).astype(np.float32)
