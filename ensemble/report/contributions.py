"""What a recipe is worth without each of its models: measured after a short run, or read from an ablation."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensemble.base.broken import BROKEN
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.run import Result
from ensemble.scores.protocol import Protocol

SECONDS = 20.0  # that all runs without a model may take, guessed from the run itself
FILE = "ablation.json"  # of ensemble.ablate --out
WORDS = "without "
SAME = " = "  # between two names of a variant

Rows = tuple[Mapping[str, Any], ...]


def measured(
    checked: Plan, protocol: Protocol, result: Result, *, bounded: bool, device: Device = CPU
) -> tuple[Rows, str]:
    """A row for each model left out, and why there is none where that would take long.

    bounded: the run had a limit of memory, which keeping all models for further runs would not keep. device: where
    it ran.
    """
    models = list(dict.fromkeys(model for chosen in checked.models for model in chosen))
    if result.scores is None or len(models) < 2:
        return (), ""
    command = f"python -m ensemble.ablate with the same options and --out beside run.json writes {FILE}"
    seconds = sum(line.seconds for line in result.lines[1:]) * len(models) + result.lines[0].seconds
    if bounded or seconds > SECONDS or "distances" in checked.folder.columns:
        why = "memory is limited" if bounded else "that would take long"
        return (), f"Leaving out each model was not tried, since {why}; {command}, which is shown here."
    from ensemble.pipeline import ablation, sets
    from ensemble.pipeline.state import Memo
    from ensemble.pipeline.variants import variants
    from ensemble.report.tables import RESAMPLES

    others = [variant for variant in variants(checked) if _is_of(variant.what, models)]
    rows = ablation.ablate(
        checked,
        others,
        sets.read(checked),
        protocol=protocol,
        memo=Memo(),
        device=device,
        settings={"resamples": RESAMPLES},
    )
    table = [dict(zip(ablation.COLUMNS, values, strict=True)) for values in ablation.table(rows)]
    return tuple(_named(row) for row in table[1:]), ""


def found(folder: Path, record: Mapping[str, Any]) -> Rows:
    """The rows of an ablation of the same recipe that lies in a run's folder; none where there is none."""
    try:
        content = json.loads((folder / FILE).read_text("utf-8"))
        models = [model for chosen in record["models"] for model in chosen]
        if content["recipe"] != record["recipe"]:
            return ()
        return tuple(_named(row) for row in content["rows"] if _is_of(str(row["what"]), models))
    except BROKEN:
        return ()


def _is_of(what: str, models: list[str]) -> bool:
    """Whether a variant is the recipe without one of the models; a variant may have several names."""
    return any(name == f"{WORDS}{model}" for name in what.split(SAME) for model in models)


def _named(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row by that of its names that says what is left out."""
    names = [name for name in str(row["what"]).split(SAME) if name.startswith(WORDS)]
    return {**row, "what": names[0] if names else row["what"]}
