"""Joining by places in the lists alone: no unit, no scaling, and lists of a hundred images are enough.

Sources: Cormack et al., "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009; Aslam and Montague, "Models
for Metasearch", SIGIR 2001 (Borda); Mourao et al., "Inverse square rank fusion", CBMI 2014; Bailey et al.,
"Retrieval consistency in the presence of query variations", SIGIR 2017 (rank-biased centroids). Numbers as ranx
gives them.
Differs: ranx has weights for Borda only; here every one takes them.

Ties have places in the order of the columns. +inf takes no place, in no part's list where any part says so. All
weights equal assumes models of one quality: a much weaker one drags the others down.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import FoundWeights, Inside, NotNegative, RankConstant
from ensemble.fusion.ranks import places
from postproc.base import arrays
from postproc.base.vocabulary import Floats

Change = Callable[[np.ndarray], np.ndarray]
Missing = Literal["none", "worst", "mean", "refuse"]
NoneOrRefuse = Literal["none", "refuse"]
RestOrRefuse = Literal["rest", "refuse"]


@join(lists="padded", memory=parts.blocks(11, 0.6), work=parts.looks(27, 19))
def reciprocal_rank_fusion(
    distances: Parts, *, k: RankConstant = 60.0, weights: FoundWeights = None, missing: Missing = "none"
) -> Floats:
    """Add reciprocal ranks: ``-sum_m w_m / (k + r_m)``, r_m = 1 for the nearest image of the query.

    Takes:   distances, one (nq, n) float32 a part; NaN outside the list that a model gives.
    Returns: (nq, n) float32, minus the score, below 0.
    k:       0 or more. 0: first places decide, with weights of mAP MAPFuse; large: Borda without its far end.
    weights: one number of 0 or more a part, say its mAP or :func:`~ensemble.fusion.reliability_weights`; 0 leaves
             it out; not all 0. None: 1 each. "agreement": those of :func:`~ensemble.fusion.list_weights`, by
             the votes 1 / (5 + r) for the 100 nearest images of every query; no labels. Fewer than three: 1 each.
    missing: "none" a part that does not list the image adds nothing; "worst" it adds as for the place behind its
             last; "mean" what the parts that list it say, their weights raised to the same total; "refuse".
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    a sort of every row of every part; the result and some blocks of rows.

    >>> reciprocal_rank_fusion([np.array([[0.3, 0.1]], np.float32)] * 2, k=1)  # 2 / (1 + 2), 2 / (1 + 1)
    array([[-0.6666667, -1.       ]], dtype=float32)
    """
    return _points(distances, weights, missing, lambda place: 1 / (k + place + 1))


@join(lists="padded", memory=parts.blocks(11, 0.6), work=parts.looks(12, 21))
def inverse_square_rank(
    distances: Parts,
    *,
    hits: Literal["count", "log", "none"] = "count",
    sigma: NotNegative = 0.0,
    weights: FoundWeights = None,
    missing: NoneOrRefuse = "none",
) -> Floats:
    """Add inverse squares of ranks (ISR): ``-hits * sum_m w_m / r_m^2``; nearly only first places count.

    Takes:   distances, one (nq, n) float32 a part; NaN outside the list that a model gives.
    Returns: (nq, n) float32, minus the score.
    hits:    what the number of parts that list the image does: "count" (ISR) a factor of it, "log" (logISR) of its
             logarithm, so that an image in one list only scores 0; "none" nothing.
    sigma:   0 or more, added to that number before the logarithm, so that an image in one list only scores too
             (ranx's LogNISR, 0.01 there); for "log" alone.
    weights: as in :func:`reciprocal_rank_fusion`.
    missing: "none" or "refuse".
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    as :func:`reciprocal_rank_fusion`.

    >>> inverse_square_rank([np.array([[0.3, 0.1]], np.float32)] * 2)  # 2 * (1/4 + 1/4), 2 * (1 + 1)
    array([[-1., -4.]], dtype=float32)
    """
    factor: dict[str, Change | None] = {
        "count": lambda n: n,
        "log": lambda n: arrays.namespace(n).log(n + float(sigma)),
        "none": None,
    }
    return _points(
        distances, weights, missing, lambda place: 1 / (place + 1) ** 2, factor[hits], get_args(NoneOrRefuse)
    )


@join(lists="padded", memory=parts.blocks(11, 0.6), work=parts.looks(18, 20))
def rank_biased_centroid(
    distances: Parts, *, phi: Inside = 0.98, weights: FoundWeights = None, missing: Missing = "none"
) -> Floats:
    """Add geometrically falling points (RBC): ``-sum_m w_m (1 - phi) phi^(r_m - 1)``.

    Takes:   distances, one (nq, n) float32 a part; NaN outside the list that a model gives.
    Returns: (nq, n) float32, minus the score, 0 or below.
    phi:     above 0, below 1: how likely somebody goes on to the next image. Small: the first few decide, and what
             float32 can no longer tell from 0 is tied, from place 450 on with 0.8, place 5000 with 0.98.
    weights, missing: as in :func:`reciprocal_rank_fusion`.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    as :func:`reciprocal_rank_fusion`.

    >>> rank_biased_centroid([np.array([[0.3, 0.1]], np.float32)] * 2, phi=0.5)
    array([[-0.5, -1. ]], dtype=float32)
    """
    return _points(distances, weights, missing, lambda place: (1 - phi) * phi**place)


@join(lists="padded", memory=parts.blocks(7, 0.75), work=parts.looks(18, 16))
def borda(distances: Parts, *, weights: FoundWeights = None, missing: RestOrRefuse = "rest") -> Floats:
    """Add places: ``sum_m w_m place_m``, 0 for the nearest image; the same order as Borda's points.

    Takes:   distances, one (nq, n) float32 a part; NaN outside the list that a model gives.
    Returns: (nq, n) float32. Borda's points of an image are ``candidates * sum_m w_m`` minus this, the candidates
             being the images that any part lists for the query.
    weights: as in :func:`reciprocal_rank_fusion`.
    missing: "rest" a part that does not list an image gives it the mean of the places that it has left,
             (candidates + listed - 1) / 2; "refuse".
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    as :func:`reciprocal_rank_fusion`.

    >>> borda([np.array([[0.3, 0.1, np.nan]], np.float32), np.array([[0.1, 0.2, 0.3]], np.float32)])
    array([[1., 1., 4.]], dtype=float32)
    """
    used = parts.used(distances, weights, missing, get_args(RestOrRefuse))
    xp = arrays.namespace(used[0][1])

    def add(listed: list[np.ndarray]) -> np.ndarray:
        blocks, never = _blocks(listed)
        nobody = ~parts.any_of([~xp.isnan(block) for block in blocks])
        candidates = (~nobody & ~never).sum(axis=1, keepdims=True)
        total = parts.zeros(never)
        for (weight, _), block in zip(used, blocks, strict=True):
            known = xp.isfinite(block)
            rest = (candidates + known.sum(axis=1, keepdims=True) - 1) / 2
            total += weight * xp.where(known, places(block), arrays.as_type(rest, np.float64))
        return parts.answer(total, never, nobody & ~never)

    return _by_rows([part for _, part in used], add)


def _points(
    distances: Parts,
    weights: FoundWeights,
    missing: str,
    points: Change,
    factor: Change | None = None,
    choices: Sequence[str] = get_args(Missing),
) -> Floats:
    """``-factor(hits) * sum_m w_m points(place_m)``, places counted from 0."""
    used = parts.used(distances, weights, missing, choices)
    whole = sum(weight for weight, _ in used)
    xp = arrays.namespace(used[0][1])

    def add(listed: list[np.ndarray]) -> np.ndarray:
        blocks, never = _blocks(listed)
        total, hits, known_weight = (parts.zeros(never) for _ in range(3))
        for (weight, _), block in zip(used, blocks, strict=True):
            known = xp.isfinite(block)
            last = known.sum(axis=1, keepdims=True)  # the place behind the last
            given = points(arrays.as_type(xp.where(known, places(block), last), np.float64))
            total += weight * xp.where(known | (missing == "worst"), given, 0)
            hits += known
            known_weight += parts.times(known, weight)
        if missing == "mean":
            total *= whole / xp.where(known_weight > 0, known_weight, whole)
        if factor is not None:
            total *= factor(xp.maximum(hits, 1))
        return parts.answer(-total, never, (hits == 0) & ~never)

    return _by_rows([part for _, part in used], add)


def _by_rows(matrices: list[np.ndarray], add: Callable[[list[np.ndarray]], np.ndarray]) -> np.ndarray:
    """A join of places by blocks of rows, among the images that any part lists."""
    return parts.by_rows(
        matrices, lambda rows: parts.among_known([part[rows] for part in matrices], add), what="places"
    )


def _blocks(blocks: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """The blocks with +inf in all of them where any has it, and where that is."""
    xp = arrays.namespace(blocks[0])
    never = parts.any_of([xp.isinf(block) for block in blocks])
    return [xp.where(never, np.inf, block) for block in blocks], never
