"""What a pipeline can do: steps of ``postproc`` and of plug-ins, described by their own signatures."""

import inspect
import types
import typing
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import postproc
from ensemble.base.errors import near
from postproc.base import arrays, step, temporary
from postproc.base.settings import Setting, settings_of
from postproc.base.sizes import Sizes
from postproc.base.vocabulary import VOCABULARY
from postproc.base.work import Work

LABELS = {f"{side}_{column}" for side in ("query", "gallery") for column in ("cam", "cam_group", "track")}
SCORED = ("query_pid", "gallery_pid")  # labels are for scores alone
STATES = {"features", "query", "gallery", "distances", "clusters", *LABELS}  # what a step of a pipeline may give


@dataclass(frozen=True)
class Step:
    """A function, the data it needs and may use, what it gives, and its settings."""

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    may_use: tuple[str, ...]
    gives: tuple[str, ...]
    settings: Mapping[str, Setting]
    takes_times: bool = False  # histograms of travel times in the place of training labels

    @property
    def summary(self) -> str:
        """The first line of the function's description."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def family(self) -> str:
        """The folder it lives in, ``context`` say; the package of a plug-in."""
        parts = self.function.__module__.split(".")
        return parts[1] if parts[0] == "postproc" else parts[0]

    @property
    def clusters(self) -> bool:
        """Whether it says who belongs together, which is an end of a recipe of its own."""
        return self.gives == ("clusters",)

    @property
    def host_only(self) -> bool:
        """Whether it refuses CUDA tensors."""
        return step.declared_by(self.function).host_only

    @property
    def counts_mutual(self) -> Setting | None:
        """The setting that says how many neighbours have to be neighbours of each other, if there is one."""
        return next((setting for setting in self.settings.values() if setting.mutual), None)

    def unit(self, chosen: Mapping[str, Any]) -> str:
        """What its distances are measured in; "" for the unit that it finds."""
        return step.unit_of(self.function, chosen)

    def memory(self, sizes: Sizes, chosen: Mapping[str, Any]) -> int:
        """Bytes beside input and answer, as the step declares them."""
        return step.declared_by(self.function).memory(sizes, self.with_defaults(chosen))

    def work(self, sizes: Sizes, chosen: Mapping[str, Any]) -> Work | None:
        """What there is to do, as the step declares it; None where it does not."""
        declared = step.declared_by(self.function).work
        return None if declared is None else declared(sizes, self.with_defaults(chosen))

    def with_defaults(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """All settings: the chosen ones, the others at their defaults."""
        return step.with_defaults(self.function, chosen)

    def problems(self, where: str, chosen: Mapping[str, Any], there: Container[str] | None) -> list[str]:
        """Why it does not take these settings with the data that are ``there``; None: too few, which others say.

        Every setting that it does not know, or not with this value; else the first that does not fit the others.
        """
        found = [
            f"{where} ({self.name}): wanted a setting ({', '.join(self.settings) or 'it has none'}), "
            f"found {name!r}{near(name, self.settings)}"
            for name in chosen
            if name not in self.settings
        ]
        known = [self.settings[name].problem(value) for name, value in chosen.items() if name in self.settings]
        if there is not None and not found and not any(known):
            known = [step.problem(self.function, chosen, there)]
        return found + [f"{where} ({self.name}), {wrong}" for wrong in known if wrong]


def catalogue() -> Mapping[str, Step]:
    """All steps that a recipe can use, by name: ours, then those of plug-ins."""
    return _ours() | _added


def add(function: Callable[..., Any], *, origin: str) -> None:
    """Let recipes use a step of somebody else's.

    ``origin``: who brought it, for messages. The same function twice is one step. Raises ValueError for what is no
    step, gives nothing that a pipeline can use, takes data of other names, or has a name that exists already.
    """
    if any(function is known.function for known in catalogue().values()):
        return
    where = f"{origin}, {getattr(function, '__name__', repr(function))}"
    if not step.is_step(function):
        raise ValueError(f"{where}: wanted a function under postproc.base.step.step, found none")
    found = describe(function)
    if not found.gives or not set(found.gives) <= STATES:
        gives = ", ".join(found.gives) or "nothing"
        raise ValueError(f"{where}: wanted a return annotation of features or distances, found {gives}")
    strange = [data for data in (*found.needs, *found.may_use) if data not in VOCABULARY or data in SCORED]
    if strange:
        raise ValueError(f"{where}: wanted data of postproc.base.vocabulary, found {', '.join(strange)}")
    if found.name in catalogue():
        whose = catalogue()[found.name].function.__module__
        raise ValueError(f"{where}: wanted a name of its own, found one of that name in {whose}")
    _added[found.name] = found


_added: dict[str, Step] = {}


@cache
def _ours() -> dict[str, Step]:
    steps = [describe(function) for function in postproc.STEPS]
    return {found.name: found for found in steps if set(found.gives) <= STATES}


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
        gives=tuple(dict.fromkeys(_names(hints.get("return")))),
        settings=settings_of(function),
        takes_times=postproc.SpatioTemporalPrior in typing.get_args(hints.get("train_pid")),
    )


def apply(
    found: Step, state: Mapping[str, Any], chosen: Mapping[str, Any], *, one_set: bool = False
) -> dict[str, Any]:
    """Run a step on the state's data; the part of the state that it replaces.

    A step over ``features`` runs on every set of images there is. An answer of ``top_k`` images a query comes
    back as ``nearest``. ``one_set``: queries and gallery are the same images, and come back so.
    """
    if one_set:
        return _alone(found, state, chosen)
    if found.needs == ("features",):
        sides = [side for side in ("query", "gallery", "train") if side in state]
        return {side: _of_features(found, state[side], chosen) for side in sides}
    taken = {name: state[name] for name in (*found.needs, *found.may_use) if name in state}
    learns = moves_train(found, taken)
    if learns:
        taken["query"] = arrays.joined(state["query"], state["train"])
    result = found.function(**taken, **chosen)
    if isinstance(result, postproc.Nearest):
        return {"nearest": result}
    given = dict(zip(found.gives, result, strict=True)) if len(found.gives) > 1 else {found.gives[0]: result}
    if learns:
        count = len(state["query"])
        given["query"], given["train"] = given["query"][:count], given["query"][count:]
    return given


def _of_features(found: Step, features: Any, chosen: Mapping[str, Any]) -> Any:
    """What a step makes of features; where they are on disk some rows at a time, if it works row by row."""
    if not step.declared_by(found.function).by_row:
        return found.function(features, **chosen)
    return temporary.by_rows(lambda parts: found.function(*parts, **chosen), [features], found.name)


def alone(found: Step, state: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a step on one set: what it asks of both sides is handed over once."""
    names = (*found.needs, *found.may_use)
    twice = {name for name in names if name.startswith("gallery") and name.replace("gallery", "query", 1) in names}
    return {name: state[name] for name in names if name in state and name not in twice}


