"""Distances of every model as probabilities, learned from its own distances of labelled pairs, then their mean.

Source: WildFusion: Cermak et al., "WildFusion: Individual animal identification with calibrated similarity
fusion", 2024, and WildlifeDatasets/wildlife-tools.
Differs: as :mod:`ensemble.fusion.across.calibrated`, whose join takes features; a model need not know every pair.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.after.weighted_sum import with_gaps
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import FoundWeights
from ensemble.fusion.probabilities import UNIT, Calibration, Method, calibration, improbable
from postproc.base.settings import Count, Number, Within
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen
from postproc.base.vocabulary import Floats

PAIR_BYTES = 100  # of a pair that is learned from, while a curve is fitted
_blocks = parts.blocks(6, 2)


def _memory(sizes: Sizes, chosen: Chosen) -> int:
    return _blocks(sizes, chosen) + PAIR_BYTES * chosen["pairs"]


@join(unit=UNIT, host_only=True, lists="padded", memory=_memory, loads=("sklearn",))
def calibrated_distances(
    distances: Parts,
    train_distances: Parts,
    train_hits: Sequence[np.ndarray],
    *,
    method: Method = "isotonic",
    weights: FoundWeights = None,
    missing: Literal["mean", "worst", "refuse"] = "mean",
    pairs: Annotated[Count, Within(2)] = 1_000_000,
    seed: Count = 0,
    order: Annotated[Number, Within(0, 0.01)] = 1e-4,
) -> Floats:
    """Join by probabilities: ``1 - sum_m w_m P_m(same | D_m) / sum(w)``, every P learned from labelled pairs.

    Takes:   distances, one (nq, n) float32 a part, in any units; train_distances, (p_m,) float32 a part: what the
             same model says of pairs of labelled images, finite; train_hits (p_m,) a part, 1 where such a pair is
             of one identity, 0 of two.
    Returns: (nq, n) float32, 0 to 1 + ``order``.
    method:  "isotonic", "isotonic-steps" or "logistic", see :func:`~ensemble.fusion.calibration`.
    weights: one number of 0 or more a part, 0 leaves it out; not all 0. None: 1 each.
             "agreement": as in :func:`~ensemble.fusion.reciprocal_rank_fusion`.
    missing: what a pair means that a part does not know (NaN): "mean" what the parts that know it say; "worst" as
             unlikely as the least likely image of that query which the part knows; "refuse" an error.
    pairs:   2 or more labelled pairs a part: all where there are no more, otherwise all of one identity (at most
             half of ``pairs``) and a sample of the others, each standing for as many as were left out.
    seed:    of the sample.
    order:   0 to 0.01: how much of the distances, min-max by query, is added, so that images of one probability
             keep an order; 0: they tie.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf, labelled pairs of one kind only.
    Cost:    an isotonic fit a part, one pass over every part, the result, and some blocks of rows.

    >>> far, known = np.array([[0, 1, 9]], np.float32), np.array([0, 1, 8, 9], np.float32)
    >>> calibrated_distances([far], [known], [np.array([1, 1, 0, 0])], order=0).round(3)
    array([[0.   , 0.015, 1.   ]], dtype=float32)
    """
    found = parts.checked(distances, missing, ("mean", "worst"))
    numbers = parts.weights(weights, len(found))
    parts.one_each("train_distances", train_distances, found)
    parts.one_each("train_hits", train_hits, found)
    used = [
        (float(share), part, _learned(number, far, hits, method, pairs, seed))
        for number, (share, part, far, hits) in enumerate(
            zip(numbers / numbers.sum(), found, train_distances, train_hits, strict=True), 1
        )
        if share
    ]

    def add(rows: slice) -> np.ndarray:
        blocks = [improbable(part[rows], likely, order).astype(np.float32) for _, part, likely in used]
        return with_gaps([share for share, _, _ in used], blocks, "none", missing)

    return parts.by_rows(found, add, what="calibration")


def _learned(number: int, far: np.ndarray, hits: np.ndarray, method: Method, pairs: int, seed: int) -> Calibration:
    """What a distance of one part means."""
    far, hits = np.asarray(far, np.float64), np.asarray(hits)
    if far.shape != hits.shape or far.ndim != 1 or not np.isfinite(far).all():
        raise ValueError(
            f"train_distances: wanted a row of finite numbers, one for each of {hits.shape} hits, got shape "
            f"{far.shape} for part {number}"
        )
    same, other = np.flatnonzero(hits == 1), np.flatnonzero(hits == 0)
    if not len(same) or not len(other) or len(same) + len(other) < len(hits):
        raise ValueError(
            f"train_hits: wanted pairs of one identity and of two, 1 or 0 each, got {len(same)} and {len(other)} "
            f"of {len(hits)} for part {number}"
        )
    if len(hits) <= pairs:
        return calibration(-far, hits, method=method)
    random = np.random.Generator(np.random.PCG64(seed))
    most = max(1, min(len(same), pairs // 2))
    one, two = (_some(rows, most, random) for rows, most in ((same, most), (other, max(1, pairs - most))))
    counts = np.repeat([len(same) / len(one), len(other) / len(two)], [len(one), len(two)])
    chosen = np.concatenate([one, two])
    return calibration(-far[chosen], hits[chosen], method=method, weights=counts)


def _some(rows: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))
