"""How well clusters say who belongs together: chance-corrected indices, pairs, B-cubed, purity.

Of images whose identity is known. With n images, a of one's identity, b of its cluster and m of both, everything
is made of means over images:

* pairs: a pair is right if both are of one cluster and of one identity; ``precision = sum (m - 1) / sum (b - 1)``,
  ``recall = sum (m - 1) / sum (a - 1)``, F1 their harmonic mean;
* B-cubed: ``precision = mean m / b``, ``recall = mean m / a`` (Bagga and Baldwin 1998; Amigó and others 2009);
* purity: the share of images of which their cluster has most;
* ARI: the right pairs beyond those of chance, ``(t - e) / ((p + q) / 2 - e)``, ``e = p q / all`` (Hubert and
  Arabie 1985);
* NMI, AMI: mutual information ``I = mean log(n m / (a b))`` over the mean of both entropies, for AMI less what
  chance gives (Vinh, Epps and Bailey 2010).

The same as scikit-learn's. They are computed here because a threshold is fitted over hundreds of them, and because
an interval draws identities again, thousands of times: an identity that is drawn twice counts twice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.base.kinds import Floats, Ints
from ensemble.scores import statistics
from postproc.base import checks
from postproc.clusters.numbering import apart

ADJUSTED = ("ari", "ami", "nmi")
PAIRS = ("pair_precision", "pair_recall", "pair_f1")
B_CUBED = ("bcubed_precision", "bcubed_recall", "bcubed_f1")
MEASURES = (*ADJUSTED, *PAIRS, *B_CUBED, "purity")
RESAMPLES = 2000
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class ClusterScores:
    """Scores by their name in :data:`MEASURES`, NaN where there is nothing to score, and what they are of.

    ``images`` of known identity of ``identities`` in ``clusters``, of which ``alone`` have one image; ``unknown``
    images are not scored. ``drawn`` (resamples, measures) are the scores of identities that were drawn again.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    images: int
    identities: int
    clusters: int
    alone: int
    unknown: int = 0
    drawn: Floats | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Plain values, None where there is no number."""
        return {
            **{name: statistics.finite(value) for name, value in self.values.items()},
            "intervals": {
                name: [statistics.finite(low), statistics.finite(high)]
                for name, (low, high) in self.intervals.items()
            },
            "images": self.images,
            "identities": self.identities,
            "clusters": self.clusters,
            "alone": self.alone,
            "unknown": self.unknown,
        }


def score(
    pid: ArrayLike,
    clusters: ArrayLike,
    *,
    resamples: int = 0,
    level: float = statistics.LEVEL,
    seed: int = 0,
) -> ClusterScores:
    """Score clusters of one set of images.

    Takes:   pid (n,) int, -1 unknown: such images are left out, of clusters too; clusters (n,) int, -1 alone.
    resamples: draws of identities for the intervals, 100 or more, or 0 for none.
    level:   0.5 to 0.999, the share of intervals that hold the true score.
    seed:    0 or more.
    Raises:  ValueError for lengths that differ and settings.
    Cost:    O(n log n), and resamples times identities.

    >>> found = score([7, 7, 8, 8], [0, 0, 0, -1])               # one right pair of three; of two true ones
    >>> [round(found.values[name], 3) for name in ("pair_precision", "pair_recall", "pair_f1", "purity")]
    [0.333, 0.5, 0.4, 0.75]
    """
    labels = checks.labels("pid", pid, np.size(pid))
    groups = checks.labels("clusters", clusters, len(labels))
    known = labels >= 0
    terms, numbers, group = _terms(labels[known], apart(groups[known]).astype(np.int64))
    sizes = np.unique(group, return_counts=True)[1]
    identities = len(numbers)
    chance = _chance(labels[known], group) if known.any() else 0.0
    found = _scores(terms.sum(axis=0)[None], chance)[0]
    values = dict(zip(MEASURES, found.tolist(), strict=True))
    intervals: dict[str, tuple[float, float]] = {}
    drawn = None
    if resamples and identities >= 2:
        checks.whole("resamples", resamples, 100)
        checks.between("level", level, 0.5, 0.999)
        drawn = np.empty((resamples, len(MEASURES)))
        for rows, random in statistics.blocks(resamples, identities, seed):
            weights = random.multinomial(identities, np.full(identities, 1 / identities), rows.stop - rows.start)
            drawn[rows] = _scores(weights @ terms, chance)
        without = _scores(terms.sum(axis=0) - terms, chance)
        intervals = _intervals(found, drawn, without, level)
    return ClusterScores(
        values=values,
        intervals=intervals,
        images=int(known.sum()),
        identities=identities,
        clusters=len(sizes),
        alone=int((sizes == 1).sum()),
        unknown=int((~known).sum()),
        drawn=drawn,
    )


def mean(scores: Sequence[ClusterScores], *, level: float = statistics.LEVEL) -> ClusterScores:
    """The mean over data sets, each as much as the others; intervals of percentiles, each drawn by itself."""
    values = {name: float(np.mean([one.values[name] for one in scores])) for name in MEASURES}
    intervals = {}
    draws = [one.drawn for one in scores if one.drawn is not None]
    if len(draws) == len(scores):
        mixed = np.mean(draws, axis=0)
        for at, name in enumerate(MEASURES):
            if np.isfinite(mixed[:, at]).all():
                low, high = np.quantile(mixed[:, at], [(1 - level) / 2, (1 + level) / 2])
                intervals[name] = float(low), float(high)
    counts = {
        name: sum(getattr(one, name) for one in scores)
        for name in ("images", "identities", "clusters", "alone", "unknown")
    }
    return ClusterScores(values=values, intervals=intervals, **counts)


def value(measure: str, pid: NDArray[np.integer], clusters: NDArray[np.integer]) -> float:
    """One measure of :data:`MEASURES` alone, as a threshold is fitted by it."""
    known = pid >= 0
    terms, _, group = _terms(pid[known], apart(clusters[known]).astype(np.int64))
    chance = _chance(pid[known], group) if measure == "ami" and known.any() else 0.0
    return float(_scores(terms.sum(axis=0)[None], chance)[0, MEASURES.index(measure)])


def _intervals(found: Floats, drawn: Floats, without: Floats, level: float) -> dict[str, tuple[float, float]]:
    kept = {}
    for at, name in enumerate(MEASURES):
        columns = drawn[:, at], without[:, at]
        if math.isfinite(found[at]) and all(np.isfinite(column).all() for column in columns):
            kept[name] = statistics.accelerated(float(found[at]), *columns, level=level)
    return kept


def _terms(pid: NDArray[np.integer], clusters: NDArray[np.integer]) -> tuple[Floats, Ints, Ints]:
    """(identities, terms) sums over the images of each identity; the identities; clusters."""
    numbers, who = np.unique(pid, return_inverse=True)
    _, group = np.unique(clusters, return_inverse=True)
    who, group = who.reshape(-1), group.reshape(-1)
    n = len(pid)
    a, b = np.bincount(who)[who], np.bincount(group)[group]
    key = who * (int(group.max(initial=0)) + 1) + group
    _, place, count = np.unique(key, return_inverse=True, return_counts=True)
    m = count[place.reshape(-1)]
    order = np.lexsort((who, -m, group))  # the identity of which a cluster has most, the lowest of equals
    first = np.unique(group[order], return_index=True)[1]
    most = who[order][first][group] == who if n else np.empty(0, bool)
    columns = [
        np.ones(n), m - 1, a - 1, b - 1, np.full(n, n - 1), m / b, m / a,
        np.log(n * m / (a * b)), np.log(n / a), np.log(n / b), most,
    ]  # fmt: skip
    sums: Floats = np.stack([np.bincount(who, column, len(numbers)) for column in columns], axis=1)
    return sums, numbers, group.astype(np.int64)


def _scores(sums: Floats, chance: float) -> Floats:
    """(rows, measures) from sums of the terms of :func:`_terms`."""
    n, right, true, found, every, precision, recall, information, who, group, most = sums.T
    half = (true + found) / 2
    expected = true * found / np.maximum(every, 1)
    entropy = (who + group) / 2
    by_chance = chance * n
    with np.errstate(divide="ignore", invalid="ignore"):
        p, r = precision / n, recall / n
        columns = [
            _share(right - expected, half - expected),
            _share(information - by_chance, entropy - by_chance),
            _share(information, entropy),
            right / found,
            right / true,
            _share(right, half),
            p,
            r,
            2 * p * r / (p + r),
            most / n,
        ]
    scores: Floats = np.stack(columns, axis=1)
    scores[n == 0] = np.nan
    return scores


def _share(part: Floats, whole: Floats) -> Floats:
    """Of two that are nothing, both partitions are trivial and the same: 1."""
    nothing = np.abs(whole) <= TINY * np.maximum(1, np.abs(part))
    return np.where(nothing, np.where(np.abs(part) <= TINY, 1.0, 0.0), part / np.where(nothing, 1, whole))


def _chance(pid: NDArray[np.integer], clusters: NDArray[np.integer]) -> float:
    """The mutual information that partitions of these sizes have by chance (hypergeometric).

    ``sum over a, b and m of m / n log(n m / (a b)) P(m)``; sizes that occur often are computed once.
    """
    from scipy.special import gammaln

    n = len(pid)
    (a, times_a), (b, times_b) = (
        np.unique(np.unique(labels, return_counts=True)[1], return_counts=True) for labels in (pid, clusters)
    )
    log_factorial = gammaln(np.arange(n + 2, dtype=np.float64) + 1)
    total = 0.0
    for size, often in zip(a.tolist(), times_a.tolist(), strict=True):
        low = np.maximum(1, size + b - n)
        counts = np.maximum(np.minimum(size, b) - low + 1, 0)
        starts = np.cumsum(counts) - counts
        m = np.repeat(low - starts, counts) + np.arange(counts.sum())
        other, times = np.repeat(b, counts), np.repeat(times_b, counts)
        log_p = (
            log_factorial[size] + log_factorial[other] + log_factorial[n - size] + log_factorial[n - other]
        ) - (
            log_factorial[n] + log_factorial[m] + log_factorial[size - m] + log_factorial[other - m]
            + log_factorial[n - size - other + m]
        )  # fmt: skip
        total += often * float((times * m / n * np.log(n * m / (size * other)) * np.exp(log_p)).sum())
    return total
