"""Which of a query's nearest images are an answer at all: those in front of the first wide gap.

Source: ``AdaptiveThresholding`` of open-metric-learning.
"""

from typing import Annotated

import numpy as np

from postproc.base.settings import Weight, Within
from postproc.base.step import checked
from postproc.base.vocabulary import Nearest


@checked
def cut_at_gap(lists: Nearest, *, times: Annotated[Weight, Within(0)]) -> Nearest:
    """Cut every list where a distance is much larger than the one before it.

    Place i is the last of its list where ``d_{i+1} - d_i > times * mean gap``, the first such i; the mean is over
    all gaps of all lists.

    Takes:   what ``distances(…, top_k=…)`` or any step with ``top_k`` gives: rows (nq, k) int32, -1 behind the
             last, distances (nq, k), ascending.
    Returns: the same lists, -1 and +inf behind the cut. The nearest image always stays.
    times:   0 or more, no unit: 0 cuts behind the first image and its equals. It goes with how long lists are, for
             gaps are wider at their beginning.
    Raises:  TypeError for a matrix; ValueError for shapes that differ, distances that descend, NaN, a setting out
             of range.
    Cost:    O(nq k) time and memory.
    Differs: there as here the mean is over all queries at hand, so an answer depends on who else asks.

    >>> far = np.array([[0.1, 0.2, 0.9], [0.4, 0.5, 0.6]], np.float32)
    >>> cut_at_gap(Nearest(far, np.array([[7, 3, 5], [5, 1, 2]], np.int32)), times=2).rows
    array([[ 7,  3, -1],
           [ 5,  1,  2]], dtype=int32)
    """
    if not isinstance(lists, Nearest):
        raise TypeError(f"lists: wanted a Nearest, as steps with top_k give it, got {type(lists).__name__}")
    far, rows = np.asarray(lists.distances), np.asarray(lists.rows)
    if far.ndim != 2 or far.shape != rows.shape:
        raise ValueError(
            f"lists: wanted distances and rows of one shape (nq, k), got {far.shape} and {rows.shape}"
        )
    there = rows >= 0
    there = there[:, 1:] & there[:, :-1]
    gaps = np.subtract(far[:, 1:], far[:, :-1], where=there, out=np.zeros(there.shape, np.float64))
    if np.isnan(gaps).any() or (gaps < 0).any():
        raise ValueError("lists: wanted distances that ascend in every list, found some that do not, or NaN")
    wide = there & (gaps > times * gaps[there].mean()) if there.any() else there
    behind = np.zeros(rows.shape, bool)
    behind[:, 1:] = np.logical_or.accumulate(wide, axis=1)
    return Nearest(np.where(behind, np.float32(np.inf), far), np.where(behind, np.int32(-1), rows))
