"""The images that any of several rank lists names for a query: one pass over the entries, no matrix."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from postproc.base import runtime

Ints = NDArray[np.int64]


def union(
    starts: Sequence[Ints], rows: Sequence[Ints], gallery: int
) -> tuple[Ints, NDArray[np.int32], list[NDArray[np.int64]]]:
    """Rank lists of the same queries, list ``i`` of query ``q`` being ``rows[i][starts[i][q]:starts[i][q + 1]]``.

    Returns: (nq + 1,) where each query's images begin; (n,) these, ascending; and for every list the place of each
             of its entries among them.
    Cost:    O(n log n) for n entries in all, memory for some numbers an entry and a number an image a thread.
    """

    from ensemble.submissions.union_kernel import merge

    offsets = np.cumsum([0, *map(len, rows)])
    first = np.stack([own + offset for own, offset in zip(starts, offsets, strict=False)])
    entries = np.concatenate(rows).astype(np.int32)
    nq = first.shape[1] - 1
    room = np.concatenate([[0], np.cumsum((first[:, 1:] - first[:, :-1]).sum(axis=0))])
    counts, at = np.zeros(nq, np.int64), np.empty(len(entries), np.int64)
    found = np.empty(len(entries), np.int32)
    runtime.over_rows(
        lambda start, stop: merge(start, stop, first, entries, room, max(gallery, 1), counts, found, at),
        nq,
        what="rank lists",
    )
    begins = np.concatenate([[0], np.cumsum(counts)])
    kept = np.arange(len(found)) - np.repeat(room[:-1], np.diff(room)) < np.repeat(counts, np.diff(room))
    for list_starts, offset in zip(starts, offsets, strict=False):
        at[offset : offset + list_starts[-1]] += np.repeat(begins[:-1], np.diff(list_starts))
    return begins, found[kept], [at[begin:end] for begin, end in pairwise(offsets)]
