"""Thresholds and scores of answers, for people."""

import math
from collections.abc import Iterator

from ensemble.identities.answers import Answers
from ensemble.scores.identities import NAMES, IdentityScores


def text(found: Answers, scores: IdentityScores | None) -> Iterator[str]:
    """Thresholds and scores for people."""
    for name, threshold in found.thresholds.items():
        where = f"{name}: " if name else ""
        yield f"{where}unknown beyond {threshold.distance:.6g}: {threshold.about}"
        if "held_out" in threshold.found:
            fitted = next(
                value for key, value in threshold.found.items() if key in ("balanced", "geometric", "map")
            )
            sd = threshold.found["sd"]
            held = f"{threshold.found['held_out']:.4f}" + ("" if math.isnan(sd) else f" ± {sd:.4f}")
            yield f"{where}  {fitted:.4f} there; {held} on identities held out of the fit"
    if scores is None:
        yield "no scores: the queries have no labels (a pid column in query.csv)"
        return
    yield from table(scores, found)


def table(scores: IdentityScores, found: Answers) -> Iterator[str]:
    """A row a score, a column a data set."""
    sets = dict(scores.sets) if len(scores.sets) > 1 else {}
    columns = {("mean of the sets" if sets else "score"): scores, **sets}
    rankings = {name: each.mAP for name, each in found.rankings.items()}
    yield " ".join(f"{name:>26}" for name in ("", *columns))
    for name in NAMES:
        yield f"{scores.called(name):>26} " + " ".join(f"{_cell(each, name):>26}" for each in columns.values())
    if rankings:
        mean = sum(rankings.values()) / len(rankings)
        cells = [mean, *(rankings.get(name, math.nan) for name in sets)]
        yield f"{'mAP by identity':>26} " + " ".join(f"{value:>26.4f}" for value in cells)
    known, new = scores.identities
    yield (
        f"{scores.known} queries of {known} known identities, {scores.unknown} of {new} unknown ones"
        + (f", {scores.unlabelled} without a label" if scores.unlabelled else "")
        + f"; intervals: {scores.level:.4g}, bootstrap by identity"
    )


def _cell(scores: IdentityScores, name: str) -> str:
    value, (low, high) = scores.values[name], scores.intervals[name]
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" + ("" if math.isnan(low) else f" ({low:.4f} to {high:.4f})")
