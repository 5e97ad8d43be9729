"""What joins models and branches: the functions of ``ensemble.fusion`` and those of plug-ins, called by name."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import postproc
from ensemble import fusion
from ensemble.base.errors import InputError
from ensemble.base.features import SIDES
from ensemble.fusion import join
from ensemble.fusion.join import Stage
from postproc.base import step
from postproc.base.settings import Setting, settings_of
from postproc.base.vocabulary import VOCABULARY

State = Mapping[str, Any]
Join = Callable[..., Any]

_added: list[Join] = []


def add(function: Join) -> None:
    """Take a join of somebody else's among those that recipes can name.

    Raises InputError for what is no join, names its data unlike the vocabulary, or has a name that exists already.
    """
    if function in all_joins().values():
        return
    if not join.is_join(function):
        raise InputError([f"join: wanted a function with @join, found {function!r}; see ensemble.fusion.join"])
    name = function.__name__
    if name in (*all_joins(), *(other.__name__ for other in postproc.STEPS)):
        raise InputError([f"join {name}: wanted a name of its own, found one that exists already; rename it"])
    strange = [data for data in _data(function) if data not in VOCABULARY]
    if strange:
        found = ", ".join(strange)
        raise InputError(
            [f"join {name}: wanted data called as in postproc.base.vocabulary, found {found}; rename"]
        )
    _added.append(function)


def all_joins() -> dict[str, Join]:
    """Every join by name: ours by their stages, then those that were added."""
    ours = fusion.BEFORE | fusion.ACROSS | fusion.AFTER
    return ours | {function.__name__: function for function in _added}


def names() -> tuple[str, ...]:
    """Every join that there is."""
    return tuple(all_joins())


def function(name: str) -> Join:
    """The join of this name."""
    return all_joins()[name]


def stage(name: str) -> Stage:
    """When it joins: before the distances, across, from features to distances, or after them."""
    return join.stage_of(function(name))


def settings(name: str) -> Mapping[str, Setting]:
    """The settings of a join, by name."""
    return settings_of(function(name))


def with_defaults(name: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a join: the chosen ones, the others at their defaults."""
    return step.with_defaults(function(name), chosen)


def needs(name: str) -> tuple[str, ...]:
    """What every part has to have: features, or distances; and labels that all parts share."""
    if stage(name) == "before":
        return ("query", "gallery")
    parameters = inspect.signature(function(name)).parameters
    return tuple(data for data in _data(function(name)) if parameters[data].default is inspect.Parameter.empty)


def apply(name: str, parts: Sequence[State], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Join the parts; what takes the place of features or distances.

    Before: features of the parts become features, of every side that all of them have. Across: features become
    distances. After: distances become distances.
    """
    combine = function(name)
    if stage(name) == "after":
        return {"distances": combine([part["distances"] for part in parts], **chosen)}
    sides = [side for side in SIDES if all(side in part for part in parts)]
    if stage(name) == "before":
        return {side: combine([part[side] for part in parts], **chosen) for side in sides}
    taken: dict[str, Any] = {}
    for data in _data(combine):
        if data in sides:
            taken[data] = [part[data] for part in parts]
        elif data in parts[0] and data not in SIDES:
            taken[data] = parts[0][data]
    return {"distances": combine(**taken, **chosen)}


def objection(name: str, chosen: Mapping[str, Any], count: int) -> str | None:
    """Why a join refuses these settings for so many parts, None if it does not."""
    return join.problem(function(name), chosen, count)


def units_problem(name: str, chosen: Mapping[str, Any], units: Sequence[str]) -> str | None:
    """Why a join does not take distances in these units, with what to do; None if it does."""
    return join.units_problem(function(name), chosen, units)


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


def _data(function: Join) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
