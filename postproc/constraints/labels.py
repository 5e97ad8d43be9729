"""What labelled training images say of a query and of the gallery: who is told to be the same comes first.

Sources: lyakaap/Landmark2019-1st-and-3rd-Place-Solution, ``exp/submit_retrieval.py`` (Yokoo et al., "Two-stage
Discriminative Re-ranking for Large-scale Landmark Retrieval", 2020; first of Google Landmark Retrieval 2019);
WesleyZhang1991/Google_Landmark_Retrieval_2021_2nd_Place_Solution, ``submission/code/landmark_retrieval.py``.
The training images have to be of the identities that are asked, as landmarks are: those of other people mislead.
"""

from typing import Annotated, NamedTuple

import numpy as np

from postproc.base import checks, runtime
from postproc.base.settings import Count, Neighbours, Neutral, Number, Weight, Within
from postproc.base.sizes import Sizes
from postproc.base.step import KEPT, PLACES, Chosen, step
from postproc.base.vocabulary import Distances, Features, Floats, Gallery, Ints, Query
from postproc.pairs import held, nearest, spent
from postproc.pairs.pairwise import of
from postproc.pairs.tiles import PairwiseTiles


def _orders(sizes: Sizes, chosen: Chosen) -> int:
    """What a thread puts a row in order with."""
    return 80 * sizes.threads * sizes.ng


@step(
    unit=PLACES,
    host_only=True,
    memory=held.together(held.compared(held.train, held.lists("k", factor=6), unit=True), _orders),
    work=spent.together(spent.read(190), spent.images(2900), spent.matrix(300)),
)
def sort_and_insert(
    distances: Distances,
    query: Query,
    gallery: Gallery | None,
    train: Features,
    train_pid: np.ndarray,
    *,
    k: Neighbours = 3,
    threshold: Annotated[Number, Within(-2, 2)] = 0.6,
    depth: Annotated[Count, Within(1)] = 100,
) -> Distances:
    """Put images of the query's identity first, as training images tell it, and bring in those not listed.

    Of every image the ``k`` nearest training images vote with their cosines: the identity with the largest sum is
    its, and that sum, divided by ``k``, its score. Of the ``depth`` nearest of a query, those of its identity come
    first (*sort*); behind them images of its identity that are not among these, if the scores of the query and of
    the image sum to more than ``threshold``, the surest first (*insert*); then the others, in their order.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; query (nq, d), gallery (ng, d), train (n, d)
             float32, of any length; train_pid (n,) int, -1 unknown, which votes for nobody. One set is distances
             (n, n) with +inf on the diagonal, its features and None.
    Returns: (nq, ng) float32, the place in the new ranking from 0 on, no unit; its ranking is that ranking. Images
             that nothing tells apart share the first of their places.
    k:       1 or more votes, cut to the training images.
    threshold: -2 to 2. 2 inserts nothing.
    depth:   1 or more images are a query's list, more where the last are as near as each other.
    Raises:  ValueError for NaN, -inf, no training image of known identity, sizes that do not fit, a setting out of
             range.
    Cost:    a product of all images by training images, O(nq ng log ng); memory: the answer, k numbers an image.
    Differs: the released insert adds an undefined ``score`` of the query; it is the query's here, as in the paper.
             Sums that are equal go to the nearest image's identity.

    >>> x, far = np.eye(3, dtype=np.float32), np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    >>> sort_and_insert(far, x[:1], x[[1, 0, 2, 0]], x, np.array([7, 8, 9]), k=1, depth=3)
    array([[2., 0., 3., 1.]], dtype=float32)
    """
    given = checks.distances("distances", distances)
    checks.not_empty("distances", given)
    asked, found = _sides(given, query, gallery, train, train_pid, k)
    out = np.empty_like(given)

    def fill(start: int, stop: int) -> None:
        for i in range(start, stop):
            sure = float(asked.score[i]) + found.score > float(threshold)
            out[i] = _places(given[i], found.pid == asked.pid[i], sure, found.score, int(depth))

    runtime.over_rows(fill, len(given), what="labels", block=16)
    return out


