"""Runs that can be compared: the same queries, judged by the same rules, in the same order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base import errors
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples
from ensemble.base.labels import same
from ensemble.scores import queries
from ensemble.scores.protocol import AVERAGES, DENOMINATORS
from ensemble.scores.queries import Queries

# Rules that older records do not name, and what they were then.
SINCE = {"average": "queries", "identities": "", "draws_given": False}


@dataclass(frozen=True)
class Entry:
    """A run to compare: its path, what its queries got, and the record of it that lies beside (empty: none)."""

    path: Path
    queries: Queries
    record: Mapping[str, Any]

    @property
    def protocol(self) -> Mapping[str, Any] | None:
        """How it was scored, None where no record says it."""
        found = (self.record.get("scores") or {}).get("protocol")
        return found

    @property
    def mAP(self) -> float | None:
        """The record's mAP, None where there is no record."""
        value = (self.record.get("scores") or {}).get("mAP")
        return float(value) if isinstance(value, int | float) else None


def read(paths: Sequence[Path]) -> list[Entry]:
    """Read runs and put their queries in the order of the first; refuses, all at once, what cannot be compared."""
    problems: list[str] = []
    entries: list[Entry] = []
    for path in paths:
        with collecting(problems):
            entries.append(read_one(path))
    errors.refuse_if_any(problems)
    return matched_to_first(entries)


def matched_to_first(entries: Sequence[Entry]) -> list[Entry]:
    """Entries with their queries in the order of the first one's; refuses what cannot be compared."""
    problems: list[str] = []
    reference, *others = entries
    matched = [reference]
    for other in others:
        found = _differences(reference, other)
        problems += found
        if not found:
            rows = {name: row for row, name in enumerate(other.queries.names)}
            order = np.array([rows[name] for name in reference.queries.names])
            label = None if other.queries.label is None else other.queries.label[order]
            ordered = Queries(reference.queries.names, other.queries.ap[order], label)
            matched.append(Entry(other.path, ordered, other.record))
            problems += _label_differences(reference, matched[-1])
    errors.refuse_if_any(problems)
    return matched


def rules(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """What a recorded protocol says, without the words for it."""
    return {name: rule for name, rule in {**SINCE, **protocol}.items() if name != "description"}


def means(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """What a recorded protocol averages over, as :func:`ensemble.scores.statistics.difference` takes it."""
    given = rules(protocol)
    return {"denominator": given.get("denominator", "valid"), "average": given["average"]}


def read_one(path: Path) -> Entry:
    """One run; InputError where it has no table of queries."""
    table, record = (
        (path / queries.NAME, path / "run.json") if path.is_dir() else (path, path.with_name("run.json"))
    )
    content: Any = {}
    if record.exists():
        try:
            content = json.loads(record.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError([f"{record}: wanted the record of a run, found {error}; run it again"]) from None
    if not _is_record(content):
        raise InputError([f"{record}: wanted the record of a run, found something else; run it again"])
    if not table.exists():
        remedy = "runs write it where query.csv and gallery.csv have a pid column; run it again with labels"
        raise InputError(
            [f"{path}: wanted a run's folder with {queries.NAME} or such a table, found none; {remedy}"]
        )
    return Entry(path, queries.read(table), content)


def _differences(reference: Entry, other: Entry) -> list[str]:
    """Why two runs are not of the same queries under the same rules."""
    problems = []
    one, two = reference.protocol, other.protocol
    one, two = (None if found is None else rules(found) for found in (one, two))
    if one is not None and two is not None and one != two:
        names = [name for name in {**one, **two} if one.get(name) != two.get(name)]
        problems.append(
            f"{other.path}: wanted the protocol of {reference.path} "
            f"({', '.join(f'{name} {one.get(name)}' for name in names)}), found "
            f"{', '.join(f'{name} {two.get(name)}' for name in names)}; run both with the same --protocol "
            "(--ap, --denominator, --average, --junk, --cut, --divide)"
        )
    sizes = [entry.record.get("gallery") for entry in (reference, other)]
    if None not in sizes and sizes[0] != sizes[1]:
        problems.append(
            f"{other.path}: wanted the gallery of {reference.path} ({sizes[0]} images), found {sizes[1]}; "
            "run both on the same images"
        )
    left, right = set(reference.queries.names), set(other.queries.names)
    if left != right:
        parts = [
            f"{len(names)} {what} ({examples(names)})"
            for what, names in (("missing", sorted(left - right)), ("others", sorted(right - left)))
            if names
        ]
        problems.append(
            f"{other.path}: wanted the {len(left)} queries of {reference.path}, found {' and '.join(parts)}; "
            "compare runs of the same queries"
        )
    return problems


def _label_differences(reference: Entry, other: Entry) -> list[str]:
    """Whether two runs of the same queries had different labels."""
    one, two = reference.queries, other.queries
    unlike = np.isnan(one.ap) != np.isnan(two.ap)
    if (reference.protocol or {}).get("divide") == "found":  # then it is the ranking that decides
        unlike[:] = False
    if one.label is not None and two.label is not None:
        unlike |= ~same(one.label, two.label)
    if not unlike.any():
        return []
    names = [one.names[row] for row in np.flatnonzero(unlike)]
    return [
        f"{other.path}: wanted the labels of {reference.path}, found another pid, or a match in one run only, in "
        f"{len(names)} queries ({examples(names)}); run both on the same images with the same labels"
    ]


def _is_record(content: Any) -> bool:
    """Whether this says how a run was scored, or nothing about it."""
    if not isinstance(content, dict):
        return False
    scores = content.get("scores")
    if scores is None:
        return True
    protocol = scores.get("protocol") if isinstance(scores, dict) else None
    if not isinstance(protocol, dict):
        return False
    found = means(protocol)
    return found["denominator"] in DENOMINATORS and found["average"] in AVERAGES
