"""What others must know about a join, said at the join, as steps say it (:mod:`postproc.base.step`).

A join is a function on lists, one array a part. Its first parameter says when it joins::

    features     before the distances: features of all parts -> features
    query, …     across: features of all parts, of every side that it names -> distances
    distances    after them: distances of all parts -> distances

Other positional parameters are labels that all parts share (after the distances: those with a default; others come
a part each); keyword-only parameters are settings of a kind
(:mod:`postproc.base.settings`, :mod:`ensemble.fusion.kinds`). What they cannot say stands in the decorator::

    @join(unit=scaled_or_kept)
    def median(distances: Parts, *, scaling: Scaling = "none", …) -> Floats: ...

Settings are checked before the function runs, those with a value a part by the number of parts.
"""

import functools
import inspect
from collections.abc import Callable, Container, Iterable, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from ensemble.base.errors import near
from ensemble.fusion.agreement import weights_of_distances
from ensemble.fusion.kinds import AGREEMENT, OneAPart
from postproc.base import arrays
from postproc.base.checks import CPU_ONLY
from postproc.base.settings import Setting, settings_of
from postproc.base.step import KEPT, Chosen, Declaration, Loads, Memory, nothing, with_defaults
from postproc.base.vocabulary import Floats
from postproc.base.work import Spent

