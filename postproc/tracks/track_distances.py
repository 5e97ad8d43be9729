"""Distances to tracks instead of images, answered image by image, so that whatever comes after stays the same.

Sources: VeRi's image-to-track protocol (Liu et al., "PROVID", TMM 2018): the nearest image of the track; IOSB-VeRi
2020, ``tools/ensembling_different_models.py``: the same for orientations; Xuanmeng-Zhang/AICITY2021-Track2: the
largest similarity of part features over a track. Between sets: Dubuisson and Jain, "A modified Hausdorff distance
for object matching", ICPR 1994.
"""

from typing import Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.one_set import is_one_set
from postproc.base.settings import Neighbours, TopK
from postproc.base.step import KEPT, SQUARED, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles
from postproc.tracks.track_lists import Tracks


@step(
    unit=SQUARED,
    memory=held.either(
        held.together(held.walk, held.strips, held.by_track),
        held.times(3, held.by_track),  # those of queries and of their tracks
        held.together(held.times(2, held.by_track), held.slab),
    ),
    work=spent.together(spent.across(), spent.nearest, spent.matrix(10), spent.read(94)),
)
def track_distances(
    query: Query | Pairwise,
    gallery: Gallery | None,
    gallery_track: np.ndarray,
    query_track: np.ndarray | None = None,
    *,
    reduce: Literal["min", "mean", "max"] = "min",
    k: Neighbours | None = None,
    query_reduce: Literal["min", "mean", "max"] = "min",
    top_k: TopK = None,
) -> Distances | Nearest:
    """Measure every query, or the track of every query, against the track of every gallery image.

    ``out[i, j] = query_reduce over the images a of i's track (reduce over the images b of j's track |a - b|^2)``.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are; or one :class:`Pairwise` and None;
             gallery_track (ng,), query_track (nq,) int, -1 for an image of no track, which is a track of its own.
             Without query_track every query stands for itself. Or one set (n, d), or a Pairwise of one, and its
             tracks, given once: track against track, and of a track with itself the pairs of two of its images.
    Returns: (nq, ng) float32, squared Euclidean distance; the images of one track are exactly equally far from
             everybody. With ``top_k`` the :class:`Nearest` of every query. Of one set (n, n) with +inf on the
             diagonal, symmetric where ``reduce`` and ``query_reduce`` are the same and ``k`` is None.
    reduce:  "min": the nearest image of the track. "mean": of all its images. "max": the farthest.
    k:       1 or more: only the k nearest images of the track count, or as many as it has. None: all. With "mean"
             a compromise between one lucky image and all; with "max" the k-th nearest; nothing to "min".
    query_reduce: the same over the images of the query's track. "min" and "min": the two nearest images. "min" and
             "max": Hausdorff's distance, from the query's side; "min" and "mean": the modified one.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for lengths that do not fit, a setting out of range, NaN or infinity.
    Cost:    one product, nq ng d multiply-adds; memory: the answer, one of queries by tracks, a strip of 128 MiB.

    >>> q, g = np.array([[0.0]], np.float32), np.array([[1.0], [2.0], [3.0]], np.float32)
    >>> track_distances(q, g, np.array([0, -1, 0]))
    array([[1., 4., 1.]], dtype=float32)
    >>> track_distances(q, g, np.array([0, -1, 0]), reduce="mean")
    array([[5., 4., 5.]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, cuda=True)
    nq, ng = pairs.sizes
    tracks, groups = _tracks(gallery_track, query_track, pairs.sizes)
    by_track = arrays.empty((nq, tracks.count), np.float32, pairs.like)

    def take(strip: np.ndarray, queries: np.ndarray) -> None:
        if pairs.one_set:
            answering.set_own(strip, queries)
        by_track[arrays.beside(queries, by_track)] = _reduced(strip, tracks, reduce, k)

    answering.strips(PairwiseTiles(pairs), take, what="distances to tracks")
    symmetric = pairs.one_set and reduce == query_reduce and k is None
    spread = track_change(_joined(by_track, groups, query_reduce, symmetric=symmetric), tracks)
    return answering.answer_without_distances(nq, ng, spread, top_k=top_k, like=pairs.like, one_set=pairs.one_set)


@step(
    unit=KEPT,
    memory=held.by_track,
    work=spent.together(spent.matrix(11), spent.images(400)),
)
def pool_distances(
    distances: Distances,
    gallery_track: np.ndarray,
    query_track: np.ndarray | None = None,
    *,
    reduce: Literal["min", "mean", "max"] = "min",
    k: Neighbours | None = None,
    query_reduce: Literal["min", "mean", "max"] = "min",
) -> Distances:
    """:func:`track_distances` for distances that exist already, of any kind.

    Takes:   distances (nq, ng) float32, any unit; +inf entries stay +inf and do not count for anybody;
             gallery_track (ng,), query_track (nq,) int, -1 for an image of no track. Or distances of one set, +inf
             on the diagonal, and its tracks, given once.
    Returns: (nq, ng) float32, same unit. Of similarities s hand over -s: "min" is their maximum. Of one set
             symmetric as there, if the distances are; means only if nothing but the diagonal is +inf.
    reduce, k, query_reduce: as there.
    Raises:  ValueError for NaN, -inf, lengths that do not fit or a setting out of range.
    Cost:    O(nq ng) time; the answer and one of queries by tracks.

    >>> pool_distances(np.array([[3.0, 8.0, 1.0]], np.float32), np.array([5, -1, 5]))
    array([[1., 8., 1.]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    tracks, groups = _tracks(gallery_track, query_track, given.shape)
    same = groups is not None and is_one_set(given) and np.array_equal(groups.of, tracks.of)
    symmetric = same and reduce == query_reduce == "mean" and k is None and _counts_alike(given)
    return pooled(given, tracks, groups, reduce=reduce, k=k, query_reduce=query_reduce, symmetric=symmetric)


def pooled(
    given: Floats,
    tracks: Tracks,
    groups: Tracks | None = None,
    *,
    reduce: str = "min",
    k: int | None = None,
    query_reduce: str = "min",
    symmetric: bool = False,
) -> Floats:
    """:func:`pool_distances` of checked distances to ``tracks``, from queries or from their ``groups``.

    ``symmetric``: both are the same, and so is what is found from either side.
    """
    by_track = _joined(_reduced(given, tracks, reduce, k), groups, query_reduce, symmetric=symmetric)
    spread = track_change(by_track, tracks)
    xp = arrays.namespace(given)
    out = xp.empty_like(given)
    spread(out, np.arange(len(out)))

    def keep_infinity(start: int, stop: int) -> None:
        out[start:stop][xp.isinf(given[start:stop])] = np.inf

    kernels.of(given).walk.over_rows(keep_infinity, len(out), what="distances to tracks")
    return out


def track_change(by_track: Floats, tracks: Tracks) -> answering.Change:
    """A function that gives the images of a strip (queries, gallery) the distances of their tracks."""

    kernel = kernels.of(by_track)

    def spread(strip: np.ndarray, queries: np.ndarray) -> None:
        def fill(start: int, stop: int) -> None:
            kernel.tracks.spread_tracks(by_track, queries, tracks.of, strip, start, stop)

        kernel.walk.over_rows(fill, len(strip), what="distances to tracks")

    return spread


def _tracks(
    gallery_track: np.ndarray, query_track: np.ndarray | None, sizes: tuple[int, int]
) -> tuple[Tracks, Tracks | None]:
    tracks = Tracks.by(checks.labels("gallery_track", gallery_track, sizes[1]))
    if query_track is None:
        return tracks, None
    return tracks, Tracks.by(checks.labels("query_track", query_track, sizes[0]))


def _reduced(distances: Floats, tracks: Tracks, reduce: str, k: int | None) -> Floats:
    """(n, ng) -> (n, tracks)."""
    kernel = kernels.of(distances)
    how = {"min": kernel.tracks.LEAST, "mean": kernel.tracks.MEAN, "max": kernel.tracks.GREATEST}[reduce]
    out = arrays.empty((len(distances), tracks.count), np.float32, distances)

    def fill(start: int, stop: int) -> None:
        kernel.tracks.reduce_tracks(distances, tracks.offsets, tracks.members, how, k or 0, start, stop, out)

    kernel.walk.over_rows(fill, len(distances), what="distances to tracks")
    return out


def _joined(by_track: Floats, groups: Tracks | None, reduce: str, *, symmetric: bool) -> Floats:
    """(nq, tracks): what the queries of one track have in common.

    ``symmetric``: groups are the tracks, and of two of them the first says it for both, whatever rounding does.
    """
    if groups is None:
        return by_track
    joined = arrays.contiguous(_reduced(arrays.contiguous(by_track.T), groups, reduce, None).T)
    if symmetric:
        kernels.of(joined).tiles.mirror(joined)
    return groups.of_images(joined)


def _counts_alike(given: Floats) -> bool:
    """Whether distances of one set are the same from both ends, and all known."""
    known = 0
    for part in arrays.blocks(given, 256):
        if not bool((given[part] == given[:, part].T).all()):
            return False
        known += int((given[part] < np.inf).sum())
    return known == len(given) * (len(given) - 1)
