"""The distance up to which two images count as the same, at a false-match rate: fitted, and judged on others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.pipeline import joins, plan, steps
from ensemble.pipeline import run as pipeline
from ensemble.pipeline import sets as models_of
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.scoring import told
from ensemble.scores import Labels, hardest, labels_of
from ensemble.scores.folds import columns, from_train, split
from ensemble.scores.open_set import Rates, different_pairs, rates, thresholds_among
from ensemble.scores.protocol import Protocol
from ensemble.scores.rules import Junk

NAMES = ("precision", "recall", "f1", "fmr", "miss", "false_alarm", "dir")


@dataclass(frozen=True, eq=False)
class Fitted:
    """Thresholds for the wanted false-match rates, where they come from, and their rates on ``judged``."""

    fmrs: tuple[float, ...]
    thresholds: tuple[float, ...]
    fitted: str
    judged: str
    found: dict[str, NDArray[np.float64]]
    spread: dict[str, NDArray[np.float64]] | None = None  # over folds
    notes: tuple[str, ...] = ()  # of what was read, for the user
    pairs: hardest.Found | None = None  # the hardest, where batches were asked for


def fit(
    checked: plan.Plan,
    protocol: Protocol,
    fmrs: Sequence[float],
    *,
    folds: int,
    seed: int,
    device: Device = CPU,
    batches: tuple[int, int] | None = None,
) -> Fitted:
    """Fit the thresholds of a plan's distances, which are computed on ``device``, and judge them.

    Pairs count as the protocol's junk rule has it; nothing else of it matters. ``batches``: look for the hardest
    pairs too, in batches of so many identities with so many images each. Raises InputError without labels.
    """
    sets = models_of.read(checked)
    images = max(sets.values(), key=lambda found: found.train is not None)
    labelled = labels_of(images) is not None
    notes = (*dict.fromkeys(note for found in sets.values() for note in found.notes), *told(sets, protocol))
    pairs = _hardest(sets, batches, seed) if batches else None
    given = any(found.distances is not None for found in sets.values())  # which tell nothing of train
    if given or images.train_table is None or "pid" not in images.train_table.columns:
        if not labelled:
            raise InputError(["--features: wanted labels (pid) of train, or of query and gallery, found neither"])
        found = _by_folds(*_distances(checked, sets, device), protocol.removes, tuple(fmrs), folds, seed)
        return replace(found, notes=notes, pairs=pairs)
    moved = from_train(sets, learn=learns(checked), seed=seed)
    trained = plan.check(checked.recipe, columns(checked.folder, moved, of_train=True))
    distances, labels = _distances(trained, moved, device)
    thresholds = _fitted(distances, labels, protocol.removes, fmrs)
    judged = f"train ({distances.shape[0]} of its images as queries), on which they were fitted"
    if labelled:
        judged = "query and gallery"
        distances, labels = _distances(checked, sets, device)
    return Fitted(
        tuple(fmrs),
        tuple(thresholds),
        "train",
        judged,
        _numbers(rates(distances, labels, thresholds=_finite(thresholds), junk=protocol.removes)),
        notes=notes,
        pairs=pairs,
    )


def _hardest(sets: Mapping[str, ModelSet], batches: tuple[int, int], seed: int) -> hardest.Found | None:
    identities, images = batches
    features = {model: found for model, found in sets.items() if isinstance(found, FeatureSet)}
    if not features:
        raise InputError(["--batches: wanted features, found matrices of distances alone; leave it out"])
    try:
        return hardest.of_models(features, identities=identities, images=images, seed=seed)
    except ValueError as error:
        raise InputError([f"--batches: {error}; ask for smaller batches"]) from None


def _by_folds(
    distances: NDArray[np.float32], labels: Labels, junk: Junk, fmrs: tuple[float, ...], folds: int, seed: int
) -> Fitted:
    """Thresholds from all; their rates from folds that were judged by the thresholds of the others."""
    pids = labels.query_pid, labels.gallery_pid
    found: list[dict[str, NDArray[np.float64]]] = []
    parts = split(*pids, folds=folds, seed=seed)
    for part in parts:
        others = ~np.isin(pids[0], part.pids), ~np.isin(pids[1], part.pids)
        inside = _taken(distances, labels, np.flatnonzero(others[0]), np.flatnonzero(others[1]))
        thresholds = _fitted(*inside, junk, fmrs)
        held_out, known = _taken(distances, labels, part.query, part.gallery)
        found.append(_numbers(rates(held_out, known, thresholds=_finite(thresholds), junk=junk)))
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
    checked: plan.Plan, sets: Mapping[str, ModelSet], device: Device
) -> tuple[NDArray[np.float32], Labels]:
    """All distances that a plan ends in, +inf where it returns nothing, and the labels."""
    whole = replace(checked, recipe=replace(checked.recipe, top_k=2**31 - 1))
    walk = pipeline.Run(whole, lambda line: None, protocol=Protocol(), sets=sets, every_step=False, device=device)
    result = walk()
    distances = np.full((len(result.query_names), len(result.gallery_names)), np.inf, np.float32)
    query, place = np.nonzero(result.ranking >= 0)
    distances[query, result.ranking[query, place]] = result.distances[query, place]
    images = max(sets.values(), key=lambda features: features.train is not None)
    labels = labels_of(images)
    assert labels is not None
    return distances, labels


def _taken(
    distances: NDArray[np.float32], labels: Labels, query: NDArray[Any], gallery: NDArray[Any]
) -> tuple[NDArray[np.float32], Labels]:
    return distances[np.ix_(query, gallery)], labels.take(query, gallery)


def _fitted(distances: NDArray[np.float32], labels: Labels, junk: Junk, fmrs: Sequence[float]) -> list[float]:
    try:
        return thresholds_among(different_pairs(distances, labels, junk=junk), fmrs)
    except ValueError as error:
        raise InputError([f"thresholds: {error}"]) from error


def _finite(thresholds: Sequence[float]) -> list[float]:
    """+inf accepts everything; so does the largest number."""
    return [
        min(max(value, -float(np.finfo(np.float32).max)), float(np.finfo(np.float32).max)) for value in thresholds
    ]


def learns(checked: plan.Plan) -> bool:
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