@step(
    unit=KEPT,
    host_only=True,
    memory=held.together(held.compared(held.train, held.lists("k", factor=6), unit=True), _orders),
    work=spent.together(spent.read(190), spent.images(2900), spent.matrix(20)),
)
def label_votes(
    distances: Distances,
    query: Query,
    gallery: Gallery | None,
    train: Features,
    train_pid: np.ndarray,
    *,
    k: Neighbours = 3,
    weight: Annotated[Weight, Within(0, 1e6), Neutral(0.0)] = 1.0,
) -> Distances:
    """Bring images nearer by how far training images agree that the query is of their identity.

    ``out = distances - weight * share``: of a query's ``k`` nearest training images each votes with its cosine, 0
    where that is below; ``share`` is the part of these votes that is for the identity of the gallery image, which
    is that of its nearest training image.

    Takes:   as in :func:`sort_and_insert`; distances in the unit of 1 - cosine, as a rule.
    Returns: (nq, ng) float32, a new array, same unit, by up to ``weight`` less, possibly below 0.
    k:       1 or more votes, cut to the training images.
    weight:  0 to 1,000,000. 0: nothing changes; 1: as released, added to the cosines of four models.
    Raises:  as :func:`sort_and_insert`.
    Cost:    a product of all images by training images, one pass over the answer; memory: k numbers an image.
    Differs: the release finds the query's votes by re-ranking the training images around it, and adds 0.1 of the
             same for countries: labels of another kind, called a second time.

    >>> x = np.array([[1, 0], [0, 1]], np.float32)
    >>> q, far = np.array([[0.6, 0.8]], np.float32), np.ones((1, 2), np.float32)
    >>> label_votes(far, q, x, x, np.array([7, 8]), k=2).round(3)  # 1 - 0.6 / 1.4, 1 - 0.8 / 1.4
    array([[0.571, 0.429]], dtype=float32)
    """
    given = checks.distances("distances", distances)
    checks.not_empty("distances", given)
    asked, found = _sides(given, query, gallery, train, train_pid, k)
    votes = np.maximum(asked.cosines, 0)
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-30)
    who, out = found.labels[:, 0], np.empty_like(given)

    def fill(start: int, stop: int) -> None:
        for i in range(start, stop):
            share = np.zeros(len(who))
            for label, part in zip(asked.labels[i].tolist(), shares[i].tolist(), strict=True):
                share += part * (who == label)
            out[i] = given[i] - float(weight) * share

    runtime.over_rows(fill, len(given), what="labels", block=16)
    return out


class _Told(NamedTuple):
    """What training images say of images: ``labels`` (n, k) of the nearest, ``cosines`` (n, k) float64, and of the
    identity with the largest sum ``pid`` (n,) and ``score`` (n,) float64.
    """

    labels: Ints
    cosines: np.ndarray
    pid: Ints
    score: np.ndarray


def _sides(
    given: Floats, query: Query, gallery: Gallery | None, train: Features, train_pid: np.ndarray, k: int
) -> tuple[_Told, _Told]:
    """What is told of the queries and of the gallery."""
    one_set = gallery is None
    images = (checks.images("query", query),) if one_set else checks.sides(query, gallery)
    sizes = len(images[0]), len(images[-1])
    if given.shape != sizes:
        raise ValueError(f"distances: wanted shape {sizes} to match query and gallery, got {given.shape}")
    bank = checks.of_same_width("train", train, "query", images[0])
    pid = checks.labels("train_pid", train_pid, len(bank))
    known = np.flatnonzero(pid >= 0)
    if not len(known):
        raise ValueError("train_pid: wanted images of known identity, found none")
    told = [_told(side, bank[known], pid[known], min(k, len(known)), k) for side in images]
    return told[0], told[-1]


def _told(images: Floats, bank: Floats, pid: Ints, count: int, k: int) -> _Told:
    found = nearest.of_queries(PairwiseTiles(of(images, bank, unit=True)), count)
    labels, cosines = pid[found.rows], 1 - found.distances.astype(np.float64) / 2
    sums = np.stack([(cosines * (labels == one[:, None])).sum(axis=1) for one in labels.T], axis=1)
    best = np.argmax(sums, axis=1)[:, None]  # of equal ones that of the nearest image
    pick = (np.take_along_axis(part, best, axis=1)[:, 0] for part in (labels, sums))
    return _Told(labels, cosines, next(pick), next(pick) / k)


def _places(row: Floats, same: np.ndarray, sure: np.ndarray, score: np.ndarray, depth: int) -> Floats:
    """The places of one query's images: listed and the same, inserted, listed, the rest; ties share the first."""
    limit = np.partition(row, depth - 1)[depth - 1] if depth < len(row) else np.inf
    never, listed = np.isinf(row), row <= limit
    inserted = same & sure & ~listed
    group = np.select([never, listed & same, inserted, listed], [4, 0, 1, 2], 3)
    first = np.where(inserted, -score, row)
    order = np.lexsort((row, first, group))
    keys = np.stack([group, first, row])[:, order]
    with np.errstate(invalid="ignore"):
        new = np.concatenate([[True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)])
    out = np.empty(len(row), np.float32)
    out[order] = np.maximum.accumulate(np.where(new, np.arange(len(row)), 0))
    out[never] = np.inf
    return out
