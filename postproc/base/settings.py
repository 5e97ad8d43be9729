"""What a setting may be, said once, in its annotation: ``k1: Neighbours = 20``, ``lambda_value: Share = 0.3``.

Checks and their messages, what a tuner searches, lists of steps and the laws follow from it. There are five kinds
of number; ``bool`` is a switch, ``Literal["normal", "empirical"]`` a choice. Marks beside the kind say more::

    power:  Annotated[Weight, Within(0.01, 64)] = 2.0
    k2:     Annotated[Neighbours, Within(0), Neutral(0)] = 6
    group:  Annotated[Number, Needs("query_cam_group", "gallery_cam_group", instead="0")] = 0.0
    parts:  Annotated[Sequence[int], Checked(one_or_more)] = ()
"""

import inspect
import math
import types
import typing
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal

import numpy as np

from postproc.base.nearby import near

Search = Literal["neighbours", "whole range", "around", "no"]


@dataclass(frozen=True)
class Kind:
    """A kind of number: its name, whether it is whole, its range, and how a tuner searches it if nobody says."""

    name: str
    whole: bool = False
    low: float = -math.inf
    high: float = math.inf
    search: Search = "no"


@dataclass(frozen=True)
class Within:
    """The range of this setting, ends included, in the place of its kind's."""

    low: float
    high: float = math.inf


@dataclass(frozen=True)
class Neutral:
    """At this value the step changes nothing: what it is handed comes back, or images are ranked without it.

    ``beside``: other settings that have to have these values for that.
    """

    value: Any
    beside: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Mutual:
    """These neighbours are neighbours of each other: an identity should have about as many images, or tracks."""

    of: Literal["image", "track"] = "image"


SET = object()  # any value but 0, None and false


@dataclass(frozen=True, init=False)
class Needs:
    """With the value ``when`` (:data:`SET`: any but 0, None and false) the step needs these data.

    ``instead``: the value that needs none, for the message. ``any_of``: one of the data is enough.
    """

    data: tuple[str, ...]
    instead: str
    when: Any
    any_of: bool

    def __init__(self, *data: str, instead: str, when: Any = SET, any_of: bool = False) -> None:
        for name, value in (("data", data), ("instead", instead), ("when", when), ("any_of", any_of)):
            object.__setattr__(self, name, value)

    def problem(self, name: str, value: Any, there: Container[str]) -> str | None:
        """``group: needs gallery_cam_group, or 0`` where the data are not ``there``."""
        meant = bool(value) if self.when is SET else type(value) is type(self.when) and value == self.when
        lacking = [data for data in self.data if data not in there]
        if not meant or not lacking or (self.any_of and len(lacking) < len(self.data)):
            return None
        with_it = f'"{value}" ' if isinstance(value, str) else ""
        return f"{name}: {with_it}needs {(' or ' if self.any_of else ' and ').join(self.data)}, or {self.instead}"


@dataclass(frozen=True, init=False)
class Otherwise:
    """Without all of these data the value ``to`` takes the place of None, and a run says so.

    ``unless``: another setting; where it is set, nobody looks at this one.
    """

    data: tuple[str, ...]
    to: Any
    unless: str

    def __init__(self, *data: str, to: Any, unless: str = "") -> None:
        for name, value in (("data", data), ("to", to), ("unless", unless)):
            object.__setattr__(self, name, value)

    def note(self, name: str, chosen: Mapping[str, Any], there: Container[str]) -> str | None:
        """``radius: 0.5 is taken, since there is no train_pid``; None where all is there, or not asked for."""
        lacking = [data for data in self.data if data not in there]
        if chosen[name] is not None or not lacking or chosen.get(self.unless):
            return None
        return f"{name}: {self.to} is taken, since there is no {' and no '.join(lacking)}"


@dataclass(frozen=True)
class Checked:
    """For a setting of no kind: ``wrong(value)`` says what was wanted, "wanted …", or None if all is well."""

    wrong: Callable[[Any], str | None]


def wholes(least: int, one: str) -> Checked:
    """A list of whole numbers, each ``least`` or more, ``one`` for each of something."""

    def wrong(value: Any) -> str | None:
        given = value.tolist() if isinstance(value, np.ndarray) else value
        right = isinstance(given, (list, tuple)) and all(
            isinstance(count, (int, np.integer)) and not isinstance(count, bool) and count >= least
            for count in given
        )
        return None if right else f"wanted whole numbers, {least} or more, one {one}"

    return Checked(wrong)


Neighbours = Annotated[int, Kind("neighbours", True, 1, search="neighbours")]  # how many images count as near
Count = Annotated[int, Kind("count", True, 0)]  # of anything else: rounds, bins, a seed
Share = Annotated[float, Kind("share", False, 0, 1, search="whole range")]  # of one thing in a mix of two
Weight = Annotated[
    float, Kind("weight", search="around")
]  # how much something counts: strength, exponent, penalty
Number = Annotated[float, Kind("number")]  # of the method, which is rarely changed
TopK = Annotated[int | None, Kind("count", True, 1)]  # images a query that are wanted; None: all


