"""The distance up to which two images count as the same, at a false-match rate.

A threshold is fitted on ``train`` where that has labels, and then told on query and gallery. Else it is fitted on
query and gallery themselves, and its rates are those of identities that it has not seen: the identities are dealt
out to folds, and each fold is judged by the threshold of the others.

After re-ranking and other steps that look at the neighbours a distance depends on the whole gallery: a threshold
from ``train`` then holds only as far as the galleries are alike, which the rates beside it show.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.cli import files, machine, notes, outputs, planning, program
from ensemble.cli.numbers import too_small
from ensemble.pipeline.operating_points import NAMES, Fitted, fit
from ensemble.scores.protocol import Protocol

FOLDS = 5
ABOUT = """\
fmr, miss: of pairs of two identities those accepted, of pairs of one identity those rejected
false_alarm: of queries whose identity the gallery lacks, those told somebody
dir: of the other queries, those told the right identity"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    _check(options)
    checked = planning.prepare(options)
    if "distances" in checked.folder.columns:
        problem = "--rankings: wanted features or a matrix, since places are no distances, found rank lists alone"
        raise InputError([problem])
    protocol = planning.protocol(options, checked.recipe)
    with machine.using(options):
        device = machine.device(options)
        found = fit(checked, protocol, options.fmr, folds=options.folds, seed=options.seed, device=device)
    notes.say((*checked.notes, *found.notes), aside=options.json)
    print(json.dumps(as_json(found, protocol)) if options.json else text(found, protocol))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.thresholds", __doc__)
    planning.add_options(p, otherwise="baseline", of_pairs=True)
    p.add_argument("--fmr", type=float, nargs="+", default=[0.01], metavar="RATE",
                   help="false-match rates (default: 0.01)")  # fmt: skip
    p.add_argument("--folds", type=int, default=FOLDS, metavar="N",
                   help="parts of the identities, where train has no labels (default: %(default)s)")  # fmt: skip
    p.add_argument("--seed", type=int, default=0, metavar="N", help="who is in which part (default: 0)")
    outputs.add_json(p)
    return p


def _check(options: argparse.Namespace) -> None:
    problems = files.wanted(options) if options.rankings is None else []
    wrong = [fmr for fmr in options.fmr if not 0 <= fmr <= 1]
    if wrong:
        problems.append(f"--fmr: wanted shares from 0 to 1, found {examples(wrong)}")
    refuse_if_any(problems + too_small(options, folds=2, seed=0))


def text(found: Fitted, protocol: Protocol) -> str:
    """The table, and how it came about."""
    width = 15 if found.spread else 11
    lines = [f"{'wanted fmr':>10} {'threshold':>12} " + " ".join(f"{name:>{width}}" for name in NAMES)]
    for at, (fmr, threshold) in enumerate(zip(found.fmrs, found.thresholds, strict=True)):
        cells = []
        for name in NAMES:
            value, spread = found.found[name][at], found.spread[name][at] if found.spread else np.nan
            cell = "-" if np.isnan(value) else f"{value:.4f}" + ("" if np.isnan(spread) else f" ± {spread:.4f}")
            cells.append(f"{cell:>{width}}")
        lines.append(f"{fmr:>10g} {threshold:>12.7g} " + " ".join(cells))
    lines += [
        f"fitted on: {found.fitted}",
        f"rates of:  {found.judged}",
        f"pairs:     {protocol.removes.what}",
        ABOUT,
    ]
    return "\n".join(lines)


def as_json(found: Fitted, protocol: Protocol) -> dict[str, Any]:
    """The same as plain values, None where there is no number."""

    def row(values: Mapping[str, NDArray[np.float64]], at: int) -> dict[str, float | None]:
        return {name: None if np.isnan(values[name][at]) else float(values[name][at]) for name in NAMES}

    return {
        "thresholds": [
            {
                "wanted_fmr": fmr,
                "threshold": threshold if np.isfinite(threshold) else None,
                **row(found.found, at),
                **({"sd": row(found.spread, at)} if found.spread else {}),
            }
            for at, (fmr, threshold) in enumerate(zip(found.fmrs, found.thresholds, strict=True))
        ],
        "fitted_on": found.fitted,
        "rates_of": found.judged,
        "pairs": protocol.removes.what,
    }


if __name__ == "__main__":
    program.main(main)
