"""What rows and columns of exp(scale D) are multiplied by so that their sums are one, as logarithms.

In two ways. By shares: the exponentials are computed once, in float32, and a half round is a product with a
vector. By logarithms: every round computes them anew, less what is largest in a row, whatever their size.
"""

from collections.abc import Callable

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.vocabulary import Floats
from postproc.pairs.answering import Change

SHARES, SHARES_ON_CUDA = 16 << 20, 512 << 20  # bytes of what some rows share out
EXPONENT = 80.0  # the largest that has an exponential in float32, and its inverse; some room is left
DRIFT = 300.0  # what is common to columns: rows take it over, so that nothing else changes
OFTEN = 6  # half rounds, from which on it pays to keep exponentials

Walk = Callable[[Change], None]  # calls with one strip after the other; they are not to be written
Factors = tuple[np.ndarray, np.ndarray]  # logarithms, (nq,) and (ng,) float64; 0 where there is nothing to sum


def are_kept(like: Floats, largest: float, half_rounds: int) -> bool:
    """Whether exponentials are kept: on the host alone."""
    return not arrays.on_cuda(like) and hold(largest, half_rounds)


def hold(largest: float, half_rounds: int) -> bool:
    """Whether float32 holds exponentials whose largest exponent this is, and it pays to keep them. Where it is
    below 1, float32 would be too coarse.
    """
    return 1 <= largest <= EXPONENT and half_rounds >= OFTEN


def by_shares(walk: Walk, sizes: tuple[int, int], half_rounds: int) -> Factors:
    """``walk`` is over exp(scale D), see :func:`exponentials`. Where rows are the last, these are not found."""
    kernel = kernels.of(np.empty(0, np.float32))
    rows, columns = (np.zeros(size) for size in sizes)
    tall = max(1, SHARES // (4 * sizes[1]))

    def half_rounds_of(totals: np.ndarray, weights: np.ndarray | None) -> Change:
        def take_some(shares: np.ndarray, queries: np.ndarray) -> None:
            sums = np.ones(len(shares))
            if weights is not None:

                def add_up(start: int, stop: int) -> None:
                    kernel.hubness.weighted_sums(shares, weights, start, stop, sums)

                kernel.walk.over_rows(add_up, len(shares), what="scaling")
                sums[sums <= 0] = 1
                rows[queries] = -np.log(sums)

            def add(start: int, stop: int) -> None:
                kernel.hubness.add_shares(shares, 1 / sums, start, stop, totals)

            kernel.walk.over_rows(add, sizes[1], what="scaling")

        def take(shares: np.ndarray, queries: np.ndarray) -> None:
            for start in range(0, len(shares), tall):
                take_some(shares[start : start + tall], queries[start : start + tall])

        return take

    for turn in range((half_rounds + 1) // 2):
        totals = np.zeros(sizes[1])
        walk(half_rounds_of(totals, np.exp(columns) if turn else None))
        columns = np.where(totals > 0, -np.log(np.where(totals > 0, totals, 1.0)), 0.0)
        if np.abs(columns).max() > DRIFT:  # with rows more or fewer than columns they move on every round
            common = columns.mean()
            rows, columns = rows + common, columns - common
    return rows, columns


def exponentials(strip: Floats, scale: float) -> None:
    """``strip <- exp(scale strip)``."""
    kernel = kernels.of(strip)

    def fill(start: int, stop: int) -> None:
        kernel.hubness.exponentials(strip, scale, start, stop)

    kernel.walk.over_rows(fill, len(strip), what="scaling")


def distances(shares: Floats, scale: float, rows: np.ndarray | None, columns: np.ndarray) -> None:
    """Turn some rows of exp(D / scale) into ``scale (log share + row + column)``, ``scale`` below 0.

    rows: their factors; None: those that make their sums one.
    """
    kernel, sums = kernels.of(shares), np.ones(len(shares))
    if rows is None:
        weights = np.exp(columns)

        def add_up(start: int, stop: int) -> None:
            kernel.hubness.weighted_sums(shares, weights, start, stop, sums)

        kernel.walk.over_rows(add_up, len(shares), what="scaling")
        sums[sums <= 0] = 1
    factors = -np.log(sums) if rows is None else rows

    def fill(start: int, stop: int) -> None:
        kernel.hubness.distances_of_shares(shares, scale, factors, columns, start, stop)

    kernel.walk.over_rows(fill, len(shares), what="scaling")


def by_logarithms(
    walk: Walk, like: Floats, sizes: tuple[int, int], scale: float, half_rounds: int, *, single: bool
) -> Factors:
    """One walk scales some rows, by the columns so far, and what these rows then share out goes to the columns'
    new sums: one exponential a pair. ``single``: of float32. Where rows are the last, these are not found.
    """
    kernel, xp = kernels.of(like), arrays.namespace(like)
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

    return rows, columns


def of_rows(strip: Floats, scale: float, columns: np.ndarray) -> np.ndarray:
    """The logarithms for some rows of distances, by the columns."""
    kernel, sums = kernels.of(strip), arrays.empty(len(strip), np.float64, strip)

    def fill(start: int, stop: int) -> None:
        kernel.hubness.log_sums_of_rows(strip, scale, columns, start, stop, sums)

    kernel.walk.over_rows(fill, len(strip), what="scaling")
    return _factors(sums)


def _factors(log_sums: np.ndarray) -> np.ndarray:
    """Logarithms of what makes the sums one; 0 where there is nothing to sum."""
    return arrays.namespace(log_sums).where(log_sums == -np.inf, 0.0, -log_sums)