P = ParamSpec("P")
R = TypeVar("R")
Parts = Sequence[Floats]
Stage = Literal["before", "across", "after"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Listed = Literal["padded", "exact", "together", "gallery", "whole"]


@dataclass(frozen=True)
class Joining(Declaration):
    """What a join declares: beside unit, host_only and objection how it takes rank lists, whether it finds weights
    itself, and what it says beforehand (see :func:`join`)."""

    lists: Listed | Callable[[Chosen], Listed] = "together"
    weighs: bool = False
    tells: Callable[[Chosen, Container[str]], str] | None = None


BY_FIRST: dict[str, Stage] = {"features": "before", "distances": "after"}  # parameter; others join across


def join(
    *,
    unit: str | Callable[[Chosen], str] | None = None,
    host_only: bool = False,
    memory: Memory = nothing,
    by_row: bool = False,
    work: Spent | None = None,
    loads: Loads = (),
    objection: Callable[[Chosen], str | None] | None = None,
    lists: Listed | Callable[[Chosen], Listed] = "together",
    weighs: bool = False,
    tells: Callable[[Chosen, Container[str]], str] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a join.

    unit:      what its distances are measured in; :data:`~postproc.base.step.KEPT` where that is the unit of the
               parts, which then has to be one; a function of all settings, or None: it takes any units.
    host_only: CUDA tensors are refused in a sentence.
    memory:    bytes beside the parts and the answer where it holds most, from the sizes and all settings.
    by_row:    of features: every row of the answer is made of the same row of the parts alone, so that it may be
               called with some rows at a time, where they are on disk.
    work:      what there is to do, from the same; None: nobody knows how long it takes.
    loads:     packages that the first call imports.
    objection: why settings do not go together, from all settings, or None.
    lists:     how it takes rank lists, or a function of all settings. "padded": every query by itself, and +inf
               behind its images changes nothing; "exact": every query by itself, among lists of its own length;
               "together": all queries in one table, as wide as the longest; "gallery": its columns have to be the
               gallery's rows; "whole": the same, one list after the other, and it finds images that no list names:
               those at less than 0.
    weighs:    ``weights = "agreement"`` comes to it as it is; others get the numbers.
    tells:     a sentence for the user before it runs, from all settings and the names of the data that are there.
    """
    declaration = Joining(
        unit=unit, host_only=host_only, memory=memory, by_row=by_row, work=work, loads=loads, objection=objection,
        lists=lists, weighs=weighs, tells=tells,
    )  # fmt: skip

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        function.__join__ = declaration  # type: ignore[attr-defined]
        return checked(host_only=host_only)(function)

    return decorate


def checked(*, host_only: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check the settings of a function on parts at every call; a join or not."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = tuple(inspect.signature(function).parameters)

        @functools.wraps(function)
        def call(*data: P.args, **named: P.kwargs) -> R:
            if set(named) <= set(names):  # if not, Python says what it does not know
                given: dict[str, Any] = dict(zip(names, data, strict=False)) | named
                refuse(function, given, given.get(names[0]))
                if host_only:
                    on_host(**given)
                if wants_agreement(call, given):
                    named["weights"] = weights_of_distances(given[names[0]]).tolist()
            return function(*data, **named)

        return call

    return decorate


def refuse(function: Callable[..., Any], given: Chosen, parts: object) -> None:
    """Raise ValueError for a setting that is not allowed."""
    chosen = {name: value for name, value in given.items() if name in settings_of(function)}
    if wrong := problem(function, chosen, len(parts) if isinstance(parts, Sized) else 0):
        raise ValueError(wrong)


def on_host(**given: Any) -> None:
    """Refuse CUDA tensors, alone or in a list, where NumPy alone will do."""
    for name, value in given.items():
        if any(map(arrays.on_cuda, [value, *(value if isinstance(value, list | tuple) else ())])):
            raise TypeError(f"{name}: {CPU_ONLY.format(name)}")


def problem(function: Callable[..., Any], chosen: Chosen, parts: int) -> str | None:
    """Why a join does not take these settings for so many parts, the first reason; None if it does."""
    known = settings_of(function)
    for name, value in chosen.items():
        if name not in known:
            settings = ", ".join(known) or "it has none"
            return f"{name}: wanted a setting ({settings}), found {name!r}{near(name, known)}"
        if wrong := _wrong(known[name], value, parts):
            return wrong
    objection = declared_by(function).objection
    return objection(with_defaults(function, chosen)) if objection else None


def _wrong(setting: Setting, value: Any, parts: int) -> str | None:
    if not isinstance(setting.checked, OneAPart):
        return setting.problem(value)
    wrong = setting.checked.counted(value, parts) if parts else None
    return wrong and f"{setting.name}: {wrong}"


def wants_agreement(function: Callable[..., Any], chosen: Chosen) -> bool:
    """Whether somebody has to find the weights for a join: it is told "agreement" and finds none itself."""
    weights = chosen.get("weights")
    return isinstance(weights, str) and weights == AGREEMENT and not declared_by(function).weighs


def is_join(value: object) -> bool:
    """Whether :func:`join` made this function one."""
    return hasattr(value, "__join__")


def declared_by(function: Callable[..., Any]) -> Joining:
    """What a join says about itself; of another function that it says nothing."""
    found: Joining = getattr(function, "__join__", Joining())
    return found


def takes_lists(function: Callable[..., Any], chosen: Chosen) -> Listed:
    """How a join takes rank lists with these settings."""
    lists = declared_by(function).lists
    return lists(with_defaults(function, chosen)) if callable(lists) else lists


def by_query(chosen: Chosen) -> Listed:
    """Of joins whose queries stand alone unless their scaling looks at the whole matrix."""
    return "together" if chosen["scaling"].endswith("-whole") else "padded"


def stage_of(function: Callable[..., Any]) -> Stage:
    """When a join joins, by its first parameter."""
    return BY_FIRST.get(next(iter(inspect.signature(function).parameters)), "across")


def of_stage(functions: Iterable[Callable[..., Any]], stage: Stage) -> dict[str, Callable[..., Any]]:
    """Those of some joins that join then, by name."""
    return {function.__name__: function for function in functions if stage_of(function) == stage}


def scaled_or_kept(chosen: Chosen) -> str:
    """The unit of a join that adds or compares distances as it finds them, unless it scales them first."""
    return KEPT if chosen["scaling"] == "none" else f"distances scaled by {chosen['scaling']}"


def units_problem(function: Callable[..., Any], chosen: Chosen, units: Sequence[str]) -> str | None:
    """Why a join does not take distances in these units, with what to do; None if it does.

    A join that keeps the unit it finds needs all parts in one. Joins by ranks, products and scaled distances take
    any units. So does a sum whose ``weights`` are written down: they say what one unit is worth in the other.
    """
    different = list(dict.fromkeys(units))
    unit = declared_by(function).unit
    if len(different) < 2 or (unit(with_defaults(function, chosen)) if callable(unit) else unit) != KEPT:
        return None
    known = settings_of(function)
    remedies = ['add scaling = "min-max" (or "z-score", "rank")'] if "scaling" in known else []
    remedy = ", or ".join([*remedies, 'join with "reciprocal_rank_fusion"'])
    if "weights" in known:
        remedy += "; or write weights that bring one unit to the other"
    return f"wanted distances in one unit, found {' and '.join(different)}; {remedy}"
