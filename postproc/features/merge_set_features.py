"""Query expansion that repels as well: towards the nearest images, away from the next nearest.

Source: the first place of VisDA 2020 in domain-adaptive person re-identification (vimar-gu/
Bias-Eliminate-DA-ReID, arXiv 2012.10498) and of AI City 2021 (DMT), whose code calls it ``mergesetfeat``.
"""

from dataclasses import replace
from math import log
from typing import Annotated

import numpy as np

from postproc.base import arrays, checks, machine
from postproc.base.settings import Count, Neighbours, Neutral, Number, Weight, Within
from postproc.base.sizes import BLOCK, DOUBLE, Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Gallery, Query, Sides
from postproc.base.work import Work
from postproc.features.expansion import add_neighbours
from postproc.pairs import held, one_sided
from postproc.pairs.forecast import FEWEST, NARROWEST
from postproc.pairs.l2_normalize import l2_normalize


def _weights(sizes: Sizes, chosen: Chosen) -> int:
    """What makes weights of similarities, some rows at a time."""
    return 6 * DOUBLE * min(BLOCK, sizes.ng) * 2 * int(chosen["k"])


def _work(sizes: Sizes, chosen: Chosen) -> Work:
    """Neighbours of all images in the gallery, and sums of them, in every round.

    From so many images and values on by whole numbers, where the processor can, but never less than the fewest of
    these take without.
    """
    if not (machine.int8() and sizes.ng >= FEWEST and sizes.width >= NARROWEST):
        return int(chosen["rounds"]) * _by_tiles(sizes, _listed(chosen))
    fewest = _by_tiles(replace(sizes, ng=FEWEST, nq=sizes.images - sizes.ng, one_set=False), _listed(chosen))
    pairs = sizes.images * sizes.ng
    found = Work(
        products=max(fewest.products, 0.35 * pairs * sizes.width),
        entries=max(fewest.entries, 0.2 * pairs),
        bytes=sizes.features * (72 + 2.9 * _listed(chosen)),
    )
    return int(chosen["rounds"]) * found


def _by_tiles(sizes: Sizes, listed: int) -> Work:
    """A round of float32 products, looks at all of them, and lists."""
    pairs, k = sizes.images * sizes.ng, max(1, min(listed, sizes.ng))
    kept = sizes.images * k * (1 + log(max(1.0, sizes.ng / k)))
    read = sizes.features * (38 + 0.73 * k)
    return Work(products=pairs * sizes.width, entries=2.8 * pairs + 10 * kept, bytes=read)


def _listed(chosen: Chosen) -> int:
    """How many neighbours an image has."""
    return int(chosen["k"]) * (2 if chosen["repel"] else 1)


