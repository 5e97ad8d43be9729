"""``python -m ensemble.thresholds``: the distance up to which two images count as the same, at a false-match rate.

A threshold is fitted on ``train`` where that has labels, and then told on query and gallery. Else it is fitted on
query and gallery themselves, and its rates are those of identities that it has not seen: the identities are dealt
out to folds, and each fold is judged by the threshold of the others.

After re-ranking and other steps that look at the neighbours a distance depends on the whole gallery: a threshold
from ``train`` then holds only as far as the galleries are alike, which the rates beside it show.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble import io
from ensemble.base import errors
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.cli import inputs
from ensemble.pipeline import joins, plan, steps
from ensemble.pipeline import run as pipeline
from ensemble.pipeline.devices import CPU, Device
from ensemble.scores import labels_of
from ensemble.scores.open_set import Rates, different_pairs, rates, thresholds_among
from ensemble.scores.protocols import Protocol
from postproc import using

Labels = dict[str, NDArray[np.int64]]
FOLDS = 5
NAMES = ("precision", "recall", "f1", "fmr", "miss", "false_alarm", "dir")
PAIRS = ("query_pid", "gallery_pid", "query_cam", "gallery_cam", "query_image", "gallery_image")
ABOUT = """\
fmr, miss: of pairs of two identities those accepted, of pairs of one identity those rejected
false_alarm: of queries whose identity the gallery lacks, those told somebody
dir: of the other queries, those told the right identity"""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Thresholds for the wanted false-match rates, where they come from, and their rates on ``judged``."""

    fmrs: tuple[float, ...]
    thresholds: tuple[float, ...]
    fitted: str
    judged: str
    found: dict[str, NDArray[np.float64]]
    spread: dict[str, NDArray[np.float64]] | None = None  # over folds


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    p = argparse.ArgumentParser(prog="python -m ensemble.thresholds", description=__doc__)
    inputs.add_options(p)
    p.set_defaults(recipe="baseline")
    p.add_argument("--fmr", type=float, nargs="+", default=[0.01], metavar="RATE", help="false-match rates")
    p.add_argument("--folds", type=int, default=FOLDS, metavar="N", help="parts of the identities without train")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="who is in which part (default: 0)")
    p.add_argument("--json", action="store_true", help="print JSON and nothing else on stdout")
    options = p.parse_args(arguments)
    _check(options)
    if options.rankings is not None:
        raise InputError(["--rankings: wanted --features, since places are no distances, found rank lists"])
    checked = inputs.prepare(options)
    protocol = inputs.protocol(options, checked.recipe)
    with using(threads=options.threads, memory=inputs.memory_limit(options)):
        device = inputs.device(options)
        found = fit(checked, protocol, options.fmr, folds=options.folds, seed=options.seed, device=device)
    print(json.dumps(as_json(found, protocol)) if options.json else text(found, protocol))
    return 0


def fit(
    checked: plan.Plan, protocol: Protocol, fmrs: Sequence[float], *, folds: int, seed: int, device: Device = CPU
) -> Fitted:
    """Fit the thresholds of a plan's distances, which are computed on ``device``, and judge them.

    Pairs count as the protocol's junk rule has it; nothing else of it matters. Raises InputError without labels.
    """
    from ensemble.scores.folds import from_train

    read = io.read(checked.folder, list(checked.all_models), missing=checked.recipe.missing)
    sets = {features.model: features for features in read}
    images = max(sets.values(), key=lambda features: features.train is not None)
    labelled = bool(labels_of(images))
    if images.train_table is None or "pid" not in images.train_table.columns:
        if not labelled:
            raise InputError(["--features: wanted labels (pid) of train, or of query and gallery, found neither"])
        return _by_folds(*_distances(checked, sets, device), protocol.junk, tuple(fmrs), folds, seed)
    moved = from_train(sets, learn=_learns(checked), seed=seed)
    from ensemble.tune.trials import columns

    trained = plan.check(checked.recipe, columns(checked.folder, moved))
    distances, labels = _distances(trained, moved, device)
    thresholds = _fitted(distances, labels, protocol.junk, fmrs)
    judged = f"train ({distances.shape[0]} of its images as queries), on which they were fitted"
    if labelled:
        judged = "query and gallery"
        distances, labels = _distances(checked, sets, device)
    return Fitted(
        tuple(fmrs),
        tuple(thresholds),
        "train",
        judged,
        _numbers(rates(distances, **labels, thresholds=_finite(thresholds), junk=protocol.junk)),
    )


