"""``python -m ensemble.compare A B``: is run B better than run A, and on which queries?

    python -m ensemble.compare runs/baseline runs/default
    python -m ensemble.compare runs/baseline runs/default runs/mine --csv table.csv

A run is a folder that ``ensemble.run`` wrote from labelled images, or a table with the columns ``query``, ``ap``
and, where they are known, ``pid``. All runs are compared with the first.
"""

import argparse
import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import io
from ensemble.base import errors
from ensemble.base.errors import InputError, printable
from ensemble.scores import comparable, statistics
from ensemble.scores.comparable import Entry
from ensemble.scores.statistics import Difference

SHOWN = 10  # queries that changed most, in each direction
DIRECTIONS = {"gained": 1, "lost": -1}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    p = argparse.ArgumentParser(
        prog="python -m ensemble.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="the run to compare with, then the others")
    p.add_argument("--csv", type=Path, metavar="FILE", help="write the table, one line a run")
    p.add_argument("--queries", type=Path, metavar="FILE", help="write the AP of every query in every run")
    p.add_argument("--json", action="store_true", help="print everything as JSON and nothing else on stdout")
    add_settings(p)
    options = p.parse_args(arguments)
    settings = read_settings(options)
    if len(options.runs) < 2:
        raise InputError([f"runs: wanted two or more, found {len(options.runs)}; name the run to compare it with"])
    entries = comparable.read(options.runs)
    denominator = (protocol(entries) or {}).get("denominator", "valid")
    reference, *others = entries
    pid = None if options.independent else reference.queries.pid
    found = [
        statistics.difference(reference.queries.ap, other.queries.ap, pid, denominator=denominator, **settings)
        for other in others
    ]
    corrected = statistics.holm([one.p for one in found]).tolist()
    if options.csv:
        _write_table(options.csv, entries, found, corrected)
    if options.queries:
        _write_queries(options.queries, entries)
    how = method(settings, by="query" if pid is None else "identity", comparisons=len(others))
    if options.json:
        print(json.dumps(_json(entries, found, corrected, settings, how), allow_nan=False))
    else:
        print("\n".join(_text(entries, found, corrected, how)))
    return 0


def protocol(entries: Sequence[Entry]) -> Mapping[str, Any] | None:
    """How the runs were scored, None where no record says it."""
    return next((entry.protocol for entry in entries if entry.protocol), None)


def add_settings(p: argparse.ArgumentParser) -> None:
    """The options of the statistics."""
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn (default: %(default)s)")
    p.add_argument(
        "--resamples",
        type=int,
        default=statistics.RESAMPLES,
        metavar="N",
        help="draws for intervals and tests (default: %(default)s)",
    )
    p.add_argument(
        "--level",
        type=float,
        default=statistics.LEVEL,
        help="of the intervals, 0.5 to 0.999 (default: %(default)s)",
    )
    p.add_argument(
        "--independent",
        action="store_true",
        help="draw queries, not identities: gives narrower intervals than the queries of one identity deserve",
    )


def read_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The settings of the statistics, checked."""
    problems = []
    if options.seed < 0:
        problems.append(f"--seed: wanted 0 or more, found {options.seed}")
    if options.resamples < 100:
        problems.append(f"--resamples: wanted 100 or more, found {options.resamples}")
    if not 0.5 <= options.level <= 0.999:
        problems.append(f"--level: wanted 0.5 to 0.999, found {options.level}")
    errors.refuse_if_any(problems)
    return {"seed": options.seed, "resamples": options.resamples, "level": options.level}


def method(settings: Mapping[str, Any], *, by: str, comparisons: int) -> str:
    """What the numbers mean, in a sentence to be printed below them."""
    corrected = f", corrected for {comparisons} comparisons (Holm)" if comparisons > 1 else ""
    return (
        f"interval: {settings['level']:.4g} for each comparison by itself, BCa bootstrap by {by}; p: two-sided "
        f"permutation test by {by}{corrected}; {settings['resamples']} draws, seed {settings['seed']}"
    )


def _columns(entry: Entry, one: Difference | None, corrected: float) -> dict[str, Any]:
    """A line of the table, as CSV and JSON have it; None: there is no such number."""
    values = {} if one is None else asdict(one)
    return {
        "run": str(entry.path),
        "recorded_mAP": entry.mAP,
        "mAP": values.get("second"),
        **{name: finite(values.get(name)) for name in ("difference", "low", "high", "p")},
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


def _write_table(
    path: Path, entries: Sequence[Entry], found: Sequence[Difference], corrected: Sequence[float]
) -> None:
    lines = _lines(entries, found, corrected)
    with io.beside(path) as stream:
        table = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(lines)


def _write_queries(path: Path, entries: Sequence[Entry]) -> None:
    reference = entries[0].queries
    pids = [""] * len(reference.names) if reference.pid is None else reference.pid.tolist()
    columns = [["" if math.isnan(ap) else ap for ap in entry.queries.ap.tolist()] for entry in entries]
    with io.beside(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["query", "pid", *(entry.path for entry in entries)])
        table.writerows(zip(reference.names, pids, *columns, strict=True))


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
    names, pid = reference.queries.names, reference.queries.pid
    first, second = np.nan_to_num(reference.queries.ap), np.nan_to_num(other.queries.ap)
    change = sign * (second - first)
    return [
        {
            "query": names[row],
            "pid": None if pid is None else int(pid[row]),
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
    lines.append(how)
    for name, other in zip(names[1:], entries[1:], strict=True):
        for what, sign in DIRECTIONS.items():
            most = changes(entries[0], other, sign)
            lines.append(f"\n{what} most in {name}:" if most else f"\nno query {what} in {name}")
            lines += [
                f"  {one['first']:.4f} -> {one['second']:.4f} ({one['second'] - one['first']:+.4f})  "
                f"{printable(one['query'])}{'' if one['pid'] is None else ' (pid ' + str(one['pid']) + ')'}"
                for one in most
            ]
    return lines


def interval_text(one: Difference) -> str:
    """``+0.0120 to +0.0310``, or ``-`` where there is none."""
    return "-" if math.isnan(one.low) else f"{one.low:+.4f} to {one.high:+.4f}"


def p_text(p: float) -> str:
    """Four places; ``-`` where there was no test."""
    return "-" if math.isnan(p) else f"{p:.4f}"


def finite(value: float | None) -> float | None:
    """The number, None for NaN, which JSON does not know."""
    return None if value is None or math.isnan(value) else value


if __name__ == "__main__":
    errors.main(main)
