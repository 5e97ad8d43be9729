"""What the page says beside scores and lists: where a run comes from, uncertain queries, copies."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from ensemble.base.errors import printable
from ensemble.report import copies, tables
from ensemble.report.history import History, Step
from ensemble.report.pictures import Album, Wanted, same_files
from ensemble.scores.uncertainty import uncertainty

UNCERTAIN = 12  # queries that are named

Data = dict[str, Any]


def origin(record: Mapping[str, Any]) -> Data:
    """Where the data lay, when it was run and by which command; what is not known is left out."""
    date = str(record.get("date", "")).replace("T", " ").replace("Z", " UTC")
    said = {"Data": str(record.get("features", "")), "Date": date, "Command": str(record.get("command", ""))}
    return {name: printable(value, 2000) for name, value in said.items() if value}


def are_places(step: Step) -> bool:
    """Whether the distances are but places, as a list that was rewritten has: how many images are before each."""
    far = step.distances
    there = (step.rows >= 0) & np.isfinite(far)
    if not (there.sum(axis=1) > 1).any():
        return False
    new = np.ones(far.shape, bool)
    new[:, 1:] = far[:, 1:] != far[:, :-1]
    before = np.maximum.accumulate(np.where(new, np.arange(far.shape[1]), 0), axis=1)
    return bool((far == before)[there].all())


def uncertain(step: Step) -> np.ndarray:
    """How uncertain the first place of every query is; NaN where distances are not there, or but places."""
    if are_places(step):
        return np.full(len(step.rows), np.nan)
    return uncertainty(np.where(step.rows < 0, np.nan, step.distances))


def most_uncertain(history: History) -> list[Data]:
    """The queries whose first place is most uncertain, after the last step that has distances."""
    values = next((own for step in history.steps[::-1] if not np.isnan(own := uncertain(step)).all()), None)
    if values is None:
        return []
    order = np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")[:UNCERTAIN]
    rows, relation = history.final.rows, history.final.relation
    names = history.queries["name"], history.images["name"]
    return [
        {
            "name": printable(names[0][query]),
            "link": f"#query={quote(names[0][query], safe='', errors='replace')}",
            "value": float(values[query]),
            "first": printable(names[1][rows[query, 0]]) if rows[query, 0] >= 0 else "nothing",
            "what": tables.MEANING[int(relation[query, 0])],
        }
        for query in order[~np.isnan(values[order])].tolist()
    ]


def copied(history: History) -> Data | None:
    """What is said of copies in the data set; None where nobody looked."""
    told = history.extras.get("copies")
    if not told:
        return None
    same = {True: "one identity", False: "two identities", None: "not known"}
    pairs = [
        {
            "sides": " and ".join(dict.fromkeys(pair["sides"])),
            "names": [printable(name) for name in pair["names"]],
            "share": "equal" if pair["share"] == 0 else f"{pair['share']:.0%} of the usual distance",
            "same": same[pair["same"]],
            "leak": len(set(pair["sides"])) > 1 or pair["same"] is False,
        }
        for pair in told["pairs"]
    ]
    return {**told, "pairs": pairs, "about": list(copies.sentences(told))}


def files_alike(history: History, album: Album | None) -> list[str]:
    """The first images that are the same file under several names, a sentence a group."""
    if album is None:
        return []
    wanted: list[Wanted] = [("query", name) for name in history.queries["name"]]
    groups = same_files(album, [*wanted, *(("gallery", name) for name in history.images["name"])])
    lines = [", ".join(f"{side} {name}" for side, name in group) for group in groups[: copies.NAMED]]
    return [printable(line, 400) for line in lines]
