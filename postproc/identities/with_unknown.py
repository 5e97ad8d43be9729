"""The unknown among the identities of a query: in front of the first that is too far to be it."""

import numpy as np
from numpy.typing import ArrayLike

from postproc.base import checks
from postproc.identities.by_identity import NONE, Identities

UNKNOWN = -1  # in the place of an identity: somebody whom the gallery lacks


def with_unknown(identities: Identities, threshold: ArrayLike, *, top_k: int | None = None) -> np.ndarray:
    """Put the unknown where its own score stands: in front of the first identity that is farther than a threshold.

    Takes:     what :func:`by_identity` gives; the threshold, one number or one for each query, +inf: behind all.
    Returns:   (nq, k) int64 identities, :data:`UNKNOWN` (-1) for the unknown, -2 where nothing is left to say.
    top_k:     places, 1 or more; None: as many as there are identities.
    Raises:    ValueError for NaN and a wrong number of thresholds.

    >>> found = Identities(np.array([[7, 8]]), np.array([[0.2, 0.6]]), np.array([False]))
    >>> with_unknown(found, 0.5), with_unknown(found, 0.1)
    (array([[ 7, -1]]), array([[-1,  7]]))
    """
    checks.top_k(top_k)
    pids, count = identities.pids, len(identities.pids)
    limit = np.asarray(threshold, np.float64)
    if limit.ndim > 1 or (limit.ndim and len(limit) != count) or np.isnan(limit).any():
        raise ValueError(f"threshold: wanted one number, or {count}, got shape {limit.shape} or NaN")
    place = accepted(identities, np.broadcast_to(limit, count))
    k = pids.shape[1] if top_k is None else top_k
    wide = np.concatenate([pids, np.full((count, max(k - pids.shape[1], 0) + 1), NONE)], axis=1)
    column = np.arange(wide.shape[1])
    moved = np.take_along_axis(wide, np.where(column > place[:, None], column - 1, column), axis=1)
    moved[np.arange(count), place] = UNKNOWN
    return moved[:, :k]


def accepted(identities: Identities, threshold: np.ndarray) -> np.ndarray:
    """(nq,) how many identities stand in front of the unknown, for a threshold of each query."""
    there = identities.pids >= 0
    near = there & (running(identities) <= threshold[:, None])
    found: np.ndarray = near.sum(axis=1)
    return found


def running(identities: Identities) -> np.ndarray:
    """(nq, k) from which threshold on the unknown stands behind each place: the largest distance up to there."""
    largest: np.ndarray = np.maximum.accumulate(identities.distances, axis=1)
    return largest
