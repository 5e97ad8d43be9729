"""Is one ranking better than another, or was it luck? Answers from the average precision of the same queries.

Queries of one identity look for the same gallery images and are won or lost together. Counting them as
independent makes differences look surer than they are, so wherever identities are known whole identities are
drawn again (bootstrap) and change sides (permutation test).

Source: Efron, "Better Bootstrap Confidence Intervals", JASA 1987 (BCa), over clusters as in Davison and Hinkley,
"Bootstrap Methods and their Application", 1997, section 3.8; Smucker, Allan and Carterette, "A Comparison of
Statistical Significance Tests for Information Retrieval Evaluation", CIKM 2007 (permutations of AP); Holm, "A
Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 1979.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.scores.protocol import AVERAGES, DENOMINATORS
from postproc.base import checks

LEVEL, RESAMPLES = 0.95, 10_000
BLOCK = 1 << 20  # numbers drawn at a time
ROUNDING = 1e-12  # sums of numbers of 0 to 1 in another order


@dataclass(frozen=True)
class Difference:
    """What a second ranking gains over a first on the same queries.

    ``first``, ``second``: mean AP, ``difference`` is the second less the first, ``low`` and ``high`` the ends of
    its interval (NaN with fewer than two ``groups``), ``p`` the chance of a difference as large where there is
    none. ``queries`` counted, of ``groups`` identities; ``better``, ``worse``, ``equal``: queries by the second.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    better: int
    worse: int
    equal: int
    queries: int
    groups: int


def difference(
    first: ArrayLike,
    second: ArrayLike,
    pid: ArrayLike | None = None,
    *,
    denominator: str = "valid",
    average: str = "queries",
    independent: bool = False,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare two rankings of the same queries: means, interval, test, and how many queries changed.

    Takes:       first, second (n,) average precision, the same query in the same place, NaN: it has no match;
                 pid (n,) whole numbers, -1 unknown. Without pid every query stands for itself. A query of
                 unknown pid without a match in either was not scored, and is left out.
    denominator: ``valid`` leaves out a query without a match in either, ``all`` counts it as 0 where it has none.
    average:     over ``queries``, each once, or over ``identities``, each the mean of its queries.
    independent: take queries for independent of each other, instead of identities.
    level:       0.5 to 0.999, the share of intervals that hold the true difference.
    resamples:   100 or more draws, for the interval and for the test each.
    seed:        0 or more; the same seed gives the same numbers.
    Raises:      ValueError for other lengths and settings, and where no query is left.
    Cost:        about 0.1 s for a thousand identities.

    >>> found = difference([0.5, 0.25, 1.0], [1.0, 0.5, 1.0])
    >>> found.difference, found.p, found.better                  # signs of (0.5, 0.25): two of four are as large
    (0.25, 0.5, 2)
    """
    a, b = _precisions("first", first), _precisions("second", second)
    if len(a) != len(b):
        raise ValueError(f"first and second: wanted the same queries, got {len(a)} and {len(b)}")
    checks.one_of("denominator", denominator, tuple(DENOMINATORS))
    checks.one_of("average", average, tuple(AVERAGES))
    group = groups(pid, len(a))
    scored = ~unscored([a, b], pid)
    if denominator == "all":
        a, b = np.nan_to_num(a), np.nan_to_num(b)
    kept = scored & ~(np.isnan(a) | np.isnan(b))
    if not kept.any():
        raise ValueError("first and second: wanted a query with a match in both, got none")
    a, b, group = a[kept], b[kept], group[kept]
    change, weight = b - a, weights(average, group)
    group = np.arange(len(a)) if independent else group
    low, high = interval(change, group, weight, level=level, resamples=resamples, seed=seed)
    return Difference(
        first=_mean(a, weight),
        second=_mean(b, weight),
        difference=_mean(change, weight),
        low=low,
        high=high,
        p=p_value(change, group, weight, resamples=resamples, seed=seed),
        better=int((change > 0).sum()),
        worse=int((change < 0).sum()),
        equal=int((change == 0).sum()),
        queries=len(a),
        groups=len(np.unique(group)),
    )


def interval(
    values: ArrayLike,
    group: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Where the true mean of ``values`` lies: bias-corrected and accelerated (BCa) bootstrap over groups.

    Groups are drawn with replacement, ``T* = sum of values / number of values`` of what was drawn. The ends are
    the quantiles ``Phi(z0 + (z0 + z) / (1 - a (z0 + z)))`` of T*, with ``z = Phi^-1((1 ± level) / 2)``, ``z0``
    = Phi^-1 of the share of T* below the mean and ``a`` the skewness of the leave-one-group-out means, over 6.
    Differences of AP are skewed (most queries do not change, some change a lot), where plain percentiles are
    off to one side.

    Takes:   values (n,), finite; group (n,) labels, as pid (:func:`groups`); None: each value is its own; weight
             (n,) of each in the mean, as :func:`weights` has it; None: 1.
    Returns: the two ends; NaN where there are fewer than two groups.
    The settings are those of :func:`difference`.
    """
    checks.between("level", level, 0.5, 0.999)
    checks.whole("resamples", resamples, 100)
    sums, sizes = _by_group(values, group, weight)
    if len(sums) < 2:
        return float("nan"), float("nan")
    mean = sums.sum() / sizes.sum()
    drawn = drawn_means(values, group, weight, resamples=resamples, seed=seed)
    return accelerated(mean, drawn, (sums.sum() - sums) / (sizes.sum() - sizes), level=level)


def accelerated(found: float, drawn: Floats, without: Floats, *, level: float) -> tuple[float, float]:
    """The ends of a BCa interval of a number: ``drawn`` again, ``without`` each group; see :func:`interval`."""
    normal = NormalDist()
    below = np.mean(drawn < found - ROUNDING) + np.mean(np.abs(drawn - found) <= ROUNDING) / 2
    z0 = normal.inv_cdf(float(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn))))
    spread = without.mean() - without
    squares = float((spread**2).sum())
    a = 0.0 if squares <= ROUNDING**2 else float((spread**3).sum()) / (6 * squares**1.5)
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + normal.inv_cdf(tail)
        ends.append(normal.cdf(z0 + z / max(1 - a * z, ROUNDING)))
    low, high = np.quantile(drawn, ends)
    return float(low), float(high)


