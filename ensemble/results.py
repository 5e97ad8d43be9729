"""What a run leaves behind: the submission, the recipe as it ran, the record, the scores in words."""

import hashlib
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from ensemble import __version__, errors, io, submission
from ensemble.errors import InputError
from ensemble.pipeline import Result
from ensemble.plan import Plan
from ensemble.recipe import Recipe


def write(out: Path, checked: Plan, result: Result, *, threads: int) -> list[Path]:
    """Write everything into ``out``, each file complete or not at all; the paths, in the order of writing."""
    out.mkdir(parents=True, exist_ok=True)
    written = [write_submission(out, checked.recipe, result)]
    for name, content in (
        ("recipe.toml", recipe_text(checked)),
        ("run.json", json.dumps(record(checked, result, written[0], threads=threads), indent=1) + "\n"),
    ):
        with io.beside(out / name, "w") as stream:
            stream.write(content)
        written.append(out / name)
    return written


def write_submission(out: Path, used: Recipe, result: Result) -> Path:
    """What the recipe names, or ``ranking.csv`` where the images have no numbers for a ``track2.txt``."""
    queries, gallery = result.query_names, result.gallery_names
    if used.submission == "track2":
        numbered = (
            [str(int(name) + 1) for name in gallery]
            if gallery == [str(i) for i in range(len(gallery))]
            else gallery
        )
        try:
            submission.write_track2(out / submission.TRACK2, result.ranking, queries, numbered, top_k=used.top_k)
            return out / submission.TRACK2
        except InputError as error:
            print(f"no {submission.TRACK2}: {error.problems[0]}")
    submission.write_csv(out / "ranking.csv", result.ranking, result.distances, queries, gallery)
    return out / "ranking.csv"


def recipe_text(checked: Plan) -> str:
    """The recipe as it was run, models by their names, settings with the changes; runs again as it is."""
    import tomli_w

    content = checked.recipe.as_toml()
    for branch, models in zip(content["branch"], checked.models, strict=True):
        branch["models"] = list(models)
    return tomli_w.dumps(content)


def record(checked: Plan, result: Result, submitted: Path, *, threads: int) -> dict[str, Any]:
    """What ran on what, for whoever wants to know later."""
    libraries = ("numpy", "scipy", "scikit-learn", "numba", "pandas")
    return {
        "recipe": checked.recipe.as_toml() | {"name": checked.recipe.name},
        "inputs": {str(path): sha256(path) for path in inputs(checked)},
        "submission": submitted.name,
        "models": [list(models) for models in checked.models],
        "queries": len(result.query_names),
        "gallery": len(result.gallery_names),
        "versions": {
            "reid-ensemble": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in libraries},
        },
        "threads": threads,
        "steps": [
            {
                "step": line.step,
                "what": line.what,
                "shape": line.shape,
                "seconds": round(line.seconds, 3),
                "peak_bytes": line.peak_bytes,
                "mAP": line.mAP,
            }
            for line in result.lines
        ],
        "seconds": round(sum(line.seconds for line in result.lines), 3),
        "scores": scores_json(result),
    }


def score_text(result: Result) -> str:
    """The scores with their protocol, or a sentence that says why there are none."""
    if result.scores is None:
        return f"no scores: {result.unscored}"
    s = result.scores
    values = (
        f"mAP {s.mAP:.4f}  rank-1 {s.rank1:.4f}  rank-5 {s.rank5:.4f}  rank-10 {s.rank10:.4f}  mINP {s.mINP:.4f}"
    )
    text = f"{values}\n{s.describe()}"
    if len(s.without_match):
        names = [result.query_names[row] for row in s.without_match]
        text += f"\n{len(names)} queries without a match: {errors.examples(names, 5)}"
    return text


def scores_json(result: Result) -> dict[str, Any] | None:
    """The scores as JSON, with the names of the queries that could not be scored; None without labels."""
    if result.scores is None:
        return None
    names = [result.query_names[row] for row in result.scores.without_match]
    return {**result.scores.as_json(), "without_match": names}


def inputs(checked: Plan) -> list[Path]:
    """The files that the run depends on: lists and tables, and those of the models that it uses."""
    folder = checked.folder
    used = {path for models in checked.models for model in models for path in folder.models[model]}
    others = {path for paths in folder.models.values() for path in paths} - used
    return [path for path in folder.inputs if path not in others]


def sha256(path: Path) -> str:
    """The hexadecimal digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
