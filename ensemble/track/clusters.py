"""Groups of tracklets from distances; +inf keeps two apart."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ensemble.base.kinds import Bools, Floats, Ints

Method = Literal["average", "complete", "single"]


def linked(apart: Floats, method: Method, threshold: float) -> Ints:
    """(k,) groups from 0: the two nearest are joined, again and again, until none are within ``threshold``."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    count = len(apart)
    if count < 2:
        return np.arange(count)
    far = (1 + abs(threshold) + float(np.max(np.abs(apart), where=np.isfinite(apart), initial=0))) * count**2
    whole = np.where(np.isfinite(apart), apart, far)
    np.fill_diagonal(whole, 0)
    tree = hierarchy.linkage(squareform(whole, checks=False), method)
    return renumbered(hierarchy.fcluster(tree, threshold, "distance"))


def united(apart: Floats, forbidden: Bools, threshold: float) -> Ints:
    """(k,) groups from 0: pairs within ``threshold``, nearest first, unless a forbidden pair came together."""
    count = len(apart)
    group = np.arange(count)
    barred = forbidden.copy()  # by group, in the row of its lowest member
    one, other = np.nonzero(np.triu(np.isfinite(apart) & (apart <= threshold), 1))
    order = np.lexsort((other, one, apart[one, other]))
    for left, right in zip(one[order].tolist(), other[order].tolist(), strict=True):
        low, high = sorted((int(group[left]), int(group[right])))
        if low != high and not barred[low, high]:
            group[group == high] = low
            barred[low] |= barred[high]
            barred[:, low] |= barred[:, high]
    return renumbered(group)


def together(count: int, groups: Sequence[Ints]) -> Ints:
    """(count,) groups from 0: what any of the lists of rows has together, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [(rows[0], row) for rows in groups for row in rows[1:].tolist()]
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    edges = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    return renumbered(connected_components(edges, directed=False)[1])


def renumbered(group: Ints) -> Ints:
    """The same groups as 0, 1, … by their first member."""
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    found: Ints = np.argsort(np.argsort(first))[number.reshape(-1)]
    return found


def members(group: Ints) -> list[Ints]:
    """The rows of every group, ascending."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(group) else []
