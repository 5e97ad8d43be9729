"""What the nodes of a run compute: a model as it is read, a step, a join; each from what its inputs gave.

What holds which array, and how long, is decided here and in :mod:`ensemble.pipeline.walk`; what makes an array is
handed in (:class:`Maker`), so that :mod:`ensemble.pipeline.memory` goes the same way with sizes alone.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.features import SIDES
from ensemble.base.kinds import Array
from ensemble.fusion import found
from ensemble.pipeline import joins, partial, steps, travel_times
from ensemble.pipeline.devices import CPU, Device, OnHost
from ensemble.pipeline.images import Images
from ensemble.pipeline.models import Models
from ensemble.pipeline.recipe import Use
from ensemble.pipeline.state import Rows, State
from ensemble.pipeline.tree import Node
from postproc.base import arrays

CODES = "code_lengths"  # the setting of steps that compare binary codes


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a node gave, in how many seconds, and on which device; the weights that a join found for its parts."""

    state: State
    seconds: float
    device: str
    weights: found.Weights = ()


class Maker(Protocol):
    """Where new arrays come from."""

    def step(
        self, called: steps.Step, taken: Mapping[str, Any], settings: Mapping[str, Any], one_set: bool
    ) -> dict[str, Any]:
        """What a step makes of data."""
        ...

    def join(
        self, name: str, parts: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], one_set: bool
    ) -> dict[str, Any]:
        """What a join makes of its parts."""
        ...

    def side_by_side(self, values: Sequence[Any]) -> Any:
        """The columns of all of them in one matrix."""
        ...

    def spread(self, distances: Any, state: State, images: Images) -> Any:
        """Distances of all images from those that a state knows."""
        ...

    def given(self, distances: Any, rows: Rows | None, some: bool, images: Images) -> State:
        """What a model that is distances already says of all images, or of some."""
        ...


class Arrays:
    """Makes what a run computes with."""

    def step(
        self, called: steps.Step, taken: Mapping[str, Any], settings: Mapping[str, Any], one_set: bool
    ) -> dict[str, Any]:
        return steps.apply(called, taken, settings, one_set=one_set)

    def join(
        self, name: str, parts: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], one_set: bool
    ) -> dict[str, Any]:
        return joins.apply(name, parts, settings, one_set=one_set)

    def side_by_side(self, values: Sequence[Any]) -> Any:
        values = [arrays.like(value, values[0]) for value in values]
        return arrays.namespace(values[0]).concat(values, axis=1)

    def spread(self, distances: Any, state: State, images: Images) -> Any:
        return partial.unknown(partial.spread(distances, state.rows, images), state.known, images)

    def given(self, distances: Any, rows: Rows | None, some: bool, images: Images) -> State:
        return partial.given(distances, rows, some)


ARRAYS = Arrays()


class _Timed(NamedTuple):
    """What a step or a join gave, on the device of the run, wherever it was computed."""

    given: dict[str, Any]
    seconds: float
    device: str
    weights: found.Weights

    def outcome(self, state: State) -> Outcome:
        """It as the outcome of a node, whose state is ``state``."""
        return Outcome(state, self.seconds, self.device, self.weights)


def model(node: Node, models: Models, images: Images, device: Device, make: Maker = ARRAYS) -> Outcome:
    """A model's features of the images that it knows and the branch is about; or its distances."""
    loaded = models.take(node.model)
    rows = partial.rows_of(loaded.read, node.only)
    if loaded.read.distances is not None:
        state = make.given(loaded.arrays["distances"], rows, loaded.read.partial, images)
        columns = images.columns if state.rows is None else partial.columns_of(images.columns, state.rows)
        labelled = loaded.read.labelled.data() if loaded.read.labelled else {}
        state = replace(state, data={**state.data, **columns}, labelled=labelled)
        return Outcome(state, loaded.seconds, device.name)
    codes = loaded.read.codes
    if rows is None:
        return Outcome(State({**loaded.arrays, **images.columns}, codes=codes), loaded.seconds, device.name)
    features = loaded.arrays
    gallery = features["gallery"][rows.gallery]
    features |= {"query": gallery if images.one_set else features["query"][rows.query], "gallery": gallery}
    columns = partial.columns_of(images.columns, rows)
    return Outcome(State({**features, **columns}, rows=rows, codes=codes), loaded.seconds, device.name)


def rank_list(node: Node, images: Images, device: Device) -> Outcome:
    """What a rank list says of the candidates."""
    assert images.lists is not None
    return Outcome(State(images.columns, listed=images.lists.of(node.model)), 0.0, device.name)


