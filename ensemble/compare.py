"""Is run B better than run A, and on which queries?

    python -m ensemble.compare runs/baseline runs/default
    python -m ensemble.compare runs/baseline runs/default runs/mine --csv table.csv

A run is a folder that ``ensemble.run`` wrote from labelled images, or a table with the columns ``query``, ``ap``
and, where they are known, ``pid``. All runs are compared with the first.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble import io
from ensemble.base import calling, tabled
from ensemble.base.errors import InputError, printable
from ensemble.base.labels import of_values
from ensemble.cli import intervals, notes, outputs, program
from ensemble.cli.intervals import interval_text, p_text
from ensemble.interface import arguments
from ensemble.interface.arguments import FilePath
from ensemble.pipeline import results
from ensemble.scores import comparable, statistics
from ensemble.scores.comparable import Entry
from ensemble.scores.queries import Queries
from ensemble.scores.statistics import Difference

if TYPE_CHECKING:
    import pandas as pd

    from ensemble.interface.ranking import Ranking

TASK = "score"  # of reid-ensemble --help

SHOWN = 10  # queries that changed most, in each direction
DIRECTIONS = {"gained": 1, "lost": -1}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    settings = intervals.settings(options)
    _refuse_one(options.runs)
    outputs.refuse_unwritable(options.csv, options.queries)
    entries = comparable.read(options.runs)
    for entry in entries:
        notes.say(notes.of_record(entry.record), of=entry.path, aside=options.json)
    compared = _compared(entries, settings, independent=options.independent)
    found, corrected, how = compared.found, compared.corrected, compared.how
    with io.all_together() as place:
        if options.csv:
            lines = _lines(entries, found, corrected)
            io.write_csv(place(options.csv), lines[0], [line.values() for line in lines])
        if options.queries:
            _write_queries(place(options.queries), entries)
    if options.json:
        print(json.dumps(_json(entries, found, corrected, settings, how), allow_nan=False))
    else:
        print("\n".join(_text(entries, found, corrected, how)))
    return program.FINE


def compare(
    *runs: "Ranking | FilePath",
    seed: int | None = None,
    resamples: int | None = None,
    level: float | None = None,
    independent: bool | None = None,
) -> "Comparison":
    """Is the second, or any of the others, better than the first, and on which queries?

    runs: what :func:`ensemble.rank` returned, folders that ``ensemble.run`` wrote, or tables with ``query`` and
          ``ap``; two or more, of the same queries under the same rules.
    seed, resamples, level: of intervals and tests; 0, 10,000 draws, 0.95.
    independent: draw queries, not identities.
    """
    own = {"seed": seed, "resamples": resamples, "level": level, "independent": independent}
    with arguments.in_python():
        options = program.parser("ensemble.compare")
        intervals.add_options(options)
        chosen = arguments.own_options(options, own)
        settings = intervals.settings(chosen)
        _refuse_one(runs)
        given = [_entry(run, number) for number, run in enumerate(runs, 1)]
        return _compared(comparable.matched_to_first(given), settings, independent=chosen.independent)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What :func:`compare` returns: every run against the first, p-values also corrected for their number."""

    entries: Sequence[Entry]
    found: Sequence[Difference]
    corrected: Sequence[float]
    how: str

    def to_frame(self) -> "pd.DataFrame":
        """A row a run: mAP, difference to the first with interval and p, queries that are better and worse."""
        import pandas as pd

        return pd.DataFrame(_lines(self.entries, self.found, self.corrected))

    def queries(self) -> "pd.DataFrame":
        """The average precision of every query in every run."""
        import pandas as pd

        columns = {str(entry.path): entry.queries.ap for entry in self.entries}
        return pd.DataFrame({"query": self.entries[0].queries.names, **columns})

    def __repr__(self) -> str:
        return "\n".join(_text(self.entries, self.found, self.corrected, self.how))

    def _repr_html_(self) -> str:
        lines = _lines(self.entries, self.found, self.corrected)
        return tabled.grid(list(lines[0]), [list(line.values()) for line in lines])


def _entry(run: "Ranking | FilePath", number: int) -> Entry:
    """A run to compare; one in memory is called by its number and recipe."""
    from ensemble.interface.ranking import Ranking

    if not isinstance(run, Ranking):
        return comparable.read_one(Path(run))
    name = f"{number} {run.plan.recipe.name}"
    if run.scores is None:
        raise InputError([f"{name}: wanted labels, found no scores: {run.unscored}"])
    label = None if run.result.query_label is None else of_values(run.result.query_label)
    record = {"scores": results.scores_json(run.result), "gallery": len(run.gallery_names)}
    return Entry(Path(name), Queries(run.query_names, run.scores.ap, label), record)


def _refuse_one(runs: Sequence[object]) -> None:
    if len(runs) < 2:
        raise InputError([f"runs: wanted two or more, found {len(runs)}; name the run to compare it with"])


def _compared(entries: Sequence[Entry], settings: Mapping[str, Any], *, independent: bool) -> Comparison:
    means = comparable.means(protocol(entries) or {})
    reference, *others = entries
    pid = reference.queries.pid
    found = [
        statistics.difference(
            reference.queries.ap, other.queries.ap, pid, independent=independent, **means, **settings
        )
        for other in others
    ]
    corrected = statistics.holm([one.p for one in found]).tolist()
    by = "query" if independent or pid is None else "identity"
    return Comparison(entries, found, corrected, intervals.method(settings, by=by, comparisons=len(others)))


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.compare", __doc__)
    p.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="the run to compare with, then the others")
    outputs.add_csv(p, "write the table, one line a run")
    p.add_argument("--queries", type=Path, metavar="FILE", help="write the AP of every query in every run")
    outputs.add_json(p)
    intervals.add_options(p)
    return p


