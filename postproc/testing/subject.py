"""A step that is tried: called from its signature alone, with settings found in its declaration."""

import inspect
import itertools
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from postproc.base.cached import cached_property
from postproc.base.settings import Setting, settings_of
from postproc.base.step import KEPT, PLACES, declared_by
from postproc.base.vocabulary import VOCABULARY, Nearest
from postproc.testing.worlds import World

Settings = Mapping[str, Any]
LABELS = frozenset(("query_track", "query_cam", "gallery_cam", "query_cam_group", "gallery_cam_group", "clusters"))


class Subject:
    """A step and what it is tried on: ``data``, and ``larger`` ones that fill several blocks.

    ``tried`` are the settings of the last call, ``left_alone`` those that are not varied now.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        data: World,
        values: Settings,
        beside: Mapping[str, Settings],
        any_width: bool,
    ) -> None:
        self.function, self.values, self.beside, self.any_width = function, values, beside, any_width
        parameters = inspect.signature(function).parameters.values()
        given = [p for p in parameters if p.kind is not p.KEYWORD_ONLY and p.name != "neighbours"]
        self.inputs = [p.name for p in given]
        self.everything = data
        self.data = {name: data[name] for name in self.inputs if name in data}
        self.optional = {p.name for p in given if p.default is not p.empty}
        self.larger = self.data
        self.settings = settings_of(function)
        self.returns = returned(function)
        self.left_alone: Collection[str] = ()
        self.tried: Settings | None = None
        self._answers: dict[str, World] = {}

    @property
    def returned(self) -> set[str]:
        """The names of everything that may come back."""
        return {field for hint in self.returns for field in fields(hint)}

    @property
    def orders(self) -> bool:
        """Whether it says which image is before which."""
        return bool({"distances", "ranking"} & self.returned)

    @property
    def takes_infinity(self) -> bool:
        """Whether a distance may be +inf: never return."""
        if self.returned == {"clusters"}:
            return True
        return "distances" in self.inputs and (
            declared_by(self.function).unit in (KEPT, PLACES) or self.returned == {"ranking"}
        )

    def __call__(self, settings: Settings, data: Mapping[str, Any] | None = None) -> World:
        """What comes back, by name."""
        self.tried = settings
        data = self.data if data is None else data
        found = self.function(*(data.get(name) for name in self.inputs), **settings)
        hint = next(hint for hint in self.returns if isinstance(found, Nearest) is (hint is Nearest))
        parts = found if isinstance(found, tuple) else (found,)
        return dict(zip(fields(hint), parts, strict=True))

    def usual(self, settings: Settings) -> World:
        """What comes back for the data as they are; computed once."""
        key = repr(sorted(settings.items()))
        if key not in self._answers:
            self._answers[key] = self(settings)
        self.tried = settings
        return self._answers[key]

    def said(self) -> str:
        """The call that was tried last, in a line."""
        name = getattr(self.function, "__name__", repr(self.function))
        if self.tried is None:
            return name
        return f"{name}({', '.join(f'{setting}={value!r}' for setting, value in self.tried.items())})"

    def count(self, axis: str) -> int:
        """How many images stand along ``nq``, ``ng``, ``features``, ``train``; any number where there is none."""
        found = [
            array.shape[VOCABULARY[name].axes.index(axis)]
            for name, array in self.data.items()
            if axis in VOCABULARY[name].axes
        ]
        return found[0] if found else 1 if axis == "features" else self.count("features")

    def others(self, name: str) -> list[Any]:
        """Values that are not the default: of a number any of these, of a choice all."""
        return [self.values[name]] if name in self.values else _others(self.settings[name])

    def variants(self) -> Iterator[Settings]:
        """The defaults, and every setting at another value, beside those with which it matters."""
        yield {}
        for found in self._variants:
            if not found.keys() & set(self.left_alone):
                yield found

    @cached_property
    def _variants(self) -> list[Settings]:
        return [
            {name: value} | dict(beside)
            for name in self.settings
            for value, beside in self.matter.get(name, [(value, {}) for value in self.others(name)[:1]])
        ]

    @cached_property
    def matter(self) -> dict[str, list[tuple[Any, Settings]]]:
        """Values of a setting that change something, each with the settings beside which it does."""
        found = {name: self._values_that_matter(name) for name in self.settings}
        return {name: values for name, values in found.items() if values}

    def _values_that_matter(self, name: str) -> list[tuple[Any, Settings]]:
        setting = self.settings[name]
        several = setting.kind in ("switch", "choice")
        found: list[tuple[Any, Settings]] = []
        for value in self.others(name):
            for beside in self._beside(name):
                if self._differ(name, setting.default, value, beside):
                    found.append((value, beside))
                    break
            if found and not several:
                break
        return found

    def alike(self, name: str) -> tuple[Any, Any] | None:
        """Two values of a choice that give the same beside whatever other setting."""
        setting = self.settings[name]
        values = [setting.default, *self.others(name)] if setting.kind in ("switch", "choice") else []
        for one, other in itertools.combinations(values, 2):
            if not any(self._differ(name, one, other, beside) for beside in self._beside(name)):
                return one, other
        return None

    def _beside(self, name: str) -> Iterator[Settings]:
        if name in self.beside:
            yield self.beside[name]
            return
        yield {}
        for other in self.settings:
            if other != name:
                yield from ({other: value} for value in self.others(other))

    def _differ(self, name: str, one: Any, other: Any, beside: Settings) -> bool:
        try:
            return bits(self.usual({**beside, name: one})) != bits(self.usual({**beside, name: other}))
        except ValueError:  # settings that do not go together
            return False

    def far(self, settings: Settings) -> np.ndarray | None:
        """The distances that a ranking is by, if anybody says them."""
        if "distances" in self.returned or "nearest" in self.returned:
            return self.usual({name: value for name, value in settings.items() if name != "top_k"}).get(
                "distances"
            )
        return self.data["distances"] if "distances" in self.inputs else None

    def plain(self) -> list[np.ndarray]:
        """The distances that images have without the step."""
        if "distances" in self.inputs:
            return [self.data["distances"]]
        if not {"query", "gallery"} <= self.data.keys():
            return []
        sides = [self.data[side].astype(np.float64) for side in ("query", "gallery")]
        unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30) for rows in sides]
        return [((query[:, None] - gallery) ** 2).sum(axis=2) for query, gallery in (sides, unit)]


def returned(function: Callable[..., Any]) -> tuple[Any, ...]:
    """The types, one of which a step says that it returns."""
    hint = typing.get_type_hints(function, include_extras=True).get("return")
    if hint is None:
        return ()
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def fields(hint: Any) -> list[str]:
    """``tuple[Query, Gallery]`` -> ["query", "gallery"], :class:`Nearest` -> ["nearest", "ranking"]."""
    if hint is Nearest:
        return ["nearest", "ranking"]
    hints = typing.get_args(hint) if typing.get_origin(hint) is tuple else (hint,)
    return [hint.__metadata__[0] if hasattr(hint, "__metadata__") else str(hint) for hint in hints]


def bits(found: World) -> dict[str, Any]:
    """Arrays as something that is equal only if every bit is."""
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in found.items()}


def difference(found: World, wanted: World) -> str:
    """In a line, what two answers differ in."""
    if found.keys() != wanted.keys():
        return f"{', '.join(found)} in the place of {', '.join(wanted)}"
    for name, array in found.items():
        other = wanted[name]
        if (array.dtype, array.shape) != (other.dtype, other.shape):
            return f"{name}: {array.dtype} {array.shape} in the place of {other.dtype} {other.shape}"
        if array.tobytes() != other.tobytes():
            differ = array != other
            values = f"{array[differ][:1]} for {other[differ][:1]}"
            return f"{name}: {differ.sum()} of {differ.size} values differ, {values}"
    return "nothing"


def _others(setting: Setting) -> list[Any]:
    default = setting.default
    if setting.kind == "switch":
        return [not default]
    if setting.kind == "choice":
        return [choice for choice in setting.choices if choice != default]
    if setting.kind == "other":
        return []
    if setting.whole:
        tried = [3, 1] if default is None else [default + 1, setting.low, default // 2, default // 10]
        tried = [int(value) for value in tried]
    else:
        start = float(default or 0)
        tried = [start + 0.25, start - 0.25, 2 * start, start / 2, start / 10, setting.low, setting.high]
    return list(dict.fromkeys(value for value in tried if value != default and setting.allows(value)))
