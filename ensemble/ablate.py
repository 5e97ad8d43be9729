"""``python -m ensemble.ablate``: what every model, branch and step of a recipe is worth, with intervals and tests.

    python -m ensemble.ablate --features DIR --recipe default --csv ablation.csv

The recipe as it is, then each model alone and left out, each branch alone and left out, each step left out; every
row compared with the whole recipe on the same labelled queries.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import postproc
from ensemble import compare, io
from ensemble.base import errors
from ensemble.base.errors import InputError, printable
from ensemble.base.features import FeatureSet
from ensemble.cli import inputs
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.run import Result, Run
from ensemble.pipeline.state import Memo
from ensemble.pipeline.variants import Variant, variants
from ensemble.scores import Scores, statistics
from ensemble.scores.protocols import Protocol
from ensemble.scores.statistics import Difference
from postproc.base.cache import GIGABYTE

COLUMNS = ("what", "mAP", "rank1", "difference", "low", "high", "p", "p_corrected", "seconds", "note")


@dataclass(frozen=True, eq=False)
class Row:
    """A variant's scores and what sets them apart from the whole recipe's; ``note`` says why there are none."""

    what: str
    scores: Scores | None = None
    difference: Difference | None = None
    seconds: float | None = None
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    settings = compare.read_settings(options)
    plan = inputs.prepare(options)
    if not {"query_pid", "gallery_pid"} <= plan.folder.columns:
        raise InputError(
            [f"{plan.folder.path}: wanted labels, found none; give query.csv and gallery.csv a pid column"]
        )
    limit, protocol = inputs.memory_limit(options), inputs.protocol(options, plan.recipe)
    others = variants(plan)
    with postproc.using(threads=options.threads, memory=limit):
        sets = None
        if "distances" not in plan.folder.columns:  # no rank lists, which every run reads itself
            read = io.read(plan.folder, plan.all_models, missing=plan.recipe.missing)
            sets = {features.model: features for features in read}
        rows = ablate(
            plan,
            others,
            sets,
            protocol=protocol,
            memo=Memo(max(1, limit // 4) if limit else GIGABYTE) if sets else None,
            device=inputs.device(options),
            independent=options.independent,
            settings=settings,
            show=lambda what: print(f"{what} …", file=sys.stderr, flush=True) if sys.stderr.isatty() else None,
        )
    by = "query" if options.independent else "identity"
    done = sum(row.difference is not None for row in rows)
    report = {
        "recipe": plan.recipe.as_toml() | {"name": plan.recipe.name},
        "protocol": rows[0].scores.as_json()["protocol"] if rows[0].scores else None,
        "method": compare.method(settings, by=by, comparisons=done),
        **settings,
        "rows": [dict(zip(COLUMNS, values, strict=True)) for values in table(rows)],
    }
    places = [options.csv] if options.csv else []
    if options.out:
        places.append(options.out / "ablation.csv")
        with io.beside(options.out / "ablation.json") as stream:
            stream.write(json.dumps(report, indent=1, allow_nan=False) + "\n")
    for path in places:
        _write_csv(path, rows)
    print(json.dumps(report, allow_nan=False) if options.json else "\n".join(text(rows, report)))
    return 0


def parser() -> argparse.ArgumentParser:
    """The options, most of them those of ``ensemble.run``."""
    p = argparse.ArgumentParser(
        prog="python -m ensemble.ablate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    inputs.add_options(p)
    p.add_argument("--csv", type=Path, metavar="FILE", help="write the table")
    p.add_argument("--out", type=Path, metavar="DIR", help="write ablation.csv and ablation.json")
    p.add_argument("--json", action="store_true", help="print everything as JSON and nothing else on stdout")
    compare.add_settings(p)
    return p


def ablate(
    plan: Plan,
    others: Sequence[Variant],
    sets: Mapping[str, FeatureSet] | None,
    *,
    protocol: Protocol,
    memo: Memo | None = None,
    device: Device = CPU,
    independent: bool = False,
    settings: Mapping[str, Any] | None = None,
    show: Callable[[str], None] = lambda what: None,
) -> list[Row]:
    """Run a recipe and its variants on the same features; the first row is the recipe.

    sets:        the features by model; None: every run reads its own. memo keeps what variants have in common.
    device:      where they run.
    independent: take queries for independent instead of identities.
    settings:    of :func:`ensemble.scores.statistics.difference`.
    show:        called with the name of what runs now.
    Raises:      InputError where the recipe cannot run or be scored; a variant that cannot has a row that says so.
    """

    def measured(what: str, checked: Plan) -> tuple[Result, float]:
        show(what)
        started = time.perf_counter()
        run = Run(
            checked,
            lambda line: None,
            protocol=protocol,
            sets=sets,
            memo=memo,
            every_step=False,
            device=device,
        )
        return run(), time.perf_counter() - started

    result, seconds = measured("all", plan)
    scores = result.scores
    if scores is None:
        raise InputError([f"{plan.recipe.name}: wanted scores to compare, found none: {result.unscored}"])
    pid = None if independent else result.query_pid
    rows = [Row("all", scores, None, seconds)]
    for variant in others:
        if variant.plan is None:
            rows.append(Row(variant.what, note=f"needed: {variant.why}"))
            continue
        try:
            result, seconds = measured(variant.what, variant.plan)
        except InputError as error:
            rows.append(Row(variant.what, note=f"does not run: {error.problems[0]}"))
            continue
        if result.scores is None:
            rows.append(Row(variant.what, note=f"no scores: {result.unscored}"))
            continue
        found = statistics.difference(
            scores.ap, result.scores.ap, pid, denominator=protocol.denominator, **(settings or {})
        )
        rows.append(Row(variant.what, result.scores, found, seconds))
    return rows


def table(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """The values of :data:`COLUMNS` row by row, None where there is none; p corrected for all rows together."""
    tested = [row.difference.p if row.difference else float("nan") for row in rows]
    lines = []
    for row, p in zip(rows, statistics.holm(tested).tolist(), strict=True):
        found = asdict(row.difference) if row.difference else {}
        numbers = [found.get(name) for name in ("difference", "low", "high", "p")]
        lines.append(
            (
                row.what,
                row.scores and row.scores.mAP,
                row.scores and row.scores.rank1,
                *(compare.finite(number) for number in numbers),
                p if found else None,
                None if row.seconds is None else round(row.seconds, 3),
                row.note,
            )
        )
    return lines


def text(rows: Sequence[Row], report: Mapping[str, Any]) -> list[str]:
    """The table for a terminal."""
    wide = max(len(printable(row.what)) for row in rows)
    lines = [
        f"{report['recipe']['name']}: {(report['protocol'] or {}).get('description', '')}",
        f"{'what':<{wide}} {'mAP':>7} {'rank-1':>7} {'difference':>11} {'interval':>18} {'p':>7} {'seconds':>8}",
    ]
    for row, values in zip(rows, table(rows), strict=True):
        line = f"{printable(row.what):<{wide}}"
        if row.scores is None:
            lines.append(f"{line} {printable(row.note)}")
            continue
        line += f" {row.scores.mAP:7.4f} {row.scores.rank1:7.4f}"
        if row.difference is None:
            line += " " * 39
        else:
            one, p = row.difference, values[COLUMNS.index("p_corrected")]
            line += f" {one.difference:+11.4f} {compare.interval_text(one):>18} {compare.p_text(p):>7}"
        lines.append(f"{line} {row.seconds:8.2f}")
    lines.append(str(report["method"]))
    lines.append("difference: to all; seconds: of what no row above had computed")
    return lines


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with io.beside(path) as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(COLUMNS)
        out.writerows(table(rows))


if __name__ == "__main__":
    errors.main(main)
