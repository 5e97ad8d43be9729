"""Distances between all images of a run, described instead of computed.

A :class:`Pairwise` is a weighted sum of terms. It knows queries and gallery alike, so what it states holds
between query and query, query and gallery, gallery and gallery, in the choice of neighbours too:

>>> import numpy as np
>>> q, g = np.eye(2, dtype=np.float32), np.eye(3, 2, dtype=np.float32)
>>> pairs = sqeuclidean(q, g) - 0.1 * sqeuclidean(q * 2, g * 2) + 0.3 * same_camera(np.array([0, 1]),
...                                                                              np.array([0, 0, 1]))
>>> len(pairs.terms)
3

``rerank`` and ``distances`` take one in the place of ``query, gallery``. Nothing of size all x all is ever
built: tiles are computed when somebody asks (:mod:`postproc.pairs.tiles`).

One set alone, ``sqeuclidean(images)``, is each image against all others; the same arrays then stand on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from postproc.base import arrays, checks
from postproc.base.cached import cached_property
from postproc.base.stored import Stored
from postproc.base.vocabulary import Array, Unchecked
from postproc.pairs.l2_normalize import unit_rows
from postproc.pairs.listed import NeighbourLists, digest_of


@dataclass(frozen=True)
class FeatureTerm:
    """``weight`` times the squared Euclidean distance of two feature sets."""

    query: np.ndarray
    gallery: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class CameraTerm:
    """``weight`` where two images are of one known camera and not of one track; 0 elsewhere."""

    query_cam: np.ndarray
    gallery_cam: np.ndarray
    query_track: np.ndarray
    gallery_track: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class ProductTerm:
    """``weight`` times the inner product of two vectors, for images that are not of one track; 0 in a track."""

    query: np.ndarray
    gallery: np.ndarray
    query_track: np.ndarray
    gallery_track: np.ndarray
    weight: float = 1.0


Term = FeatureTerm | CameraTerm | ProductTerm


def parts(term: Term) -> list[str]:
    """What a term holds of either side: ``["_cam", "_track"]`` for ``query_cam``, ``gallery_cam``, ..."""
    names = [field.name for field in fields(term)]
    return [name.removeprefix("query") for name in names if name.startswith("query")]


@dataclass(frozen=True)
class Pairwise:
    """A weighted sum of distances and penalties; :func:`sqeuclidean`, :func:`same_camera` and others build one.

    ``one_track``: pairs of images of one track are at distance 0, whatever the terms say.
    ``one_set``: queries and gallery are the same images, each once; terms hold the same on both sides.
    ``known``: neighbour lists alone, which have no terms.
    """

    terms: tuple[Term, ...]
    sizes: tuple[int, int]
    one_track: tuple[np.ndarray, np.ndarray] | None = None
    one_set: bool = False
    known: NeighbourLists | None = None

    @property
    def count(self) -> int:
        """How many images there are."""
        return self.sizes[1] if self.one_set else sum(self.sizes)

    @property
    def like(self) -> np.ndarray:
        """An array that is where distances are to be: on a CUDA device if any features are."""
        found = [
            getattr(term, side) for term in self.terms for side in ("query", "gallery") if hasattr(term, side)
        ]
        return next(filter(arrays.on_cuda, found), np.empty(0, np.float32))

    def __add__(self, other: Pairwise) -> Pairwise:
        if not isinstance(other, Pairwise):
            return NotImplemented
        self._refuse_lists("the sum with other distances")
        other._refuse_lists("the sum with other distances")
        if self.sizes != other.sizes:
            raise ValueError(
                f"sum of distances: wanted the same images on both sides, got {self.sizes} and {other.sizes} "
                "(queries, gallery)"
            )
        one_set = self.one_set or other.one_set
        if one_set and not (self._is_of_one_set() and other._is_of_one_set()):
            raise ValueError("sum of distances: wanted one set in both, or queries and a gallery, got one of each")
        if self.one_track is not None and other.one_track is not None:
            raise ValueError("sum of distances: wanted zero_within_tracks on one side only, got it on both")
        joined = self.one_track if self.one_track is not None else other.one_track
        return Pairwise(self.terms + other.terms, self.sizes, joined, one_set)

    def _is_of_one_set(self) -> bool:
        """Whether the same is on both sides, said or not."""
        if self.one_set:
            return True
        sides = [self.one_track] if self.one_track else []
        for term in self.terms:
            sides += [(getattr(term, f"query{part}"), getattr(term, f"gallery{part}")) for part in parts(term)]
        return all(bool((query == gallery).all()) for query, gallery in sides)

    @cached_property
    def digest(self) -> str:
        """32 letters that tell these distances from any others, by the content of all that they are made of."""
        terms: dict[str, Array] = {"one set": self.one_set, "sizes": self.sizes}
        for at, term in enumerate(self.terms):
            terms[f"{at} {type(term).__name__}"] = float(term.weight)
            for part in parts(term):
                for side in ("gallery",) if self.one_set else ("query", "gallery"):
                    terms[f"{at} {side}{part}"] = getattr(term, f"{side}{part}")
        for at, tracks in enumerate(self.one_track or ()):
            terms[f"track {at}"] = tracks
        return digest_of(terms)

    def _refuse_lists(self, what: str) -> None:
        if self.known is not None:
            raise ValueError(
                f"neighbours: lists alone do not say {what}; give the features too, or lists that were made of it"
            )

    def __mul__(self, weight: float) -> Pairwise:
        self._refuse_lists("weighted distances")
        checks.finite("weight of a distance", weight)
        terms = tuple(replace(term, weight=term.weight * float(weight)) for term in self.terms)
        return replace(self, terms=terms)

    __rmul__ = __mul__

    def __sub__(self, other: Pairwise) -> Pairwise:
        return self + other * -1.0

    def zero_within_tracks(self, query_track: Unchecked, gallery_track: Unchecked = None) -> Pairwise:
        """The same, but images of one track (-1: none) are at distance exactly 0."""
        self._refuse_lists("distances within tracks")
        gallery_track = query_track if self.one_set and gallery_track is None else gallery_track
        joined = checks.labels_of_sides("track", query_track, gallery_track, self.sizes)
        return replace(self, one_track=joined)

    def of_gallery(self, rows: np.ndarray | None = None) -> Pairwise:
        """The same distances among the gallery images alone; as queries the gallery ``rows`` given, or none.

        They are found where these are, although the gallery may have stayed on the host.
        """
        if self.known is not None and rows is None:
            return replace(self, sizes=(0, self.sizes[1]), one_set=False, known=self.known.of_gallery())
        self._refuse_lists("the neighbours of the gallery images among themselves")
        rows = np.arange(0) if rows is None else rows

        def moved(term: Term) -> Term:
            found: dict[str, Array] = {}
            for part in parts(term):
                some = getattr(term, f"gallery{part}")[rows]
                found[f"query{part}"] = read_only(some if part else arrays.beside(some, self.like))
            return replace(term, **found)

        one_track = None if self.one_track is None else (self.one_track[1][rows], self.one_track[1])
        return Pairwise(tuple(map(moved, self.terms)), (len(rows), self.sizes[1]), one_track)

    def swapped(self) -> Pairwise:
        """The same distances with the gallery images as queries and the queries as gallery."""
        return self._rearranged(1, 0)

    def gallery_on_both_sides(self) -> Pairwise:
        """The same distances with all gallery images as queries too; each stands twice, as two images."""
        return replace(self._rearranged(1, 1), one_set=False)

    def gallery_alone(self) -> Pairwise:
        """The same distances of each gallery image to all others: one set."""
        return replace(self._rearranged(1, 1), one_set=True)

    def as_one_set(self) -> Pairwise:
        """The same distances of all images as one set, queries first."""
        if self.one_set:
            return self
        self._refuse_lists("other distances")

        def moved(term: Term) -> Term:
            found: dict[str, Any] = {}
            for part in parts(term):
                both = read_only(arrays.joined(getattr(term, f"query{part}"), getattr(term, f"gallery{part}")))
                found |= {f"query{part}": both, f"gallery{part}": both}
            return replace(term, **found)

        one_track = None if self.one_track is None else (np.concatenate(self.one_track),) * 2
        return Pairwise(tuple(map(moved, self.terms)), (self.count, self.count), one_track, True)

    def _rearranged(self, first: int, second: int) -> Pairwise:
        """Side ``first`` in the place of the queries and ``second`` in that of the gallery; 0 is the queries."""
        self._refuse_lists("the neighbours of one side among themselves")
        names = "query", "gallery"

        def moved(term: Term) -> Term:
            found = {
                f"{place}{part}": getattr(term, f"{names[side]}{part}")
                for part in parts(term)
                for place, side in zip(names, (first, second), strict=True)
            }
            return replace(term, **found)

        one_track = None if self.one_track is None else (self.one_track[first], self.one_track[second])
        return Pairwise(
            tuple(map(moved, self.terms)), (self.sizes[first], self.sizes[second]), one_track, self.one_set
        )


def of(query: Unchecked, gallery: Unchecked = None, *, unit: bool = False, cuda: bool = False) -> Pairwise:
    """What a technique was handed: a :class:`Pairwise` as it is, features as squared Euclidean distance, or lists.

    Without a gallery it is one set, each image against all others. ``unit``: bring features to unit length first,
    so that the distance is 2 - 2 cosine. ``cuda``: the technique runs on CUDA tensors too. One side may then stay
    on the host, from where it comes to the device in blocks.
    """
    if isinstance(query, NeighbourLists):
        if gallery is not None:
            raise ValueError("gallery: lists hold queries and gallery already, give nothing else")
        if unit and not query.unit_length:
            raise ValueError(
                "neighbours: wanted lists of features of unit length, found lists of others; normalise the "
                "features, and make them so"
            )
        return Pairwise((), query.sizes, one_set=query.one_set, known=query)
    if isinstance(query, Pairwise):
        if gallery is not None:
            raise ValueError("gallery: a Pairwise holds queries and gallery already, give nothing else")
        if arrays.on_cuda(query.like) and not cuda:
            raise TypeError(
                "query: wanted a Pairwise of NumPy arrays, got one of CUDA tensors: this runs on the CPU only"
            )
        return query
    if gallery is None:
        images = checks.images("query", query, cuda=cuda)
        return of_checked(unit_rows(images) if unit else images)
    query, gallery = checks.sides(query, gallery, cuda=cuda)
    return of_checked(unit_rows(query), unit_rows(gallery)) if unit else of_checked(query, gallery)


def sqeuclidean(query: Unchecked, gallery: Unchecked = None) -> Pairwise:
    """Squared Euclidean distance of (nq, d) and (ng, d) features, or of one set, as a :class:`Pairwise`."""
    if gallery is None:
        return of_checked(checks.images("query", query, cuda=True))
    return of_checked(*checks.sides(query, gallery, cuda=True))


def of_checked(query: np.ndarray, gallery: np.ndarray | None = None) -> Pairwise:
    """:func:`sqeuclidean` of features that have been checked."""
    sides = read_only(query), read_only(query if gallery is None else gallery)
    return Pairwise((FeatureTerm(*sides),), (len(sides[0]), len(sides[1])), one_set=gallery is None)


def among(images: Unchecked) -> Pairwise:
    """Squared Euclidean distance inside one set (n, d): no queries, the images stand as the gallery."""
    return sqeuclidean(images[:1], images).of_gallery()


def same_camera(
    query_cam: Unchecked,
    gallery_cam: Unchecked = None,
    query_track: Unchecked = None,
    gallery_track: Unchecked = None,
) -> Pairwise:
    """1 for two images of one camera, 0 otherwise; unknown cameras (-1) match nothing.

    Images of one track are of one camera because they are one pass of one object: they get 0. So do an image
    and its copies. Without ``gallery_cam`` it is one set.
    """
    one_set = gallery_cam is None
    if one_set:
        gallery_cam, gallery_track = query_cam, query_track
    nq, ng = len(query_cam), len(gallery_cam)
    term = CameraTerm(
        *checks.labels_of_sides("cam", query_cam, gallery_cam, (nq, ng)),
        *checks.labels_of_sides("track", query_track, gallery_track, (nq, ng), optional=True),
    )
    return Pairwise((term,), (nq, ng), one_set=one_set)


def expected_same_camera(
    query_cam_prob: Unchecked,
    gallery_cam_prob: Unchecked = None,
    query_track: Unchecked = None,
    gallery_track: Unchecked = None,
) -> Pairwise:
    """How likely two images are of one camera, from a probability for every camera (nq, c), (ng, c).

    :func:`same_camera` for cameras that are only known so well: 0 for images of one track, an image and a copy.
    Without ``gallery_cam_prob`` it is one set.
    """
    if gallery_cam_prob is None:
        return products(checks.probabilities("query_cam_prob", query_cam_prob), None, query_track)
    return products(*checks.camera_probabilities(query_cam_prob, gallery_cam_prob), query_track, gallery_track)


def products(
    query: np.ndarray,
    gallery: np.ndarray | None = None,
    query_track: Unchecked = None,
    gallery_track: Unchecked = None,
) -> Pairwise:
    """Inner products of (nq, c) and (ng, c) float32, or of one set; 0 for images of one track, an image and its
    copies."""
    one_set = gallery is None
    if gallery is None:
        gallery, gallery_track = query, query_track
    nq, ng = len(query), len(gallery)
    tracks = checks.labels_of_sides("track", query_track, gallery_track, (nq, ng), optional=True)
    return Pairwise((ProductTerm(read_only(query), read_only(gallery), *tracks),), (nq, ng), one_set=one_set)


def of_side_model(
    query_aux: Unchecked, gallery_aux: Unchecked, sizes: tuple[int, int], *, unit: bool = False, like: Array = None
) -> Pairwise:
    """Squared Euclidean distance of a side model's features, for as many images as ``sizes`` says.

    Without ``gallery_aux`` they are of one set. ``like``: an array beside which they are wanted; None: they stay
    where they are.
    """
    if gallery_aux is None:
        images = checks.side_features("query_aux", query_aux, sizes[0], like=like)
        return sqeuclidean(unit_rows(images) if unit else images)
    query, gallery = checks.side_model(query_aux, gallery_aux, sizes, like=like)
    return of_checked(unit_rows(query), unit_rows(gallery)) if unit else of_checked(query, gallery)


def read_only(array: np.ndarray) -> np.ndarray:
    """A view nobody writes through; kernels are compiled for this one kind of array. Others as they are."""
    if arrays.on_cuda(array) or isinstance(array, Stored):
        return array
    view = array.view()
    view.flags.writeable = False
    return view
