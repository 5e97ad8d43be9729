"""What every model, branch and step of a recipe is worth, with intervals and tests.

    python -m ensemble.ablate --features DIR --recipe default --csv ablation.csv

The recipe as it is, then each model alone and left out, each branch alone and left out, each step left out; every
row compared with the whole recipe on the same labelled queries.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ensemble import io
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, printable
from ensemble.cli import intervals, machine, notes, outputs, planning, program
from ensemble.io.keys import tables_of
from ensemble.pipeline import sets as models_of
from ensemble.pipeline.ablation import COLUMNS, Row, ablate, table
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.state import Memo
from ensemble.pipeline.variants import variants
from postproc.base.cache import GIGABYTE

TASK = "tune"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    settings = intervals.settings(options)
    plan = planning.prepare(options)
    tables = [options.out / f"ablation.{kind}" for kind in ("json", "csv")] if options.out else []
    outputs.refuse_unwritable(options.csv, *tables)
    if not planning.labelled(plan):
        wanted = tables_of(one_set=plan.folder.one_set)
        raise InputError([f"{plan.folder.path}: wanted labels, found none; give {wanted} a pid column"])
    planning.refuse_without_room(options, plan)
    rows = _rows(options, plan, settings)
    report = _report(options, plan, rows, settings)
    with io.all_together() as place:
        if options.csv:
            io.write_csv(place(options.csv), COLUMNS, table(rows))
        if options.out:
            with io.beside(place(options.out / "ablation.json")) as stream:
                stream.write(json.dumps(report, indent=1, allow_nan=False) + "\n")
            io.write_csv(place(options.out / "ablation.csv"), COLUMNS, table(rows))
    print(json.dumps(report, allow_nan=False) if options.json else "\n".join(text(rows, report)))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.ablate", __doc__)
    planning.add_options(p)
    outputs.add_csv(p, "write the table")
    outputs.add_out(p, "write ablation.csv and ablation.json")
    outputs.add_json(p)
    intervals.add_options(p)
    return p


def _rows(options: argparse.Namespace, plan: Plan, settings: Mapping[str, Any]) -> list[Row]:
    """Run the recipe and its variants; on a terminal, say what runs now."""
    limit, protocol = machine.memory(options), planning.protocol(options, plan.recipe)
    others = variants(plan)
    with machine.using(options):
        sets: dict[str, ModelSet] | None = None
        if "distances" not in plan.folder.columns:  # no rank lists, which every run reads itself
            sets = models_of.read(plan)
        return ablate(
            plan,
            others,
            sets,
            protocol=protocol,
            memo=Memo(max(1, limit // 4) if limit else GIGABYTE) if sets else None,
            device=machine.device(options),
            independent=options.independent,
            settings=settings,
            begun=lambda images: notes.say((*plan.notes, *images.notes), aside=options.json),
            show=lambda what: print(f"{what} …", file=sys.stderr, flush=True) if sys.stderr.isatty() else None,
        )


def _report(
    options: argparse.Namespace, plan: Plan, rows: Sequence[Row], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    by = "query" if options.independent else "identity"
    done = sum(row.difference is not None for row in rows)
    return {
        "recipe": plan.recipe.as_toml() | {"name": plan.recipe.name},
        "protocol": rows[0].scores.as_json()["protocol"] if rows[0].scores else None,
        "method": intervals.method(settings, by=by, comparisons=done),
        **settings,
        "rows": [dict(zip(COLUMNS, values, strict=True)) for values in table(rows)],
    }


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
            line += f" {one.difference:+11.4f} {intervals.interval_text(one):>18} {intervals.p_text(p):>7}"
        lines.append(f"{line} {row.seconds:8.2f}")
    lines.append(str(report["method"]))
    lines.append("difference: to all; seconds: of what no row above had computed")
    return lines


if __name__ == "__main__":
    program.main(main)
