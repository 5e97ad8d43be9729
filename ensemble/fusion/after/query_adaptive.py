"""Weights that every query finds by itself: a model whose scores fall steeply is sure of this query.

Source: Zheng et al., "Query-Adaptive Late Fusion for Image Search and Person Re-identification", CVPR 2015: the
sorted scores of a query, less a reference curve of queries that match nothing, min-max normalised; weights from
one over the area below; the product of scores to the power of the weights.
Differs: curves are normalised before the reference is subtracted, so that models of any unit can be compared with
references of any length; the area counts the first entry, and no query has a weight without bound.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal, get_args

import numpy as np

from ensemble.fusion import curves, parts
from ensemble.fusion.curves import References, Rule, Tail, Top, reference_curves
from ensemble.fusion.join import Listed, Parts, join
from ensemble.fusion.kinds import FoundWeights, OneAPart
from ensemble.fusion.scaling import scaler
from postproc.base.nearby import near
from postproc.base.step import Chosen
from postproc.base.vocabulary import Floats

Missing = Literal["refuse", "worst"]
ASKED = ("none", "queries")  # what a reference may be that is no curves
QUERIES = 71  # that give reference curves where a setting asks the test queries themselves


def _no_reference(value: Any, count: int) -> str | None:
    if isinstance(value, str):
        return None if value in ASKED else f"wanted one of {', '.join(ASKED)}, got {value!r}{near(value, ASKED)}"
    if not isinstance(value, Sequence | np.ndarray):
        return f"wanted one of {', '.join(ASKED)}, or curves for {count} parts, got {value!r}"
    if len(value) != count:
        return f"wanted curves for {count} parts, got {len(value)}"
    return next((wrong for item in value if (wrong := curves.not_curves(item))), None)


def _lists(chosen: Chosen) -> Listed:
    """Curves of test queries want one length for all of them."""
    reference = chosen["reference"]
    return "together" if isinstance(reference, str) and reference == "queries" else "exact"


@join(host_only=True, lists=_lists, memory=parts.blocks(6), work=parts.looks(15, 17))
def query_adaptive(
    distances: Parts,
    *,
    reference: Annotated[str | Sequence[np.ndarray], OneAPart(counted=_no_reference)] = "none",
    neighbours: References = 10,
    tail: Tail = 0.5,
    top: Top = None,
    rule: Rule = "product",
    weights: FoundWeights = None,
    missing: Missing = "refuse",
) -> Floats:
    """Join with weights of the query's own, from the shape of every part's sorted scores.

    ``s_m = 1 - (d - min) / (max - min)`` by query; ``A_m`` is the mean of the first ``top`` sorted scores, less
    the reference curve and min-max normalised; ``v_m = (w_m / A_m) / sum(w / A)``; the answer is ``-prod_m
    s_m^v_m`` or ``sum_m v_m (1 - s_m)``.

    Takes:   distances, one (nq, n) float32 a part, any units.
    Returns: (nq, n) float32: -1 to 0 for the product, 0 to 1 for the sum.
    reference: what a query without a match looks like. "none" nothing is subtracted; "queries" the curves of the
             first 71 test queries, though most of them have matches (then a query's answer depends on those, and
             not on its row alone); or one array a part, (points,) or (curves, points), as
             :func:`~ensemble.fusion.reference_curves` makes them from images known to have no match.
             :func:`~ensemble.fusion.trained_query_adaptive` takes them from a training set.
    neighbours: 1 or more of a part's reference curves are averaged, those nearest to the query's in the tail.
    tail:    0 to 1: where the tail begins; 0 compares whole curves.
    top:     2 or more entries make the area; None: all.
    rule:    "product" (Zheng) or "sum".
    weights: of the parts besides, one number of 0 or more each, 0 leaves it out; not all 0. None: 1 each.
             "agreement": as in :func:`~ensemble.fusion.reciprocal_rank_fusion`.
    missing: "refuse", or "worst" as far as the farthest of that query which the part knows.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    a sort of every row of every part; the result and some blocks of rows.
    """
    used = parts.used(distances, weights, missing, get_args(Missing))
    found = [part for _, part in used]
    references = _references(reference, found, parts.weights(weights, len(distances)))
    changes = [scaler(part, "min-max") for part in found]
    shape: dict[str, Any] = {"neighbours": neighbours, "tail": tail, "top": top}

    def look(rows: slice) -> np.ndarray:
        pile = curves.Pile(found[0][rows].shape, rule)
        for (weight, part), change, own in zip(used, changes, references, strict=True):
            pile.add(change(part[rows]), weight, partial(curves.areas, curves=own, **shape))
        return pile.answer()

    return parts.by_rows(found, look, what="query-adaptive fusion")


def _references(
    reference: str | Sequence[np.ndarray], found: Sequence[np.ndarray], weights: np.ndarray
) -> list[np.ndarray | None]:
    """The reference curves of every part of ``found``, those whose weight is not 0."""
    if isinstance(reference, str):
        return [reference_curves(part[:QUERIES]) if reference == "queries" else None for part in found]
    points = found[0].shape[1]
    return [curves.resampled(item, points) for item, weight in zip(reference, weights, strict=True) if weight]