def protocol(entries: Sequence[Entry]) -> Mapping[str, Any] | None:
    """How the runs were scored, None where no record says it."""
    return next((entry.protocol for entry in entries if entry.protocol), None)


def _columns(entry: Entry, one: Difference | None, corrected: float) -> dict[str, Any]:
    """A line of the table, as CSV and JSON have it; None: there is no such number."""
    values = {} if one is None else asdict(one)
    return {
        "run": str(entry.path),
        "recorded_mAP": entry.mAP,
        "mAP": values.get("second"),
        **{name: statistics.finite(values.get(name)) for name in ("difference", "low", "high", "p")},
        "p_corrected": None if one is None else corrected,
        **{name: values.get(name) for name in ("better", "worse", "equal", "queries", "groups")},
    }


def _lines(
    entries: Sequence[Entry], found: Sequence[Difference], corrected: Sequence[float]
) -> list[dict[str, Any]]:
    first = _columns(entries[0], None, 1) | {
        "mAP": found[0].first,
        "queries": found[0].queries,
        "groups": found[0].groups,
    }
    return [first, *(_columns(*item) for item in zip(entries[1:], found, corrected, strict=True))]


def _write_queries(path: Path, entries: Sequence[Entry]) -> None:
    reference = entries[0].queries
    pids = [""] * len(reference.names) if reference.label is None else reference.label.tolist()
    columns = [["" if math.isnan(ap) else ap for ap in entry.queries.ap.tolist()] for entry in entries]
    header = ["query", "pid", *(entry.path for entry in entries)]
    io.write_csv(path, header, zip(reference.names, pids, *columns, strict=True))


def _json(
    entries: Sequence[Entry],
    found: Sequence[Difference],
    corrected: Sequence[float],
    settings: Mapping[str, Any],
    how: str,
) -> dict[str, Any]:
    changed = [
        {"run": str(other.path), **{what: changes(entries[0], other, sign) for what, sign in DIRECTIONS.items()}}
        for other in entries[1:]
    ]
    return {
        "protocol": protocol(entries),
        "method": how,
        **settings,
        "runs": _lines(entries, found, corrected),
        "changed": changed,
    }


def changes(reference: Entry, other: Entry, sign: int) -> list[dict[str, Any]]:
    """The queries that gained (``sign`` 1) or lost (-1) most, at most ten, ties in the order of the runs."""
    names = reference.queries.names
    pid = None if reference.queries.label is None else reference.queries.label.tolist()
    first, second = np.nan_to_num(reference.queries.ap), np.nan_to_num(other.queries.ap)
    change = sign * (second - first)
    return [
        {
            "query": names[row],
            "pid": None if pid is None else pid[row],
            "first": float(first[row]),
            "second": float(second[row]),
        }
        for row in np.argsort(-change, kind="stable")[:SHOWN]
        if change[row] > 0
    ]


def _text(
    entries: Sequence[Entry], found: Sequence[Difference], corrected: Sequence[float], how: str
) -> list[str]:
    rules = (protocol(entries) or {}).get("description", "no record says how they were scored")
    names = [printable(str(entry.path)) for entry in entries]
    wide = max(map(len, names))
    lines = [
        f"{found[0].queries} queries in {found[0].groups} groups; {rules}",
        f"{'run':<{wide}} {'mAP':>7} {'difference':>11} {'interval':>18} {'p':>7} "
        f"{'better':>7} {'worse':>6} {'equal':>6}",
        f"{names[0]:<{wide}} {found[0].first:7.4f}",
    ]
    for name, one, p in zip(names[1:], found, corrected, strict=True):
        lines.append(
            f"{name:<{wide}} {one.second:7.4f} {one.difference:+11.4f} {interval_text(one):>18} {p_text(p):>7} "
            f"{one.better:7} {one.worse:6} {one.equal:6}"
        )
    means = [found[0].first, *(one.second for one in found)]
    unlike = [
        f"{name} {entry.mAP:.4f}"
        for name, entry, mean in zip(names, entries, means, strict=True)
        if entry.mAP is not None and abs(entry.mAP - mean) > 1e-9
    ]
    if unlike:
        lines.append(f"mAP: of the queries compared, each once; as the protocol counts: {', '.join(unlike)}")
    precisions = [entry.queries.ap for entry in entries]
    unknown = np.count_nonzero(statistics.unscored(precisions, entries[0].queries.pid))
    if unknown:
        lines.append(f"{unknown} queries of unknown identity (pid -1) are not scored")
    lines.append(how)
    for name, other in zip(names[1:], entries[1:], strict=True):
        for what, sign in DIRECTIONS.items():
            most = changes(entries[0], other, sign)
            lines.append(f"\n{what} most in {name}:" if most else f"\nno query {what} in {name}")
            for row in most:
                who = "" if row["pid"] is None else f" (pid {printable(str(row['pid']))})"
                change = f"{row['first']:.4f} -> {row['second']:.4f} ({row['second'] - row['first']:+.4f})"
                lines.append(f"  {change}  {printable(row['query'])}{who}")
    return lines


calling.does(__name__, f"{__name__}:compare")

if __name__ == "__main__":
    program.main(main)
