"""Where people of one camera are usually seen again: images of a likely camera come nearer.

Source: vimar-gu/Bias-Eliminate-DA-ReID (VisDA 2020, first place), ``utils/reid_metric.py``: D - D * T[c_q, c_g],
with a matrix T found on the validation set; its rows sum to one. How it was counted is not released;
:func:`topology_matrix` counts pairs of images.
"""

from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import checks
from postproc.base.settings import Neutral, Weight, Within
from postproc.base.step import KEPT, checked, step
from postproc.base.vocabulary import Distances, Floats, Ints, Unchecked
from postproc.constraints.penalties import changed_copy
from postproc.pairs import held, spent

MOST = 0.9  # of a share: where all are seen in one other camera, distances keep their order


@step(
    unit=KEPT,
    memory=held.images(48),
    loads=("scipy",),
    work=spent.matrix(1.1),
)
def camera_topology(
    distances: Distances,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray,
    *,
    count: Literal["images", "identities"] = "images",
    weight: Annotated[Weight, Within(0, 1), Neutral(0.0)] = 1.0,
) -> Distances:
    """Shorten each distance by how likely one identity is seen in both cameras, as counted on training data.

    ``out[i, j] = distances[i, j] * (1 - weight * min(T[query_cam[i], gallery_cam[j]], 0.9))``, T by
    :func:`topology_matrix`; with two cameras T is 1, and all distances would vanish.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; cameras, int, -1 unknown; train_pid (n,) and
             train_cam (n,) int, of the same cameras, -1 unknown. Of one set (n, n) with +inf on the diagonal,
             cameras are given once; the camera of the row is that of the query, for rows and columns of T differ.
    Returns: (nq, ng) float32, a new array, same unit. A pair with an unknown camera, or one that training data do
             not show, keeps its distance. A distance below 0 moves towards 0 too, which is away.
    count:   "images" or "identities", as in :func:`topology_matrix`.
    weight:  0 to 1. 0: none; 1: as released.
    Raises:  ValueError for lengths that do not fit, NaN, -inf or a setting out of range.
    Cost:    O(nq ng), one pass; the answer beside the input.

    >>> pid, cam = np.array([7, 7, 7, 8, 8]), np.array([0, 1, 1, 0, 2])
    >>> camera_topology(np.ones((1, 3), np.float32), np.array([0]), np.array([1, 2, -1]), pid, cam).round(2)
    array([[0.33, 0.67, 1.  ]], dtype=float32)
    """
    labels, matrix = topology_matrix(train_pid, train_cam, count=count)
    return apply_topology(distances, query_cam, gallery_cam, np.minimum(matrix, MOST), labels, weight=weight)


@checked
def topology_matrix(
    train_pid: Unchecked, train_cam: Unchecked, *, count: Literal["images", "identities"] = "images"
) -> tuple[Ints, Floats]:
    """For every camera, where else its identities are seen: cameras (c,), ascending, and shares (c, c).

    ``T[a, b]`` is the share of camera b among all pairs of two images of one identity whose first is of camera a;
    or, counting "identities", among all pairs of two sightings of one identity in two cameras, whatever the number
    of images; in the same camera it takes two images. Every row sums to 1, or to 0 if nobody is seen again.

    Takes:   train_pid (n,), train_cam (n,) int; an image with -1 in either counts nowhere.

    >>> topology_matrix([7, 7, 7, 8, 8], [0, 1, 1, 0, 2])[1].round(2)
    array([[0.  , 0.67, 0.33],
           [0.5 , 0.5 , 0.  ],
           [1.  , 0.  , 0.  ]], dtype=float32)
    """
    from scipy.sparse import coo_array

    images = max(np.size(train_pid), np.size(train_cam))  # of two lengths, the shorter is refused
    pid = checks.labels("train_pid", train_pid, images)
    cam = checks.labels("train_cam", train_cam, images)
    known = (pid >= 0) & (cam >= 0)
    _, person = np.unique(pid[known], return_inverse=True)
    labels, place = np.unique(cam[known], return_inverse=True)
    shape = (int(person.max(initial=-1)) + 1, len(labels))
    seen = coo_array((np.ones(len(person), np.int64), (person, place)), shape=shape).tocsr()
    seen.sum_duplicates()
    if count == "images":
        pairs = (seen.T @ seen).toarray()
        np.fill_diagonal(pairs, pairs.diagonal() - np.bincount(place, minlength=len(labels)))
    else:
        twice = np.bincount(seen.indices[seen.data > 1], minlength=len(labels))
        seen.data[:] = 1
        pairs = (seen.T @ seen).toarray()
        np.fill_diagonal(pairs, twice)
    total = pairs.sum(axis=1, keepdims=True)
    return labels, (pairs / np.maximum(total, 1)).astype(np.float32)


def apply_topology(
    distances: Distances,
    query_cam: Unchecked,
    gallery_cam: Unchecked,
    matrix: Unchecked,
    cameras: Unchecked = None,
    *,
    weight: float = 1.0,
) -> Distances:
    """:func:`camera_topology` with a matrix (c, c) that is known, queries down and gallery across.

    ``cameras`` (c,), ascending, are the labels of its rows and columns; without them 0 .. c - 1.

    >>> known = np.array([[0.0, 0.5], [0.25, 0.0]])
    >>> apply_topology(np.ones((2, 2), np.float32), [0, 1], [0, 1], known)
    array([[1.  , 0.5 ],
           [0.75, 1.  ]], dtype=float32)
    """
    checks.between("weight", weight, 0, 1)
    given = checks.distances("distances", distances, cuda=True)
    shares = checks.features("matrix", matrix)
    if shares.shape[0] != shares.shape[1] or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"matrix: wanted a square of numbers from 0 to 1, got shape {shares.shape}")
    labels = np.arange(len(shares)) if cameras is None else checks.labels("cameras", cameras, len(shares))
    if (np.diff(labels) <= 0).any():
        raise ValueError("cameras: wanted ascending labels, each once")
    table = np.ones((len(labels) + 1, len(labels) + 1), np.float32)  # the last is of unknown cameras
    table[:-1, :-1] -= np.float32(weight) * shares

    def places(name: str, cam: Unchecked, count: int) -> Ints:
        found = checks.labels(name, cam, count)
        place = np.searchsorted(labels, found)
        known = np.append(labels, -1)[place] == found
        return np.where(known & (found >= 0), place, len(labels))

    rows = places("query_cam", query_cam, given.shape[0])
    columns = places("gallery_cam", gallery_cam, given.shape[1])
    return changed_copy(given, kernels.of(given).constraints.scale_by_table, rows, columns, table)