@dataclass(frozen=True)
class Setting:
    """A setting of a function, read off its signature."""

    name: str
    default: Any
    kind: str  # neighbours, count, share, weight, number, switch, choice, or other
    whole: bool = False
    low: float = -math.inf
    high: float = math.inf
    search: Search = "no"
    choices: tuple[str, ...] = ()
    optional: bool = False  # None is a value too
    neutral: tuple[Neutral, ...] = ()
    mutual: Mutual | None = None
    needs: tuple[Needs, ...] = ()
    checked: Checked | None = None
    otherwise: Otherwise | None = None

    def wanted(self) -> str:
        """The range in words, as messages and lists have it; nothing for what the step checks itself."""
        if self.kind == "switch":
            return "true or false"
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind == "other":
            return ""
        if self.whole:
            return f"a whole number, {self.low:.0f} or more"
        if self.low == -math.inf and self.high == math.inf:
            return "a finite number"
        return f"{self.low} to {self.high}"

    def allows(self, value: Any) -> bool:
        """Whether this is a value of the kind and within the range."""
        if self.checked:
            return not self.checked.wrong(value)
        if self.kind == "other" or (value is None and self.optional):
            return True
        if self.kind == "switch":
            return isinstance(value, (bool, np.bool_))
        if self.kind == "choice":
            return isinstance(value, str) and value in self.choices
        if isinstance(value, (bool, np.bool_)):
            return False
        if self.whole:
            return isinstance(value, (int, np.integer)) and self.low <= int(value) <= self.high
        return (
            isinstance(value, (int, float, np.number)) and _finite(value) and self.low <= float(value) <= self.high
        )

    def problem(self, value: Any) -> str | None:
        """``k1: wanted a whole number, 1 or more, got 0``, or None where all is well."""
        if self.checked:
            wanted = self.checked.wrong(value)
            return wanted and f"{self.name}: {wanted}, got {value!r}"
        if self.allows(value):
            return None
        return f"{self.name}: wanted {self.wanted()}, got {value!r}{near(value, self.choices)}"


@cache
def settings_of(function: Callable[..., Any]) -> Mapping[str, Setting]:
    """The settings of a function, its keyword-only parameters, by name."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    return types.MappingProxyType(
        {p.name: _read(p.name, p.default, hints.get(p.name, Any)) for p in parameters if p.kind is p.KEYWORD_ONLY}
    )


def problem(function: Callable[..., Any], chosen: Mapping[str, Any], there: Container[str]) -> str | None:
    """Why a function does not take these settings with these data, the first reason; None if it does."""
    known = settings_of(function)
    for name, value in chosen.items():
        if name in known and (wrong := known[name].problem(value)):
            return wrong
    for name, setting in known.items():
        for needs in setting.needs:
            if wrong := needs.problem(name, chosen.get(name, setting.default), there):
                return wrong
    return None


def _read(name: str, default: Any, hint: Any) -> Setting:
    plain, marks, optional = _taken_apart(hint)
    if plain is bool:
        setting = Setting(name, default, "switch", optional=optional)
    elif typing.get_origin(plain) is Literal:
        setting = Setting(name, default, "choice", choices=typing.get_args(plain), optional=optional)
    elif kind := next((mark for mark in marks if isinstance(mark, Kind)), None):
        setting = Setting(
            name, default, kind.name, kind.whole, kind.low, kind.high, kind.search, optional=optional
        )
    else:
        setting = Setting(name, default, "other", optional=optional)
    for mark in marks:
        if isinstance(mark, Within):
            setting = replace(setting, low=mark.low, high=mark.high)
        elif isinstance(mark, Neutral):
            setting = replace(setting, neutral=(*setting.neutral, mark))
        elif isinstance(mark, Needs):
            setting = replace(setting, needs=(*setting.needs, mark))
        elif isinstance(mark, Mutual):
            setting = replace(setting, mutual=mark)
        elif isinstance(mark, Otherwise):
            setting = replace(setting, otherwise=mark)
        elif isinstance(mark, Checked):
            setting = replace(setting, checked=mark)
    return setting


def _taken_apart(hint: Any) -> tuple[Any, list[Any], bool]:
    """The type, the marks on it, and whether None is allowed: of ``Annotated[int, …] | None`` and the like."""
    if typing.get_origin(hint) is Annotated:
        plain, *marks = typing.get_args(hint)
        inner, more, optional = _taken_apart(plain)
        return inner, [*more, *marks], optional
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(parts) == 1:
            inner, marks, _ = _taken_apart(parts[0])
            return inner, marks, len(parts) < len(typing.get_args(hint))
    return hint, [], False


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number without end
        return False
