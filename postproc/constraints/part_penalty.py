"""Seen from the same side, the same vehicle has the same parts: where no part is alike, it is another.

Source: Xuanmeng-Zhang/AICITY2021-Track2, ``post-processing/scene1/combine_strategy.py`` (AI City 2021, second).
"""

import itertools
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks, one_set
from postproc.base.settings import Neutral, Number, Weight, Within, wholes
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances, Floats, Nearest
from postproc.constraints.penalties import BLOCK
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.distances import to_metric
from postproc.pairs.tiles import PairwiseTiles
from postproc.tracks.track_distances import pooled
from postproc.tracks.track_lists import Tracks

UNSEEN = 2.0  # 1 - cosine of parts that are not seen on both images


@step(
    unit=KEPT,
    memory=held.times(3.4, held.matrix),
    work=spent.matrix(14),
)
def part_penalty(
    distances: Distances,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    gallery_track: np.ndarray | None = None,
    *,
    weight: Annotated[Weight, Within(0, 1e6), Neutral(0.0)] = 0.5,
    enough: Number = 0.9,
    views: Annotated[Sequence[int], wholes(1, "a feature")] = (),
    parts: Annotated[Sequence[int], wholes(1, "a feature")] = (),
) -> Distances:
    """Add ``weight * view * (enough - part)``: the more, the more alike the views and the less alike the parts.

    ``view`` is the mean of ``(1 + cosine) / 2`` over the orientation features, 1 without any; ``part`` the largest
    cosine of a part that both images show, or ``1 - distance`` where there is none. Each cosine is the largest
    over the images of the gallery image's track.

    Takes:   distances (nq, ng) float32, in the unit of 1 - cosine, +inf stays +inf; query_aux (nq, a), gallery_aux
             (ng, a) float32, side models' features of any length side by side: orientations (or what else tells
             the view), then parts, and parts of mirrored images; a row of zeros is a part that is not seen.
             gallery_track (ng,) int, -1 none: such an image, or all without tracks, stands for itself. Of one set
             (n, n) with +inf on the diagonal, features are given once; of its own track the query's own image does
             not count.
    Returns: (nq, ng) float32, a new array, same unit; of one set symmetric where distances are, without tracks.
    weight:  0 to 1,000,000. 0: nothing is added; 0.5 and 0.4: the source's two scenes.
    enough:  any number, a cosine: parts that are more alike bring images together.
    views:   how many columns each orientation model has; nothing: there is none.
    parts:   how many columns each part has, in all the rest of the columns; nothing: the rest is one part.
    Raises:  ValueError for sizes that do not fit, NaN, -inf or a setting out of range.
    Cost:    a product for every view and part; four matrices of the answer's size beside it.
    Differs: the source multiplies left and right sides by a table of pairs, all of it 1 as released; a side that
             must not be compared is a row of zeros here, or a part of its own.

    >>> far, view = np.array([[0.5, 0.5]], np.float32), [1.0, 0.0]
    >>> part_penalty(far, [[*view, 1, 0]], [[*view, 1, 0], [*view, 0, 1]], views=[2])
    array([[0.45, 0.95]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    checks.not_empty("distances", given)
    nq, ng = given.shape
    query, gallery = checks.side_model(query_aux, gallery_aux, (nq, ng), like=given)
    alone = one_set.with_columns(given, query_aux, gallery_aux)
    views, parts = _widths(views, parts, query.shape[1])
    tracks = Tracks.by(checks.labels_or_none("gallery_track", gallery_track, ng))
    borders = np.cumsum([0, *views, *parts]).tolist()
    blocks = [(query[:, first:last], gallery[:, first:last]) for first, last in itertools.pairwise(borders)]
    xp = arrays.namespace(given)
    view = arrays.full((nq, ng), 0, np.float32, given)
    for block in blocks[: len(views)]:
        found = pooled(_far(*block, alone=alone), tracks)
        if alone:
            answering.set_own(found, np.arange(nq), 0)
        view += 1 - found
    part = arrays.full((nq, ng), UNSEEN, np.float32, given)
    for left, right in blocks[len(views) :]:
        found = _far(left, right, alone=alone)
        found[~left.any(axis=1)] = UNSEEN
        found[:, ~right.any(axis=1)] = UNSEEN
        xp.minimum(part, found, out=part)
    part = pooled(part, tracks)  # the own image of one set is as far as parts that are not seen
    out = arrays.empty(given.shape, np.float32, given)

    def fill(start: int, stop: int) -> None:
        rows = slice(start, stop)
        share = (view[rows] / len(views) + 1) / 2 if views else 1.0
        missing = xp.isinf(given[rows])
        known = xp.where(missing, 0, given[rows])
        alike = 1 - xp.where(part[rows] == UNSEEN, known, part[rows])
        added = float(weight) * share * (float(enough) - alike)
        out[rows] = xp.where(missing, np.inf, known + added)

    kernels.of(given).walk.over_rows(fill, nq, what="parts", block=BLOCK)
    return out


def _widths(views: Sequence[int], parts: Sequence[int], width: int) -> tuple[list[int], list[int]]:
    found = [[int(count) for count in value] for value in (views, parts)]
    rest = width - sum(found[0])
    if not found[1] and rest > 0:
        found[1] = [rest]
    if sum(found[1]) != rest:
        raise ValueError(
            f"query_aux: wanted {sum(found[0]) + sum(found[1])} columns, views and parts, got {width}"
        )
    return found[0], found[1]


def _far(query: Floats, gallery: Floats, *, alone: bool) -> Floats:
    """1 - cosine; of one set +inf on the diagonal."""
    other = None if alone else arrays.contiguous(gallery)
    pairs = pairwise.of(arrays.contiguous(query), other, unit=True, cuda=True)
    found = answering.answer(PairwiseTiles(pairs), to_metric(pairs, "cosine"), top_k=None)
    assert not isinstance(found, Nearest)
    return found
