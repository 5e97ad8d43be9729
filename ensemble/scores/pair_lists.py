"""The mean average precision of pairs that somebody has chosen: each query's own pairs are its ranking."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ensemble.base.kinds import Floats
from ensemble.scores import statistics
from ensemble.scores.statistics import finite, weights


@dataclass(frozen=True, eq=False)
class PairScores:
    """``mAP``: mean over identities of the mean AP of their queries, with its ``interval``.

    ``mAP_queries``: mean over queries. ``ap`` (nq,): NaN where a query has no pair with an image of its identity.
    ``queries``, ``identities``: that counted.
    """

    mAP: float
    interval: tuple[float, float]
    mAP_queries: float
    ap: Floats
    queries: int
    identities: int

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        numbers = {"mAP": finite(self.mAP), "mAP_queries": finite(self.mAP_queries)}
        return {**numbers, "interval": [finite(end) for end in self.interval], "queries": self.queries,
                "identities": self.identities}  # fmt: skip

    def text(self) -> str:
        """In a line."""
        low, high = self.interval
        return (
            f"mAP by identity {self.mAP:.4f} ({low:.4f} to {high:.4f})  mAP {self.mAP_queries:.4f}: AP rectangle "
            f"of each query's pairs, {self.queries} queries of {self.identities} identities with a match"
        )


def score_pairs(
    query: ArrayLike, gallery: ArrayLike, distances: ArrayLike, query_pid: ArrayLike, gallery_pid: ArrayLike,
    **interval: Any,
) -> PairScores:  # fmt: skip
    """Judge the distances of pairs.

    Takes:    (pairs,) rows of queries and of gallery images, their distances, +inf: never; the identities of all
              queries and images, -1 unknown: nobody's match. What is never returned is missed, and counts.
    interval: settings of :func:`ensemble.scores.statistics.interval`.
    Raises:   ValueError where no query has a pair with an image of its identity.
    Cost:     O(n log n).

    >>> score_pairs([0, 0, 0], [0, 1, 2], [0.2, 0.1, 0.3], [7], [7, 8, 7]).mAP       # (1/2 + 2/3) / 2
    0.58333...
    """
    who, other = np.asarray(query_pid), np.asarray(gallery_pid)
    asks, image, far = np.asarray(query), np.asarray(gallery), np.asarray(distances, np.float64)
    order = np.lexsort((image, far, asks))
    asks, far = asks[order], far[order]
    hit = (who[asks] == other[image[order]]) & (who[asks] >= 0)
    start = np.searchsorted(asks, asks)
    place = np.arange(len(asks)) - start + 1
    found = np.cumsum(hit)
    found = found - np.where(start > 0, found[start - 1], 0)
    good = np.bincount(asks[hit], minlength=len(who))
    worth = np.where(hit & np.isfinite(far), found / np.maximum(place, 1), 0.0)
    total = np.bincount(asks, worth, minlength=len(who))
    ap = np.where(good > 0, total / np.maximum(good, 1), np.nan)
    kept = good > 0
    if not kept.any():
        raise ValueError("pairs: wanted a query with an image of its identity, found none")
    each = weights("identities", who[kept])
    ends = statistics.interval(ap[kept], who[kept], each, **interval)
    mean = float((ap[kept] * each).sum() / each.sum())
    return PairScores(mean, ends, float(ap[kept].mean()), ap, int(kept.sum()), len(np.unique(who[kept])))
