"""Groups of tracklets by postproc's clusters, in which whoever is alone has a number too; +inf keeps two apart."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ensemble.base.kinds import Bools, Floats, Ints
from postproc.clusters.components import components
from postproc.clusters.constrained_union import constrained_union
from postproc.clusters.linkage import linkage
from postproc.clusters.numbering import apart as with_numbers

Method = Literal["average", "complete", "single"]


def linked(apart: Floats, method: Method, threshold: float) -> Ints:
    """(k,) groups from 0: the two nearest are joined, again and again, until none are within ``threshold``."""
    if len(apart) < 2:
        return np.arange(len(apart))
    found = linkage(apart.astype(np.float32), method=method, threshold=threshold, symmetric="mean")
    return renumbered(np.asarray(with_numbers(found), np.int64))


def united(apart: Floats, forbidden: Bools, threshold: float) -> Ints:
    """(k,) groups from 0: pairs within ``threshold``, nearest first, unless a forbidden pair came together."""
    if len(apart) < 2:
        return np.arange(len(apart))
    cannot = [(one, other) for one, other in np.argwhere(np.triu(forbidden, 1)).tolist()]
    found = constrained_union(apart.astype(np.float32), threshold=threshold, cannot=cannot, symmetric="mean")
    return renumbered(np.asarray(with_numbers(found), np.int64))


def together(count: int, groups: Sequence[Ints]) -> Ints:
    """(count,) groups from 0: what any of the lists of rows has together, directly or through others."""
    pairs = [(rows[0], row) for rows in groups for row in rows[1:].tolist()]
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    return renumbered(np.asarray(components(count, left, right), np.int64))


def renumbered(group: Ints) -> Ints:
    """The same groups as 0, 1, … by their first member."""
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    found: Ints = np.argsort(np.argsort(first))[number.reshape(-1)]
    return found


def members(group: Ints) -> list[Ints]:
    """The rows of every group, ascending."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(group) else []
