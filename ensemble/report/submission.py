"""A submission alone, and two runs side by side: what else than one run a report can be about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import io, submissions
from ensemble.base.errors import InputError, examples
from ensemble.report.history import UNKNOWN, History, Step
from ensemble.submissions import RankList

PLACES = 50


def from_file(path: Path, query_names: Path | None = None, gallery_names: Path | None = None) -> History:
    """A file of rank lists, its first places.

    Files of numbers need lists of names to find pictures by; without them image 7 is called ``000007.jpg``, as in
    the AI City challenge. Raises InputError for a file that cannot be read or does not fit the names.
    """
    if not path.is_file():
        raise InputError([f"--submission: wanted a file of rank lists, found none at {path}; check the path"])
    lists = submissions.read(path)
    queries = io.read_names(query_names) if query_names else None
    gallery = io.read_names(gallery_names) if gallery_names else None
    queries = queries or lists.query_names or [_numbered(i + 1) for i in range(len(lists))]
    if gallery is None and lists.by != "name":
        numbers = np.unique(lists.rows)
        first = 0 if lists.by == "number" else 1  # places are counted from 0
        rows = np.searchsorted(numbers, lists.rows)
        given = [_numbered(number + first) for number in numbers.tolist()]
        lists = replace(lists, gallery_names=given, rows=rows, by="name")
    if gallery is not None or queries != lists.query_names:
        lists = submissions.aligned(path.name, lists, queries, gallery or lists.gallery_names)
    return _history(path.name, lists, queries)


def _numbered(number: int) -> str:
    return f"{number:06d}.jpg"


def _history(title: str, lists: RankList, queries: Sequence[str]) -> History:
    lists = lists.first(PLACES)
    width = int(lists.counts.max(initial=1))
    rows = np.full((len(lists), width), -1, np.int32)
    distances = np.full(rows.shape, np.nan, np.float32)
    images, places = np.unique(lists.rows, return_inverse=True)
    rows[lists.query_of, lists.places] = places
    if lists.distances is not None:
        distances[lists.query_of, lists.places] = lists.distances
    step = Step(
        label="submission",
        what=title,
        kind="step",
        state="distances",
        after=-1,
        seconds=0.0,
        rows=rows,
        distances=distances,
        relation=np.full(rows.shape, UNKNOWN, np.int8),
    )
    return History(
        title=title,
        queries={"name": list(queries)},
        images={"name": [lists.gallery_names[row] for row in images.tolist()]},
        steps=(step,),
        record={},
        unscored="a submission holds no labels",
    )


def matched(histories: Sequence[History]) -> list[History]:
    """Runs with their queries in the order of the first, and one list of images for all.

    Raises InputError where the queries are not the same.
    """
    first = histories[0]
    problems = []
    for other in histories[1:]:
        left, right = set(first.queries["name"]), set(other.queries["name"])
        if left != right:
            found = ", ".join(
                f"{len(names)} {what} ({examples(sorted(names))})"
                for what, names in (("missing", left - right), ("others", right - left))
                if names
            )
            problems.append(
                f"{other.title}: wanted the {len(left)} queries of {first.title}, found {found}; "
                "compare runs of the same queries"
            )
    if problems:
        raise InputError(problems)
    names = list(dict.fromkeys(name for history in histories for name in history.images["name"]))
    place = {name: row for row, name in enumerate(names)}
    images = _merged(histories, names)
    return [_aligned(history, first.queries["name"], place, images) for history in histories]


def _merged(histories: Sequence[History], names: Sequence[str]) -> dict[str, Any]:
    """One table of all images; what no run says of an image is -1."""
    place = {name: row for row, name in enumerate(names)}
    columns = [
        name for name in ("pid", "cam", "track", "frame") if any(name in history.images for history in histories)
    ]
    table: dict[str, Any] = {"name": list(names)}
    for column in columns:
        given = [history.images[column] for history in histories if column in history.images]
        text = any(values.dtype.kind == "U" for values in given)
        table[column] = np.full(len(names), "" if text else -1, object if text else np.int64)
        for history in reversed(histories):
            if column in history.images:
                values = history.images[column]
                values = (
                    np.where(values < 0, "", values.astype(np.str_))
                    if text and values.dtype.kind != "U"
                    else values
                )
                table[column][[place[name] for name in history.images["name"]]] = values
        table[column] = table[column].astype(np.str_) if text else table[column]
    return table


def _aligned(
    history: History, queries: Sequence[str], place: Mapping[str, int], images: Mapping[str, Any]
) -> History:
    at = {name: row for row, name in enumerate(history.queries["name"])}
    order = np.array([at[name] for name in queries], np.int64)
    moved = np.append([place[name] for name in history.images["name"]], -1).astype(np.int32)
    steps = []
    for step in history.steps:
        own = {
            name: value[order] for name in ("ap", "inp", "first_hit") if (value := getattr(step, name)) is not None
        }
        curves = dict(step.curves)
        if "positives" in curves:
            curves["positives"] = curves["positives"][order]
        steps.append(
            replace(
                step,
                rows=moved[step.rows[order]],
                distances=step.distances[order],
                relation=step.relation[order],
                curves=curves,
                **own,
            )
        )
    table = {name: [value[row] for row in order] for name, value in history.queries.items() if name == "name"}
    table |= {name: value[order] for name, value in history.queries.items() if name != "name"}
    return replace(history, queries=table, images=images, steps=tuple(steps))