def drawn_means(
    values: ArrayLike,
    group: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """(resamples,) means of what is drawn: the groups, with replacement, as often as there are groups.

    Takes and settings as :func:`interval`.
    """
    sums, sizes = _by_group(values, group, weight)
    drawn = np.empty(resamples)
    for rows, random in blocks(resamples, len(sums), seed):
        chosen = random.integers(0, len(sums), (rows.stop - rows.start, len(sums)))
        drawn[rows] = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    return drawn


def p_value(
    values: ArrayLike,
    group: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """The chance of a mean at least as far from 0 where first and second are the same in truth (two-sided).

    Then the signs of a group's values might as well be the other ones: ``p`` is the share of all assignments of
    signs to groups with ``|sum of ± s_g| >= |sum of s_g|``. All of them are looked at where they are not more
    than ``resamples``, else so many random ones, and the true one: ``(1 + as large) / (1 + resamples)``.

    Takes and settings as :func:`interval`; groups whose values cancel out change nothing and are left out.
    """
    checks.whole("resamples", resamples, 100)
    sums, _ = _by_group(values, group, weight)
    sums = sums[np.abs(sums) > ROUNDING]
    as_large = abs(sums.sum()) - ROUNDING * len(sums)
    if len(sums) < int(resamples).bit_length():  # 2^groups <= resamples
        signs = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
        return float(np.mean(np.abs((signs * sums).sum(axis=1)) >= as_large))
    count = 0
    for rows, random in blocks(resamples, len(sums), seed):
        signs = 1 - 2 * random.integers(0, 2, (rows.stop - rows.start, len(sums)), np.int8)
        count += int((np.abs((signs * sums).sum(axis=1)) >= as_large).sum())
    return (1 + count) / (1 + resamples)


def holm(p: ArrayLike) -> Floats:
    """Correct p for being one of many: the i-th smallest of m times ``m - i + 1``, never below one before it.

    Takes:   p (m,), 0 to 1; NaN is a test that was not done and counts for nothing.
    Returns: (m,) corrected p. Calling those of 0.05 or less real, one or more is wrong 1 time in 20.

    >>> holm([0.01, 0.04, 0.03])                                  # 3 * 0.01; 2 * 0.03; not below that
    array([0.03, 0.06, 0.06])
    """
    given = np.asarray(p, np.float64)
    if given.ndim != 1 or (given < 0).any() or (given > 1).any():
        raise ValueError(f"p: wanted a list of numbers of 0 to 1, got {p!r}")
    order = np.argsort(given, kind="stable")[: np.count_nonzero(~np.isnan(given))]  # NaN is sorted to the end
    corrected = np.full(len(given), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)), 1)
    return corrected


