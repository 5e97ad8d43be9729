"""Labelled rank lists as hits and misses, and how likely a hit is at a place or in a part of a list.

A hit list is what a ranking says of one labelled query: 1 where an image is of its identity, 0 where it is of
another, nearest first. Images that scores leave out are left out here too, and the list closes up behind them:
the query itself, images of unknown identity, images of the query's identity and camera.
"""

from collections.abc import Sequence

import numpy as np

from postproc.base import checks


def hit_lists(
    ranking: np.ndarray,
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
) -> np.ndarray:
    """The hits and misses of labelled rank lists, for joins that learn from them.

    Takes:   ranking (nq, k) int gallery rows, nearest first, -1 for none; query_pid (nq,), gallery_pid (ng,) int,
             -1 unknown; query_cam, gallery_cam the same, both or neither: with them images of the query's identity
             and camera are left out.
    Returns: (n, k) int8: 1 a hit, 0 a miss, -1 behind the end. A query that no gallery image matches, whether its
             list names it or not, has no row; one whose list names nothing has a row of -1.
    Raises:  ValueError for wrong lengths, rows that are not in the gallery, one of two cameras.
    Cost:    a sort of all entries.

    >>> hit_lists(np.array([[2, 0], [1, 2]]), np.array([7, 9]), np.array([7, 8, 7]))  # nobody is 9
    array([[1, 1]], dtype=int8)
    """
    images, queries = len(gallery_pid), len(query_pid)
    rows = checks.ranking("ranking", ranking, images)
    if len(rows) != queries:
        raise ValueError(f"query_pid: wanted {len(rows)} identities, one a row of the ranking, got {queries}")
    if (query_cam is None) != (gallery_cam is None):
        lacking = "query_cam" if query_cam is None else "gallery_cam"
        raise ValueError(f"{lacking}: wanted cameras of both sides or of neither, found those of one; give them")
    pid = np.concatenate(
        [checks.labels("query_pid", query_pid, queries), checks.labels("gallery_pid", gallery_pid, images)]
    )
    cam = None
    if query_cam is not None and gallery_cam is not None:
        sides = ("query_cam", query_cam, queries), ("gallery_cam", gallery_cam, images)
        cam = np.concatenate([checks.labels(*side) for side in sides])
    query, place = np.nonzero(rows >= 0)
    found = of_pairs(
        query, queries + rows[query, place], place, pid, cam,
        asked=np.arange(queries), among=np.arange(queries, queries + images),
    )  # fmt: skip
    wide = np.full((len(found), rows.shape[1]), -1, np.int8)
    wide[:, : found.shape[1]] = found
    return wide


def of_pairs(
    query: np.ndarray,
    image: np.ndarray,
    far: np.ndarray,
    pid: np.ndarray,
    cam: np.ndarray | None = None,
    *,
    asked: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> np.ndarray:
    """Hit lists of single pairs, as wide as the longest; ties in the order of the images.

    query, image, far: (m,) both images of a pair as rows of ``pid`` and ``cam``, and how far they are.
    asked: rows of the queries; None: those of the pairs. among: rows of the images that could have been listed.
    """
    asked = np.unique(query) if asked is None else asked
    among = np.unique(image) if among is None else among
    cam = np.full(len(pid), -1) if cam is None else cam
    asked = asked[_have_a_match(asked, among, pid, cam)]
    number = np.full(len(pid), -1)
    number[asked] = np.arange(len(asked))
    same = pid[query] == pid[image]
    counts = np.isfinite(far) & (number[query] >= 0) & (pid[image] >= 0) & (query != image)
    counts &= ~(same & (cam[query] == cam[image]) & (cam[query] >= 0))
    query, image, far, same = number[query[counts]], image[counts], far[counts], same[counts]
    order = np.lexsort((image, far, query))
    lengths = np.bincount(query, minlength=len(asked))
    out = np.full((len(asked), int(lengths.max(initial=0))), -1, np.int8)
    out[np.arange(out.shape[1]) < lengths[:, None]] = same[order]
    return out


def _have_a_match(asked: np.ndarray, among: np.ndarray, pid: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """(n,) bool: whether a query has an image of its identity among these, of another camera if both are known."""
    by_pid = among[np.argsort(pid[among], kind="stable")]
    first, last = (np.searchsorted(pid[by_pid], pid[asked], side) for side in ("left", "right"))
    found = np.zeros(len(asked), bool)
    for number, query in enumerate(asked.tolist()):
        own = by_pid[first[number] : last[number]]
        seen = (cam[own] == cam[query]) & (cam[query] >= 0)
        found[number] = pid[query] >= 0 and bool(((own != query) & ~seen).any())
    return found


def checked(lists: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Hit lists a part, as :func:`hit_lists` gives them; ValueError for others."""
    found = [np.asarray(each) for each in lists]
    for part, each in enumerate(found, 1):
        if each.ndim != 2 or not len(each) or not np.isin(each, (-1, 0, 1)).all():
            raise ValueError(
                "train_hit_lists: wanted lists of 1 for a hit, 0 for a miss and -1 behind the end, one row a "
                f"labelled query, got shape {each.shape} of {each.dtype} for part {part}; hit_lists makes them"
            )
        if (each[:, 1:] > np.where(each[:, :-1] < 0, -1, 1)).any():
            raise ValueError(f"train_hit_lists: wanted -1 behind the end alone, found it inside for part {part}")
    return found


def by_place(lists: np.ndarray) -> np.ndarray:
    """(k,) float64: of the lists that reach a place the share that has a hit there."""
    reached = (lists >= 0).sum(axis=0)
    return np.asarray((lists == 1).sum(axis=0) / np.maximum(reached, 1))


def by_segment(lists: np.ndarray, ends: Sequence[int]) -> np.ndarray:
    """(segments,) float64: hits between two ends by the places there are, in the mean of all lists."""
    found = np.cumsum(np.append(0, (lists == 1).sum(axis=0)))
    edges = np.append(0, ends)
    hits = np.diff(found[np.minimum(edges, len(found) - 1)])
    return np.asarray(hits / np.diff(edges) / len(lists))


def by_share(lists: np.ndarray, segments: int) -> np.ndarray:
    """(segments,) float64: the share of hits in each of so many parts of a list, in the mean of all lists.

    A list of n images has parts of ``ceil(n / segments)``; the last may be shorter, and those behind it are empty.
    """
    lengths = (lists >= 0).sum(axis=1)
    sizes = np.maximum(-(-lengths // segments), 1)
    query, place = np.nonzero(lists >= 0)
    cell = query * segments + place // sizes[query]
    count, hits = (np.bincount(cell, of, len(lists) * segments) for of in (None, lists[query, place] == 1))
    return np.asarray((hits / np.maximum(count, 1)).reshape(len(lists), segments).mean(axis=0))
