"""Joining models: before distances are taken (``concat``) or after (``weighted_sum``)."""

from collections.abc import Sequence

import numpy as np

from postproc import l2_normalize


def concat(
    features: Sequence[np.ndarray], *, weights: Sequence[float] | None = None, normalize: bool = False
) -> np.ndarray:
    """Put the features of several models side by side: ``[sqrt(w_1) x_1 | sqrt(w_2) x_2 | …]``.

    So the squared distance of the whole is the sum of the models' squared distances, times their weights.

    Takes:   features, one (n, d_m) float32 a model, the rows the same images in the same order.
    Returns: (n, d_1 + d_2 + …) float32.
    weights: one number of 0 or more a model; None: 1 each.
    normalize: bring every model's rows to unit length first. If not, a model with longer rows counts more.
    Source:  gggcy/AIC2020_ReID ``concat_feature_val.py`` (no weights, nothing normalised).

    >>> concat([np.array([[1.0]], np.float32), np.array([[2.0]], np.float32)], weights=[4, 1])
    array([[2., 2.]], dtype=float32)
    """
    scale = np.sqrt(_weights(weights, len(features), smallest=0))
    blocks = [l2_normalize(block) if normalize else block for block in features]
    return np.concatenate(
        [block if w == 1 else block * np.float32(w) for block, w in zip(blocks, scale, strict=True)], axis=1
    )


def weighted_sum(distances: Sequence[np.ndarray], *, weights: Sequence[float] | None = None) -> np.ndarray:
    """Add distances of several branches: ``sum_m w_m D_m``.

    Takes:   distances, one (nq, ng) float32 a branch, all in comparable units (nothing is rescaled).
    Returns: (nq, ng) float32.
    weights: one number a branch, negative ones subtract; None: 1 each.
    Source:  gggcy/AIC2020_ReID ``ensemble_distmat.py`` (1, 0.75, 0.5, 1 over re-ranked distances).

    >>> weighted_sum([np.array([[1.0]], np.float32), np.array([[2.0]], np.float32)], weights=[1, 0.5])
    array([[2.]], dtype=float32)
    """
    total = np.zeros_like(distances[0])
    for matrix, weight in zip(distances, _weights(weights, len(distances)), strict=True):
        total += np.float32(weight) * matrix
    return total


BEFORE, AFTER = {"concat": concat}, {"weighted_sum": weighted_sum}


def _weights(weights: Sequence[float] | None, count: int, smallest: float = -np.inf) -> np.ndarray:
    if weights is None:
        return np.ones(count)
    try:
        found = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if found.shape != (count,) or not np.isfinite(found).all() or (found < smallest).any():
        limit = f" of {smallest:g} or more" if smallest > -np.inf else ""
        raise ValueError(f"weights: wanted {count} numbers{limit}, one for each part, got {weights!r}")
    return found
