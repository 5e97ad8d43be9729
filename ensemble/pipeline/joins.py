"""What joins models and branches: the functions of ``ensemble.fusion``, called by name on the parts of a run."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ensemble import fusion
from ensemble.base.features import SIDES
from postproc.base.settings import Setting, settings_of

State = Mapping[str, Any]


def names() -> tuple[str, ...]:
    """Every join that there is."""
    return (*fusion.BEFORE, *fusion.ACROSS, *fusion.AFTER)


def settings(name: str) -> Mapping[str, Setting]:
    """The settings of a join."""
    return settings_of(function(name))


def needs(name: str) -> tuple[str, ...]:
    """What every part has to have: features, or distances; and labels that all parts share."""
    if name in fusion.AFTER:
        return ("distances",)
    if name in fusion.BEFORE:
        return ("query", "gallery")
    parameters = inspect.signature(function(name)).parameters.values()
    return tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.default is p.empty)


def apply(name: str, parts: Sequence[State], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Join the parts; what takes the place of features or distances.

    ``BEFORE``: features of the parts become features, of every side that all of them have. ``ACROSS``: features
    become distances. ``AFTER``: distances become distances.
    """
    join = function(name)
    if name in fusion.AFTER:
        return {"distances": join([part["distances"] for part in parts], **chosen)}
    sides = [side for side in SIDES if all(side in part for part in parts)]
    if name in fusion.BEFORE:
        return {side: join([part[side] for part in parts], **chosen) for side in sides}
    taken: dict[str, Any] = {}
    for parameter in inspect.signature(join).parameters:
        if parameter in sides:
            taken[parameter] = [part[parameter] for part in parts]
        elif parameter in parts[0] and parameter not in SIDES:
            taken[parameter] = parts[0][parameter]
    return {"distances": join(**taken, **chosen)}


def objection(name: str, chosen: Mapping[str, Any], count: int) -> str | None:
    """Why a join refuses these settings for so many parts, found by running it on a few images."""
    random = np.random.default_rng(0)
    toy: dict[str, Any] = {side: random.normal(size=(6, 4)).astype(np.float32) for side in SIDES}
    toy |= {"distances": ((toy["query"][:, None] - toy["gallery"]) ** 2).sum(axis=2)}
    toy |= {"train_pid": np.arange(6) // 2}
    try:
        apply(name, [toy] * count, chosen)
    except (ValueError, TypeError) as error:
        known = settings(name)
        return str(error) if str(error).partition(":")[0] in known or not set(chosen) <= set(known) else None
    return None


def by_name(
    weights: Mapping[str, Any], parts: Sequence[str], also: Mapping[str, Iterable[str]]
) -> tuple[list[Any], list[str]]:
    """Weights by name as a list in the order of ``parts``, and what is wrong with them.

    ``also``: other names of a part, such as those that a recipe offers for a model.
    """
    found: dict[str, Any] = {}
    problems = []
    for name, weight in weights.items():
        meant = [part for part in parts if name == part or name in also.get(part, ())]
        if not meant:
            problems.append(f"weights: wanted names among {', '.join(parts)}, found {name!r}")
        found |= dict.fromkeys(meant, weight)
    lacking = [part for part in parts if part not in found]
    if lacking and not problems:
        problems.append(f"weights: wanted one for each of {', '.join(parts)}, found none for {', '.join(lacking)}")
    return [found.get(part, 1) for part in parts], problems


def function(name: str) -> Any:
    """The join of this name."""
    return (fusion.BEFORE | fusion.ACROSS | fusion.AFTER)[name]
