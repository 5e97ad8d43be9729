"""What every model, branch and step of a recipe is worth: the recipe and its variants on the same features."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.images import Images
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.run import Result, Run
from ensemble.pipeline.state import Memo
from ensemble.pipeline.variants import Variant
from ensemble.scores import Scores, statistics
from ensemble.scores.protocol import Protocol
from ensemble.scores.statistics import Difference

COLUMNS = ("what", "mAP", "rank1", "difference", "low", "high", "p", "p_corrected", "seconds", "note")


@dataclass(frozen=True, eq=False)
class Row:
    """A variant's scores and what sets them apart from the whole recipe's; ``note`` says why there are none."""

    what: str
    scores: Scores | None = None
    difference: Difference | None = None
    seconds: float | None = None
    note: str = ""


def ablate(
    plan: Plan,
    others: Sequence[Variant],
    sets: Mapping[str, ModelSet] | None,
    *,
    protocol: Protocol,
    memo: Memo | None = None,
    device: Device = CPU,
    independent: bool = False,
    settings: Mapping[str, Any] | None = None,
    begun: Callable[[Images], None] | None = None,
    show: Callable[[str], None] = lambda what: None,
) -> list[Row]:
    """Run a recipe and its variants on the same features; the first row is the recipe.

    sets:        the features by model; None: every run reads its own. memo keeps what variants have in common.
    device:      where they run.
    independent: take queries for independent instead of identities.
    settings:    of :func:`ensemble.scores.statistics.difference`.
    begun:       called when everything is read for the recipe and nothing is computed.
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
            begun=begun if checked is plan else None,
            device=device,
        )
        return run(), time.perf_counter() - started

    result, seconds = measured("all", plan)
    scores = result.scores
    if scores is None:
        raise InputError([f"{plan.recipe.name}: wanted scores to compare, found none: {result.unscored}"])
    pid = result.query_pid
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
            scores.ap,
            result.scores.ap,
            pid,
            denominator=protocol.denominator,
            average=protocol.average,
            independent=independent,
            **(settings or {}),
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
                *(statistics.finite(number) for number in numbers),
                p if found else None,
                None if row.seconds is None else round(row.seconds, 3),
                row.note,
            )
        )
    return lines