@step(
    memory=held.together(
        held.features,
        held.gallery,
        held.of_gallery(held.together(held.walk, held.strips)),
        held.lists("k", factor=3, side="ng"),
        _weights,
    ),
    work=_work,
)
def merge_set_features(
    query: Query,
    gallery: Gallery | None = None,
    *,
    k: Neighbours = 50,
    beta: Annotated[Weight, Within(0.001, 1000)] = 0.03,
    step: Annotated[Number, Within(0, 10), Neutral(0.0)] = 0.2,
    rounds: Annotated[Count, Neutral(0)] = 3,
    repel: bool = True,
) -> Sides:
    """Pull every image towards its ``k`` nearest and push it away from the ``k`` that follow.

    ``x <- x + step * (sum_{r <= k} a_r y_r - mean_{k < r <= 2k} y_r)``, then ``x / |x|``, where y_r is the r-th
    nearest image of a bank with similarity s_r > 0 and ``a_r = exp(s_r / beta) / sum_{r <= k} exp(s_r / beta)``.
    First the gallery, ``rounds`` times, its bank being the gallery as given (an image is its own nearest in the
    first round); then the queries, ``rounds`` times, their bank being the new gallery.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length first; similarity is the cosine. Or
             one set (n, d), which moves as the gallery does: towards the set as given, and each image is in that
             once.
    Returns: both, float32 of unit length; of one set (n, d).
    k:       1 or more. About as many as an identity has images; what follows should be somebody else. Only images
             of positive similarity count: where there are fewer than k or 2k, those there are pull or push.
    beta:    0.001 to 1000. Small: only the very nearest pull; large: all k alike.
    step:    0 to 10; 0 changes nothing.
    rounds:  0 or more; 0 changes nothing.
    repel:   push as well; if not, it is query expansion with a soft choice of neighbours.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    gallery by gallery and query by gallery products, each ``rounds`` times, in the first of gallery by
             gallery each pair once, and 2k rows gathered an image; where the processor can and 2k are few of the
             bank, products are of whole numbers and some hundred distances an image are computed. Memory: lists
             and weights of 2k.
    Differs: every image counts its own neighbours. In the released code a row with fewer than ``k`` similar images
             lowers k for all rows after it, so that results hang on the order of rows;
             :func:`postproc.compat.mergesetfeat` does that too.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8]], np.float32)
    >>> merge_set_features(q, g, k=1, rounds=1)[1].round(3)  # x + 0.2 (x - the other), over the length
    array([[0.832, 0.555],
           [0.555, 0.832]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = arrays.together(*checks.sides_or_one(query, gallery, cuda=True))
    if step == 0 or rounds == 0:
        return query if one_set else (query, gallery)
    bank = l2_normalize(gallery)
    gallery, near = bank, None
    for _ in range(rounds):
        gallery, near = merge(gallery, bank, near, k=k, beta=beta, step=step, repel=repel)
    if one_set:
        return gallery
    query, near = l2_normalize(query), None
    for _ in range(rounds):
        query, near = merge(query, gallery, near, k=k, beta=beta, step=step, repel=repel)
    return query, gallery


def merge(
    images: np.ndarray,
    bank: np.ndarray,
    near: np.ndarray | None = None,
    *,
    k: int,
    beta: float,
    step: float,
    repel: bool = True,
    shrinking: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """One round of ``images`` (n, d) by a ``bank`` (m, d), all unit; and the rows of the bank that were nearest,
    which are ``near`` in the next round. ``shrinking``: rows lower k for the later."""
    xp = arrays.namespace(bank)
    known = xp.any(bank, axis=1)  # zero rows are similar to nobody
    if not known.any():
        return images, None
    if not known.all():
        bank = bank[known]
    found = one_sided.of_images(images, bank, 2 * k if repel else k, near)
    similar = 1 - found.distances / 2
    similar[~xp.any(images, axis=1)] = 0
    positive = similar > 0
    reach = np.full(len(images), k)
    if shrinking:
        counts = arrays.host(positive.sum(axis=1))
        reach = np.minimum.accumulate(np.where(counts > 0, np.minimum(counts, k), k))
    reach = arrays.beside(reach, similar)
    weights = xp.empty_like(similar)
    for part in arrays.blocks(similar, 1024):
        weights[part] = step * _pull_and_push(similar[part], positive[part], reach[part, None], beta)
    return l2_normalize(add_neighbours(images, bank, found.rows, weights)), found.rows


def _pull_and_push(similar: np.ndarray, positive: np.ndarray, reach: np.ndarray, beta: float) -> np.ndarray:
    """(n, 2k) weights of sum 1 on the first ``reach`` positive ones, and of sum -1 on as many that follow."""
    xp = arrays.namespace(similar)
    place = positive.cumsum(axis=1)  # 1 for the first that is positive
    near = positive & (place <= reach)
    far = arrays.as_type(positive & (place > reach) & (place <= 2 * reach), np.float64)
    similar = arrays.as_type(similar, np.float64)
    below = similar - xp.max(similar, axis=1, keepdims=True)  # the nearest weighs 1, none overflows
    pull = xp.where(near, xp.exp(below / beta), 0.0)
    pull /= xp.maximum(pull.sum(axis=1, keepdims=True), 1.0)
    return pull - far / xp.maximum(far.sum(axis=1, keepdims=True), 1.0)
