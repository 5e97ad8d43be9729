"""The scores as a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.base import tabled
from ensemble.base.kinds import Floats, Ints
from ensemble.scores.protocol import Protocol
from postproc.base import checks

CMC_SHOWN = 50  # places of the CMC in the JSON
NUMBERS = ("mAP", "rank1", "rank5", "rank10", "mINP", "mrr", "recall", "precision")
RANKS = (1, 5, 10)


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """The scores of one ranking, fractions of the protocol's denominator, and each query's own.

    ``cmc`` (length,) float64: ``cmc[r]`` is the share of queries with a good image in the first ``r + 1``.
    ``mrr``: mean of 1 / the 1-based place of the first good image. ``recall``, ``precision``: mean share of the
    good images that stand before the cut, and of the places before the cut that are good.
    ``ap``, ``inp`` (nq,) float64: NaN where a query has no good image; ``inp`` is the number of good images
    over the 1-based place of the last, 0 if one is missed. ``first_hit`` (nq,) int64: 0-based, -1 for none.
    ``without_match``: rows of the queries for which the gallery holds no good image under this protocol.
    ``unknown``: rows of the queries of unknown identity. They are not scored: in no mean, not ``without_match``.
    ``trials``: where galleries are drawn, the scores of each trial. Every number above is then the mean over them;
    ``ap`` and ``inp`` over those in which the query has a match, ``first_hit`` is the least, and ``without_match``
    are those without a match in all.
    ``remarks``: why the labels may give other scores than one thinks, in sentences.
    Where the rows are tracks, all queries of a track have the same ``ap``, and the means count each track once.
    """

    protocol: Protocol
    cameras: bool
    mAP: float
    rank1: float
    rank5: float
    rank10: float
    mINP: float
    mrr: float
    recall: float
    precision: float
    cmc: Floats
    ap: Floats
    inp: Floats
    first_hit: Ints
    without_match: Ints
    unknown: Ints
    tracks: bool = True
    own: bool = True
    draws_given: bool = False
    trials: tuple["Scores", ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def final(self) -> float:
        """What the protocol ranks by: mAP, or the mean of rank-1 and mAP."""
        return self.mAP if self.protocol.final == "mAP" else (self.rank1 + self.mAP) / 2

    def rank(self, k: int) -> float:
        """The CMC at the 1-based place ``k``; beyond its end, its last value."""
        checks.whole("k", k, 1)
        return float(self.cmc[min(k, len(self.cmc)) - 1])

    def sd(self, name: str) -> float | None:
        """The standard deviation of a number over the trials (n - 1), such as "mAP"; None with fewer than two."""
        if len(self.trials) < 2:
            return None
        return float(np.std([getattr(trial, name) for trial in self.trials], ddof=1))

    def describe(self) -> str:
        """The protocol in one line, to be printed beside every number."""
        described = self.protocol.describe(
            cameras=self.cameras, tracks=self.tracks, own=self.own, draws_given=self.draws_given
        )
        return "; ".join((described, *self.remarks))

    def text(self, ranks: Sequence[int] = RANKS) -> str:
        """The numbers in one line, with the standard deviation over trials where there are any."""
        shown = [("mAP", self.mAP, [t.mAP for t in self.trials])]
        shown += [(f"rank-{k}", self.rank(k), [t.rank(k) for t in self.trials]) for k in ranks]
        shown.append(("mINP", self.mINP, [t.mINP for t in self.trials]))
        if self.protocol.final != "mAP":
            shown.append(("final", self.final, [t.final for t in self.trials]))
        return "  ".join(
            f"{name} {value:.4f}" + (f" ± {np.std(each, ddof=1):.4f}" if len(each) > 1 else "")
            for name, value, each in shown
        )

    def __repr__(self) -> str:
        return f"Scores: {self.text()}\n{self.describe()}"

    def _repr_html_(self) -> str:
        shown = [("mAP", self.mAP), *((f"rank-{k}", self.rank(k)) for k in RANKS), ("mINP", self.mINP)]
        return tabled.page(f"Scores of {len(self.ap)} queries", shown, [self.describe()])

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, lists and text, the CMC up to place 50."""
        given = {name: getattr(self, name) for name in ("cameras", "tracks", "own", "draws_given")}
        out = {
            **{name: getattr(self, name) for name in NUMBERS},
            "final": self.final,
            "cmc": self.cmc[:CMC_SHOWN].tolist(),
            "protocol": {**self.protocol.as_json(), **given, "description": self.describe()},
            "queries": len(self.ap),
            "queries_without_match": len(self.without_match),
            "queries_of_unknown_identity": len(self.unknown),
        }
        if self.trials:
            names = (*NUMBERS, "final")
            out["trials"] = {name: [getattr(trial, name) for trial in self.trials] for name in names}
            out["sd"] = {name: self.sd(name) for name in names}
        return out


def mean(protocol: Protocol, trials: Sequence[Scores]) -> Scores:
    """One value for several trials on the same queries."""
    found = np.stack([trial.first_hit for trial in trials])
    least = np.where(found < 0, np.iinfo(np.int64).max, found).min(axis=0)
    ap = _mean_where_known([trial.ap for trial in trials])
    return Scores(
        protocol=protocol,
        cameras=trials[0].cameras,
        tracks=trials[0].tracks,
        own=trials[0].own,
        draws_given=trials[0].draws_given,
        **{name: float(np.mean([getattr(trial, name) for trial in trials])) for name in NUMBERS},
        cmc=np.mean([trial.cmc for trial in trials], axis=0),
        ap=ap,
        inp=_mean_where_known([trial.inp for trial in trials]),
        first_hit=np.where((found < 0).all(axis=0), -1, least),
        without_match=np.setdiff1d(np.flatnonzero(np.isnan(ap)), trials[0].unknown),
        unknown=trials[0].unknown,
        trials=tuple(trials),
        remarks=(),
    )


def _mean_where_known(values: Sequence[Floats]) -> Floats:
    """Over those that are no NaN; NaN where all are."""
    rows = np.stack(values)
    known = np.count_nonzero(~np.isnan(rows), axis=0)
    out: Floats = np.where(known > 0, np.nansum(rows, axis=0) / np.maximum(known, 1), np.nan)
    return out
