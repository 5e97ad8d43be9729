"""Gallery images drawn towards their neighbours round by round, as far as attributes agree.

Source: ipl-uw/2019-CVPR-AIC-Track-2-UWIPL, ``Video-Person-ReID/re_ranking_metadata.py`` (AI City 2019, second),
``cluster_gallery_soft``: a mean field over the graph of neighbours.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import checks, machine, runtime
from postproc.base.settings import Count, Needs, Neighbours, Neutral, Number, Within, wholes
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Floats, Gallery, Ints, Nearest
from postproc.base.work import Work
from postproc.constraints.attributes import most_probable
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.of_kind import of_kind
from postproc.pairs.pairwise import among
from postproc.pairs.tiles import Lists, PairwiseTiles
from postproc.tracks.track_lists import Tracks

BLOCK = 64  # images that are moved at a time
MANY = 3  # of so many images one, above which all are compared with all, and not these alone


def _copied(sizes: Sizes, chosen: Chosen) -> int:
    """Features of the last round, or in the order of kinds, or some and all side by side."""
    return int((1.4 if "gallery_aux" in sizes.given else 1.0) * held.gallery(sizes, chosen))


def _work(sizes: Sizes, chosen: Chosen) -> Work | None:
    """Neighbours in every round. With attributes, or tracks, their sizes decide, which nobody knows beforehand."""
    if "gallery_aux" in sizes.given or chosen["level"] != "image":
        return None
    share = 0.45 if machine.int8() else 1.0  # of a product of all by all, each pair once, and of looks at it
    once = spent.together(
        spent.gallery_pairs(share), spent.gallery_looked(0.8 * share), spent.images(600), spent.read(20)
    )
    return spent.for_setting("rounds", once)(sizes, chosen)


@step(
    host_only=True,
    memory=held.together(held.walk, held.lists("k", more=1, factor=2, side="ng"), _copied),
    work=_work,
)
def cluster_gallery_soft(
    gallery: Gallery,
    gallery_aux: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    k: Annotated[Neighbours, Within(0), Neutral(0)] = 5,
    rate: Annotated[Number, Within(0, 1), Neutral(0.0)] = 0.5,
    rounds: Annotated[Count, Neutral(0)] = 9,
    classes: Annotated[Sequence[int], wholes(2, "an attribute")] = (),
    level: Annotated[
        Literal["image", "track"], Needs("gallery_track", instead='use "image"', when="track")
    ] = "image",
) -> Gallery:
    """Move every gallery feature towards a mean of its neighbours, all at once, several times.

    ``x <- (1 - rate) x + rate sum_j w_j x_j`` over the k + 1 nearest, x itself among them; ``w_j`` is
    ``exp(-d_j / s)`` over its sum; d is the squared distance, plus the largest from x to anybody where one of the
    most probable attributes differs, and s the distance of the nearest other image, plus 1.

    Takes:   gallery (ng, d) float32, or one set, used as given, as a rule of unit length, which the 1 in s is
             measured against; gallery_aux (ng, a) float32, the classes of all
             attributes side by side, higher is more probable, or None: all agree; gallery_track (ng,) int, -1
             none, looked at only at the level of tracks.
    Returns: (ng, d) float32, shorter than before.
    k:       0 or more neighbours. 0: nothing moves.
    rate:    0 (nothing moves) to 1 (an image is forgotten but for its own weight in the mean).
    rounds:  0 or more.
    classes: how many columns each attribute has; nothing: all are of one attribute.
    level:   "track": the images of a track count as one, with the means of features and attributes, and all get
             what it gets, as released. "image": each for itself.
    Raises:  ValueError for a setting out of range, sizes that do not fit, NaN or infinity.
    Cost:    a round is half a product of each kind by itself. Images whose kind has k others or fewer are compared
             with all; where a third of all are, everybody is. Memory: a set of features beside the answer, with
             attributes almost half of one more; the lists, one 16 MB tile a thread.
    Differs: ties go by row.

    >>> x = np.array([[0.0], [1.0], [9.0]], np.float32)
    >>> cluster_gallery_soft(x, k=1, rounds=1).round(3)
    array([[0.189],
           [0.811],
           [7.912]], dtype=float32)
    """
    rows = checks.features("gallery", gallery)
    checks.not_empty("gallery", rows)
    aux = None
    if gallery_aux is not None:
        aux = checks.features("gallery_aux", gallery_aux)
        checks.one_row_each("gallery_aux", aux, len(rows))
    tracks = None
    if level == "track":
        tracks = Tracks.by(checks.labels("gallery_track", gallery_track, len(rows)))
        rows, aux = tracks.means(rows), None if aux is None else tracks.means(aux)
    kinds = np.zeros(len(rows), np.int64)
    if aux is not None:
        kinds = np.unique(most_probable("gallery_aux", aux, classes), axis=0, return_inverse=True)[1].reshape(-1)
    for _ in range(rounds if k and rate else 0):
        rows = _moved(rows, kinds, k, np.float32(rate))
    out = rows if tracks is None else rows[tracks.of]
    return out.copy() if out is gallery else out


def _moved(rows: Floats, kinds: Ints, k: int, rate: np.float32) -> Floats:
    """One round."""
    lists = _nearest(rows, kinds, k + 1)
    scale = lists.values[:, 1:2] + 1 if len(rows) > 1 else np.ones((1, 1), np.float32)
    weights = np.exp(-lists.values / scale)
    weights *= rate / weights.sum(axis=1, keepdims=True)
    out = np.empty_like(rows)

    def fill(start: int, stop: int) -> None:
        part = slice(start, stop)
        add_neighbours((1 - rate) * rows[part], rows, lists.rows[part], weights[part], out[part])

    add_neighbours = kernels.of(rows).expansion.add_neighbours
    runtime.over_rows(fill, len(rows), what="means", block=BLOCK)
    return out


def _nearest(rows: Floats, kinds: Ints, k: int) -> Lists:
    """The ``k`` nearest of every image, where those of other kinds are farther by the largest of its distances.

    So they come behind all of its own kind, of which most kinds have enough; a tie is one with the farthest.
    """
    if not kinds.any():
        return nearest.of_all(PairwiseTiles(among(rows)), k)
    lists = of_kind(rows, kinds, k)
    lacking = np.flatnonzero(lists.values[:, -1] >= lists.largest)
    if len(lacking):
        anybody, largest = _of_anybody(rows, lacking, k)
        others = kinds[anybody.rows] != kinds[lacking, None]  # as many as there are too few of the own kind
        found = np.where(others, anybody.distances + largest[:, None], np.inf)
        values = np.concatenate([lists.values[lacking], found], axis=1)
        names = np.concatenate([lists.rows[lacking], anybody.rows], axis=1)
        order = np.lexsort((names, values))[:, : lists.rows.shape[1]]
        lists.values[lacking] = np.take_along_axis(values, order, axis=1)
        lists.rows[lacking] = np.take_along_axis(names, order, axis=1)
    return lists


def _of_anybody(rows: Floats, some: Ints, k: int) -> tuple[Nearest, Floats]:
    """The ``k`` nearest of ``some`` images among all, and how far the farthest is."""
    if len(some) > len(rows) // MANY:
        lists = nearest.of_all(PairwiseTiles(among(rows)), k)
        return Nearest(lists.values[some], lists.rows[some]), lists.largest[some]
    largest = np.empty(len(some), np.float32)

    def look(strip: np.ndarray, asked: np.ndarray) -> None:
        largest[asked] = strip.max(axis=1)

    found = answering.answer(PairwiseTiles(pairwise.of(rows[some], rows)), look, top_k=k)
    assert isinstance(found, Nearest)
    return found, largest