def _alone(found: Step, state: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Run a step on one set; its images come back on both sides."""
    if found.needs == ("features",):
        given = {side: _of_features(found, state[side], chosen) for side in ("gallery", "train") if side in state}
        return {"query": given["gallery"], **given}
    taken = alone(found, state)
    result = found.function(**taken, **chosen)
    if isinstance(result, postproc.Nearest):
        return {"nearest": result}
    several = isinstance(result, tuple)  # of both sides comes one, but for labels
    given = dict(zip(found.gives, result if several else (result,), strict=False))
    for name in list(given):
        side, _, column = name.partition("_")
        if side in ("query", "gallery"):
            given |= {"_".join(filter(None, (other, column))): given[name] for other in ("query", "gallery")}
    if moves_train(found, taken):  # as queries would go, by what the set has taught
        both = {**taken, "query": state["train"], "gallery": state["gallery"]}
        given["train"] = found.function(**both, **chosen)[0]
    return given


def moves_train(found: Step, taken: Container[str]) -> bool:
    """Whether the training set goes the way of the queries, so that a later step may learn from it too."""
    alone = "query_cam" not in taken and "query_track" not in taken
    return "train" in taken and found.gives == ("query", "gallery") and alone


def _names(annotation: Any) -> Iterator[str]:
    """The vocabulary names inside an annotation: ``tuple[Query, Gallery]`` -> query, gallery."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield annotation.__metadata__[0]
    elif typing.get_origin(annotation) in (tuple, typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _names(part)
