"""Any step, called from its signature alone: data by name, settings from their defaults, results by their type."""

import inspect
import math
import re
import typing

import numpy as np
import pytest

from postproc import STEPS, Nearest
from postproc.types import VOCABULARY
from tests.worlds import world

TOGETHER = {("query_expansion", "find_anew"): {"rounds": 2}}  # settings that matter only beside another
DATA = {name: array for name, array in world().items() if name in VOCABULARY}
NQ, NG = DATA["distances"].shape


def names(step):
    """The data that a step takes, in order."""
    return [name for name, p in inspect.signature(step).parameters.items() if p.kind is not p.KEYWORD_ONLY]


def settings_of(step):
    return {name: p for name, p in inspect.signature(step).parameters.items() if p.kind is p.KEYWORD_ONLY}


def axes(name):
    """``gallery_cam`` -> ["ng"], ``distances`` -> ["nq", "ng"], ``train_pid`` -> ["train"]."""
    symbols = re.match(r"\((.*?),?\)", VOCABULARY[name])[1].split(", ")
    return [name.split("_")[0] if symbol == "n" else symbol for symbol in symbols]


def pick(data, **rows):
    """The same world with the images ``rows[axis]`` along each axis named, as in ``pick(data, ng=order)``."""
    out = {}
    for name, array in data.items():
        for axis, symbol in enumerate(axes(name)):
            array = np.take(array, rows[symbol], axis) if symbol in rows else array
        out[name] = array
    return out


def declared(step):
    """The types, one of which a step says that it returns."""
    hint = typing.get_type_hints(step, include_extras=True)["return"]
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Union else (hint,)


def fields(hint):
    """``tuple[Query, Gallery]`` -> ["query", "gallery"], :class:`Nearest` -> ["nearest", "ranking"]."""
    if hint is Nearest:
        return ["nearest", "ranking"]
    hints = typing.get_args(hint) if typing.get_origin(hint) is tuple else [hint]
    return [hint.__metadata__[0] for hint in hints]


def call(step, data, settings):
    """What the step returns, as a dictionary by :func:`fields`."""
    result = step(*(data[name] for name in names(step)), **settings)
    hint = next(hint for hint in declared(step) if isinstance(result, Nearest) is (hint is Nearest))
    results = result if isinstance(result, tuple) else [result]
    return dict(zip(fields(hint), results, strict=True))


def bits(found):
    """Arrays as something that is equal only if every bit is."""
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in found.items()}


def is_kind(parameter, kind):
    """Whether a setting is of this kind, by its default or, where that is None, by its annotation."""
    if parameter.default is None:
        return kind in typing.get_args(parameter.annotation)
    return type(parameter.default) is kind


def bad_values(parameter):
    """What a setting of this kind can never be."""
    never = [None] if parameter.default is not None else []
    if is_kind(parameter, bool):
        return ["yes", 1, *never]
    if is_kind(parameter, int):
        return [-3, 2.5, math.nan, True, "3", *never]
    if is_kind(parameter, float):
        return [math.nan, math.inf, -math.inf, "0.3", True, *never]
    assert is_kind(parameter, str)
    return ["no such word", 3, ["cosine"], *never]


def other_values(step, name):
    """Values of a setting that are not its default; of a choice all the others, as its refusal lists them."""
    parameter = settings_of(step)[name]
    if is_kind(parameter, bool):
        return [not parameter.default]
    if is_kind(parameter, int):
        return [3 if parameter.default is None else parameter.default + 1]
    if is_kind(parameter, float):
        return [(parameter.default or 0.0) + 0.25]
    with pytest.raises(ValueError, match="wanted one of") as refusal:
        call(step, DATA, {name: "no such word"})
    choices = re.search("wanted one of (.*), got", str(refusal.value))[1].split(", ")
    assert parameter.default in choices
    return [choice for choice in choices if choice != parameter.default]


def cases():
    """Every step with its defaults, and with every other value of every setting."""
    for step in STEPS:
        yield pytest.param(step, {}, id=step.__name__)
        for name in settings_of(step):
            for value in other_values(step, name):
                settings = {name: value, **TOGETHER.get((step.__name__, name), {})}
                yield pytest.param(step, settings, id=f"{step.__name__}-{name}-{value}")
