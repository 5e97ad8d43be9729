"""What joins models and branches: the functions of ``ensemble.fusion`` and those of plug-ins, called by name."""

import fnmatch
import inspect
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from ensemble import fusion
from ensemble.base.errors import near
from ensemble.base.features import SIDES
from ensemble.fusion import join
from ensemble.fusion.join import Stage
from ensemble.pipeline import steps
from postproc.base import step, temporary
from postproc.base.settings import Setting, settings_of
from postproc.base.vocabulary import VOCABULARY

State = Mapping[str, Any]
PATTERN = frozenset("*?[")  # of a name that may stand for several parts
Join = Callable[..., Any]


def add(function: Join, *, origin: str) -> None:
    """Let recipes use a join of somebody else's; ValueError where it is none, or its name is taken.

    ``origin``: who brought it, for messages. The same function twice is one join.
    """
    name = getattr(function, "__name__", repr(function))
    if not join.is_join(function):
        raise ValueError(f"{origin}, {name}: wanted a function under ensemble.fusion.join.join, found none")
    strange = [data for data in _data(function) if data not in VOCABULARY]
    if strange:
        found = ", ".join(strange)
        raise ValueError(f"{origin}, {name}: wanted data of postproc.base.vocabulary, found {found}")
    taken = {other.name: other.function for other in steps.catalogue().values()} | all_joins()
    if taken.get(name, function) is not function:
        whose = taken[name].__module__
        raise ValueError(f"{origin}, {name}: wanted a name of its own, found one of that name in {whose}")
    _ADDED[name] = function


_ADDED: dict[str, Join] = {}


def all_joins() -> dict[str, Join]:
    """Every join by name: ours by their stages, then those that were added."""
    return fusion.BEFORE | fusion.ACROSS | fusion.AFTER | _ADDED


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


def may_use(name: str) -> tuple[str, ...]:
    """What it looks at where it is there, the same for all parts."""
    return tuple(data for data in _data(function(name)) if data not in needs(name))


def changes_one(name: str, chosen: Mapping[str, Any]) -> bool:
    """Whether one part alone may become another: by a setting, or where a join needs more than features or
    distances.
    """
    more = stage(name) == "after" and _data(function(name)) != ["distances"]
    return bool(chosen) or stage(name) == "across" or more


def unit(name: str) -> str:
    """What its distances are measured in: the unit that it declares, else its name."""
    declared = join.declared_by(function(name)).unit
    return declared if isinstance(declared, str) and declared != step.KEPT else name


def apply(
    name: str, parts: Sequence[State], chosen: Mapping[str, Any], *, one_set: bool = False
) -> dict[str, Any]:
    """Join the parts; what takes the place of features or distances.

    Before: features of the parts become features, of every side that all of them have. Across: features become
    distances. After: distances become distances. ``one_set``: queries and gallery are the same images.
    """
    combine = function(name)
    if stage(name) == "after":
        for number, part in enumerate(parts, 1):
            if lacking := [data for data in needs(name) if data not in part]:
                raise ValueError(f"{lacking[0]}: wanted those of part {number}, found an order alone; write them")
        own = {data: [part[data] for part in parts] for data in needs(name)}
        shared = {data: parts[0][data] for data in _data(combine) if data not in own and data in parts[0]}
        return {"distances": combine(**own, **shared, **chosen)}
    sides = [side for side in SIDES if all(side in part for part in parts)]
    if stage(name) == "before":
        sides = [side for side in sides if not (one_set and side == "query")]
        given = {side: _of_features(combine, [part[side] for part in parts], chosen) for side in sides}
        return given | ({"query": given["gallery"]} if one_set else {})
    taken: dict[str, Any] = {}
    for data in _data(combine):
        if one_set and data == "gallery":
            taken[data] = None
        elif data in sides:
            taken[data] = [part[data] for part in parts]
        elif data in parts[0] and data not in SIDES:
            taken[data] = parts[0][data]
    return {"distances": combine(**taken, **chosen)}


def _of_features(combine: Join, parts: Sequence[Any], chosen: Mapping[str, Any]) -> Any:
    """Features of the parts joined; where they are on disk some rows at a time, if the join works row by row."""
    if not join.declared_by(combine).by_row:
        return combine(parts, **chosen)
    return temporary.by_rows(lambda some: combine(some, **chosen), parts, combine.__name__)


def objection(name: str, chosen: Mapping[str, Any], count: int) -> str | None:
    """Why a join refuses these settings for so many parts, None if it does not."""
    return join.problem(function(name), chosen, count)


def units_problem(name: str, chosen: Mapping[str, Any], units: Sequence[str]) -> str | None:
    """Why a join does not take distances in these units, with what to do; None if it does."""
    return join.units_problem(function(name), chosen, units)


def told(name: str, chosen: Mapping[str, Any], there: Container[str]) -> str | None:
    """What a join says before it runs, where it says anything; ``there`` are the names of the data."""
    tells = join.declared_by(function(name)).tells
    return tells and tells(with_defaults(name, chosen), there)


def takes_lists(name: str, chosen: Mapping[str, Any]) -> str:
    """How a join takes rank lists with these settings (:func:`ensemble.fusion.join.join`)."""
    return join.takes_lists(function(name), chosen)


def by_name(
    weights: Mapping[str, Any], parts: Sequence[str], also: Mapping[str, Iterable[str]]
) -> tuple[list[Any], list[str]]:
    """Weights by name as a list in the order of ``parts``, and what is wrong with them.

    ``also``: other names of a part, such as those that a recipe offers for a model. A name with ``*``, ``?`` or
    ``[`` in it is a pattern: it is about the parts that no other name is about, the first pattern that fits, and
    may be about none.
    """
    found: dict[str, Any] = {}
    problems = []
    plain = {name: weight for name, weight in weights.items() if not PATTERN & set(name)}
    for name, weight in plain.items():
        meant = [part for part in parts if name == part or name in also.get(part, ())]
        if not meant:
            problems.append(f"weights: wanted names among {', '.join(parts)}, found {name!r}{near(name, parts)}")
        found |= dict.fromkeys(meant, weight)
    for name, weight in weights.items():
        found = dict.fromkeys((part for part in parts if fnmatch.fnmatchcase(part, name)), weight) | found
    lacking = [part for part in parts if part not in found]
    if lacking and not problems:
        problems.append(f"weights: wanted one for each of {', '.join(parts)}, found none for {', '.join(lacking)}")
    return [found.get(part, 1) for part in parts], problems


def the_part(wanted: str, parts: Sequence[str], setting: str) -> tuple[int, list[str]]:
    """The number of the part that a name or pattern means (``a|b``: the first that exists), and what is wrong."""
    found = [part for entry in (wanted, *wanted.split("|")) for part in parts if fnmatch.fnmatchcase(part, entry)]
    if wanted in parts or found:
        return parts.index(wanted if wanted in parts else found[0]), []
    return 0, [f"{setting}: wanted one of {', '.join(parts)}, found {wanted!r}{near(wanted, parts)}"]


def _data(function: Join) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
