"""What is added up over the queries of a ranking, for its curves."""

import numpy as np
from numpy.typing import NDArray

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.report.judge import Judge

LEVELS = np.linspace(0, 1, 101)  # recalls at which precision is told
FINE, BINS = 4096, 128  # bins of distances, to find a threshold in and to show
FMRS = (0.01, 0.001)  # false-match rates, the first that the list is long enough for


class Tally:
    """What is added up over queries.

    sample: some distances, to know between what they lie. pairs: also AP for every two cameras.
    """

    def __init__(self, nq: int, judge: Judge, sample: NDArray[np.float32], *, pairs: bool) -> None:
        self.judge, self.nq = judge, nq
        self.precision = np.zeros((nq, len(LEVELS)), np.float32)
        self.positives = np.zeros(nq, np.int64)
        self.counts = np.zeros((2, FINE), np.int64)  # wrong, good
        self.beyond = np.zeros(2, np.int64)
        self.low, self.high = _range(sample)
        self.cameras = np.zeros(0, np.int64)
        if pairs and judge.query_cam is not None and judge.gallery_cam is not None:
            self.cameras = np.unique(np.concatenate([judge.query_cam, judge.gallery_cam]))
        count = len(self.cameras) if len(self.cameras) <= 64 else 0
        self.cameras = self.cameras[:count]
        self.pair_sum, self.pair_count = np.zeros((count, count)), np.zeros((count, count), np.int64)

    def whole(self, i: int, row: NDArray[np.float32], good: Bools, hidden: Bools) -> None:
        """A query by its distances to the whole gallery."""
        returned = ~hidden & np.isfinite(row)
        found = good & returned
        self.positives[i] = total = int(np.count_nonzero(good & ~hidden))
        self._spread(row[found], row[returned & ~good], total, int(np.count_nonzero(~hidden & ~good)))
        if total:
            self._recall(i, _places(row, np.flatnonzero(found), returned), total)
        if len(self.cameras):
            order = np.flatnonzero(returned)
            self._pairs(i, order[np.argsort(row[order], kind="stable")], good, hidden)

    def listed(
        self,
        i: int,
        listed: NDArray[np.int32],
        values: NDArray[np.float32],
        good: Bools,
        hidden: Bools,
    ) -> None:
        """A query by the images nearest to it."""
        there = listed >= 0
        rows, values = listed[there], values[there]
        left = ~hidden[rows]
        rows, values = rows[left], values[left]
        hit = good[rows]
        self.positives[i] = total = int(np.count_nonzero(good & ~hidden))
        self._spread(values[hit], values[~hit], total, int(np.count_nonzero(~hidden & ~good)))
        if total:
            self._recall(i, np.flatnonzero(hit), total)
        if len(self.cameras):
            self._pairs(i, rows, good, hidden)

    def _spread(self, good: np.ndarray, wrong: np.ndarray, all_good: int, all_wrong: int) -> None:
        scale = FINE / (self.high - self.low)
        for kind, values in enumerate((wrong, good)):
            values = values[np.isfinite(values)]
            bins = np.clip((values.astype(np.float64) - self.low) * scale, 0, FINE - 1).astype(np.int64)
            self.counts[kind] += np.bincount(bins, minlength=FINE)
            self.beyond[kind] += (all_wrong, all_good)[kind] - len(values)

    def _recall(self, i: int, places: Ints, total: int) -> None:
        """The best precision at each recall or above it; places beyond the cut count as not found."""
        if self.judge.cut is not None:
            places = places[places < self.judge.cut]
        if not len(places):
            return
        precision = np.arange(1, len(places) + 1) / (places + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        needed = np.maximum(np.ceil(LEVELS * total - 1e-9).astype(int) - 1, 0)
        reached = needed < len(best)
        self.precision[i, reached] = best[needed[reached]]

    def _pairs(self, i: int, order: np.ndarray, good: np.ndarray, hidden: np.ndarray) -> None:
        """AP of the query in the images of each camera alone."""
        assert self.judge.query_cam is not None
        assert self.judge.gallery_cam is not None
        own = np.searchsorted(self.cameras, self.judge.query_cam[i])
        cams, hits = self.judge.gallery_cam[order], good[order]
        totals = np.bincount(
            np.searchsorted(self.cameras, self.judge.gallery_cam[good & ~hidden]), minlength=len(self.cameras)
        )
        for camera in np.flatnonzero(totals):
            places = np.flatnonzero(hits[cams == self.cameras[camera]])
            ap = float((np.arange(1, len(places) + 1) / (places + 1)).sum()) / totals[camera]
            self.pair_sum[own, camera] += ap
            self.pair_count[own, camera] += 1

    def curves(self) -> dict[str, np.ndarray]:
        matched = self.positives > 0
        step = FINE // BINS
        edges = np.linspace(self.low, self.high, FINE + 1)
        found = {
            "positives": self.positives,
            "edges": edges[::step],
            "wrong": self.counts[0].reshape(-1, step).sum(axis=1),
            "good": self.counts[1].reshape(-1, step).sum(axis=1),
            "beyond": self.beyond,
        }
        if matched.any():
            found["precision"] = self.precision[matched].mean(axis=0, dtype=np.float64)
        threshold = _threshold(self.counts, self.beyond, edges)
        if threshold is not None:
            found["threshold"] = threshold
        if len(self.cameras):
            with np.errstate(invalid="ignore"):
                found |= {"cameras": self.cameras, "pairs": self.pair_sum / self.pair_count}
            found["pair_queries"] = self.pair_count
        return found


def _range(sample: NDArray[np.float32]) -> tuple[float, float]:
    """The ends of the bins of distances: a little more than what a sample has."""
    known = sample[np.isfinite(sample)].astype(np.float64)
    if not known.size:
        return 0.0, 1.0
    spread = float(known.max() - known.min()) or 1.0
    return float(known.min()) - spread / 50, float(known.max()) + spread / 50


def _threshold(counts: Ints, beyond: Ints, edges: Floats) -> Floats | None:
    """The false-match rate wanted, the distance that keeps it, recall and precision there; None if there is none.

    Of wrong and of good pairs: ``counts`` in the bins between the ``edges``, and those ``beyond`` all bins.
    """
    all_wrong, all_good = (int(counts[k].sum() + beyond[k]) for k in range(2))
    if not all_wrong or not all_good:
        return None
    wrong, good = counts[0].cumsum(), counts[1].cumsum()
    for fmr in FMRS:
        allowed = int(fmr * all_wrong + 1e-9)
        if wrong[-1] <= allowed or not allowed:  # nothing is refused, or nothing accepted
            continue
        last = int(np.searchsorted(wrong, allowed, side="right"))  # the first bin that would be too many
        accepted = (int(wrong[last - 1]), int(good[last - 1])) if last else (0, 0)
        precision = accepted[1] / sum(accepted) if sum(accepted) else np.nan
        return np.array([fmr, edges[last], accepted[1] / all_good, precision])
    return None


def _places(row: np.ndarray, wanted: np.ndarray, kept: np.ndarray) -> Ints:
    """0-based places of some images among those kept, ties by gallery row, ascending."""
    ascending = np.sort(row[kept])
    values = row[wanted]
    place = np.searchsorted(ascending, values, "left")
    tied = np.searchsorted(ascending, values, "right") - place > 1
    for value in np.unique(values[tied]):
        same = np.flatnonzero(kept & (row == value))
        mine = values == value
        place[mine] += np.searchsorted(same, wanted[mine])
    return np.sort(place)
