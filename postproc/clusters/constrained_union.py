"""The nearest pairs are united first, but never two of whom it is known that they are not the same.

Sources: VIPL-VSU (union with constraints over tracklets); riips/AIC24_Track1_YACHIYO_RIIPS (AI City 2024, highest
HOTA: tracks of one camera that overlap may not be merged); LCFractal/AIC21-MTMC (travel times by the pair of
cameras).
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from postproc.base.settings import Checked, Count, Needs, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Clusters, Floats, Ints, Nearest
from postproc.clusters.components import components
from postproc.clusters.held import of_pairs
from postproc.clusters.known_pairs import Pairs, Symmetric, given
from postproc.clusters.links import Items, Window, refuse_conflicts, rows_of
from postproc.clusters.numbering import by_appearance
from postproc.clusters.united import unite
from postproc.pairs.listed import NeighbourLists


def _links(value: Any) -> str | None:
    try:
        rows_of("links", value, 1 << 62)
    except (ValueError, TypeError):
        return "wanted pairs of rows, (m, 2) whole numbers"
    return None


def _windows(value: Any) -> str | None:
    try:
        good = all(len(w) == 4 and int(w[0]) == w[0] and int(w[1]) == w[1] and w[2] <= w[3] for w in value)
    except (ValueError, TypeError):
        good = False
    return None if good else "wanted windows (one camera, other camera, least, most) of frames"


@step(host_only=True, memory=of_pairs, loads=("scipy",))
def constrained_union(
    query_distances: Floats | Nearest | NeighbourLists,
    query_cam: Ints | None = None,
    query_track: Ints | None = None,
    query_frame: Ints | None = None,
    *,
    threshold: Weight = 0.5,
    count: Annotated[Count, Within(1)] = 1,
    one_track_per_camera: Annotated[bool, Needs("query_cam", "query_track", instead="false")] = False,
    windows: Annotated[Sequence[Window], Checked(_windows)] = (),
    must: Annotated[Sequence[tuple[int, int]], Checked(_links)] = (),
    cannot: Annotated[Sequence[tuple[int, int]], Checked(_links)] = (),
    symmetric: Symmetric = "checked",
) -> Clusters:
    """Unite the clusters of every pair within ``threshold``, nearest first, unless two in them cannot be one.

    What must be one is united before all; then pairs by their distance, ties by row. Two clusters stay apart where
    some image of one cannot be with some image of the other.

    Takes:   query_distances (n, n) float32, one set against itself, any unit, the diagonal means nothing, +inf is
             no pair; or :class:`postproc.Nearest` or NeighbourLists of it, in which a missing pair is far;
             query_cam, query_track, query_frame (n,) int, -1 unknown and none: the images of one track of one
             camera must be one, and two tracks of one camera that overlap in time cannot.
    Returns: (n,) int64 clusters, numbered by their first image; -1 is alone.
    threshold: any number, in the unit of the distances. Small: all alone; large: whatever is not forbidden.
    count:   1 or more: stop as soon as there are so many, those that are alone counted.
    one_track_per_camera: two tracks of one camera cannot be one, whatever their times.
    windows: rows (one camera, other camera, least, most): who was in one camera and then in the other took so many
             frames, from the end of the first track to the beginning of the second. Others cannot be one.
    must, cannot: pairs of rows that are one, and that are not.
    symmetric: "checked": two numbers for one pair are refused, but for rounding; else their "mean", "min", "max".
    Raises:  ValueError for NaN, -inf, no image, a matrix that is not square or, "checked", not symmetric;
             :class:`postproc.clusters.links.Conflict`, a ValueError, for links that cannot all hold.
    Cost:    O(n²) for a matrix; for E pairs within the threshold O(E log E), and for each of them the forbidden
             pairs of the smaller cluster. Memory: those pairs, and the forbidden ones among images that near pairs
             connect.

    >>> far = np.array([[0, .1, .2], [.1, 0, .3], [.2, .3, 0]])
    >>> constrained_union(far, cannot=[(0, 2)])                   # 0 and 1 are one, and 0 and 2 are not
    array([ 0,  0, -1])
    """
    known = given("query_distances", query_distances, symmetric)
    items = Items.of(known.images, query_cam, query_track, query_frame)
    pairs = known.pairs(threshold)
    links = all_links(
        pairs, items, must, cannot, one_track_per_camera=one_track_per_camera, windows=tuple(map(tuple, windows))
    )
    return by_appearance(unite(pairs, *links, sets=count)[0])


def all_links(
    pairs: Pairs,
    items: Items,
    must: Any = (),
    cannot: Any = (),
    *,
    one_track_per_camera: bool = False,
    windows: Sequence[Any] = (),
) -> tuple[Ints, Ints]:
    """Everything that must be together and that cannot be, (m, 2) rows each; ValueError where not all can hold."""
    if windows and items.first is None:
        raise ValueError("windows: wanted query_frame too, found none; give it, or leave the windows out")
    first = np.concatenate([rows_of("must", must, pairs.images), items.must()])
    linked = np.concatenate([pairs.left, first[:, 0]]), np.concatenate([pairs.right, first[:, 1]])
    part = components(pairs.images, *linked)
    rules = items.cannot(part, one_track_per_camera=one_track_per_camera, windows=windows)
    apart = np.concatenate([rows_of("cannot", cannot, pairs.images), rules])
    refuse_conflicts(pairs.images, first, apart)
    return first, apart
