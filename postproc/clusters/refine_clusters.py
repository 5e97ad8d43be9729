"""What is mended in clusters afterwards: loose ones, tiny ones, those of one camera, members that hardly belong.

Source: solutions of AnimalCLEF 2026 (split what is loose or larger than 100, merge what has two images or fewer,
cut what is weak), on similarities there.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np

from postproc.base import checks
from postproc.base.settings import Checked, Count, Needs, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Clusters, Floats, Ints, Nearest
from postproc.clusters.constrained_union import _links
from postproc.clusters.held import of_tree
from postproc.clusters.known_pairs import Given, Symmetric, given, members
from postproc.clusters.links import rows_of
from postproc.clusters.numbering import apart, by_appearance
from postproc.clusters.trees import in_number, tree
from postproc.pairs.listed import NeighbourLists


@step(host_only=True, memory=of_tree, loads=("scipy",))
def refine_clusters(
    query_distances: Floats | Nearest | NeighbourLists,
    clusters: Ints,
    query_cam: Ints | None = None,
    *,
    loose: Weight | None = None,
    largest: Annotated[Count, Within(2)] | None = None,
    merge: Weight | None = None,
    tiny: Annotated[Count, Within(1)] = 2,
    weak: Weight | None = None,
    cameras: Annotated[Count, Within(2), Needs("query_cam", instead="None")] | None = None,
    must: Annotated[Sequence[tuple[int, int]], Checked(_links)] = (),
    cannot: Annotated[Sequence[tuple[int, int]], Checked(_links)] = (),
    symmetric: Symmetric = "checked",
) -> Clusters:
    """Split loose clusters, merge tiny ones, cut weak members, drop clusters of few cameras, in this order.

    Every one of them is off until its setting is given.

    Takes:   query_distances (n, n) float32, one set against itself, or :class:`postproc.Nearest` or
             NeighbourLists of it, as :func:`linkage` takes them; clusters (n,) int, -1 alone; query_cam (n,) int,
             -1 unknown, looked at only for ``cameras``.
    Returns: (n,) int64 clusters, numbered by their first image; -1 is alone.
    loose:   any number, in the unit of the distances: a cluster whose mean distance between two images is larger
             is split in two along its average linkage, and so are the parts.
    largest: 2 or more: so is a cluster of more images.
    merge:   any number, in the unit of the distances: a cluster of at most ``tiny`` images, or an image alone,
             joins the cluster of its nearest image where that is at most so far; the nearest first, until none is
             tiny.
    tiny:    1 or more images. Only with ``merge``.
    weak:    any number, in the unit of the distances: who is farther from the others of the cluster in the mean is
             alone afterwards.
    cameras: 2 or more: the images of a cluster that fewer cameras see are alone afterwards, as the identities of a
             set in which everybody is seen by two. Unknown cameras count as none.
    must, cannot: pairs of rows that are one, and that are not: nothing is split or cut against the former, and
             nothing merged against the latter.
    symmetric: "checked": two numbers for one pair are refused, but for rounding; else their "mean", "min", "max".
    Raises:  ValueError as :func:`linkage` does.
    Cost:    O(m²) for each cluster of m images, O(n²) for ``merge`` on a matrix.

    >>> far = np.array([[0, .2, .8], [.2, 0, .9], [.8, .9, 0]])
    >>> refine_clusters(far, [0, 0, 0], loose=0.5)                # (0.2 + 0.8 + 0.9) / 3
    array([ 0,  0, -1])
    """
    known = given("query_distances", query_distances, symmetric)
    found = checks.labels("clusters", clusters, known.images)
    found = np.where(found < 0, -1, found)
    together, forbidden = rows_of("must", must, known.images), rows_of("cannot", cannot, known.images)
    if loose is not None or largest is not None:
        found = _split(known, found, np.inf if loose is None else loose, largest or known.images, together)
    if merge is not None:
        found = _merged(known, found, merge, tiny, forbidden)
    if weak is not None:
        found = _cut(known, found, weak, together)
    if cameras is not None:
        cam = checks.labels("query_cam", query_cam, known.images)
        for rows in members(found):
            if len(np.unique(cam[rows][cam[rows] >= 0])) < cameras:
                found[rows] = -1
    return by_appearance(found)


def _split(known: Given, clusters: Ints, loose: float, largest: int, must: Ints) -> Ints:
    found, place = clusters.copy(), np.full(known.images, -1)
    waiting = list(_blocks(known, clusters))
    while waiting:
        rows, far = waiting.pop()
        if len(rows) <= largest and _mean(far) <= loose:
            continue
        parts = apart(in_number(tree(Given(len(rows), far, None), "average"), 2))
        place[:] = -1
        place[rows] = parts
        if _torn(place, must):
            continue
        for part in np.unique(parts):
            inside = np.flatnonzero(parts == part)
            found[rows[inside]] = found.max() + 1
            if len(inside) > 1:
                waiting.append((rows[inside], far[np.ix_(inside, inside)]))
    return found


def _merged(known: Given, clusters: Ints, limit: float, tiny: int, cannot: Ints) -> Ints:
    pairs = known.pairs(limit)
    now = apart(clusters).tolist()  # the cluster of every image
    inside: dict[int, list[int]] = {}
    for row, number in enumerate(now):
        inside.setdefault(number, []).append(row)
    partners: dict[int, list[int]] = {}
    for one, other in cannot.tolist():
        partners.setdefault(one, []).append(other)
        partners.setdefault(other, []).append(one)
    for i, j in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
        small, large = sorted((now[i], now[j]), key=lambda number: (len(inside[number]), number))
        if small == large or len(inside[small]) > tiny:
            continue
        if any(now[other] == large for row in inside[small] for other in partners.get(row, ())):
            continue
        for row in inside[small]:
            now[row] = large
        inside[large] += inside.pop(small)
    return np.array(now, np.int64)


def _cut(known: Given, clusters: Ints, weak: float, must: Ints) -> Ints:
    found = clusters.copy()
    linked = set(must.ravel().tolist())
    for rows, far in _blocks(known, clusters):
        mean = far.sum(axis=1, dtype=np.float64) / (len(rows) - 1)
        out = rows[mean > weak]
        found[[row for row in out.tolist() if row not in linked]] = -1
    return found


def _blocks(known: Given, clusters: Ints) -> Iterator[tuple[Ints, Floats]]:
    """Distances inside every cluster; a pair that is not known is as far as the farthest."""
    pairs = known.listed.distances if known.listed is not None else known.matrix
    assert pairs is not None
    return known.blocks(clusters, float(np.max(pairs, where=np.isfinite(pairs), initial=-np.inf)))


def _mean(far: Floats) -> float:
    count = len(far)
    return float(far.sum(dtype=np.float64)) / (count * (count - 1))


def _torn(place: Ints, must: Ints) -> bool:
    one, other = place[must[:, 0]], place[must[:, 1]]
    return bool(((one >= 0) & (other >= 0) & (one != other)).any())
