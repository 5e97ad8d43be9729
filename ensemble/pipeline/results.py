"""What a run leaves behind: submission, recipe as it ran, record, each query's scores, the scores in words."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import __version__, io, submissions
from ensemble.base import errors
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Array
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.run import Result
from ensemble.scores import queries
from ensemble.scores.values import RANKS
from ensemble.submissions import sysu
from ensemble.submissions.formats import FEATURES

WRITTEN = ("recipe.toml", queries.NAME, "report.html", "run.json")  # beside the submission


def write(
    out: Path,
    checked: Plan,
    result: Result,
    *,
    threads: int,
    device: Device = CPU,
    also: Mapping[str, Callable[[Path], object]] | None = None,
    typed: str = "",
) -> list[Path]:
    """Write everything into ``out``, all of it or nothing; the paths, the submission first.

    also: writes further files, by name, to the path that it is called with. typed: the command line.

    What an earlier run has left there and this one does not write goes: it would be taken for this one's.
    """
    old = leftovers(out)
    said: list[str] = []
    with io.together(out) as stage:
        submitted = write_submission(stage, checked.recipe, result, lambda: _sets(checked), said.append)
        print(*said, sep="\n", end="\n" if said else "")
        _write_text(stage / "recipe.toml", recipe_text(checked))
        if result.scores is not None:
            queries.write(stage / queries.NAME, result.query_names, result.scores, result.query_label)
        for name, write_to in (also or {}).items():
            write_to(stage / name)
        content = record(checked, result, submitted, threads=threads, device=device, typed=typed)
        written = [submitted, stage / "recipe.toml", stage / queries.NAME, stage / "run.json"]
        written = [out / path.relative_to(stage) for path in written if path.exists() or path.name == "run.json"]
        beside = [path.name for path in sorted(stage.iterdir()) if out / path.name not in written]
        content["notes"] = [*notes(checked, result), *said]
        content["files"] = [path.name for path in written] + beside
        _write_text(stage / "run.json", json.dumps(content, indent=1) + "\n")
    for name in old:
        if name not in content["files"]:
            (out / name).unlink(missing_ok=True)
    return written


def leftovers(out: Path) -> list[str]:
    """The files in a folder that an earlier run has left there, by what its ``run.json`` says; else none."""
    try:
        said = json.loads((out / "run.json").read_text("utf-8"))
        names = [*said.get("files", ()), said["submission"], *WRITTEN]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    plain = [name for name in dict.fromkeys(names) if isinstance(name, str) and Path(name).name == name]
    return [name for name in plain if (out / name).is_file()]


def in_the_way(out: Path) -> str | None:
    """A sentence that says what a run into this folder replaces; None where nothing is there."""
    old = leftovers(out)
    return f"{out}: an earlier run is there and will be replaced: {errors.examples(old, 9)}" if old else None


def names(used: Recipe) -> list[str]:
    """The files that a run of this recipe may write, as far as they are known before it."""
    submitted = [] if used.submission == FEATURES else [submissions.named(used.submission).file]
    return [*dict.fromkeys([*submitted, submissions.named("csv").file]), "recipe.toml", queries.NAME, "run.json"]


def _write_text(path: Path, text: str) -> None:
    with io.beside(path) as stream:
        stream.write(text)


def write_submission(
    out: Path,
    used: Recipe,
    result: Result,
    sets: Callable[[], list[FeatureSet]] = list,
    say: Callable[[str], object] = print,
) -> Path:
    """What the recipe names, or ``ranking.csv`` where the images or this machine do not allow that.

    ``sysu`` takes features instead of a ranking: ``sets`` reads those of every model, six files each. ``say`` gets
    what there is to say.
    """
    try:
        if used.submission == FEATURES:
            paths = [path for features in sets() for path in sysu.write(out, features)]
            return paths[0]
        handed_in = submissions.named(used.submission)
        path = out / handed_in.file
        ranking, filled = lists_of(result, handed_in)
        submissions.write(path, ranking, used.submission, top_k=used.top_k)
        if filled:
            say(f"{path.name}: {filled}")
        return path
    except io.Unwritable:
        raise
    except InputError as error:
        if used.submission == "csv":
            raise
        features = used.submission == FEATURES
        wanted = "SYSU-MM01 files" if features else submissions.named(used.submission).file
        say(f"no {wanted}: {error.problems[0]}")
    return write_submission(out, replace(used, submission="csv"), result, say=say)


def lists_of(result: Result, handed_in: submissions.Format) -> tuple[submissions.RankList, str]:
    """The answer as a format wants it, and what is said where its lines had to be filled up; else nothing."""
    names = result.query_names, result.gallery_names
    if result.filled is None or handed_in.top_k is None:
        return submissions.from_matrix(result.ranking, *names, result.distances), ""
    return submissions.from_matrix(result.filled, *names), _filled_up(result, result.filled)


def _filled_up(result: Result, filled: Array) -> str:
    """What is said where a full line is demanded and the rank lists, or the models, do not give one."""
    short = [result.query_names[row] for row in np.flatnonzero((filled != result.ranking).any(axis=1))]
    where, others = ("in the rank lists", "no list names") if result.lists else ("in the models", "no model knows")
    return (
        f"wanted a full line for every query, found too few images {where} of {len(short)} "
        f"({errors.examples(short)}); filled up behind with images that {others}, which are not scored"
    )


def in_its_place(used: Recipe, submitted: Path) -> str | None:
    """A sentence where the recipe or ``--set`` asks for another format than the one that was written.

    A default that does not fit is nobody's wish: None, as where all is well.
    """
    if not used.asked or used.submission == "csv" or submitted.name != submissions.named("csv").file:
        return None
    return (
        f"submission: wanted {used.submission}, which these images do not fit, found {submitted} in its place; "
        "mend what is said above, or --set submission=csv"
    )


def _sets(checked: Plan) -> list[FeatureSet]:
    """The features of the models that a recipe joins, as they are in the files."""
    return io.read(checked.folder, list(dict.fromkeys(model for models in checked.models for model in models)))


def recipe_text(checked: Plan) -> str:
    """The recipe as it was run, models by their names, settings with the changes; runs again as it is."""
    import tomli_w

    return tomli_w.dumps(checked.recipe.as_toml())


def record(
    checked: Plan, result: Result, submitted: Path, *, threads: int, device: Device = CPU, typed: str = ""
) -> dict[str, Any]:
    """What ran on what, when and by which command, for whoever wants to know later."""
    libraries = ["numpy", "scipy", "scikit-learn", "numba", "pandas", *(["torch"] if device.is_cuda else [])]
    return {
        "recipe": checked.recipe.as_toml() | {"name": checked.recipe.name},
        "features": "" if checked.folder.held else str(checked.folder.path),
        "date": date(),
        "command": typed,
        "inputs": {str(path): sha256(path) for path in inputs(checked)},
        "submission": submitted.name,
        "notes": notes(checked, result),
        "models": [list(models) for models in checked.models],
        "queries": len(result.query_names),
        "gallery": len(result.gallery_names),
        "versions": {
            "reid-ensemble": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in libraries},
        },
        "threads": threads,
        "device": device.describe(),
        "steps": [
            {
                "step": line.step,
                "what": line.what,
                "shape": line.shape,
                "seconds": round(line.seconds, 3),
                "peak_bytes": line.peak_bytes,
                "mAP": line.mAP,
                "device": line.device,
                **({"weights": dict(line.weights)} if line.weights else {}),
            }
            for line in result.lines
        ],
        "seconds": round(sum(line.seconds for line in result.lines), 3),
        "scores": scores_json(result),
    }


def date() -> str:
    """Now in UTC, or the time that ``SOURCE_DATE_EPOCH`` says in seconds, for who wants the same record twice."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(given) if given.isascii() and given.isdigit() and len(given) < 12 else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def notes(checked: Plan, result: Result) -> list[str]:
    """All that is said of a run beside its numbers, a sentence each: before it, of what it read, of its scores."""
    return list(dict.fromkeys((*checked.notes, *result.notes, *_remarks(result))))


