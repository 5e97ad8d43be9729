"""Joining models, at the three stages where that can happen.

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

:func:`join_lists` joins rank lists by any of them, without matrices of queries and gallery.

The joins of :data:`ON_CUDA` take CUDA tensors and give them; the others refuse them.

One file a topic: ``join`` declares joins, ``kinds`` has their settings, ``parts`` checks what comes in and walks
over rows, ``listed`` brings rank lists to joins, ``scaling`` brings matrices to one unit, ``ranks`` and ``curves``
turn them into places and into sorted scores, ``probabilities`` learns what a score means, ``labelled_lists``
and ``place_model`` what a place is worth; the joins are in ``before``, ``across`` and ``after``. What is imported
here is a join of the pipeline too; lists have the order of the lines.
"""

from types import ModuleType as _Module

from ensemble.fusion import join as _join
from ensemble.fusion.before.concat import concat
from ensemble.fusion.across.calibrated import calibrated
from ensemble.fusion.across.stacked import stacked
from ensemble.fusion.across.graph_fusion import graph_fusion
from ensemble.fusion.across.trained_query_adaptive import trained_query_adaptive
from ensemble.fusion.across.reliability import reliability_weights, unsupervised_reliability
from ensemble.fusion.after.weighted_sum import weighted_sum
from ensemble.fusion.after.product import product
from ensemble.fusion.after.order_statistics import median, smallest, largest
from ensemble.fusion.after.comb_mnz import comb_mnz
from ensemble.fusion.after.local_evidence import local_evidence
from ensemble.fusion.after.reorder_pairs import reorder_pairs
from ensemble.fusion.after.rank_fusion import reciprocal_rank_fusion, borda
from ensemble.fusion.after.rank_fusion import inverse_square_rank, rank_biased_centroid
from ensemble.fusion.after.trained_places import pos_fuse, slide_fuse, prob_fuse, seg_fuse, bayes_fuse
from ensemble.fusion.after.query_adaptive import query_adaptive
from ensemble.fusion.after.released_query_adaptive import released_query_adaptive, released_weights
from ensemble.fusion.after.calibrated_distances import calibrated_distances
from ensemble.fusion.after.compete_lists import compete_lists
from ensemble.fusion.agreement import list_weights
from ensemble.fusion.curves import query_adaptive_weights, reference_curves
from ensemble.fusion.labelled_lists import hit_lists
from ensemble.fusion.listed import join_lists
from ensemble.fusion.place_model import PlaceModel
from ensemble.fusion.probabilities import calibration
from ensemble.fusion.ranks import of_ranking, places
from ensemble.fusion.scaling import SCALINGS, scaled

JOINS = tuple(value for value in vars().copy().values() if _join.is_join(value))
BEFORE, ACROSS, AFTER = (_join.of_stage(JOINS, stage) for stage in _join.STAGES)
ON_CUDA = tuple(each for each in JOINS if not _join.declared_by(each).host_only)
__all__ = sorted(name for name, value in vars().items() if name[0] != "_" and not isinstance(value, _Module))
