"""What others must know about a step, said at the step.

A step is a function on arrays: positional parameters are data and carry names of
:data:`postproc.base.vocabulary.VOCABULARY`, keyword-only parameters are settings of a kind
(:mod:`postproc.base.settings`), the return annotation says what comes out. What the signature cannot say stands in
the decorator::

    @step(unit=JACCARD, memory=held.reciprocal)
    def rerank(query: Query, gallery: Gallery, *, k1: Neighbours = 20, …) -> Distances | Nearest: ...

Settings are checked before the function runs, and so are data that it may do without: a step that does not look
at them would not find that they are wrong.
"""

import functools
import inspect
import math
import typing
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, overload

import numpy as np

from postproc.base import arrays, beforehand, checks, lists, one_set, settings, stored
from postproc.base.checks import CPU_ONLY
from postproc.base.sizes import Sizes
from postproc.base.vocabulary import VOCABULARY
from postproc.base.work import Spent

P = ParamSpec("P")
R = TypeVar("R")
Chosen = Mapping[str, Any]
Range = tuple[float, float]
Memory = Callable[[Sizes, Chosen], int]
Loads = tuple[str, ...] | Callable[[Chosen], tuple[str, ...]]

NO_COLUMNS = {"gallery", "neighbours"}
SINGLE = (int, float, complex, str, bytes, np.generic)  # what is no data
KEPT = ""  # the unit of the distances that a step was handed
SQUARED = "squared Euclidean distance"
EUCLIDEAN = "Euclidean distance"
COSINE = "cosine distance"
JACCARD = "Jaccard distance mixed with a share of the original, 0 to 1"
MIXED = "Jaccard distance mixed with squared distances"
PLACES = "places in a ranking"
METRICS = {"sqeuclidean": SQUARED, "euclidean": EUCLIDEAN, "cosine": COSINE}
RANGES: Mapping[str, Range] = {
    JACCARD: (0, 1), COSINE: (0, 2), SQUARED: (0, math.inf), EUCLIDEAN: (0, math.inf), MIXED: (0, math.inf)
}  # fmt: skip


def of_metric(chosen: Chosen) -> str:
    """The unit that the setting ``metric`` names."""
    return METRICS[chosen["metric"]]


def of_method(name: str) -> Callable[[Chosen], str]:
    """The unit of the step ``name`` whose setting ``method`` decides what its values are."""
    return lambda chosen: f"values of {name!r} ({chosen['method']})"


def nothing(sizes: Sizes, chosen: Chosen) -> int:
    """The memory of a step that holds nothing but its answer."""
    return 0


@dataclass(frozen=True)
class Declaration:
    """``unit``: what the distances are measured in, words or a function of all settings; None: a unit of its own.

    ``range``: the smallest and largest distance, ends included, or a function of all settings; None: what the unit
    says. It holds for features; a :class:`~postproc.pairs.pairwise.Pairwise` may hold distances below 0.
    ``host_only``: CUDA tensors are refused in a sentence.
    ``memory``: bytes beside input and answer where it holds most, from the sizes and all settings
    (:mod:`postproc.pairs.held` has what many hold).
    ``on_disk``: memory-mapped queries and gallery stay there and come as :class:`~postproc.base.stored.Stored`; a
    step that does not say so has them in memory, as float32.
    ``by_row``: every row of its answer is made of the same row of ``features`` alone: where those are on disk, a
    pipeline calls it with some rows at a time.
    ``leaves_on_disk``: what it makes of memory-mapped queries and gallery is in a temporary file, if it is large
    (:mod:`postproc.base.temporary`).
    ``work``: what there is to do, from the same (:mod:`postproc.pairs.spent` has what many do); None: nobody knows
    how long it takes.
    ``keeps``: data that come back as they are, not copied, from all settings.
    ``loads``: packages that the first call imports, which take memory themselves, or a function of all settings.
    ``objection``: why settings do not go together, from all settings, or None.
    """

    unit: str | Callable[[Chosen], str] | None = None
    range: Range | Callable[[Chosen], Range] | None = None
    host_only: bool = False
    memory: Memory = nothing
    on_disk: bool = False
    by_row: bool = False
    leaves_on_disk: bool = False
    work: Spent | None = None
    keeps: Callable[[Chosen], tuple[str, ...]] = lambda chosen: ()
    loads: Loads = ()
    objection: Callable[[Chosen], str | None] | None = None


