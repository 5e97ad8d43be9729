"""Sinkhorn normalisation: every gallery image has one share of nearness to give, every query one to get.

Sources: Cuturi, "Sinkhorn Distances", NIPS 2013; Smith et al., "Offline Bilingual Word Vectors, Orthogonal
Transformations and the Inverted Softmax", ICLR 2017, which is the first half of the first round.
"""

from functools import partial
from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Neutral, TopK, Weight, Within
from postproc.base.sizes import DOUBLE, Sizes
from postproc.base.step import KEPT, Chosen, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query
from postproc.base.work import Work
from postproc.hubness import factors
from postproc.hubness.means import scale_and_add
from postproc.pairs import answering, held, kept, pairwise, remembered, spent
from postproc.pairs.answering import Change
from postproc.pairs.layout import SMALLEST, STRIP
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles


def _shares(sizes: Sizes, chosen: Chosen) -> int:
    """What some rows share out."""
    return min(factors.SHARES, DOUBLE * sizes.nq * sizes.ng)


def _rounds(sizes: Sizes, chosen: Chosen) -> Work:
    """What the half rounds do, where exponentials are kept and where they are not."""
    if factors.hold(2 / chosen["temperature"], chosen["half_rounds"]):
        return spent.matrix(7 + 0.5 * chosen["half_rounds"])(sizes, chosen)
    return spent.matrix(2.0 * chosen["half_rounds"])(sizes, chosen)


