"""Normalisation by banks of images: a gallery image that a bank finds near is not that near to a query.

Sources: Bogolin et al., "Cross Modal Retrieval with Querybank Normalisation", CVPR 2022, and the code released
with it (QB-Norm, the dynamic inverted softmax); Wang et al., "Balance Act: Mitigating Hubness in Cross-Modal
Retrieval with Query and Gallery Banks", EMNLP 2023 (DualIS and DualDIS).
"""

from typing import Annotated, NamedTuple

import numpy as np

from postproc import kernels
from postproc.base import checks
from postproc.base.settings import Neighbours, TopK, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Features, Gallery, Nearest, Query
from postproc.pairs import answering, held, spent
from postproc.pairs.l2_normalize import unit_rows
from postproc.pairs.pairwise import Pairwise, of_checked
from postproc.pairs.tiles import PairwiseTiles


@step(
    host_only=True,
    memory=held.compared(held.train, held.strips, held.images(24), unit=True),
    work=spent.together(spent.across(2), spent.nearest, spent.matrix(3), spent.read(190), spent.images(2900)),
)
def qb_norm(
    query: Query,
    gallery: Gallery | None,
    train: Features,
    *,
    beta: Annotated[Weight, Within(0.01, 1000)] = 20.0,
    gallery_beta: Annotated[Weight, Within(0, 1000)] = 0.0,
    k: Neighbours = 1,
    dynamic: bool = True,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Divide exp(beta s) of a gallery image by its sum over a bank of queries, for queries whose nearest is a hub.

    ``out = c + (beta b + gallery_beta b') / (beta + gallery_beta)``, c = 1 - cosine and ``b = log(mean over
    the bank of exp(beta s)) / beta``, b' the same over the other gallery images with ``gallery_beta``. It is the
    order of ``exp((beta + gallery_beta) s) / (sum sum')``. b counts for a query whose nearest image is a hub of
    the bank, one of the ``k`` nearest of any of its images, b' likewise; otherwise it is 0 for the query's row.

    Takes:   query (nq, d), gallery (ng, d) and the bank train (n, d) float32, of any length. The bank stands for
             the queries to come: training images, or older queries; labels are not needed. One set (n, d) and
             None is each image against all others; the bank is then of other images.
    Returns: (nq, ng) float32, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query instead: the
             first ``top_k`` of the full answer, which never exists. Of one set (n, n), +inf on the diagonal.
    beta:    0.01 to 1000. Small: b is the mean cosine to the bank; large: the largest. 20: QB-Norm.
    gallery_beta: 0 to 1000. 0: the bank of queries alone. DualIS: 3 beside a beta of 0.5.
    k:       1 or more, cut to the gallery: how many images of a list are hubs. The whole gallery: all are.
    dynamic: whether only queries whose nearest is a hub are normalised. Off: all (IS, DualIS).
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery and one of bank by gallery, with ``gallery_beta`` one of gallery by
             gallery, an exponential for every pair of the last two; memory: the answer, one strip of 128 MiB.
    Differs: the released tables of a query that is not normalised hold s in the place of exp(beta s), so that the
             values of two queries cannot be compared; here all are distances. The bank of gallery images is the
             gallery itself, an image left out of its own sum; released are training images of the gallery's kind.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    >>> qb_norm(q, g, q).round(3)  # the bank's nearest is the first: 1 - 1 + 1, 1 - 0.6 + 0.6
    array([[1., 1.]], dtype=float32)
    """
    if gallery is None:
        side, images = "query", checks.images("query", query)
    else:
        query, images = checks.sides(query, gallery)
        side = "gallery"
    bank = checks.of_same_width("train", train, side, images)
    images = unit_rows(images)  # once for all
    whole = float(beta) + float(gallery_beta)
    found = [_hubs(of_checked(unit_rows(bank), images), float(beta), k, float(beta) / whole)]
    if gallery_beta:
        found.append(_hubs(of_checked(images), float(gallery_beta), k, float(gallery_beta) / whole))
    tiles = PairwiseTiles(of_checked(images) if gallery is None else of_checked(unit_rows(query), images))

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if tiles.layout.one_set:
            answering.set_own(strip, queries)
        first = answering.smallest(strip, 1).rows[:, 0]

        def add(start: int, stop: int) -> None:
            rows = strip[start:stop]
            rows *= np.float32(0.5)
            for hubs in found:
                meant = hubs.named[first[start:stop]] if dynamic else np.ones(len(rows), np.bool_)
                rows[meant] += hubs.bias

        kernels.of(strip).walk.over_rows(add, len(strip), what="distances", block=16)

    return answering.answer(tiles, change, top_k=top_k)


class Hubs(NamedTuple):
    """What a bank says of every image: the ``bias`` (n,) float32 to add, and whether any of it ``named`` it."""

    bias: np.ndarray
    named: np.ndarray


def _hubs(pairs: Pairwise, beta: float, k: int, share: float) -> Hubs:
    """Of the gallery of these pairs, whose queries are the bank; in one set an image is not in its own bank."""
    bank, count = pairs.sizes
    peaks, totals, named = np.full(count, -np.inf), np.zeros(count), np.zeros(count, np.bool_)

    def take(strip: np.ndarray, rows: np.ndarray) -> None:
        if pairs.one_set:
            answering.set_own(strip, rows)
        kernel, own = kernels.of(strip), np.zeros(len(strip))
        kernel.walk.over_rows(
            lambda start, stop: kernel.hubness.add_to_columns(strip, -0.5 * beta, own, start, stop, peaks, totals),
            count,
            what="bank",
        )
        near = answering.smallest(strip, min(k, count)).rows
        named[near[near >= 0]] = True

    tiles = PairwiseTiles(pairs)
    answering.strips(tiles, take, what="bank")
    classes = tiles.layout.inverse[tiles.layout.border :]
    named = np.isin(classes, classes[named])  # copies of a hub are hubs
    there = totals > 0
    sums = np.where(there, peaks, 0) + np.log(np.where(there, totals, 1.0))
    bias = np.where(there, 1 + (sums - np.log(max(1, bank - pairs.one_set))) / beta, 0)
    return Hubs((share * bias).astype(np.float32), named)
