"""How alike models see: measures between the rankings of every two models, most of them without labels.

Source: gggcy/AIC2020_ReID ``compute_dist.py`` (cosine); Webber, Moffat and Zobel, "A Similarity Measure for
Indefinite Rankings", ACM TOIS 2010 (rbo, equation 32 for lists of one length).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.scores.protocols import PROTOCOLS
from ensemble.scores.scoring import score_ranking
from postproc import l2_normalize
from postproc.base import checks
from postproc.pairs import nearest, pairwise
from postproc.pairs.tiles import PairwiseTiles

DEPTH = 100  # places that rank-biased overlap looks at: at p = 0.9 the rest weighs 0.00003
MEASURES = {
    "top1": "same nearest image",
    "overlap": "same among the k nearest",
    "rbo": "rank-biased overlap",
    "cosine": "mean cosine distance of the queries' features",
    "ap": "rank correlation of the queries' AP",
}
BLOCK = 1 << 22  # pairs of list entries that are compared at a time

Floats = NDArray[np.float64]


def known_to_all(sets: Sequence[FeatureSet]) -> list[FeatureSet]:
    """The sets with only the images that every model knows, so that all rank the same; InputError without any."""
    rows = {}
    for side in ("query", "gallery"):
        known = np.all([features.known(side) for features in sets], axis=0)
        if not known.any():
            raise InputError([f"{side}: wanted images that all of the {len(sets)} models know, found none"])
        rows[side] = np.flatnonzero(known)
    return [features.take(**rows) for features in sets]


def matrices(sets: Sequence[FeatureSet], *, k: int = 10, p: float = 0.9) -> dict[str, Floats]:
    """Every measure of :data:`MEASURES` as a (models, models) matrix, NaN where it is not defined.

    Takes: sets of the same images in the same order. ``ap`` is missing where there are no labels to score by.
    k:     1 or more; a gallery of fewer images is compared whole.
    p:     above 0 and below 1.
    Cost:  a list of the 100 or k nearest a model and a query, computed once; no matrix of distances.
    """
    checks.whole("k", k, 1)
    depth = max(k, DEPTH)
    lists = [_nearest(features, depth) for features in sets]
    precisions = [_precisions(features, rows) for features, rows in zip(sets, lists, strict=True)]
    found = {name: np.full((len(sets), len(sets)), np.nan) for name in MEASURES}
    for i, one in enumerate(sets):
        for j, other in enumerate(sets[: i + 1]):
            values = {
                "top1": overlap(lists[i], lists[j], k=1),
                "overlap": overlap(lists[i], lists[j], k=k),
                "rbo": rank_biased_overlap(lists[i], lists[j], p=p),
                "cosine": cosine_distance(one.query, other.query),
                "ap": _correlation(precisions[i], precisions[j]),
            }
            for name, value in values.items():
                found[name][i, j] = found[name][j, i] = value
    if any(values is None for values in precisions):
        del found["ap"]
    return found


def overlap(first: NDArray[np.int32], second: NDArray[np.int32], *, k: int) -> float:
    """The mean share of the ``k`` first entries that two lists have in common.

    Takes: first, second (n, depth) gallery rows, each once a list; lists shorter than ``k`` are compared whole.

    >>> overlap(np.array([[4, 2, 7]]), np.array([[2, 4, 9]]), k=3)
    0.6666666666666666
    """
    common = _common(first, second)[:, : max(k, 1)]
    return float((common[:, -1] / common.shape[1]).mean())


def rank_biased_overlap(first: NDArray[np.int32], second: NDArray[np.int32], *, p: float = 0.9) -> float:
    """How alike two lists are, what stands first counting most: 1 the same, 0 nothing in common.

    ``(1 - p) / p * sum_d p^d X_d / d + p^depth X_depth / depth`` with ``X_d`` the entries that the first ``d``
    places have in common, and what follows taken to agree as much as what was seen (RBO_ext).

    Takes:  first, second (n, depth) gallery rows, each once a list; the mean over the ``n``.
    p:      above 0 and below 1: the chance that somebody who looked at a place looks at the next one.

    >>> rank_biased_overlap(np.array([[1, 2]]), np.array([[1, 3]]), p=0.5)     # 1/2 + 1/4 * 1/2 + 1/4 * 1/2
    0.75
    """
    if not 0 < p < 1:
        raise ValueError(f"p: wanted a number above 0 and below 1, got {p!r}")
    common = _common(first, second)
    places = np.arange(1, common.shape[1] + 1)
    agreement = common / places
    weights = (1 - p) * p ** (places - 1.0)
    seen = (agreement * weights).sum(axis=1)
    return float((seen + p ** len(places) * agreement[:, -1]).mean())


def cosine_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The mean of ``1 - cos`` between rows of the same image; NaN where the widths differ.

    >>> cosine_distance(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0], [1.0, 0.0]]))
    0.5
    """
    if first.shape[1] != second.shape[1]:
        return float("nan")
    a, b = (values.astype(np.float64) for values in (first, second))
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return float(np.mean(1 - (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny)))


def _common(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int64]:
    """(n, depth): how many entries the first 1, 2, … places of two lists have in common."""
    n, depth = first.shape
    counts = np.zeros((n, depth), np.int64)
    step = max(1, BLOCK // depth**2)
    for start in range(0, n, step):
        same = first[start : start + step, :, None] == second[start : start + step, None, :]
        query, i, j = np.nonzero(same)
        np.add.at(counts, (query + start, np.maximum(i, j)), 1)
    return counts.cumsum(axis=1)


def _nearest(features: FeatureSet, depth: int) -> NDArray[np.int32]:
    query, gallery = l2_normalize(features.query), l2_normalize(features.gallery)
    rows: NDArray[np.int32] = nearest.of_queries(
        PairwiseTiles(pairwise.of(query, gallery)), min(depth, len(gallery))
    ).rows
    return rows


def _precisions(features: FeatureSet, rows: NDArray[np.int32]) -> Floats | None:
    """AP of every query in the first places, any camera's images counting; None without labels or a match."""
    data = features.data()
    if "query_pid" not in data or "gallery_pid" not in data:
        return None
    try:
        return score_ranking(rows, data["query_pid"], data["gallery_pid"], protocol=PROTOCOLS["aicity"]).ap
    except ValueError:  # no query has a match: then there is nothing to correlate
        return None


def _correlation(first: Floats | None, second: Floats | None) -> float:
    """Spearman's: Pearson's of the ranks; NaN where one of them is constant."""
    if first is None or second is None:
        return float("nan")
    from scipy.stats import rankdata

    kept = ~(np.isnan(first) | np.isnan(second))
    a, b = (values - values.mean() for values in (rankdata(first[kept]), rankdata(second[kept])))
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale else float("nan")
