"""Joining by what places in the lists of each model are worth, learned from labelled lists of that model.

Sources: Aslam and Montague, "Models for Metasearch", SIGIR 2001 (BayesFuse); Lillis et al., "Estimating
Probabilities for Effective Data Fusion", SIGIR 2010 (PosFuse); Lillis et al., "ProbFuse: A Probabilistic Approach
to Data Fusion", SIGIR 2006; Shokouhi, "Segmentation of Search Engine Results for Effective Data-Fusion", ECIR 2007
(SegFuse); Lillis et al., "Extending Probabilistic Data Fusion Using Sliding Windows", ECIR 2008 (SlideFuse).
Formulas as ranx has them, and its numbers. MAPFuse is :func:`~ensemble.fusion.reciprocal_rank_fusion` with k = 0
and every model's mAP as its weight.
Differs: lists that are longer than all labelled ones go on with chance 0; in ranx some of these are an error.

Ties have places in the order of the columns. +inf takes no place, in no part's list where any part says so.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, join
from ensemble.fusion.place_model import Method, Missing, PlaceModel, Scaling
from postproc.base.settings import Count, Within
from postproc.base.vocabulary import Floats

HitLists = Sequence[np.ndarray]
MEMORY, WORK = parts.blocks(14, 0.6), parts.looks(40, 40)


@join(lists="padded", host_only=True, memory=MEMORY, work=WORK)
def pos_fuse(distances: Parts, train_hit_lists: HitLists, *, missing: Missing = "none") -> Floats:
    """Add how likely a match is at every place (PosFuse): ``-sum_m P_m(r_m)``.

    P_m(r) is the share of the labelled lists of model m with a match at place r, of those that are so long.

    Takes:   distances, one (nq, n) float32 a part; NaN outside the list that a model gives. train_hit_lists, one
             (queries, places) int a part, as :func:`~ensemble.fusion.hit_lists` makes them: what the same model's
             lists of other, labelled images hit. They should be as long as those to be joined, with about as many
             matches.
    Returns: (nq, n) float32, minus the score.
    missing: "none" a part that does not list the image adds nothing; "refuse".
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf, hit lists that are none.
    Cost:    one pass over the hit lists, a sort of every row of every part; the result and some blocks of rows.

    >>> hits = np.array([[1, 0], [0, 1], [1, -1]])  # 2 of 3 at the first place, 1 of 2 at the second
    >>> pos_fuse([np.array([[0.3, 0.1]], np.float32)], [hits])
    array([[-0.5      , -0.6666667]], dtype=float32)
    """
    return _fused("pos", distances, train_hit_lists, missing)


@join(lists="padded", host_only=True, memory=MEMORY, work=WORK)
def slide_fuse(
    distances: Parts,
    train_hit_lists: HitLists,
    *,
    window: Annotated[Count, Within(0)] = 6,
    missing: Missing = "none",
) -> Floats:
    """Add how likely a match is around every place (SlideFuse): ``-sum_m S_m / (b - a + 1)``.

    S_m is the sum of P_m(r) for r from a to b, ``a = max(r_m - window, 1)`` and ``b = min(r_m + window, n_m)``,
    with n_m images in the list of m; P_m as in :func:`pos_fuse`, 0 behind the longest labelled list.

    Takes:   distances, train_hit_lists as :func:`pos_fuse`.
    Returns: (nq, n) float32, minus the score.
    window:  0 or more places to either side. 0: PosFuse; large: all places are worth the same.
    missing: as in :func:`pos_fuse`.
    Raises:  as :func:`pos_fuse`.
    Cost:    as :func:`pos_fuse`.

    >>> hits = np.array([[1, 0, 0], [1, 1, 0]])  # 1, 0.5, 0; around the places 0.75, 0.5, 0.25
    >>> slide_fuse([np.array([[0.1, 0.2, 0.3]], np.float32)], [hits], window=1)
    array([[-0.75, -0.5 , -0.25]], dtype=float32)
    """
    return _fused("slide", distances, train_hit_lists, missing, window=window)


@join(lists="padded", host_only=True, memory=MEMORY, work=WORK)
def prob_fuse(
    distances: Parts,
    train_hit_lists: HitLists,
    *,
    segments: Annotated[Count, Within(1, 10_000)] = 25,
    missing: Missing = "none",
) -> Floats:
    """Add how likely a match is in every part of a list (ProbFuse): ``-sum_m P_m(k_m) / k_m``.

    A list of n images has segments of ``ceil(n / segments)``; k_m, from 1, is that of the image. P_m(k) is the
    share of matches in segment k, in the mean of the labelled lists; 0 for one that has no such segment.

    Takes:   distances, train_hit_lists as :func:`pos_fuse`; lists of other lengths are cut into as many segments.
    Returns: (nq, n) float32, minus the score. Images of one segment of the same lists tie.
    segments: 1 to 10,000. 1: who is in most lists; as many as images: PosFuse over r.
    missing: as in :func:`pos_fuse`.
    Raises:  as :func:`pos_fuse`.
    Cost:    as :func:`pos_fuse`.

    >>> hits = np.array([[1, 0, 0, 1]])  # 0.5 in both halves; the second counts half
    >>> prob_fuse([np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)], [hits], segments=2)
    array([[-0.5 , -0.5 , -0.25, -0.25]], dtype=float32)
    """
    return _fused("prob", distances, train_hit_lists, missing, segments=segments)


@join(lists="padded", host_only=True, memory=MEMORY, work=WORK)
def seg_fuse(
    distances: Parts, train_hit_lists: HitLists, *, scaling: Scaling = "min-max", missing: Missing = "none"
) -> Floats:
    """Add scores by how likely a match is in their segment (SegFuse): ``-sum_m P_m(k_m) (1 + s_m)``.

    Segments grow: they end at the places 5, 15, 35, 75, …, ``10 * 2^(k - 1) - 5``, 5115. P_m(k) is the share of
    matches among the places of segment k, in the mean of the labelled lists; behind the tenth it is 0. s_m is 1
    for the nearest image of the list and 0 for the farthest.

    Takes:   distances, train_hit_lists as :func:`pos_fuse`.
    Returns: (nq, n) float32, minus the score.
    scaling: how a distance becomes a score, ``s = 1 - scaled``: "min-max" by query, or "rank", by its place.
    missing: as in :func:`pos_fuse`.
    Raises:  as :func:`pos_fuse`.
    Cost:    as :func:`pos_fuse`.
    Differs: not from ranx; in the code of Lillis, an author of later methods, ``10 * 2^(k - 1) - 5`` is how long
             segment k is, not where it ends, and a short list's segment has the places that it has.

    >>> hits = np.array([[1, 0, 0, 1]])  # 2 matches in 5 places
    >>> seg_fuse([np.array([[0.0, 0.5, 1.0]], np.float32)], [hits])  # 0.4 times 2, 1.5, 1
    array([[-0.8, -0.6, -0.4]], dtype=float32)
    """
    return _fused("seg", distances, train_hit_lists, missing, scaling=scaling)


@join(lists="padded", host_only=True, memory=MEMORY, work=WORK)
def bayes_fuse(distances: Parts, train_hit_lists: HitLists, *, missing: Missing = "none") -> Floats:
    """Add the log odds of a match (BayesFuse): ``-sum_m log(P_m(k_m) / (1 - P_m(k_m)))``.

    k_m is the segment of the place: segments end at 5, 10, 15, 20, 30, 100, 200, 500, 1000. P_m(k) is the share of
    matches among the places of segment k, in the mean of the labelled lists. P and 1 - P are 0.001 or more.

    Takes:   distances, train_hit_lists as :func:`pos_fuse`.
    Returns: (nq, n) float32, minus the score, of either sign. Images of one segment of the same lists tie.
    missing: "none" where a part does not list the image, and behind place 1000, P is 0.001; "refuse".
    Raises:  as :func:`pos_fuse`.
    Cost:    as :func:`pos_fuse`.
    Differs: in ranx P is 0.001 where it is 0 alone, so that a place of 0.0005 is worth less than none.

    >>> hits = np.array([[1, 0, 0, 1]])  # 2 of 5 places: log(0.4 / 0.6)
    >>> bayes_fuse([np.array([[0.1, 0.2]], np.float32)], [hits]).round(4)
    array([[0.4055, 0.4055]], dtype=float32)
    """
    return _fused("bayes", distances, train_hit_lists, missing)


def _fused(
    method: Method,
    distances: Parts,
    train_hit_lists: HitLists,
    missing: Missing,
    *,
    segments: int = 25,
    window: int = 6,
    scaling: Scaling = "min-max",
) -> Floats:
    parts.one_each("train_hit_lists", train_hit_lists, distances)
    model = PlaceModel.learn(method, train_hit_lists, segments=segments, window=window, scaling=scaling)
    return model.join(distances, missing=missing)
