"""What the search found, as files and in words: the recipe, points for a picture, all that was tried."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ensemble import io
from ensemble.pipeline import plan
from ensemble.tune import outcome
from ensemble.tune.pipelines import candidate as value
from ensemble.tune.pipelines.candidate import Candidate
from ensemble.tune.pipelines.study import Tried
from ensemble.tune.pipelines.verdict import FOUND, Verdict
from ensemble.tune.pipelines.worlds import SEARCH

FILES = RECIPE, RECORD, TABLE = "recipe.toml", "pipelines.json", "pipelines.csv"
HEADER = ["number", "asked", "score", "seconds", "from", "pipeline", "refused"]
ASKED = {"sample": "the first worlds", "search": "all worlds"}


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that was tried, the searched candidate, the verdict, and the plan to take; ``about`` says of what."""

    tried: Sequence[Tried]
    best: Candidate
    verdict: Verdict
    final: plan.Plan
    about: Mapping[str, Any]


def judged(
    tried: Sequence[Tried], best: Candidate, verdict: Verdict, folder: io.Folder, about: Mapping[str, Any]
) -> Outcome:
    """The recipe to take as a plan on the real folder, with its scores in its ``about``."""
    taken = verdict[verdict.taken]
    how = "searched over pipelines" if taken.name == FOUND else f"{taken.name}, which a search did not surely beat"
    score = f"{about['objective']} {taken.mean:.4f} on {about['held back']}"
    final = replace(taken.recipe, name="recipe", about=f"{how}: {score}")
    return Outcome(tried, best, verdict, plan.check(final, folder), about)


def write(out: Path, found: Outcome) -> list[Path]:
    """The recipe, the record and the table: all of them or none."""
    with io.together(out) as stage:
        outcome.write_recipe(stage / RECIPE, found.final)
        with io.beside(stage / RECORD) as stream:
            stream.write(json.dumps(record(found), indent=1, allow_nan=False) + "\n")
        io.write_csv(stage / TABLE, HEADER, [_row(number, one) for number, one in enumerate(found.tried, 1)])
    return [out / name for name in FILES]


def record(found: Outcome) -> dict[str, Any]:
    """What is kept of a search: how it was made, every recipe on the queries held back, a point a candidate."""
    full = [one for one in found.tried if one.kind == SEARCH and one.scores is not None]
    return {
        **found.about,
        "tried": len(found.tried),
        "recipe": found.final.recipe.as_toml(),
        "taken": found.verdict.taken,
        "searched": found.best,
        "held_back": [
            {
                "name": one.name,
                "score": one.mean,
                "seconds": one.seconds,
                **({} if one.against is None else {"searched_gains": one.against.difference, "p": one.against.p}),
            }
            for one in found.verdict.judged
        ],
        "points": [
            {"seconds": one.seconds, "score": one.mean, "what": value.words(json.loads(one.candidate))}
            for one in full
        ],
    }


def lines(found: Outcome) -> list[str]:
    """What to print."""
    name, full = found.about["objective"], [one for one in found.tried if one.kind == SEARCH]
    refused = sum(one.scores is None for one in found.tried)
    out = [
        f"{len(found.tried)} tries, {len(full)} of them in all worlds"
        + (f", {refused} refused by a step" if refused else "")
    ]
    for one in found.verdict.judged:
        mark = " <- taken" if one.name == found.verdict.taken else ""
        test = ""
        if one.against is not None:
            test = (
                f"; the searched one gains {one.against.difference:+.4f} (p {one.against.p:.4f}; "
                f"{one.against.queries} queries of all {one.against.groups} identities)"
            )
        out.append(f"{one.name:<12} {name} {one.mean:.4f} held back, {one.seconds:.2f} s{test}{mark}")
    out.append(f"searched: {value.words(found.best)}")
    if found.verdict.taken != FOUND:
        out.append(
            f"the searched recipe cannot be told from {found.verdict.taken}, which is simpler and is written"
        )
    return out


def _row(number: int, one: Tried) -> list[Any]:
    score = "" if one.scores is None else f"{one.mean:.6f}"
    words = value.words(json.loads(one.candidate))
    return [number, ASKED[one.kind], score, f"{one.seconds:.4f}", one.what, words, one.refused]
