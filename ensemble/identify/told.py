"""What is left behind: the file to hand in, how far every identity is, who can be told, a record; and words."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import __version__, io
from ensemble.identities.answers import Answers
from ensemble.identities.asking import How
from ensemble.identities.thresholds import Wanted
from ensemble.pipeline.plan import Plan
from ensemble.scores.identities import NAMES, IdentityScores
from ensemble.submissions import identities
from ensemble.submissions.identities import Form
from postproc.identities.by_identity import NONE

FILE, TABLE, PEOPLE, RECORD = "submission.csv", "identities.csv", "identities.txt", "identify.json"
REPORT = ("identities.html", "open_set.svg")


def names(*, report: bool) -> tuple[str, ...]:
    """The files that are written."""
    return (FILE, TABLE, PEOPLE, RECORD, *(REPORT if report else ()))


def write(folder: Path, found: Answers, form: Form, order: np.ndarray | None, content: dict[str, Any]) -> None:
    """All but the report. ``order``: the query of each row of the submission, None: as they are."""
    rows = np.arange(len(found.names)) if order is None else order
    told = found.people.text(found.told[rows], form.word)
    identities.write(folder / FILE, form, [found.names[row] for row in rows.tolist()], told)
    io.write_csv(
        folder / TABLE, ("query", "place", "identity", "distance", "accepted"), _entries(found), data=True
    )
    called = sorted(
        {found.people.called[number] for number in np.unique(found.people.gallery).tolist() if number >= 0}
    )
    with io.beside(folder / PEOPLE) as stream:
        stream.writelines(f"{text}\n" for text in [*called, *([form.word] if form.word else [])])
    with io.beside(folder / RECORD) as stream:
        stream.write(json.dumps(content, indent=1) + "\n")


def _entries(found: Answers) -> Iterator[tuple[str, int, str, float, int]]:
    """Every identity of every query, without the unknown: its place, how far it is, whether it is near enough."""
    limits = found.limits.tolist()
    for row, name in enumerate(found.names):
        near = True
        columns = found.identities.pids[row].tolist(), found.identities.distances[row].tolist()
        for place, (number, far) in enumerate(zip(*columns, strict=True), 1):
            if number == NONE:
                break
            near = near and far <= limits[row]
            yield name, place, found.people.called[number], far, int(near)


def record(found: Answers, scores: IdentityScores | None, how: How, unknown: Wanted, plan: Plan) -> dict[str, Any]:
    """What was asked and how, what came out, as plain values."""
    return {
        "recipe": plan.recipe.as_toml() | {"name": plan.recipe.name},
        "rule": how.rule,
        "images": how.images,
        "edge": how.edge,
        "depth": how.depth,
        "places": how.places,
        "unknown": str(unknown),
        "thresholds": {name: threshold.as_json() for name, threshold in found.thresholds.items()},
        "queries": len(found.names),
        "gallery": len(found.people.gallery),
        "identities": len(np.unique(found.people.gallery[found.people.gallery >= 0])),
        "scores": scores.as_json() if scores else None,
        "rankings": {name: each.as_json() for name, each in found.rankings.items()},
        "notes": list(found.notes),
        "version": __version__,
    }


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