def step(
    node: Node,
    state: State,
    auxiliary: Sequence[State],
    images: Images,
    device: Device,
    top_k: int | None,
    make: Maker = ARRAYS,
) -> Outcome:
    """A step on a state; rank lists become a matrix for it. ``auxiliary`` are the side models that it looks at.

    top_k: how many images of a list anybody will look at, for a last step that can stop there; None: all.
    """
    assert node.use is not None
    called = steps.catalogue()[node.use.name]
    settings = dict(node.use.settings)
    if state.listed is not None and "distances" not in state.data:
        assert images.lists is not None
        matrix = device.up(images.lists.whole(state.listed))
        state = replace(state, data={**state.data, "distances": matrix})
    whole = state.rows is None and not state.known
    if top_k is not None and "top_k" in called.settings and whole and settings.get("top_k") is None:
        settings["top_k"] = top_k
    if state.codes and CODES in called.settings:
        settings.setdefault(CODES, state.codes)
    seen = {**state.data, **_side_by_side(auxiliary, state, make)}
    if "distances" in called.needs:
        seen |= state.kept
    seen |= travel_times.in_place(called, settings, images.times)
    if images.made is not None:
        seen |= images.made.for_step(called, seen, images.one_set)
    here = device.runs(called.function)
    taken = seen if here else OnHost(seen)
    done = _timed(node, lambda use: make.step(called, taken, settings, images.one_set), device, here)
    given = done.given
    nearest = given.pop("nearest", state.nearest)
    if given.keys() & set(SIDES):  # other features: no codes any more
        state = replace(state, codes=())
    if "distances" in given or nearest is not state.nearest:
        kept = state.features or state.kept
        state = replace(state, data=state.columns, kept=kept if node.keep else {}, labelled={})
    return done.outcome(replace(state, data={**state.data, **given}, nearest=nearest))


def join(node: Node, parts: list[State], images: Images, device: Device, make: Maker = ARRAYS) -> Outcome:
    """What a join makes of its parts; ``parts`` is empty afterwards."""
    assert node.use is not None
    if images.lists is not None:
        return _joined_lists(node, parts, images, device)
    if joins.stage(node.use.name) == "after":
        columns = _columns(parts[0])
        known = partial.known_to(parts, node.use.settings.get("weights"))
        if any(part.rows is not None for part in parts):
            columns = dict(images.columns)
        beside = _beside(node.use, images)
        matrices: list[Mapping[str, Array]] = []
        while parts:  # one after the other, so that no part stays in memory beside its larger copy
            part = parts.pop(0)
            distances = make.spread(part.data["distances"], part, images)
            matrices.append({**beside, "distances": distances, **part.labelled})
            del distances
            del part
        done = _joined(node, matrices, device, make, images.one_set)
        return done.outcome(State({**columns, **done.given}, known=known))
    shared = partial.common(parts, images)
    first = shared[0]
    done = _joined(node, [part.data for part in shared], device, make, images.one_set)
    coded = all(part.codes for part in shared)  # codes side by side are codes
    codes = tuple(length for part in shared for length in part.codes) if coded else ()
    parts.clear()
    return done.outcome(State({**first.columns, **done.given}, rows=first.rows, codes=codes))


def _joined_lists(node: Node, parts: list[State], images: Images, device: Device) -> Outcome:
    """Lists joined, as lists; short as they are, they are joined on the host."""
    lists = images.lists
    joined: list[Array] = []
    assert lists is not None
    matrices = [part.listed for part in parts if part.listed is not None]
    parts.clear()

    assert node.use is not None
    whole = joins.takes_lists(node.use.name, node.use.settings) == "whole"
    beside = _beside(node.use, images)

    def fused(use: Use) -> dict[str, Any]:
        by = joins.function(use.name)
        if whole:
            return {"distances": lists.found_by(matrices, by, beside, use.settings)}
        joined.append(lists.joined(matrices, by, use.settings))
        return {}

    done = _timed(node, fused, device, here=False)
    if whole:
        named = np.zeros(len(lists.found.rows), np.float32)
        return done.outcome(State({**images.columns, **done.given}, listed=named, everything=True))
    return done.outcome(State(images.columns, listed=joined[0]))


def _beside(use: Use, images: Images) -> dict[str, Array]:
    """The columns of the images that a join looks at, the same for all parts."""
    return {name: value for name, value in images.columns.items() if name in joins.may_use(use.name)}


def _joined(
    node: Node, parts: Sequence[Mapping[str, Array]], device: Device, make: Maker, one_set: bool
) -> _Timed:
    assert node.use is not None
    here = device.runs(joins.function(node.use.name))
    taken = parts if here else [OnHost(part) for part in parts]
    return _timed(node, lambda use: make.join(use.name, taken, use.settings, one_set), device, here)


def _timed(node: Node, function: Callable[[Use], Mapping[str, Any]], device: Device, here: bool) -> _Timed:
    """Call a step or a join, which runs ``here`` on the device or else on the host."""
    assert node.use is not None
    started = time.perf_counter()
    where = f"{node.use.where} ({node.use.name})"
    try:
        with device.room(where), found.listening() as heard:
            given = {name: device.up(value) for name, value in function(node.use).items()}
            device.wait()
    except (ValueError, TypeError) as error:
        raise InputError([f"{where}, {error}"]) from error
    seconds = time.perf_counter() - started
    return _Timed(given, seconds, device.name if here else CPU.name, heard[-1] if heard else ())


def _side_by_side(auxiliary: Sequence[State], state: State, make: Maker) -> dict[str, Array]:
    """The side models' values side by side, for the images of the state."""
    made = {}
    for side in SIDES if auxiliary else ():
        if all(side in part.data for part in auxiliary):
            whole = make.side_by_side([part.data[side] for part in auxiliary])
            rows = None if state.rows is None else state.rows.of(side)
            made[f"{side}_aux"] = whole if rows is None else whole[rows]
    return made


def _columns(state: State) -> dict[str, Array]:
    return {name: value for name, value in state.columns.items() if name != "distances"}