@step(
    memory=held.compared(held.if_whole(held.some_rows), _shares, kept.beside, unit=True),
    work=spent.together(spent.across(), spent.nearest, _rounds, spent.read(120)),
)
def sinkhorn(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    temperature: Annotated[Weight, Within(0.0001, 1e6)] = 0.05,
    half_rounds: Annotated[Count, Neutral(0)] = 20,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Scale exp(-c / temperature) until its columns and its rows sum to one, and take it back to a distance.

    ``out = c - temperature (a_q + b_g)``, c = 1 - cosine; ``exp(-out / temperature)`` is the scaled matrix.
    The columns are scaled first, then the rows, in turn.

    Takes:   query (nq, d), gallery (ng, d) float32, of any length. Or one :class:`Pairwise` in their place, half
             of whose distance is then c: 1 - cosine for squared Euclidean distance of unit features. One set
             (n, d) alone is each image against all others: no image has a share of its own, the diagonal is 0.
    Returns: (nq, ng) float32, in units of c, smaller is nearer; with ``top_k`` the :class:`Nearest` of every
             query instead: the first ``top_k`` of the full answer, which never exists. Of one set (n, n), +inf on
             the diagonal; columns and rows are scaled in turn, so it is symmetric in the limit only.
    temperature: 0.0001 to 1,000,000, in units of c. Small: an image shares with its nearest alone, towards an
             assignment, and a round moves a distance by a few temperatures only; large: what is taken off a
             distance is the mean of its row and of its column.
    half_rounds: 0 or more scalings. 0: c itself. 1: columns once, the inverted softmax of ``1 / temperature``.
             Odd numbers end with columns, even ones with rows. With more images on one side than on the other
             both sums cannot be one: rows and columns then differ by the factor nq / ng after any number.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    one product of queries by gallery; a pair: an exponential, a logarithm, half_rounds multiply-adds;
             memory: the answer, a few numbers an image, one strip of 128 MiB and 16 MiB of shares. With
             ``top_k`` exponentials are kept between rounds, up to 4 GiB, half of the memory that is free and
             what ``using(memory=…)`` says; those that find no room are computed half_rounds / 2 times. Below a
             temperature of 0.025, for a ``Pairwise``, below 6 half rounds and on CUDA every round has its own
             exponentials. The answer of a query depends on the other queries.

    >>> q, g = np.eye(2, dtype=np.float32), np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    >>> np.exp(-sinkhorn(q, g, temperature=0.5, half_rounds=1) / 0.5).round(3)
    array([[0.881, 0.401],
           [0.119, 0.599]], dtype=float32)
    """
    bounded = not isinstance(query, Pairwise)  # by 2; nobody knows what else distances may be
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    tiles, scale = PairwiseTiles(pairs), -0.5 / temperature
    if bounded and factors.are_kept(pairs.like, 2 / temperature, half_rounds):
        return _by_shares(tiles, temperature, half_rounds, top_k)
    filled = None if top_k is not None else answering.everything(tiles)
    if filled is not None and pairs.one_set:
        answering.set_own(filled, np.arange(len(filled)))
    elsewhere = arrays.on_cuda(pairs.like) or remembered.current() is not None
    strips = kept.Strips(partial(_distances_of_tiles, tiles), 0 if elsewhere else kept.room())

    def walk(use: Change) -> None:
        def without_own(strip: np.ndarray, queries: np.ndarray) -> None:
            answering.set_own(strip, queries)
            use(strip, queries)

        if filled is None:
            strips.walk(without_own if pairs.one_set else use)
        else:
            _walk(filled, tiles.layout.queries[1], use)  # in the order of the strips, for the same bits

    single = temperature <= 1  # times a step of float32 it is less than what c may be off by
    found = factors.by_logarithms(walk, pairs.like, pairs.sizes, scale, half_rounds, single=single)
    change = _change(found, 0.5, temperature, half_rounds, pairs.one_set)
    return answering.answer(tiles, change, top_k=top_k, filled=filled, walk=strips.walk if half_rounds else None)


def _by_shares(tiles: PairwiseTiles, temperature: float, half_rounds: int, top_k: int | None) -> Floats | Nearest:
    """By exponentials that take the place of distances, and are taken back at the end."""
    layout, scale = tiles.layout, -0.5 / temperature
    filled = None if top_k is not None else answering.everything(tiles)
    if filled is None:
        walk = kept.Strips(partial(_shares_of_tiles, tiles, scale), kept.room()).walk
    else:
        if layout.one_set:
            answering.set_own(filled, np.arange(len(filled)))
        factors.exponentials(filled, scale)
        walk = partial(_walk, filled, layout.queries[1])  # in the order of the strips, for the same bits
    rows, columns = factors.by_shares(walk, (layout.nq, layout.ng), half_rounds)

    def change(shares: np.ndarray, queries: np.ndarray) -> None:
        factors.distances(shares, -temperature, rows[queries] if half_rounds % 2 else None, columns)

    return answering.answer(tiles, change, top_k=top_k, filled=filled, walk=None if filled is not None else walk)


@step(
    unit=KEPT,
    memory=held.together(held.slab, held.some_rows, _shares, kept.beside),
    work=spent.together(spent.nearest, spent.for_setting("half_rounds", spent.matrix(2))),
)
def sinkhorn_distances(
    distances: Distances,
    *,
    temperature: Annotated[Weight, Within(0.0001, 1e6)] = 0.05,
    half_rounds: Annotated[Count, Neutral(0)] = 20,
    top_k: TopK = None,
) -> Distances | Nearest:
    """:func:`sinkhorn` for distances that exist already, of any kind: they are c.

    Takes:   distances (nq, ng) float32, any unit; +inf entries stay +inf and get no share. One set against itself
             has +inf on its diagonal.
    temperature: as there, in the unit of the distances.
    Everything else as in :func:`sinkhorn`. Cost: two exponentials a pair and half_rounds multiply-adds, where the
    largest distance is 80 temperatures or less, else half_rounds / 2 exponentials; exponentials in the place of
    the answer, with ``top_k`` as there, a few numbers an image, one strip of 128 MiB and 16 MiB of shares.

    >>> far = np.array([[0.0, np.inf], [1.0, 1.0]], np.float32)
    >>> sinkhorn_distances(far, temperature=1.0, half_rounds=1).round(3)
    array([[0.313,   inf],
           [1.313, 0.   ]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    checks.not_empty("distances", given)
    nq, ng = given.shape

    largest, scale = _largest(given), -1 / temperature
    if factors.are_kept(given, largest / temperature, half_rounds):
        most = given.nbytes if top_k is None else kept.room()
        strips = kept.Strips(partial(_shares_of_matrix, given, scale), most)
        found = factors.by_shares(strips.walk, (nq, ng), half_rounds)
        del strips  # before there is an answer
    else:
        walk = partial(_walk, given, np.arange(nq))
        single = temperature <= largest  # as in sinkhorn
        found = factors.by_logarithms(walk, given, (nq, ng), scale, half_rounds, single=single)
    change = _change(found, 1.0, temperature, half_rounds)

    def fill(strip: np.ndarray, queries: np.ndarray) -> None:
        arrays.take(given, queries, strip)
        change(strip, queries)

    return answering.answer_without_distances(nq, ng, fill, top_k=top_k, like=given)


def _walk(matrix: Floats, order: np.ndarray, use: Change) -> None:
    """Call with some rows of a matrix after the other."""
    tall = max(1, STRIP // (4 * matrix.shape[1]))
    for start in range(0, len(order), tall):
        some = order[start : start + tall]
        beside = bool((np.diff(some) == 1).all())  # these need no copy
        use(matrix[some[0] : some[-1] + 1] if beside else matrix[some], some)


def _distances_of_tiles(tiles: PairwiseTiles, use: Change, asked: np.ndarray | None) -> None:
    answering.strips(tiles, use, what="scaling", asked=asked)


def _shares_of_tiles(tiles: PairwiseTiles, scale: float, use: Change, asked: np.ndarray | None) -> None:
    """Call with exp(scale D) of some queries after the others; no image of one set has a share of its own."""

    def take(strip: np.ndarray, queries: np.ndarray) -> None:
        if tiles.layout.one_set:
            answering.set_own(strip, queries)
        factors.exponentials(strip, scale)
        use(strip, queries)

    answering.strips(tiles, take, what="scaling", asked=asked)


def _shares_of_matrix(matrix: Floats, scale: float, use: Change, asked: np.ndarray | None) -> None:
    """The same of distances that are there already."""

    def take(strip: np.ndarray, queries: np.ndarray) -> None:
        shares = strip.copy()
        factors.exponentials(shares, scale)
        use(shares, queries)

    _walk(matrix, np.arange(len(matrix)) if asked is None else asked, take)


def _change(
    found: factors.Factors, unit: float, temperature: float, half_rounds: int, one_set: bool = False
) -> Change:
    """The change from distances D, c being ``unit`` D, to the scaled ones; the last rows are found here."""
    rows, columns = found

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if one_set:
            answering.set_own(strip, queries)
        ends_with_rows = half_rounds and half_rounds % 2 == 0
        last = factors.of_rows(strip, -unit / temperature, columns) if ends_with_rows else rows[queries]
        scale_and_add(strip, unit, -temperature * last, -temperature * columns)

    return change


def _largest(matrix: Floats) -> float:
    """The size of the largest finite entry."""
    xp = arrays.namespace(matrix)
    parts = (matrix[start : start + SMALLEST] for start in range(0, len(matrix), SMALLEST))
    return max(float(xp.max(xp.where(part < np.inf, xp.abs(part), xp.zeros_like(part)))) for part in parts)
