"""Tiles where neighbour lists are known: of features whose lists need not be found again, and of lists alone."""

from __future__ import annotations

import warnings

import numpy as np

from postproc.base import arrays
from postproc.pairs import from_lists
from postproc.pairs.list_tiles import ListTiles
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.meant import refuse_strange_numbers
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import Lists, PairwiseTiles, Tiles

LOOKED_AT = 64  # lists without a digest, some of whose numbers are held against the features
OTHERS = (
    "neighbours: wanted lists of the distances that are used here, found lists of others: of other features, of "
    "features normalised otherwise, or without the same penalties; make them of these"
)
NOT_UNIT = (
    "neighbours: wanted lists of features of unit length, found lists of others; bring the features to unit "
    "length, and make the lists of those"
)


class ApproximateNeighbours(UserWarning):
    """An answer from lists in which neighbours may be missing."""


def tiles_of(
    pairs: Pairwise,
    known: NeighbourLists | None = None,
    cameras: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    unit: bool = False,
) -> Tiles:
    """The tiles of a :class:`Pairwise`, whose neighbours may be ``known``; of lists alone where it is those.

    ``cameras``: as in :class:`~postproc.pairs.tiles.PairwiseTiles`. ``unit``: the features were brought to unit
    length. Raises ValueError for lists of other images, of other features or of other lengths.
    """
    if pairs.known is not None:
        if known is not None:
            raise ValueError("neighbours: wanted lists once, found them in the place of the features too")
        _warn_of_approximate(pairs.known)
        return ListTiles(pairs.known, cameras)
    tiles = PairwiseTiles(pairs, cameras)
    if known is not None:
        check(pairs, known, unit=unit)
        tiles.known = _lists(known)
        _refuse_strangers(tiles, known)
    return tiles


def check(pairs: Pairwise, known: NeighbourLists, *, unit: bool = False) -> None:
    """Raise ValueError for lists of other images, of other distances or, with ``unit``, of other lengths."""
    _refuse_other_images(pairs, known)
    digest = pairs.digest if known.digest else ""  # of lists without one some numbers are looked at
    if known.digest != digest or (unit and not known.digest and not known.unit_length):
        raise ValueError(NOT_UNIT if unit and not known.unit_length else OTHERS)


def tiles_of_gallery(
    pairs: Pairwise,
    known: NeighbourLists | None = None,
    gallery_cam: np.ndarray | None = None,
    *,
    unit: bool = False,
) -> Tiles:
    """As :func:`tiles_of` for the gallery images alone.

    ``known``: lists of the gallery as one set, or of queries and gallery, of which the gallery images are taken.
    """
    among = pairs.of_gallery()
    cameras = None if gallery_cam is None else (gallery_cam[:0], gallery_cam)
    if known is None or pairs.known is not None:
        return tiles_of(among, known, cameras)
    tiles = PairwiseTiles(among, cameras)
    alone = known.one_set or known.sizes == among.sizes
    whole = pairs.gallery_alone() if known.one_set else among if alone else pairs
    check(whole, known, unit=unit)
    tiles.known = _lists(known if alone else known.of_gallery())
    _refuse_strangers(tiles, known)
    return tiles


def nearest_in_gallery(pairs: Pairwise, known: NeighbourLists, k: int, *, unit: bool = False) -> Lists:
    """The ``k`` nearest gallery images of every query, as lists say them; of one set the nearest others of all."""
    tiles = tiles_of(pairs, known, unit=unit)
    assert tiles.known is not None
    return from_lists.of_queries(tiles.known, tiles.layout, k)


def neighbours_of(pairs: Pairwise, lists: Lists, unit_length: bool) -> NeighbourLists:
    """Lists that a walk over all pairs found, as a value."""
    rows, values, largest = (arrays.host(part) for part in (lists.rows, lists.values, lists.largest))
    return NeighbourLists(rows, values, largest, pairs.sizes, pairs.one_set, unit_length, digest=pairs.digest)


def _lists(known: NeighbourLists) -> Lists:
    _warn_of_approximate(known)
    return Lists(*map(np.asarray, (known.rows, known.distances, known.largest)))


def _refuse_strangers(tiles: PairwiseTiles, known: NeighbourLists) -> None:
    """Hold some distances of lists without a digest against the features."""
    lists = tiles.known
    if known.digest or lists is None:
        return
    some = np.unique(np.linspace(0, len(lists.rows) - 1, LOOKED_AT).astype(np.int64))
    rows, given = lists.rows[some], lists.values[some]
    there = (rows >= 0) & (rows != some[:, None])
    left = np.repeat(some, there.sum(axis=1)).astype(np.int32)
    sides = (arrays.beside(side, tiles.like) for side in (left, np.ascontiguousarray(rows[there], np.int32)))
    exact = arrays.host(tiles.between(*sides))
    refuse_strange_numbers(given[there], exact, tiles.mean_square, rough=not known.exact)


def _warn_of_approximate(known: NeighbourLists) -> None:
    if known.caveat:
        warnings.warn(known.caveat, ApproximateNeighbours, stacklevel=2)


def _refuse_other_images(pairs: Pairwise, known: NeighbourLists) -> None:
    if (known.sizes, known.one_set) != (pairs.sizes, pairs.one_set):
        found, wanted = (
            f"{sizes[1]} images of one set" if one_set else f"{sizes[0]} queries and {sizes[1]} gallery images"
            for sizes, one_set in ((known.sizes, known.one_set), (pairs.sizes, pairs.one_set))
        )
        raise ValueError(f"neighbours: wanted lists of {wanted}, found lists of {found}")
