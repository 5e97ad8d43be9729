"""Weights of lists or distances without labels, from who agrees with whom.

Source: our own use of the method of triplets, by which the accuracy of labelling functions is found without
labels (Fu et al., "Fast and three-rious: speeding up weak supervision with triplet methods", ICML 2020).
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ensemble.fusion import found as told
from ensemble.fusion import parts as of_parts
from postproc.base import arrays, checks
from postproc.tracks.track_lists import Tracks
from postproc.tracks.track_votes import own_cameras, votes_of_distances

DEPTH, OFFSET = 100, 5.0  # of votes for images: how many, and what is added to the rank
RIDGE = 0.2


def list_weights(parts: Sequence[Any], *, ridge: float = RIDGE) -> np.ndarray:
    """Weigh lists by how much they agree with each other, where nobody knows which is right.

    M[i, j] is the mean cosine between the rows of i and j. If their errors are independent, ``M_ij = a_i a_j``:
    the accuracy a_i is the weighted median of ``sqrt(M_ij M_ik / M_jk)`` over all pairs j < k of others, whose
    weight is ``((1 - M_ij) (1 - M_ik) (1 - M_jk))^2``, so that near-copies count little. Weights are
    ``(M + ridge I)^-1 a``, 0 where that is below 0, over their largest: copies of a list share one vote.

    Takes:   parts, one (nq, n) array of 0 or more for each list: :func:`postproc.track_votes`, those of the
             query's own camera set to 0; or votes for images. scipy's sparse arrays too.
    Returns: (lists,) float64, 0 to 1, the largest 1. One or two lists: 1 each, since nobody can tell.
    ridge:   above 0. Small: copies are told from others by small differences.
    Raises:  ValueError for no part, parts of different shapes, values below 0, NaN or infinity.
    Cost:    O(lists^2 nq n + lists^4).

    >>> first, copy = np.array([[2, 1, 0, 0, 0]]), np.array([[2, 1, 0.1, 0, 0]])
    >>> list_weights([first, copy, np.array([[2, 0, 0, 1, 0]]), np.array([[2, 0, 0, 0, 1]])]).round(2)
    array([0.67, 0.66, 1.  , 1.  ])
    """
    checks.between("ridge", ridge, 1e-9, 1e9)
    if not len(parts):
        raise ValueError("parts: wanted one or more, got none")
    given = [part if hasattr(part, "tocsr") else np.asarray(part, np.float64) for part in parts]
    if len({part.shape for part in given}) > 1 or given[0].ndim != 2:
        shapes = ", ".join(str(part.shape) for part in given)
        raise ValueError(f"parts: wanted matrices of one shape, got {shapes}")
    for number, part in enumerate(given, 1):
        values = part.data if hasattr(part, "tocsr") else part
        if not (np.isfinite(values) & (np.asarray(values) >= 0)).all():
            raise ValueError(f"parts: wanted finite numbers of 0 or more, found others in part {number}")
    return of_agreement(_agreement(given), ridge)


def weights_of_distances(distances: Iterable[Any]) -> np.ndarray:
    """:func:`list_weights` of matrices of distances: of votes 1 / (5 + r) for the 100 nearest images of a query.

    NaN and +inf have no vote; (lists,) float64. One matrix at a time is looked at.
    """
    found = []
    for matrix in distances:
        (given,) = of_parts.matrices([matrix])
        images = Tracks.by(np.full(given.shape[1], -1))
        nobodys = own_cameras(None, None, *given.shape)
        found.append(votes_of_distances(arrays.host(given), images, nobodys, DEPTH, OFFSET))
    return of_agreement(_agreement(found))


def of_agreement(agreement: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """Weights from M (lists, lists); a run that listens tells them by name (:mod:`ensemble.fusion.found`)."""
    weights = _weights(agreement, ridge)
    told.tell(weights)
    return weights


def _weights(agreement: np.ndarray, ridge: float) -> np.ndarray:
    count = len(agreement)
    if count < 3:
        return np.ones(count)
    accuracy = np.array([_accuracy(agreement, i) for i in range(count)])
    found = np.maximum(np.linalg.solve(agreement + ridge * np.eye(count), accuracy), 0)
    return found / found.max() if found.max() > 0 else np.ones(count)


def _accuracy(m: np.ndarray, i: int) -> float:
    """The weighted median of the roots of list i; pairs that never agree say nothing."""
    found = []
    for j, k in combinations([other for other in range(len(m)) if other != i], 2):
        if m[j, k] > 0:
            weight = max(0.0, (1 - m[i, j]) * (1 - m[i, k]) * (1 - m[j, k])) ** 2
            found.append((float(np.sqrt(m[i, j] * m[i, k] / m[j, k])), weight))
    found.sort()
    total = np.cumsum([weight for _, weight in found])
    if not len(found) or not total[-1]:  # strangers, or copies all of them
        return float(np.median([root for root, _ in found])) if found else 0.0
    return found[int(np.searchsorted(total, total[-1] / 2))][0]


def _agreement(given: Sequence[Any]) -> np.ndarray:
    """(lists, lists) mean cosine between rows, 1 on the diagonal; a row of zeros is 0 from everybody's."""
    lengths = [np.sqrt(_over_rows(part, part)) for part in given]
    out = np.eye(len(given))
    for i, j in combinations(range(len(given)), 2):
        both = lengths[i] * lengths[j]
        cosine = _over_rows(given[i], given[j]) / np.where(both > 0, both, 1)
        out[i, j] = out[j, i] = min(1.0, float(cosine.mean())) if len(cosine) else 0.0
    return out


def _over_rows(a: Any, b: Any) -> np.ndarray:
    """(n,) products of the rows."""
    if hasattr(a, "tocsr"):
        return np.asarray(a.multiply(b).sum(axis=1), np.float64).ravel()
    return np.einsum("ij,ij->i", a, b)
