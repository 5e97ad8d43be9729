"""Scores of the pairs that ranked lists name; a range of rows at a time.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32.
"""

import numpy as np

from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.compiled import compiled


def products_on_lists(
    lists: Ints,
    offsets: Ints,
    members: Ints,
    weights: Floats,
    right_offsets: Ints,
    right_members: Ints,
    right_weights: Floats,
    least: bool,
    start: int,
    stop: int,
    out: Floats,
) -> None:
    """``out[i, t] = sum_x A[i, x] * B[x, lists[i, t]]`` for the rows ``start:stop``; with ``least`` the sum of the
    smaller of the two, where both are there.

    Sums are taken in float64, in the order of the row of A, and rounded once: equal sums are equal afterwards.
    """
    total = np.empty(len(right_offsets) - 1)
    _products_on_lists(
        lists, offsets, members, weights, right_offsets, right_members, right_weights,
        least, start, stop, out, total,
    )  # fmt: skip


@compiled
def _products_on_lists(
    lists, offsets, members, weights, right_offsets, right_members, right_weights, least, start, stop, out, total
):
    for i in range(start, stop):
        for t in range(lists.shape[1]):  # what no list names is added up too, and nobody looks at it
            total[lists[i, t]] = 0.0
        for at in range(offsets[i], offsets[i + 1]):
            x, weight = members[at], np.float64(weights[at])
            for other in range(right_offsets[x], right_offsets[x + 1]):
                if least:
                    total[right_members[other]] += min(weight, np.float64(right_weights[other]))
                else:
                    total[right_members[other]] += weight * right_weights[other]
        for t in range(lists.shape[1]):
            out[i, t] = total[lists[i, t]]


@compiled
def put_scores(strip, sources, lists, scores, offsets, images, start, stop):
    """``-score`` in the place of the distance, for the rows ``start:stop`` of a strip, where a score is above 0.

    ``sources`` are the classes of the queries, ``offsets`` and ``images`` the gallery images of every class.
    """
    for r in range(start, stop):
        own = sources[r]
        for t in range(lists.shape[1]):
            score = scores[own, t]
            if score > 0:
                one = lists[own, t]
                for at in range(offsets[one], offsets[one + 1]):
                    strip[r, images[at]] = -score
