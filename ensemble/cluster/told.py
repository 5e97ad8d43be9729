"""What is left behind: the file to hand in, a record; and words."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import __version__, io
from ensemble.clusters.answers import Answers, Part
from ensemble.pipeline.plan import Plan
from ensemble.scores.clusters import ClusterScores
from ensemble.scores.statistics import finite
from ensemble.submissions import clusters as tables
from ensemble.submissions.clusters import Form
from postproc.base.vocabulary import Ints
from postproc.clusters.numbering import apart

FILE, RECORD, PAGE = "submission.csv", "clusters.json", "clusters.html"
SHOWN = ("ari", "ami", "nmi", "pair_f1", "bcubed_f1", "purity")


def names(*, report: bool) -> tuple[str, ...]:
    """The files that are written."""
    return (FILE, RECORD, *([PAGE] if report else []))


def values(found: Answers, form: Form) -> list[str]:
    """What the cluster of every image is called."""
    called = [""] * len(found.names)
    for part in found.parts:
        for row, number in zip(part.rows.tolist(), apart(part.clusters).tolist(), strict=True):
            called[row] = form.called(number, part.name)
    return called


def write(folder: Path, found: Answers, form: Form, order: Ints | None, content: dict[str, Any]) -> None:
    """The table and the record. ``order``: the image of each row of the table, None: as they are."""
    called = values(found, form)
    rows = range(len(called)) if order is None else order.tolist()
    tables.write(folder / FILE, form, [found.names[row] for row in rows], [called[row] for row in rows])
    with io.beside(folder / RECORD) as stream:
        stream.write(json.dumps(content, indent=1, allow_nan=False) + "\n")


def record(found: Answers, plan: Plan, notes: Sequence[str]) -> dict[str, Any]:
    """What was done with what, as plain values."""
    return {
        "recipe": plan.recipe.as_toml() | {"name": plan.recipe.name},
        "models": [list(models) for models in plan.models],
        "method": found.how.step,
        "settings": dict(found.how.settings),
        "refine": dict(found.how.refine),
        "images": len(found.names),
        "sets": {part.name: _of_part(part) for part in found.parts},
        "scores": found.mean.as_json() if found.mean else None,
        "notes": list(notes),
        "versions": {"reid-ensemble": __version__},
    }


def _of_part(part: Part) -> dict[str, Any]:
    sizes = np.bincount(part.clusters[part.clusters >= 0]) if (part.clusters >= 0).any() else np.zeros(0, int)
    threshold = part.threshold
    return {
        "images": part.images.images,
        "clusters": part.count,
        "alone": int(np.count_nonzero(part.clusters < 0)),
        "largest": int(sizes.max(initial=1)),
        "threshold": finite(threshold.distance),
        "about": threshold.about,
        **(
            {
                "fit": {
                    "measure": threshold.measure,
                    "best": finite(threshold.best),
                    "held_out": finite(threshold.held_out),
                    "sd": finite(threshold.spread),
                }
            }
            if threshold.measure
            else {}
        ),
        "links": {"yes": len(part.images.must), "no": len(part.images.cannot)},
        "scores": part.scores.as_json() if part.scores else None,
    }


def text(found: Answers) -> list[str]:
    """What was found, a line a data set, and the scores."""
    lines = [f"clusters by {found.how.text()}"]
    for part in found.parts:
        alone = int(np.count_nonzero(part.clusters < 0))
        where = f"{part.name}: " if part.name else ""
        lines.append(f"{where}{part.images.images} images, {part.count} clusters, {alone} of them of one image")
        threshold = part.threshold
        if threshold.distance is not None:
            lines.append(f"    threshold {threshold.distance:.6g}: {threshold.about}")
        if threshold.held_out is not None:
            lines.append(
                f"    {threshold.measure} {_number(threshold.best)} there; {_number(threshold.held_out)} "
                f"± {_number(threshold.spread)} on identities that the fit had not seen"
            )
    judged = [(part.name, part.scores) for part in found.parts if part.scores is not None]
    if judged:
        lines += table([*judged, *([("mean", found.mean)] if found.mean else [])])
        if any(part.threshold.own and part.threshold.measure for part in found.parts):
            lines.append(
                "these scores are of the labels that the threshold was fitted on: what to expect elsewhere "
                "is what is said of identities not seen"
            )
    else:
        lines.append("no scores: no image has a known identity (a pid column in gallery.csv)")
    return lines


def table(judged: Sequence[tuple[str, ClusterScores]]) -> list[str]:
    """The scores, a row a data set, with their intervals below."""
    width = max(4, *(len(name) for name, _ in judged))
    lines = [" " * width + "".join(f"{name:>16}" for name in SHOWN)]
    for name, scores in judged:
        lines.append(f"{name:<{width}}" + "".join(f"{_number(scores.values[one]):>16}" for one in SHOWN))
        ends = [scores.intervals.get(one) for one in SHOWN]
        if any(ends):
            said = ["" if end is None else f"{end[0]:.3f}..{end[1]:.3f}" for end in ends]
            lines.append(" " * width + "".join(f"{one:>16}" for one in said))
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"
