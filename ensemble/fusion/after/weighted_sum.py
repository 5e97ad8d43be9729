"""The weighted sum of distances, the ensemble of most winners.

Sources: gggcy/AIC2020_ReID ``ensemble_distmat.py`` (1, 0.75, 0.5, 1 over re-ranked distances, nothing scaled);
DMT and VOC-ReID (equal weights); vimar-gu (VisDA 2020: 2, 1, 2, 1); ranx CombSUM, CombANZ and weighted sum
(scaled).
Differs: ranx adds scores and lets an image that a list does not hold score 0, whatever 0 means after scaling; here
``missing`` says it, and 0 is refused where it would be the nearest of all.
"""

from typing import Literal, get_args

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, by_query, join, scaled_or_kept
from ensemble.fusion.kinds import SignedWeights, not_written
from ensemble.fusion.scaling import Scaling, scaler, worst
from postproc.base import arrays
from postproc.base.step import Chosen
from postproc.base.vocabulary import Floats

Missing = Literal["refuse", "mean", "worst", "none"]
ZERO_IS_NOT_NEAR = ("z-score", "z-score-whole", "rank-normal", "sum")


def _unit(chosen: Chosen) -> str:
    return scaled_or_kept(chosen) if not_written(chosen["weights"]) else "a weighted sum"


def _objection(chosen: Chosen) -> str | None:
    weights, missing, scaling = chosen["weights"], chosen["missing"], chosen["scaling"]
    numbers = None if not_written(weights) else np.asarray(weights, np.float64)
    if missing == "mean" and numbers is not None and (numbers < 0).any():
        return f'missing: wanted "worst" or "refuse" with weights below 0, got "mean" and {weights!r}'
    if missing == "none" and scaling not in ZERO_IS_NOT_NEAR:
        return (
            f'missing: wanted "none" only with scaling {", ".join(ZERO_IS_NOT_NEAR)}, because 0 is the nearest '
            f'distance with "{scaling}"; choose "mean" or "worst"'
        )
    return None


@join(unit=_unit, objection=_objection, lists=by_query, memory=parts.blocks(3), work=parts.looks(9, 0.3))
def weighted_sum(
    distances: Parts,
    *,
    weights: SignedWeights = None,
    scaling: Scaling = "none",
    missing: Missing = "refuse",
    average: bool = False,
) -> Floats:
    """Add distances of several models or branches: ``sum_m w_m scaled(D_m)``.

    Takes:   distances, one (nq, n) float32 a part; without scaling all in comparable units.
    Returns: (nq, n) float32. One part of weight 1, not scaled, comes back bit for bit.
    weights: one number a part, 0 leaves the part out; not all 0. None: 1 each. "agreement": as in
             :func:`~ensemble.fusion.reciprocal_rank_fusion`. A negative weight subtracts:
             what is near in that part moves away, as images that are alike only because of camera or viewpoint
             (``D - 0.1 D_camera``; winners of AI City 2020 and 2021). That wants larger positive weights with
             it: where all are negative, the farthest image is first. Sums may be below 0.
    scaling: see :func:`~ensemble.fusion.scaled`.
    missing: what a pair means that a part does not know (NaN): "refuse" an error with the counts; "mean" what the
             parts that know it say, their weights raised to the same total (weights of 0 or more); "worst" as far
             as the farthest image of that query which the part knows, after scaling (where it is subtracted, as
             near as the nearest); "none" nothing is added, which is the middle of a z-score or normal deviate and
             the far end of "sum", and refused for other scalings, where it is the nearest of all.
    average: divide by the sum of the sizes of the weights, so that the number of parts does not matter.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    one pass over every part, the result, and some blocks of rows.

    >>> weighted_sum([np.array([[1.0]], np.float32), np.array([[2.0]], np.float32)], weights=[1, 0.5])
    array([[2.]], dtype=float32)
    """
    used = parts.used(distances, weights, missing, get_args(Missing))
    if average:
        whole = sum(abs(weight) for weight, _ in used)
        used = [(weight / whole, part) for weight, part in used]
    changes = [(weight, part, scaler(part, scaling)) for weight, part in used]

    def add(rows: slice) -> np.ndarray:
        total: np.ndarray | None = None
        for weight, part, change in changes:
            term = parts.times(change(part[rows]), weight)
            if total is None:
                total = term
                continue
            with np.errstate(invalid="ignore"):  # inf - inf: answered below
                total += term
        assert total is not None
        if arrays.namespace(total).isfinite(total).all():
            return total
        blocks = [change(part[rows]) for _, part, change in changes]
        return with_gaps([weight for weight, _ in used], blocks, scaling, missing)

    return parts.by_rows([part for _, part in used], add, what="weighted sum")


def with_gaps(weights: list[float], blocks: list[np.ndarray], scaling: str, missing: str) -> np.ndarray:
    """(rows, n) float32: the weighted sum of blocks, scaled by ``scaling`` already, some NaN or +inf."""
    xp = arrays.namespace(blocks[0])
    never, some = (parts.any_of([test(block) for block in blocks]) for test in (xp.isinf, xp.isfinite))
    total, known_weight = parts.zeros(never), parts.zeros(never)
    for number, (weight, block) in enumerate(zip(weights, blocks, strict=True)):
        known = xp.isfinite(block)
        fill = worst(block, scaling, weight) if missing == "worst" else 0.0
        term = parts.times(xp.where(known, block, fill), weight)
        total = term if number == 0 else total + term
        known_weight += parts.times(known, weight)
    if missing == "mean":
        total *= sum(weights) / xp.where(known_weight > 0, known_weight, 1)
    return parts.answer(total, never, ~some & ~never)
