"""Same or not: what a threshold on the distance accepts, also for queries whose identity the gallery lacks.

Sources: wangguanan/light-reid, ``PreRecEvaluator``, for precision and recall of pairs; Phillips, Grother and
Micheals, "Evaluation methods in face recognition", Handbook of Face Recognition 2011, for the rest.
Differs: pid -1 and the query's own image go by the junk rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.scores.labels import Labels
from ensemble.scores.matching import matches
from ensemble.scores.rules import JUNK, Junk
from postproc.base import checks, runtime
from postproc.base.vocabulary import Distances

if TYPE_CHECKING:
    from ensemble.scores.counting.cpu import Matches


@dataclass(frozen=True, eq=False)
class Rates:
    """Rates at thresholds, (thresholds,) float64 each; NaN where there is nothing to take a share of.

    Of pairs of a query and a gallery image, accepted where the distance is at most the threshold:
    ``precision``  the share of accepted pairs that are of one identity; ``recall`` of pairs of one identity, those
                   accepted; ``f1`` their harmonic mean.
    ``fmr``        false-match rate: of pairs of two identities, those accepted.
    ``miss``       false non-match rate: of pairs of one identity, those not accepted, ``1 - recall``.
    Of queries, which are told "unknown" unless their nearest image is accepted:
    ``false_alarm`` of queries that have no good image in the gallery, those that are told somebody.
    ``dir``        detection and identification rate: of queries that have one, those told the right identity.
    """

    thresholds: Floats
    precision: Floats
    recall: Floats
    f1: Floats
    fmr: Floats
    miss: Floats
    false_alarm: Floats
    dir: Floats

    def as_json(self) -> list[dict[str, float | None]]:
        """One object a threshold, None for NaN."""
        names = [field.name.rstrip("s") if field.name == "thresholds" else field.name for field in fields(self)]
        columns = [getattr(self, field.name).tolist() for field in fields(self)]
        return [
            {name: None if value != value else value for name, value in zip(names, row, strict=True)}
            for row in zip(*columns, strict=True)
        ]


def rates(distances: Distances, labels: Labels, *, thresholds: ArrayLike, junk: str | Junk = "market") -> Rates:
    """Count who is accepted at each threshold.

    Takes:      distances (nq, ng) float32, any unit, +inf = never accepted; labels of the same images.
    thresholds: finite distances in any order; the rates come in the same. They are rounded to float32, as
                distances are: 0.3 accepts a pair at 0.3.
    junk:       which pairs do not count, as in a protocol. Queries of unknown identity (-1) count nowhere.
    Raises:     ValueError for NaN, wrong lengths, a threshold that is no finite number.
    Cost:       one pass over the matrix; memory: one row a thread, 16 bytes a query and threshold.

    >>> far = np.array([[0.1, 0.5], [0.4, 0.9]], np.float32)
    >>> found = rates(far, Labels.checked(far.shape, [7, 9], [7, 8]), thresholds=[0.2, 0.6])
    >>> found.recall, found.false_alarm      # query 9 is nobody in the gallery
    (array([1., 1.]), array([0., 1.]))
    """
    from ensemble.scores.counting import cpu as counting

    array, ready, known = _prepared(distances, labels, junk)
    wanted = np.asarray(thresholds, np.float64)
    if wanted.ndim != 1 or not wanted.size or not np.isfinite(wanted).all():
        raise ValueError("thresholds: wanted one or more finite numbers in a row")
    order = np.argsort(wanted, kind="stable")
    ascending = _as_distances(wanted[order])
    nq = len(array)
    same, different = (np.zeros((nq, len(wanted) + 1), np.int64) for _ in range(2))
    nearest, right = np.zeros(nq, np.float32), np.zeros(nq, bool)

    def block(start: int, stop: int) -> None:
        counting.count_pairs(start, stop, array, ready, ascending, same, different, nearest, right)

    runtime.over_rows(block, nq, what="pairs")
    mated = same.sum(axis=1) > 0
    told = nearest[:, None] <= ascending
    columns = _rates(
        same[known].sum(axis=0),
        different[known].sum(axis=0),
        (told & (right & mated & known)[:, None]).sum(axis=0),
        int((mated & known).sum()),
        (told & (~mated & known)[:, None]).sum(axis=0),
        int((~mated & known).sum()),
    )
    back = np.argsort(order, kind="stable")
    return Rates(wanted, **{name: column[back] for name, column in columns.items()})


def threshold_at(distances: ArrayLike, same: ArrayLike, *, fmr: float = 0.01) -> float:
    """The largest threshold that accepts at most a share ``fmr`` of the pairs of two identities.

    Takes:   distances of pairs, of any shape, float32, and for each whether it is of one identity.
    fmr:     0 to 1: 0 lies just below the nearest pair of two identities; 1 accepts all.
    Returns: a float32 value; a pair is accepted at this distance and below. +inf where all may be accepted.
    Raises:  ValueError for NaN, different shapes, or no pair of two identities.
    Cost:    a partition of the pairs of two identities, in a copy.

    >>> threshold_at([0.1, 0.2, 0.3, 0.4], [True, False, False, False], fmr=0.34)     # just below 0.3
    0.29999998211860657
    """
    values, truth = np.asarray(distances, np.float32), np.asarray(same)
    if truth.dtype != bool or values.shape != truth.shape:
        raise ValueError(
            f"same: wanted {values.shape} truth values, one a distance, got {truth.shape} {truth.dtype}"
        )
    return thresholds_among(values[~truth], [fmr])[0]


def thresholds_among(different: NDArray[np.float32], fmrs: Sequence[float]) -> list[float]:
    """:func:`threshold_at` for several rates, from the pairs of two identities alone; these are put in order."""
    if not different.size:
        raise ValueError("same: wanted pairs of two identities, got none")
    if np.isnan(different).any():
        raise ValueError("distances: wanted numbers, found NaN")
    allowed = []
    for fmr in fmrs:
        checks.between("fmr", fmr, 0, 1)
        allowed.append(int(fmr * different.size + 1e-9))  # 0.29 of 100 is 29
    inside = sorted({count for count in allowed if count < different.size})
    if inside:
        different.partition(inside)
    below = np.float32(-np.inf)
    return [
        float(np.nextafter(different[count], below)) if count < different.size else float("inf")
        for count in allowed
    ]


def different_pairs(distances: Distances, labels: Labels, *, junk: str | Junk = "market") -> NDArray[np.float32]:
    """The distances of all pairs of two identities that count, as :func:`rates` has it, in one row."""
    from ensemble.scores.counting import cpu as counting

    array, ready, known = _prepared(distances, labels, junk)
    good, hidden = (np.zeros(array.shape[1], bool) for _ in range(2))
    found = [np.zeros(0, np.float32)]
    for i in np.flatnonzero(known):
        counting.hidden_rows(i, ready, good, hidden)
        found.append(array[i][~(good | hidden)])
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Curve:
    """Detection and identification rate against false alarm, at every threshold at which one of them changes.

    (n,) float64 each, ascending: ``thresholds`` from -inf (nobody is told anybody) on, ``false_alarm`` the share
    of queries of unknown identity that are told somebody, ``dir`` that of known ones that are told the right
    identity; NaN where there are no such queries.
    """

    thresholds: Floats
    false_alarm: Floats
    dir: Floats

    def at(self, threshold: float) -> tuple[float, float]:
        """False alarm, and detection and identification rate, at a threshold."""
        place = int(np.searchsorted(self.thresholds, threshold, side="right")) - 1
        return float(self.false_alarm[place]), float(self.dir[place])


def identification(first: ArrayLike, right: ArrayLike, mated: ArrayLike) -> Curve:
    """The open-set curve of answers: :func:`rates` has two of its columns at given thresholds, from a matrix.

    Takes:   first (n,) how far the best identity of each query is, +inf: there is none; right (n,) bool, whether
             it is the right one; mated (n,) bool, whether the gallery has the query's identity.
    Raises:  ValueError for NaN and other lengths.
    Cost:    O(n log n).

    >>> found = identification([0.1, 0.5, 0.3], [True, True, False], [True, True, False])
    >>> found.false_alarm, found.dir
    (array([0., 0., 1., 1.]), array([0. , 0.5, 0.5, 1. ]))
    """
    far, hit, known = np.asarray(first, np.float64), np.asarray(right, bool), np.asarray(mated, bool)
    if far.ndim != 1 or not far.shape == hit.shape == known.shape or np.isnan(far).any():
        raise ValueError(
            f"first, right, mated: wanted three rows of one length, got {far.shape}, {hit.shape}, {known.shape} "
            "or NaN"
        )
    there = np.isfinite(far)
    thresholds = np.append(-np.inf, np.unique(far[there]))
    place = np.searchsorted(thresholds, far)

    def rate(chosen: Bools, of: Bools) -> Floats:
        counts = np.bincount(place[chosen & of & there], minlength=len(thresholds))
        return _share(np.cumsum(counts), of.sum())

    return Curve(thresholds, rate(np.ones(len(far), bool), ~known), rate(hit, known))


def _as_distances(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds rounded as distances are, so that 0.3 accepts a pair at 0.3; none becomes infinite."""
    largest = np.finfo(np.float32).max
    return np.clip(thresholds, -largest, largest).astype(np.float32).astype(np.float64)


def _prepared(
    distances: Distances, labels: Labels, junk: str | Junk
) -> tuple[NDArray[np.float32], "Matches", Bools]:
    """Checked distances, labels for the kernels, and which queries count."""
    if not isinstance(junk, Junk):
        checks.one_of("junk", junk, tuple(JUNK))
        junk = JUNK[junk]
    array = checks.distances("distances", distances)
    labels.refuse_unless(array.shape)
    return array, matches(junk, labels), ~labels.unknown


def _rates(
    same: Ints,
    different: Ints,
    right: Ints,
    mated: int,
    alarms: Ints,
    others: int,
) -> dict[str, Floats]:
    hits, false = np.cumsum(same)[:-1], np.cumsum(different)[:-1]
    precision, recall = _share(hits, hits + false), _share(hits, same.sum())
    total = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": np.where(total == 0, 0.0, _share(2 * precision * recall, total)),
        "fmr": _share(false, different.sum()),
        "miss": 1 - recall,
        "false_alarm": _share(alarms, others),
        "dir": _share(right, mated),
    }


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    top, bottom = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    unknown = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    out: Floats = np.divide(top, bottom, out=unknown, where=bottom > 0)
    return out
