"""What holds clusters together, and where a person should look: near pairs in two clusters, far ones in one."""

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ensemble.clusters.answers import Part
from postproc.base.vocabulary import Ints
from postproc.clusters.known_pairs import Given, Pairs, members
from postproc.clusters.trees import spanning

NEIGHBOURS = 5  # images of other clusters that each is held against
MOST = 60  # pairs of each kind


@dataclass(frozen=True)
class Pair:
    """Two images, by their rows in the part, how far they are, and whether they are in one cluster."""

    one: int
    other: int
    distance: float
    together: bool


def held_by(part: Part) -> dict[int, list[Pair]]:
    """The pairs that hold each cluster together: its minimum spanning tree, the weakest first."""
    found = {}
    for rows in members(part.clusters):
        tree = spanning(inside(part.images.known, rows))
        ends = rows[tree.left], rows[tree.right]
        pairs = [
            Pair(one, other, float(far), True)
            for one, other, far in zip(ends[0].tolist(), ends[1].tolist(), tree.distances.tolist(), strict=True)
        ]
        found[int(part.clusters[rows[0]])] = pairs[::-1]
    return found


def in_doubt(part: Part, most: int = MOST) -> list[Pair]:
    """The pairs nearest to being otherwise, of both kinds in turn, those that nobody has answered.

    In one cluster: the weakest that hold clusters together, one a cluster, the farthest first. In two: the
    nearest, one for each two clusters.
    """
    answered = {tuple(sorted(pair)) for pair in (*part.images.must.tolist(), *part.images.cannot.tolist())}
    weakest = [
        next((pair for pair in pairs if (pair.one, pair.other) not in answered), None)
        for pairs in held_by(part).values()
    ]
    inside_one = sorted((pair for pair in weakest if pair), key=lambda pair: (-pair.distance, pair.one))[:most]
    across = [pair for pair in _across(part) if (pair.one, pair.other) not in answered][:most]
    turns = zip_longest(inside_one, across)
    return [pair for turn in turns for pair in turn if pair is not None]


def _across(part: Part) -> list[Pair]:
    """The nearest pair of each two clusters, nearest first."""
    known, clusters = part.images.known, part.clusters
    group = np.where(clusters < 0, clusters.max(initial=-1) + 1 + np.arange(len(clusters)), clusters)
    if known.matrix is not None:
        left, right, far = _nearest_of_others(known.matrix, group)
    else:
        assert known.listed is not None
        apart = known.listed.only(group[known.listed.left] != group[known.listed.right])
        left, right, far = apart.left.astype(np.int64), apart.right.astype(np.int64), apart.distances
    order = np.lexsort((right, left, far))
    low, high = np.minimum(group[left], group[right])[order], np.maximum(group[left], group[right])[order]
    _, first = np.unique(low * (int(group.max(initial=0)) + 1) + high, return_index=True)
    kept = order[np.sort(first)]
    rows = zip(left[kept].tolist(), right[kept].tolist(), far[kept].tolist(), strict=True)
    return [Pair(one, other, float(distance), False) for one, other, distance in rows]


def _nearest_of_others(matrix: np.ndarray, group: Ints) -> tuple[Ints, Ints, np.ndarray]:
    found: list[tuple[Ints, Ints, np.ndarray]] = []
    k = min(NEIGHBOURS, len(matrix))
    for start in range(0, len(matrix), 256):
        block = matrix[start : start + 256].copy()
        rows = np.arange(start, start + len(block))
        block[group[rows][:, None] == group] = np.inf
        columns = np.argsort(block, axis=1, kind="stable")[:, :k]
        far = np.take_along_axis(block, columns, axis=1)
        i, j = np.nonzero(np.isfinite(far))
        one, other = rows[i], columns[i, j]
        found.append((np.minimum(one, other), np.maximum(one, other), far[i, j]))
    left, right, far = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return left, right, far


def inside(known: Given, rows: Ints) -> Pairs:
    """The pairs of some images, by their places in ``rows``."""
    if known.matrix is not None:
        return Given(len(rows), known.matrix[np.ix_(rows, rows)], None).pairs()
    assert known.listed is not None
    place = np.full(known.images, -1, np.int32)
    place[rows] = np.arange(len(rows))
    left, right = place[known.listed.left], place[known.listed.right]
    kept = known.listed.only((left >= 0) & (right >= 0))
    one, other = place[kept.left], place[kept.right]
    return Pairs(len(rows), np.minimum(one, other), np.maximum(one, other), kept.distances)