@overload
def step(function: Callable[P, R]) -> Callable[P, R]: ...


@overload
def step(
    *,
    unit: str | Callable[[Chosen], str] | None = None,
    range: Range | Callable[[Chosen], Range] | None = None,
    host_only: bool = False,
    memory: Memory = nothing,
    on_disk: bool = False,
    by_row: bool = False,
    leaves_on_disk: bool = False,
    work: Spent | None = None,
    keeps: Callable[[Chosen], tuple[str, ...]] = ...,
    loads: Loads = (),
    objection: Callable[[Chosen], str | None] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def step(function: Callable[..., Any] | None = None, **declared: Any) -> Any:
    """Make a function a step: its settings are checked at every call, and :func:`declared_by` knows the rest."""
    declaration = Declaration(**declared)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        function.__step__ = declaration  # type: ignore[attr-defined]
        return checked(function)

    return decorate if function is None else decorate(function)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the settings of a function at every call, by their kinds; a step or not."""

    @functools.wraps(function)
    def call(*data: P.args, **named: P.kwargs) -> R:
        refuse_settings_by_place(function, data)
        by_place = dict(zip(function.__code__.co_varnames, data, strict=False))
        if by_place.keys() & named.keys():
            return function(*data, **named)  # Python says what is given twice
        given = one_set.completed(function, lists.in_place(function, by_place | named))
        one_set.warn_of_twice(function, given)
        tensors = [name for name, value in given.items() if arrays.is_tensor(value) and not arrays.on_cuda(value)]
        given |= {name: arrays.host(given[name]) for name in tensors}
        if all(name in given for name in _required(function)):  # what is missing, Python says itself
            refuse(function, given)
        if declared_by(function).on_disk:
            given |= {name: stored.on_disk(given[name]) for name in given.keys() & {"query", "gallery"}}
        _refuse_more_than_free(function, given)
        answer = function(**given)  # type: ignore[call-arg]
        if not tensors:
            return answer
        matrices = [name for name in given if name in VOCABULARY and VOCABULARY[name].kind == "float32"]
        come_as_tensors = not matrices or any(name in tensors for name in matrices)
        return arrays.as_tensors(answer) if come_as_tensors else answer

    return call


def _refuse_more_than_free(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise MemoryError before a step begins that has no room."""
    known = settings.settings_of(function)
    chosen = with_defaults(function, {name: value for name, value in given.items() if name in known})
    beforehand.refuse(function.__name__, declared_by(function).memory, given, chosen, _returned(function))


@functools.cache
def _returned(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what a function gives, by its annotation."""
    hint = repr(typing.get_type_hints(function, include_extras=True).get("return"))
    return tuple(name for name in ("distances", "query", "gallery", "features", "train") if f"'{name}'" in hint)


def problem(function: Callable[..., Any], chosen: Chosen, there: Container[str]) -> str | None:
    """Why a function does not take these settings with the data that are ``there``; None if it does."""
    objection = declared_by(function).objection
    found = settings.problem(function, chosen, there)
    return found or (objection(with_defaults(function, chosen)) if objection else None)


def refuse_settings_by_place(function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    """Raise TypeError for a single number or word in the place of data: most likely a setting without its name."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    files = len(_required(function))  # a word before that is the path of a file, which is refused as such
    odd = [
        at
        for at, value in enumerate(given)
        if isinstance(value, SINGLE) and not (isinstance(value, str) and at < files)
    ]
    if not odd and len(given) <= len(names):
        return
    values = [given[at] for at in odd]
    first = next(iter(odd), len(names))
    said = [f"{name}={value!r}" for name, value in zip(settings.settings_of(function), values, strict=False)]
    hint = f"; settings are named: {function.__name__}(…, {', '.join(said)})" if said else ""
    if first < len(names):
        meaning = VOCABULARY[names[first]].meaning if names[first] in VOCABULARY else "data"
        raise TypeError(f"{names[first]}: wanted an array ({meaning}), got {given[first]!r}{hint}")
    raise TypeError(f"{function.__name__}: wanted {', '.join(names)} by place, got {len(given)} values{hint}")


def refuse(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise ValueError for a setting that is not allowed, TypeError for a CUDA tensor where it has no place."""
    known = settings.settings_of(function)
    there = {name for name, value in given.items() if value is not None}
    if wrong := problem(function, {name: value for name, value in given.items() if name in known}, there):
        raise ValueError(wrong)
    if declared_by(function).host_only:
        for name, value in given.items():
            if arrays.on_cuda(value):
                raise TypeError(f"{name}: {CPU_ONLY.format(name)}")
    for name in _optional(function):
        count = _images(VOCABULARY[name].axes[0], function, given) if name in there else 0
        if count != 0:  # an empty side is the function's own business
            checks.data(name, given[name], count)


@functools.cache
def _required(function: Callable[..., Any]) -> tuple[str, ...]:
    """The data without which a function cannot be called."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.default is p.empty)


@functools.cache
def _optional(function: Callable[..., Any]) -> tuple[str, ...]:
    """The columns and matrices that a function may do without, in their order."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(
        p.name
        for p in parameters
        if p.kind is not p.KEYWORD_ONLY and p.default is None and p.name in VOCABULARY.keys() - NO_COLUMNS
    )


def _images(axis: str, function: Callable[..., Any], given: Mapping[str, Any]) -> int | None:
    """How many there are along an axis, by the largest data that a function always has; None if none say."""
    shapes = {name: _shape(given[name]) for name in given.keys() & VOCABULARY.keys()}
    for name in sorted(shapes, key=lambda name: (name in _optional(function), -len(shapes[name]), name)):
        axes = VOCABULARY[name].axes
        if axis in axes and len(shapes[name]) == len(axes):
            return int(shapes[name][axes.index(axis)])
    return None


def _shape(value: Any) -> tuple[int, ...]:
    try:
        return np.shape(value)
    except ValueError:  # rows of several lengths, which the function itself refuses by name
        return ()


def is_step(value: object) -> bool:
    """Whether :func:`step` made this function one."""
    return hasattr(value, "__step__")


def declared_by(function: Callable[..., Any]) -> Declaration:
    """What a step says about itself; of another function that it says nothing."""
    found: Declaration = getattr(function, "__step__", Declaration())
    return found


def unit_of(function: Callable[..., Any], chosen: Chosen) -> str:
    """What the distances of a step are measured in; "" for a step that keeps the unit it found.

    Takes:   the function and those of its settings that are not at their defaults.
    Returns: words for a message. A step that declares no unit has its own: two branches that end in the same step
             agree.
    """
    unit = declared_by(function).unit
    if unit is None:
        return f"values of {function.__name__!r}"
    return unit if isinstance(unit, str) else unit(with_defaults(function, chosen))


def range_of(function: Callable[..., Any], chosen: Chosen) -> Range | None:
    """The smallest and largest distance that a step gives for features; None where nobody says."""
    declared = declared_by(function).range
    if declared is None:
        return RANGES.get(unit_of(function, chosen))
    return declared if isinstance(declared, tuple) else declared(with_defaults(function, chosen))


def with_defaults(function: Callable[..., Any], chosen: Chosen) -> dict[str, Any]:
    """All settings of a function: the chosen ones, the others at their defaults."""
    defaults = {name: setting.default for name, setting in settings.settings_of(function).items()}
    return {**defaults, **chosen}
