"""Joining models, in the three places where that can happen.

``BEFORE``   features of all models -> features: one distance of everything
``ACROSS``   features of all models, perhaps of a training set -> distances: joins that look at every model's
             neighbours or learn from labels
``AFTER``    distances of all models or branches -> distances

A join after the distances takes a list of (nq, n) float32 matrices, smaller is nearer, whose columns mean the
same image in all of them (or, row by row, the same candidate of that query), and gives one such matrix.

NaN    this model does not know the pair. The setting ``missing`` says what that means; a pair that no model knows
       comes behind everything that somebody knows, at a finite distance.
+inf   never return. One model that says so decides, whatever the others say: masks are rules, not opinions.
weight 0   leaves a model out altogether, its NaN and +inf too.

The joins of :data:`ON_CUDA` take CUDA tensors and give them; the others refuse them.

One file a topic: ``parts`` checks what comes in and walks over rows, ``scaling`` brings matrices to one unit,
``places`` turns them into ranks, ``units`` says which units there are; the others are the joins.
"""

from collections.abc import Callable
from typing import Any

from ensemble.fusion.across.calibrated import calibrated
from ensemble.fusion.across.graph_fusion import graph_fusion
from ensemble.fusion.across.reliability import reliability_weights, unsupervised_reliability
from ensemble.fusion.after.comb_mnz import comb_mnz
from ensemble.fusion.after.order_statistics import largest, median, smallest
from ensemble.fusion.after.product import product
from ensemble.fusion.after.query_adaptive import (
    query_adaptive,
    query_adaptive_weights,
    reference_curves,
    trained_query_adaptive,
)
from ensemble.fusion.after.rank_fusion import (
    borda,
    inverse_square_rank,
    rank_biased_centroid,
    reciprocal_rank_fusion,
)
from ensemble.fusion.after.released_query_adaptive import released_query_adaptive, released_weights
from ensemble.fusion.after.weighted_sum import weighted_sum
from ensemble.fusion.before.concat import concat
from ensemble.fusion.calibration import calibration
from ensemble.fusion.places import of_ranking, places
from ensemble.fusion.scaling import SCALINGS, scaled
from ensemble.fusion.units import unit, units_problem

BEFORE: dict[str, Callable[..., Any]] = {"concat": concat}
ACROSS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (calibrated, graph_fusion, trained_query_adaptive, unsupervised_reliability)
}
AFTER: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        weighted_sum,
        product,
        median,
        smallest,
        largest,
        comb_mnz,
        reciprocal_rank_fusion,
        borda,
        inverse_square_rank,
        rank_biased_centroid,
        query_adaptive,
        released_query_adaptive,
    )
}
ON_CUDA = (
    concat,
    weighted_sum,
    product,
    median,
    smallest,
    largest,
    comb_mnz,
    reciprocal_rank_fusion,
    borda,
    inverse_square_rank,
    rank_biased_centroid,
)

__all__ = [
    "ACROSS",
    "AFTER",
    "BEFORE",
    "ON_CUDA",
    "SCALINGS",
    "borda",
    "calibrated",
    "calibration",
    "comb_mnz",
    "concat",
    "graph_fusion",
    "inverse_square_rank",
    "largest",
    "median",
    "of_ranking",
    "places",
    "product",
    "query_adaptive",
    "query_adaptive_weights",
    "rank_biased_centroid",
    "reciprocal_rank_fusion",
    "reference_curves",
    "released_query_adaptive",
    "released_weights",
    "reliability_weights",
    "scaled",
    "smallest",
    "trained_query_adaptive",
    "unit",
    "units_problem",
    "unsupervised_reliability",
    "weighted_sum",
]