def _by_folds(
    distances: NDArray[np.float32], labels: Labels, junk: str, fmrs: tuple[float, ...], folds: int, seed: int
) -> Fitted:
    """Thresholds from all; their rates from folds that were judged by the thresholds of the others."""
    from ensemble.scores.folds import split

    pids = labels["query_pid"], labels["gallery_pid"]
    found: list[dict[str, NDArray[np.float64]]] = []
    parts = split(*pids, folds=folds, seed=seed)
    for part in parts:
        others = ~np.isin(pids[0], part.pids), ~np.isin(pids[1], part.pids)
        inside = _taken(distances, labels, np.flatnonzero(others[0]), np.flatnonzero(others[1]))
        thresholds = _fitted(*inside, junk, fmrs)
        held_out, known = _taken(distances, labels, part.query, part.gallery)
        found.append(_numbers(rates(held_out, **known, thresholds=_finite(thresholds), junk=junk)))
    table = {name: np.stack([each[name] for each in found]) for name in NAMES}
    return Fitted(
        fmrs,
        tuple(_fitted(distances, labels, junk, fmrs)),
        f"query and gallery, all {len(np.unique(np.concatenate([part.pids for part in parts])))} identities",
        f"{folds} folds of identities, each by thresholds fitted on the others (mean ± sd of the folds)",
        {name: _mean(values) for name, values in table.items()},
        {name: _sd(values) for name, values in table.items()},
    )


def _distances(
    checked: plan.Plan, sets: Mapping[str, FeatureSet], device: Device
) -> tuple[NDArray[np.float32], Labels]:
    """All distances that a plan ends in, +inf where it returns nothing, and the labels."""
    whole = replace(checked, recipe=replace(checked.recipe, top_k=2**31 - 1))
    walk = pipeline.Run(whole, lambda line: None, protocol=Protocol(), sets=sets, every_step=False, device=device)
    result = walk()
    distances = np.full((len(result.query_names), len(result.gallery_names)), np.inf, np.float32)
    query, place = np.nonzero(result.ranking >= 0)
    distances[query, result.ranking[query, place]] = result.distances[query, place]
    images = max(sets.values(), key=lambda features: features.train is not None)
    known = labels_of(images)
    return distances, {name: known[name] for name in PAIRS if name in known}


def _taken(
    distances: NDArray[np.float32], labels: Labels, query: NDArray[Any], gallery: NDArray[Any]
) -> tuple[NDArray[np.float32], Labels]:
    rows = {"query": query, "gallery": gallery}
    part = {name: values[rows[name.partition("_")[0]]] for name, values in labels.items()}
    return distances[np.ix_(query, gallery)], part


def _fitted(distances: NDArray[np.float32], labels: Labels, junk: str, fmrs: Sequence[float]) -> list[float]:
    try:
        return thresholds_among(different_pairs(distances, **labels, junk=junk), fmrs)
    except ValueError as error:
        raise InputError([f"thresholds: {error}"]) from error


def _finite(thresholds: Sequence[float]) -> list[float]:
    """+inf accepts everything; so does the largest number."""
    return [
        min(max(value, -float(np.finfo(np.float32).max)), float(np.finfo(np.float32).max)) for value in thresholds
    ]


def _learns(checked: plan.Plan) -> bool:
    """Whether a step or a join of the recipe looks at train."""
    known = steps.catalogue()
    for use in checked.recipe.uses():
        step = known.get(use.name)
        if step is None and joins.stage(use.name) == "across":
            return True
        if step is not None and any(name.startswith("train") for name in (*step.needs, *step.may_use)):
            return True
    return False


def _numbers(found: Rates) -> dict[str, NDArray[np.float64]]:
    return {name: getattr(found, name) for name in NAMES}


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the folds that have a number."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    out: NDArray[np.float64] = np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    return out


def _sd(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the folds that have a number (n - 1); NaN with fewer than two."""
    count = (~np.isnan(values)).sum(axis=0)
    squares = np.nansum((values - _mean(values)) ** 2, axis=0)
    out: NDArray[np.float64] = np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)
    return out


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
    lines += [f"fitted on: {found.fitted}", f"rates of:  {found.judged}", f"pairs:     {_pairs(protocol)}", ABOUT]
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
        "pairs": _pairs(protocol),
    }


def _pairs(protocol: Protocol) -> str:
    from ensemble.scores.protocols import JUNK

    return JUNK[protocol.junk]


def _check(options: argparse.Namespace) -> None:
    problems = []
    if options.features is None:
        problems.append("--features: wanted a folder with feature files, found nothing; see --help")
    wrong = [fmr for fmr in options.fmr if not 0 <= fmr <= 1]
    if wrong:
        problems.append(f"--fmr: wanted shares from 0 to 1, found {errors.examples(wrong)}")
    if options.folds < 2:
        problems.append(f"--folds: wanted 2 or more, found {options.folds}")
    if options.seed < 0:
        problems.append(f"--seed: wanted 0 or more, found {options.seed}")
    errors.refuse_if_any(problems)


if __name__ == "__main__":
    errors.main(main)
