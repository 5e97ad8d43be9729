"""The distance up to which two images count as the same, at a false-match rate.

    python -m ensemble.thresholds --features DIR --recipe default --fmr 0.001

A threshold is fitted on ``train`` where that has labels, and then told on query and gallery. Else it is fitted on
query and gallery themselves, and its rates are those of identities that it has not seen: the identities are dealt
out to folds, and each fold is judged by the threshold of the others.

After re-ranking and other steps that look at the neighbours a distance depends on the whole gallery: a threshold
from ``train`` then holds only as far as the galleries are alike, which the rates beside it show.

--batches 16 4 looks at batches as in training, of 16 identities with 4 images each: how far from every image the
farthest of its identity is, and the nearest of the others. --json has their histograms, --csv every number.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ensemble import io
from ensemble.base import calling, tabled
from ensemble.base.errors import InputError, examples, printable, refuse_if_any
from ensemble.cli import files, machine, notes, outputs, planning, program
from ensemble.cli.numbers import too_small
from ensemble.interface import arguments
from ensemble.interface.arguments import Common, Data
from ensemble.interface.recipes import RecipeGiven, recipe_of
from ensemble.pipeline.operating_points import NAMES, Fitted, fit
from ensemble.pipeline.plan import Plan
from ensemble.scores import hardest
from ensemble.scores.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

TASK = "score"  # of reid-ensemble --help

FOLDS = 5
ABOUT = """\
fmr, miss: of pairs of two identities those accepted, of pairs of one identity those rejected
false_alarm: of queries whose identity the gallery lacks, those told somebody
dir: of the other queries, those told the right identity"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    checked = _checked(options)
    outputs.refuse_unwritable(options.csv)
    protocol = planning.protocol(options, checked.recipe)
    with machine.using(options):
        found = _fitted(options, checked, protocol)
    if options.csv and found.pairs:
        _write_csv(options.csv, found.pairs)
    notes.say((*checked.notes, *found.notes), aside=options.json)
    print(json.dumps(as_json(found, protocol)) if options.json else text(found, protocol))
    return program.FINE


def thresholds(
    features: Data,
    recipe: RecipeGiven = None,
    *,
    fmr: float | Sequence[float] | None = None,
    folds: int | None = None,
    seed: int | None = None,
    batches: tuple[int, int] | None = None,
    **keywords: Unpack[Common],
) -> "Thresholds":
    """The distances up to which two images count as the same, at false-match rates, and their rates on others.

    features, recipe, keywords: as for :func:`ensemble.rank`; recipe None: ``baseline``.
    fmr: false-match rates, one or several; 0.01. folds: parts of the identities, where train has no labels; 5.
    batches: ``(16, 4)`` looks at the hardest pairs in batches of 16 identities with 4 images each.
    Raises:  InputError without labels of train, or of query and gallery.
    """
    own = {"fmr": fmr, "folds": folds, "seed": seed, "batches": batches}
    with arguments.in_python():
        options = arguments.asked(parser(), features, lambda: recipe_of(recipe), {**own, **keywords})
        checked = _checked(options)
        protocol = planning.protocol(options, checked.recipe)
        with arguments.using(options):
            return Thresholds(_fitted(options, checked, protocol), protocol, checked)


@dataclass(frozen=True, eq=False, repr=False)
class Thresholds:
    """What :func:`thresholds` returns; ``fitted`` holds every number."""

    fitted: Fitted
    protocol: Protocol
    plan: Plan

    @property
    def distances(self) -> list[float]:
        """The thresholds, one for each rate that was asked for."""
        return list(self.fitted.thresholds)

    @property
    def notes(self) -> list[str]:
        """What to know of data and recipe."""
        return [arguments.spoken(note) for note in (*self.plan.notes, *self.fitted.notes)]

    def to_frame(self) -> "pd.DataFrame":
        """A row a threshold: the rate that was asked for, the distance, and the rates that it has."""
        import pandas as pd

        rates = {name: self.fitted.found[name] for name in NAMES}
        return pd.DataFrame({"wanted_fmr": self.fitted.fmrs, "threshold": self.fitted.thresholds, **rates})

    def __repr__(self) -> str:
        return text(self.fitted, self.protocol)

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        return tabled.grid(list(frame.columns), frame.to_numpy().tolist())


