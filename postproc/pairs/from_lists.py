"""What lists that somebody has made already say of neighbours: the answer of a walk, without the walk.

A list is the beginning of any longer one, so that as many as are wanted are read off. Neighbours of one camera, of
all others, of the gallery, and classes are what is left of a list when the rest is taken out: as many as that are
known.
"""

import numpy as np

from postproc.base import arrays
from postproc.base.vocabulary import Array
from postproc.pairs.layout import Layout
from postproc.pairs.thinned import ROWS, in_gallery, thinned
from postproc.pairs.tiles import Lists


def of_all(known: Lists, layout: Layout, k: int) -> Lists:
    """The ``k`` nearest of every image."""
    k, held = min(k, layout.count), known.rows.shape[1]
    if held < k:
        raise ValueError(f"neighbours: wanted lists of k = {k - 1} or more, found k = {held - 1}; make them so")
    refuse_short(_counts(known), k, "images, itself one of them,")
    return _there(known.rows[:, :k], known.values[:, :k], known.largest, layout)


def of_classes(known: Lists, layout: Layout, k: int) -> Lists:
    """The ``k`` nearest classes of every class."""
    k = min(k, layout.classes)
    if layout.distinct:
        return of_all(known, layout, k)
    first, inverse = layout.first, layout.inverse

    def once(part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = known.rows[first[part]]
        found = np.where(found >= 0, inverse[np.maximum(found, 0)], -1)
        order = np.argsort(found, axis=1, kind="stable")  # the first of equals stays the first
        ordered = np.take_along_axis(found, order, axis=1)
        repeated = np.zeros(found.shape, bool)
        np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
        return found, known.values[first[part]], (found >= 0) & ~repeated

    rows, values, counts = thinned(once, layout.classes, k)
    refuse_short(counts, k, "images, copies counted once,", first)
    return _there(rows, values, known.largest[first], layout)


def of_cameras(known: Lists, layout: Layout, cameras: Array, k: int, *, same: bool, whole: bool) -> Lists:
    """The ``k`` nearest of every image among those of its camera, or among all others; -1 and +inf where there are
    no more.

    ``cameras`` (classes,) int64, of unknown ones numbers of their own. ``whole``: lists that end before ``k`` are
    found although more images are there are refused; if not, they end there.
    """
    of_image = arrays.host(cameras)[layout.inverse]
    _, number, counts = np.unique(of_image, return_inverse=True, return_counts=True)
    there = counts[number] if same else layout.count - counts[number]

    def kept(part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = known.rows[part]
        alike = of_image[np.maximum(found, 0)] == of_image[part, None]
        return found, known.values[part], (found >= 0) & (alike == same)

    rows, values, found = thinned(kept, layout.count, min(k, layout.count))
    if whole:
        lacking = np.flatnonzero(found < np.minimum(k, there))
        if len(lacking):
            which = "of its camera" if same else "of other cameras"
            raise ValueError(
                f"neighbours: wanted {min(k, int(there[lacking[0]]))} images {which} in every list, found "
                f"{found[lacking[0]]} in that of image {lacking[0]} and too few in {len(lacking)} of "
                f"{layout.count}; make longer lists, or give features alone"
            )
    return _there(rows, values, known.largest, layout)


def of_queries(known: Lists, layout: Layout, k: int) -> Lists:
    """The ``k`` nearest gallery images of every query, by gallery row; of one set those of all, of all others."""
    k = min(k, layout.others)
    rows, values = known.rows[: layout.nq], known.values[: layout.nq]
    if layout.one_set:

        def others(part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            kept = (rows[part] >= 0) & (rows[part] != np.arange(layout.nq)[part, None])
            return rows[part], values[part], kept

        rows, values, counts = thinned(others, layout.nq, k)
    else:
        rows, values, counts = in_gallery(rows, values, layout.nq, k)
    refuse_short(counts, k, "gallery images")
    return _there(rows, values, known.largest[: layout.nq], layout)


def _counts(known: Lists) -> np.ndarray:
    """How many entries every list has."""
    counts = np.empty(len(known.rows), np.int64)
    for start in range(0, len(counts), ROWS):
        part = slice(start, start + ROWS)
        counts[part] = (known.rows[part] >= 0).sum(axis=1)
    return counts


def refuse_short(counts: np.ndarray, k: int, what: str, names: np.ndarray | None = None) -> None:
    """Raise ValueError where there are fewer than ``k``; ``names`` are the numbers of the images."""
    lacking = np.flatnonzero(counts < k)
    if len(lacking):
        first = lacking[0] if names is None else names[lacking[0]]
        raise ValueError(
            f"neighbours: wanted {k} {what} in every list, found {counts[lacking[0]]} in that of image {first} "
            f"and too few in {len(lacking)} of {len(counts)} lists; make longer ones"
        )


def _there(rows: np.ndarray, values: np.ndarray, largest: np.ndarray, layout: Layout) -> Lists:
    """As arrays of the caller's own, where tiles are."""
    parts = (np.array(rows, np.int32), np.array(values, np.float32), np.array(largest, np.float32))
    return Lists(*(arrays.beside(part, layout.like) for part in parts))
