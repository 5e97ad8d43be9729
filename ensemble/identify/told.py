"""What is left behind: the file to hand in, how far every identity is, who can be told, a record."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import __version__, io
from ensemble.identities.answers import Answers
from ensemble.identities.asking import How
from ensemble.identities.pairs import Similarities
from ensemble.identities.thresholds import Wanted
from ensemble.pipeline.plan import Plan
from ensemble.report.identities import FIGURE, PAGE
from ensemble.scores.identities import IdentityScores
from ensemble.submissions import identities
from ensemble.submissions.identities import Form
from ensemble.submissions.similarities import Pairs, write_similarities
from postproc.identities.by_identity import NONE

FILE, TABLE, PEOPLE, RECORD = "submission.csv", "identities.csv", "identities.txt", "identify.json"
EVERY = (FILE, TABLE, PEOPLE, RECORD, PAGE, FIGURE)


def names(*, report: bool) -> tuple[str, ...]:
    """The files that may be written."""
    return EVERY if report else EVERY[:4]


@contextmanager
def written(out: Path) -> Iterator[Path]:
    """A place for files that come into ``out`` together; what an earlier one has left there goes."""
    old = [out / name for name in EVERY] if (out / RECORD).is_file() else []
    with io.together(out) as stage:
        yield stage
        new = {path.name for path in stage.iterdir()}
    for path in old:
        if path.name not in new:
            path.unlink(missing_ok=True)


def say(out: Path) -> None:
    """The paths of what is there."""
    for name in EVERY:
        if (out / name).is_file():
            print(out / name)


def write(folder: Path, found: Answers, form: Form, order: np.ndarray | None, content: dict[str, Any]) -> None:
    """All but the report. ``order``: the query of each row of the submission, None: as they are."""
    rows = np.arange(len(found.names)) if order is None else order
    told = found.people.text(found.told[rows], form.word)
    names = [found.names[row] for row in rows.tolist()]
    identities.write(folder / FILE, form, names, told, found.identities.distances[rows, 0])
    titles = ("query", "place", "identity", "distance", "accepted")
    io.write_csv(folder / TABLE, titles, _entries(found), data=True)
    with io.beside(folder / PEOPLE) as stream:
        people = [*found.people.tellable, *([form.word] if form.word else [])]
        stream.writelines(f"{text}\n" for text in people)
    _write_record(folder, content)


def write_pairs(folder: Path, pairs: Pairs, found: Similarities, content: dict[str, Any]) -> None:
    """The similarities of pairs, and the record."""
    write_similarities(folder / FILE, pairs.row_ids, found.values)
    _write_record(folder, content)


def _write_record(folder: Path, content: dict[str, Any]) -> None:
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


def record(
    found: Answers, scores: IdentityScores | None, how: How, unknown: Wanted, plan: Plan, said: Sequence[str] = ()
) -> dict[str, Any]:
    """What was asked and how, what came out, as plain values. ``said``: notes beside those of plan and answers."""
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
        "notes": list(dict.fromkeys((*plan.notes, *found.notes, *said))),
        "version": __version__,
    }


def record_of_pairs(found: Similarities, plan: Plan) -> dict[str, Any]:
    """The same of pairs."""
    return {
        "recipe": plan.recipe.as_toml() | {"name": plan.recipe.name},
        "pairs": len(found.values),
        "scores": found.scores.as_json() if found.scores else None,
        "notes": list(dict.fromkeys((*plan.notes, *found.notes))),
        "version": __version__,
    }