def _remarks(result: Result) -> list[str]:
    """What is said after a run."""
    found = _unanswered(result)
    if result.scores is None:
        return [f"no scores: {result.unscored}", *found]
    for rows, what in (
        (result.scores.unknown, "queries of unknown identity (pid -1) are not scored"),
        (result.scores.without_match, "queries without a match"),
    ):
        if len(rows):
            found.append(f"{len(rows)} {what}: {errors.examples([result.query_names[row] for row in rows], 5)}")
    return [*found, *result.scores.remarks]


def score_text(result: Result, ranks: Sequence[int] = RANKS) -> str:
    """The scores with their protocol, and what there is to say of them; where there are none, why."""
    scores = []
    if result.scores is not None:
        scores = [result.scores.text(ranks), replace(result.scores, remarks=()).describe()]
    return "\n".join([*scores, *_remarks(result)])


def _unanswered(result: Result) -> list[str]:
    """What is said of queries to which a run of features returns nothing."""
    nothing = (result.ranking[:, :1] < 0) | np.isinf(result.distances[:, :1])
    names = [result.query_names[row] for row in np.flatnonzero(nothing.all(axis=1))]
    if not names or result.lists:
        return []
    return [
        f"{len(names)} queries are answered by no image, since a step puts all out of reach (as those of "
        f"the query's own camera) or no model knows a pair of theirs: {errors.examples(names, 5)}"
    ]


def scores_json(result: Result) -> dict[str, Any] | None:
    """The scores as JSON, with the names of the queries that could not be scored; None without labels."""
    if result.scores is None:
        return None
    names = [result.query_names[row] for row in result.scores.without_match]
    return {**result.scores.as_json(), "without_match": names}


def inputs(checked: Plan) -> list[Path]:
    """The files that the run depends on: lists and tables, and those of the models that it uses."""
    folder = checked.folder
    used = {path for model in checked.all_models for path in folder.models[model]}
    others = {path for paths in folder.models.values() for path in paths} - used
    return [path for path in folder.inputs if path not in others]


def sha256(path: Path) -> str:
    """The hexadecimal digest of a file, or of the names and digests of all files in a folder."""
    if path.is_dir():
        inner = sorted(part for part in path.rglob("*") if part.is_file())
        lines = [f"{sha256(part)}  {part.relative_to(path).as_posix()}\n" for part in inner]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