def _checked(options: argparse.Namespace) -> Plan:
    """The plan that is asked for; every problem in one error."""
    _check(options)
    checked = planning.prepare(options)
    if "distances" in checked.folder.columns:
        problem = "--rankings: wanted features or a matrix, since places are no distances, found rank lists alone"
        raise InputError([problem])
    return checked


def _fitted(options: argparse.Namespace, checked: Plan, protocol: Protocol) -> Fitted:
    return fit(
        checked,
        protocol,
        options.fmr,
        folds=options.folds,
        seed=options.seed,
        device=machine.device(options),
        batches=tuple(options.batches) if options.batches else None,
    )


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.thresholds", __doc__)
    planning.add_options(p, otherwise="baseline", of_pairs=True)
    p.add_argument("--fmr", type=float, nargs="+", default=[0.01], metavar="RATE",
                   help="false-match rates (default: 0.01)")  # fmt: skip
    p.add_argument("--folds", type=int, default=FOLDS, metavar="N",
                   help="parts of the identities, where train has no labels (default: %(default)s)")  # fmt: skip
    p.add_argument("--seed", type=int, default=0, metavar="N", help="who is in which part and batch (default: 0)")
    p.add_argument("--batches", type=int, nargs=2, metavar=("P", "K"),
                   help="look for the hardest pairs in batches of P identities with K images each")  # fmt: skip
    outputs.add_csv(p, "write them, one line for every image of a batch and model")
    outputs.add_json(p)
    return p


def _check(options: argparse.Namespace) -> None:
    problems = files.wanted(options) if options.rankings is None else []
    wrong = [fmr for fmr in options.fmr if not 0 <= fmr <= 1]
    if wrong:
        problems.append(f"--fmr: wanted shares from 0 to 1, found {examples(wrong)}")
    if options.batches and min(options.batches) < 2:
        problems.append(f"--batches: wanted 2 identities and 2 images or more, found {examples(options.batches)}")
    if options.csv and not options.batches:
        problems.append("--csv: wanted --batches too, whose pairs are written, found none; add --batches 16 4")
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
    return "\n".join(lines + (hardest_text(found.pairs) if found.pairs else []))


def hardest_text(found: hardest.Found) -> list[str]:
    """Quantiles of both kinds of distances by model, and the threshold with the fewest errors."""
    count = len(next(iter(found.models.values())).rows)
    lines = [
        f"\nhardest pairs in {count} batches of {found.identities} identities with {found.images} images, "
        f"of {found.what}: {hardest.UNIT}",
        " " * 10 + " ".join(f"{f'{level:.0%}':>7}" for level in hardest.LEVELS),
    ]
    for model, pairs in found.models.items():
        best = hardest.crossing(pairs)
        lines.append(printable(model))
        for name, values in (("positive", pairs.positive), ("negative", pairs.negative)):
            cells = np.quantile(values, hardest.LEVELS)
            lines.append(f"  {name:<8}" + " ".join(f"{cell:7.4f}" for cell in cells))
        lines.append(
            "  no distance tells them apart better than accepting all or none"
            if best is None
            else f"  fewest errors at {best.threshold:.4f}: {best.beyond:.1%} of the positives beyond, "
            f"{best.within:.1%} of the negatives within"
        )
    return lines


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
        **({"hardest": _hardest_json(found.pairs)} if found.pairs else {}),
    }


def _hardest_json(found: hardest.Found) -> dict[str, Any]:
    models = {}
    for model, pairs in found.models.items():
        best = hardest.crossing(pairs)
        models[model] = {
            "edges": hardest.EDGES.tolist(),
            "positive": hardest.histograms(pairs.positive).sum(axis=0).tolist(),
            "negative": hardest.histograms(pairs.negative).sum(axis=0).tolist(),
            "fewest_errors": None if best is None else asdict(best),
        }
    sizes = {"identities": found.identities, "images": found.images}
    return {"of": found.what, "unit": hardest.UNIT, **sizes, "models": models}


def _write_csv(path: Path, found: hardest.Found) -> None:
    """A line an image of a batch: the identity as a number, since these are numbered where they are text."""
    rows = (
        (model, batch, found.names[row], found.pid[row], far, near)
        for model, pairs in found.models.items()
        for batch, part in enumerate(zip(pairs.rows, pairs.positive, pairs.negative, strict=True), 1)
        for row, far, near in zip(*part, strict=True)
    )
    io.write_csv(path, ("model", "batch", "name", "pid", "positive", "negative"), rows)


calling.does(__name__, f"{__name__}:thresholds")

if __name__ == "__main__":
    program.main(main)
