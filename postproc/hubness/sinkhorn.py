"""Sinkhorn normalisation: every gallery image has one share of nearness to give, every query one to get.

Sources: Cuturi, "Sinkhorn Distances", NIPS 2013; Smith et al., "Offline Bilingual Word Vectors, Orthogonal
Transformations and the Inverted Softmax", ICLR 2017, which is the first half of the first round.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Count, Neutral, TopK, Weight, Within
from postproc.base.sizes import DOUBLE, Sizes
from postproc.base.step import KEPT, Chosen, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query
from postproc.hubness.means import scale_and_add
from postproc.pairs import held, kept, nearest, pairwise, spent
from postproc.pairs.layout import SMALLEST, STRIP
from postproc.pairs.nearest import Change
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles

SHARES, SHARES_ON_CUDA = 16 << 20, 512 << 20  # bytes of what some rows share out


def _shares(sizes: Sizes, chosen: Chosen) -> int:
    """What some rows share out."""
    return min(SHARES, DOUBLE * sizes.nq * sizes.ng)


Walk = Callable[[Change], None]  # calls with one strip of distances after the other; they are not to be written


@step(
    memory=held.compared(held.if_whole(held.some_rows), _shares, kept.beside, unit=True),
    work=spent.together(
        spent.across(), spent.nearest, spent.for_setting("half_rounds", spent.matrix(2)), spent.read(120)
    ),
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
    Cost:    one product of queries by gallery, and half as many exponentials a pair as ``half_rounds``; memory:
             the answer, a few numbers an image, one strip of 128 MiB and 16 MiB of shares. With ``top_k``
             distances are kept between rounds, up to 4 GiB, half of the memory that is free and what
             ``using(memory=…)`` says; those that find no room are computed 1 + half_rounds / 2 times. The
             answer of a query depends on the other queries.

    >>> q, g = np.eye(2, dtype=np.float32), np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    >>> np.exp(-sinkhorn(q, g, temperature=0.5, half_rounds=1) / 0.5).round(3)
    array([[0.881, 0.401],
           [0.119, 0.599]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    tiles = PairwiseTiles(pairs)
    filled = None if top_k is not None else nearest.everything(tiles)
    if filled is not None and pairs.one_set:
        nearest.set_own(filled, np.arange(len(filled)))
    strips = kept.Strips(tiles, what="scaling")

    def walk(use: Change) -> None:
        def without_own(strip: np.ndarray, queries: np.ndarray) -> None:
            nearest.set_own(strip, queries)
            use(strip, queries)

        if filled is None:
            strips.walk(without_own if pairs.one_set else use)
        else:
            _walk(filled, tiles.layout.queries[1], use)  # in the order of the strips, for the same bits

    single = temperature <= 1  # times a step of float32 it is less than what c may be off by
    scale = _scaling(walk, pairs.like, pairs.sizes, 0.5, temperature, half_rounds, single=single)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if pairs.one_set:
            nearest.set_own(strip, queries)
        scale(strip, queries)

    return nearest.answer(tiles, change, top_k=top_k, filled=filled, walk=strips.walk if half_rounds else None)


@step(
    unit=KEPT,
    memory=held.together(held.slab, held.some_rows, _shares),
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
    Everything else as in :func:`sinkhorn`. Cost: half as many exponentials a pair as ``half_rounds``; a few
    numbers an image, one strip of 128 MiB and 16 MiB of shares beside the answer.

    >>> far = np.array([[0.0, np.inf], [1.0, 1.0]], np.float32)
    >>> sinkhorn_distances(far, temperature=1.0, half_rounds=1).round(3)
    array([[0.313,   inf],
           [1.313, 0.   ]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    checks.not_empty("distances", given)
    nq, ng = given.shape

    walk = partial(_walk, given, np.arange(nq))
    single = temperature <= _largest(given)  # as in sinkhorn
    change = _scaling(walk, given, (nq, ng), 1.0, temperature, half_rounds, single=single)

    def fill(strip: np.ndarray, queries: np.ndarray) -> None:
        arrays.take(given, queries, strip)
        change(strip, queries)

    return nearest.answer_without_distances(nq, ng, fill, top_k=top_k, like=given)


def _walk(matrix: Floats, order: np.ndarray, use: Change) -> None:
    """Call with some rows of a matrix after the other."""
    tall = max(1, STRIP // (4 * matrix.shape[1]))
    for start in range(0, len(order), tall):
        some = order[start : start + tall]
        beside = bool((np.diff(some) == 1).all())  # these need no copy
        use(matrix[some[0] : some[-1] + 1] if beside else matrix[some], some)


def _scaling(
    walk: Walk,
    like: Floats,
    sizes: tuple[int, int],
    unit: float,
    temperature: float,
    half_rounds: int,
    *,
    single: bool,
) -> Change:
    """The change from distances D, c being ``unit`` D, to the scaled ones; all but the last rows are found here.

    Logarithms of the factors are what is kept. One walk scales some rows, by the columns so far, and what these
    rows then share out goes to the columns' new sums: one exponential a pair. ``single``: of float32.
    """
    kernel, xp = kernels.of(like), arrays.namespace(like)
    scale = -unit / float(temperature)
    rows, columns = (arrays.full(size, 0, np.float64, like) for size in sizes)
    room = (SHARES_ON_CUDA if arrays.on_cuda(like) else SHARES) // ((4 if single else 8) * sizes[1])
    some = min(sizes[0], max(1, room))

    def first_columns() -> np.ndarray:
        """Of unscaled rows: no column has a largest share that is known beforehand."""
        peaks, totals = (arrays.full(sizes[1], value, np.float64, like) for value in (-np.inf, 0))

        def take(strip: np.ndarray, queries: np.ndarray) -> None:
            own = rows[queries]

            def add(start: int, stop: int) -> None:
                kernel.hubness.add_to_columns(strip, scale, own, start, stop, peaks, totals)

            kernel.walk.over_rows(add, sizes[1], what="scaling")

        walk(take)
        return _factors(peaks + xp.log(xp.where(totals > 1, totals, 1.0)))

    def next_columns() -> np.ndarray:
        """Of rows scaled by the columns so far, which :data:`rows` become."""
        totals = arrays.full(sizes[1], 0, np.float64, like)
        shares = arrays.empty((some, sizes[1]), np.float32 if single else np.float64, like)

        def take(strip: np.ndarray, queries: np.ndarray) -> None:
            for start in range(0, len(strip), some):
                take_some(strip[start : start + some], queries[start : start + some])

        def take_some(strip: np.ndarray, queries: np.ndarray) -> None:
            own = shares[: len(strip)]
            peaks, sums = (arrays.empty(len(strip), np.float64, strip) for _ in range(2))

            def share(start: int, stop: int) -> None:
                kernel.hubness.shares_of_rows(strip, scale, columns, start, stop, own, peaks, sums)

            kernel.walk.over_rows(share, len(strip), what="scaling")
            there = sums > 0
            sums[~there] = 1
            rows[queries] = xp.where(there, -peaks - xp.log(sums), 0.0)
            weights = 1 / sums

            def add(start: int, stop: int) -> None:
                kernel.hubness.add_shares(own, weights, start, stop, totals)

            kernel.walk.over_rows(add, sizes[1], what="scaling")

        walk(take)
        return columns - xp.log(xp.where(totals > 0, totals, 1.0))

    for turn in range((half_rounds + 1) // 2):
        columns = next_columns() if turn else first_columns()

    def row_factors(strip: np.ndarray) -> np.ndarray:
        sums = arrays.empty(len(strip), np.float64, strip)

        def fill(start: int, stop: int) -> None:
            kernel.hubness.log_sums_of_rows(strip, scale, columns, start, stop, sums)

        kernel.walk.over_rows(fill, len(strip), what="scaling")
        return _factors(sums)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        last = row_factors(strip) if half_rounds and half_rounds % 2 == 0 else rows[queries]
        scale_and_add(strip, unit, -temperature * last, -temperature * columns)

    return change


def _largest(matrix: Floats) -> float:
    """The size of the largest finite entry."""
    xp = arrays.namespace(matrix)
    parts = (matrix[start : start + SMALLEST] for start in range(0, len(matrix), SMALLEST))
    return max(float(xp.max(xp.where(part < np.inf, xp.abs(part), xp.zeros_like(part)))) for part in parts)


def _factors(log_sums: np.ndarray) -> np.ndarray:
    """Logarithms of what makes the sums one; 0 where there is nothing to sum."""
    return arrays.namespace(log_sums).where(log_sums == -np.inf, 0.0, -log_sums)
