"""What a pipeline can do: every function of ``postproc.STEPS``, described by its own signature."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import postproc
from postproc.base import arrays

LABELS = {f"{side}_{column}" for side in ("query", "gallery") for column in ("cam", "cam_group", "track")}
STATES = {"features", "query", "gallery", "distances", *LABELS}  # what a step of a pipeline may give


@dataclass(frozen=True)
class Step:
    """A function, the data it needs and may use, what it gives, and its settings with their defaults."""

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    may_use: tuple[str, ...]
    gives: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """The first line of the function's description."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


@cache
def catalogue() -> dict[str, Step]:
    """All steps that a recipe can use, by name."""
    steps = [describe(function) for function in postproc.STEPS]
    return {step.name: step for step in steps if set(step.gives) <= STATES}


def describe(function: Callable[..., Any]) -> Step:
    """Read a step off its signature: positional is data, keyword-only a setting, the annotation the result."""
    parameters = inspect.signature(function).parameters.values()
    data = [parameter for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
    hints = typing.get_type_hints(function, include_extras=True)
    required = [item for item in data if item.default is item.empty]
    if "query" in (item.name for item in required):  # ``gallery`` may be left out only next to a Pairwise
        required = [item for item in data if item.default is item.empty or item.name == "gallery"]
    return Step(
        name=function.__name__,
        function=function,
        needs=tuple(item.name for item in required),
        may_use=tuple(item.name for item in data if item not in required),
        gives=tuple(dict.fromkeys(_names(hints["return"]))),
        settings={p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY},
    )


def apply(step: Step, state: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Run a step on the state's data; the part of the state that it replaces.

    A step over ``features`` runs on every set of images there is. An answer of ``top_k`` images a query comes
    back as ``nearest``.
    """
    if step.needs == ("features",):
        return {
            side: step.function(state[side], **settings) for side in ("query", "gallery", "train") if side in state
        }
    taken = {name: state[name] for name in (*step.needs, *step.may_use) if name in state}
    learns = (
        "train" in taken and step.gives == ("query", "gallery") and not {"query_cam", "query_track"} & set(taken)
    )
    if learns:  # the training set goes the way of the queries, so that a later step may learn from it too
        taken["query"] = arrays.joined(state["query"], state["train"])
    result = step.function(**taken, **settings)
    if isinstance(result, postproc.Nearest):
        return {"nearest": result}
    given = dict(zip(step.gives, result, strict=True)) if len(step.gives) > 1 else {step.gives[0]: result}
    if learns:
        count = len(state["query"])
        given["query"], given["train"] = given["query"][:count], given["query"][count:]
    return given


def objection(step: Step, settings: Mapping[str, Any], there: frozenset[str]) -> str | None:
    """Why a step refuses these settings with what is ``there``, found by running it on eight images, or None."""
    random = np.random.default_rng(0)
    toy: dict[str, Any] = {
        side: random.normal(size=(count, 4)).astype(np.float32)
        for side, count in (("query", 2), ("gallery", 6), ("train", 6))
    }
    toy["distances"] = ((toy["query"][:, None] - toy["gallery"]) ** 2).sum(axis=2)
    for side in ("query", "gallery", "train"):
        toy |= {f"{side}_quality": np.abs(toy[side][:, 0])}
        toy |= {f"{side}_aux": toy[side][:, :2]} if f"{side}_aux" in there else {}
    for label in there - set(toy):
        toy[label] = np.arange(2 if label.startswith("query") else 6) // (2 if label.endswith("_pid") else 1) % 3
    try:
        apply(step, toy, settings)
    except (ValueError, TypeError) as error:
        setting = str(error).partition(":")[0]
        return str(error) if setting in step.settings else None  # a toy may be too small for what is learned
    return None


def _names(annotation: Any) -> Iterator[str]:
    """The vocabulary names inside an annotation: ``tuple[Query, Gallery]`` -> query, gallery."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield annotation.__metadata__[0]
    elif typing.get_origin(annotation) in (tuple, typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _names(part)