def finite(value: float | None) -> float | None:
    """The number; None for NaN, which JSON does not know."""
    return None if value is None or math.isnan(value) else value


def unscored(precisions: Sequence[ArrayLike], pid: ArrayLike | None) -> Bools:
    """(n,) the queries of unknown pid (-1) that have no AP in any of the rankings: they were not scored."""
    missing: Bools = np.logical_and.reduce([np.isnan(np.asarray(ap, np.float64)) for ap in precisions])
    if pid is None:
        return np.zeros(len(missing), bool)
    found: Bools = missing & (checks.labels("pid", pid, len(missing)) < 0)
    return found


def groups(pid: ArrayLike | None, count: int) -> Ints:
    """(count,) group numbers: one a pid; an unknown pid (-1), or all where pid is None, each by itself."""
    if pid is None:
        return np.arange(count)
    known = checks.labels("pid", pid, count)
    number = np.unique(known, return_inverse=True)[1]
    return np.where(known < 0, count + np.arange(count), number)


def weights(average: str, pid: ArrayLike) -> Floats:
    """(n,) how much each query counts in a mean: 1, or, over ``identities``, 1 / the queries of its identity.

    >>> weights("identities", [7, 7, 8])
    array([0.5, 0.5, 1. ])
    """
    checks.one_of("average", average, tuple(AVERAGES))
    group = groups(pid, np.size(pid))
    if average == "queries":
        return np.ones(len(group))
    _, number, count = np.unique(group, return_inverse=True, return_counts=True)
    found: Floats = 1 / count[number.reshape(-1)]
    return found


def _mean(values: Floats, weight: Floats) -> float:
    return float((values * weight).sum() / weight.sum())


def _by_group(
    values: ArrayLike, group: ArrayLike | None, weight: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Sum of the values of every group, and what they weigh."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"values: wanted a list of finite numbers, got shape {array.shape} or NaN or infinity")
    number = np.unique(groups(group, len(array)), return_inverse=True)[1]
    weigh = np.ones(len(array)) if weight is None else np.asarray(weight, np.float64)
    sums, sizes = np.bincount(number, array * weigh), np.bincount(number, weigh)
    return sums.astype(np.float64), sizes.astype(np.float64)


def blocks(resamples: int, width: int, seed: int) -> list[tuple[slice, np.random.Generator]]:
    """The resamples in pieces that fit in memory, all from one stream of random numbers."""
    checks.whole("seed", seed, 0)
    random = np.random.Generator(np.random.PCG64(seed))
    step = max(1, BLOCK // max(width, 1))
    return [(slice(start, min(start + step, resamples)), random) for start in range(0, resamples, step)]


def _precisions(name: str, value: ArrayLike) -> Floats:
    array = np.asarray(value, np.float64)
    if array.ndim != 1 or (array < 0).any() or (array > 1).any():
        raise ValueError(f"{name}: wanted a list of numbers of 0 to 1, or NaN, got {value!r}")
    return array
