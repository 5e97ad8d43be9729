"""What arrays would take, in the place of arrays: a run with these in it is a run that nobody waits for.

What there is to do is counted on the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import postproc
from ensemble.base.features import SIDES
from ensemble.fusion import join
from ensemble.fusion.join import Joining
from ensemble.pipeline import joins, neighbours, steps
from ensemble.pipeline.images import Images
from ensemble.pipeline.state import Pairs, Rows, State
from postproc.base import step, temporary
from postproc.base.sizes import DOUBLE, SINGLE, Sizes
from postproc.base.work import NO_WORK, Work


@dataclass(frozen=True)
class Stage:
    """The most bytes that the process holds during one step of a run, and the work of it.

    unknown: names of what is in it of which nobody has said how much work it is.
    """

    step: str
    what: str
    bytes: int
    work: Work = NO_WORK
    unknown: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """Which stage it is, in words."""
        return f"{self.step} ({self.what})" if self.what else self.step


@dataclass(eq=False)
class Meter:
    """Bytes that are held now, and the most since somebody asked; the work since then."""

    now: int
    most: int = 0
    work: Work = NO_WORK
    unknown: tuple[str, ...] = ()

    def hold(self, count: int) -> None:
        """So many bytes more, or fewer."""
        self.now += count
        self.most = max(self.most, self.now)

    def beside(self, count: int) -> None:
        """So many bytes more, for a moment."""
        self.most = max(self.most, self.now + count)

    def spend(self, name: str, work: Work | None) -> None:
        """So much to do by ``name``; None: nobody knows."""
        if work is None:
            self.unknown += (name,)
        else:
            self.work += work

    def stage(self, step: str, what: str) -> Stage:
        """What happened since the last one."""
        found = Stage(step, what, self.most, self.work, self.unknown)
        self.most, self.work, self.unknown = self.now, NO_WORK, ()
        return found


class Room:
    """What an array would take, as long as somebody holds it."""

    def __init__(self, meter: Meter, shape: tuple[int, ...], item: int = SINGLE, *, on_disk: bool = False) -> None:
        self.meter, self.shape, self.item, self.on_disk = meter, shape, item, on_disk
        meter.hold(self.nbytes)

    @property
    def nbytes(self) -> int:
        """Bytes of the array; pages of a file are not the process's own."""
        count = 0 if self.on_disk else self.item
        for length in self.shape:
            count *= length
        return count

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Sequence[int]) -> "Room":
        return Room(self.meter, (len(rows), *self.shape[1:]), self.item)

    def __del__(self) -> None:
        self.meter.hold(-self.nbytes)


class Part(Room):
    """The first rows of an array: a view, which takes nothing and holds the whole."""

    def __init__(self, whole: Room, count: int) -> None:
        self.whole = whole
        super().__init__(whole.meter, (count, *whole.shape[1:]), 0, on_disk=whole.on_disk)


@dataclass(frozen=True, eq=False)
class Rooms:
    """Makes room in the place of arrays: a :class:`~ensemble.pipeline.nodes.Maker`."""

    meter: Meter
    threads: int
    tracks: int = 0  # of the gallery
    elsewhere: str | None = None  # a step that other processes work out
    lists: bool = False  # whether steps that take neighbour lists are given them

    def step(
        self, called: steps.Step, taken: Mapping[str, Any], settings: Mapping[str, Any], one_set: bool
    ) -> dict[str, Any]:
        """The answer of a step; what it holds beside it is counted."""
        settings = called.with_defaults(settings)
        if one_set:
            return self._alone(called, taken, settings)
        if called.needs == ("features",):
            given = {}
            for side in SIDES:
                if side in taken:
                    given[side] = self._of_features(called, taken[side])
                    sizes = Sizes(ng=len(taken[side]), width=taken[side].shape[1], threads=self.threads)
                    self._calls(called, sizes, settings)
            return given
        seen = {name: taken[name] for name in (*called.needs, *called.may_use) if name in taken}
        learns = steps.moves_train(called, seen)
        if learns:
            query, train = seen["query"], seen["train"]
            seen["query"] = self.room(len(query) + len(train), query.shape[1])
        sizes = self.sizes(seen)
        keeps = step.declared_by(called.function).keeps(settings)
        found = {
            name: seen[name] if name in keeps else self.answer(called, name, sizes, settings, taken)
            for name in called.gives
        }
        self._calls(called, sizes, settings)
        if learns:
            both, count = found["query"], len(query)
            found["query"], found["train"] = Part(both, count), Part(both, len(train))
        return {"nearest": found["distances"]} if isinstance(found.get("distances"), postproc.Nearest) else found

    def _alone(self, called: steps.Step, taken: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """The same for one set, whose images take their room once."""
        if called.needs == ("features",):
            given = self.step(called, {s: taken[s] for s in ("gallery", "train") if s in taken}, settings, False)
            return {"query": given["gallery"], **given}
        seen = steps.alone(called, taken)
        sides = {side: taken[side] for side in ("query", "gallery") if side in taken}
        sizes = replace(self.sizes({**seen, **sides}), one_set=True)
        keeps = step.declared_by(called.function).keeps(settings)
        found: dict[str, Any] = {}
        for name in called.gives:
            if name in keeps:
                found[name] = taken[name]
            elif name == "gallery" and "query" in found:
                found[name] = found["query"]
            else:
                found[name] = self.answer(called, name, sizes, settings, taken)
        found |= {"query": found["gallery"]} if "gallery" in found else {}
        self._calls(called, sizes, settings)
        if steps.moves_train(called, seen):
            found["train"] = self.room(*taken["train"].shape)
            self.meter.spend(called.name, called.work(replace(sizes, nq=sizes.train, one_set=False), settings))
        if isinstance(found.get("distances"), postproc.Nearest):
            return {"nearest": found["distances"]}
        return found

    def _of_features(self, called: steps.Step, features: Room) -> Room:
        """The answer of a step on features, on disk as they are if it works row by row."""
        on_disk = features.on_disk and step.declared_by(called.function).by_row
        return self.room(*features.shape, on_disk=on_disk and temporary.is_large(*features.shape))

    def _calls(self, called: steps.Step, sizes: Sizes, settings: Mapping[str, Any]) -> None:
        """What a step holds beside its answer, and has to do."""
        if called.name == self.elsewhere:
            return
        if self.lists and neighbours.takes(called):
            sizes = replace(sizes, given=sizes.given | {neighbours.DATA})
        self.meter.beside(called.memory(sizes, settings))
        self.meter.spend(called.name, called.work(sizes, settings))

    def join(
        self, name: str, parts: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], one_set: bool
    ) -> dict[str, Any]:
        """The answer of a join."""
        function, chosen = joins.function(name), joins.with_defaults(name, settings)
        declared = join.declared_by(function)
        if joins.stage(name) == "before":
            given = {}
            for side in SIDES:
                if all(side in part for part in parts) and not (one_set and side == "query"):
                    widths = [part[side].shape[1] for part in parts]
                    count = len(parts[0][side])
                    on_disk = declared.by_row and any(part[side].on_disk for part in parts)
                    on_disk = on_disk and temporary.is_large(count, sum(widths))
                    given[side] = self.room(count, sum(widths), on_disk=on_disk)
                    sizes = Sizes(ng=count, width=max(widths), parts=len(parts), threads=self.threads)
                    self._joins(name, declared, sizes, chosen)
            return given | ({"query": given["gallery"]} if one_set else {})
        sizes = replace(self.sizes(parts[0]), parts=len(parts))
        if joins.stage(name) == "across":
            sizes = replace(sizes, width=max(part["query"].shape[1] for part in parts))
        found = {"distances": self.room(sizes.nq, sizes.ng)}
        self._joins(name, declared, sizes, chosen)
        return found

    def _joins(self, name: str, declared: Joining, sizes: Sizes, chosen: Mapping[str, Any]) -> None:
        """The same of a join."""
        self.meter.beside(declared.memory(sizes, chosen))
        self.meter.spend(name, None if declared.work is None else declared.work(sizes, chosen))

    def side_by_side(self, values: Sequence[Any]) -> Any:
        """Columns side by side."""
        return self.room(len(values[0]), sum(value.shape[1] for value in values))

    def spread(self, distances: Any, state: State, images: Images) -> Any:
        """Distances of all images."""
        return distances if state.rows is None and not state.known else self.room(*images.shape)

    def given(self, distances: Any, rows: Rows | None, some: bool, images: Images) -> State:
        """Distances that are there already, or those of some images; a copy where not all pairs are known."""
        if some:
            nq, ng = images.shape
            known = Pairs(np.zeros(nq + 1, np.int64), np.zeros(0, np.int64))
            copied: Any = self.room(nq, ng)
            self.meter.beside((SINGLE + 2) * nq * ng)  # what is known, as masks, and what stands behind it
            return State({"distances": copied}, known=(known,))
        if rows is None:
            return State({"distances": distances})
        part: Any = self.room(len(rows.query), len(rows.gallery))
        return State({"distances": part}, rows=rows)

    def room(self, *shape: int, on_disk: bool = False) -> Room:
        """Room for float32."""
        return Room(self.meter, shape, on_disk=on_disk)

    def answer(
        self,
        called: steps.Step,
        name: str,
        sizes: Sizes,
        settings: Mapping[str, Any],
        taken: Mapping[str, Any],
    ) -> Any:
        """What a step gives under a name of the vocabulary."""
        if name == "distances":
            if settings.get("top_k") is None:
                return self.room(sizes.nq, sizes.ng)
            k = min(settings["top_k"], sizes.ng)
            return postproc.Nearest(self.room(sizes.nq, k), self.room(sizes.nq, k))  # type: ignore[arg-type]
        count = sizes.nq if name.startswith("query") else sizes.ng
        if name not in SIDES:
            return Room(self.meter, (count,), DOUBLE)
        width = settings.get("components") or taken[name].shape[1]
        on_disk = any(taken[side].on_disk for side in ("query", "gallery") if side in taken)
        on_disk = on_disk and step.declared_by(called.function).leaves_on_disk
        return self.room(count, width, on_disk=on_disk and temporary.is_large(sizes.images, width))

    def sizes(self, data: Mapping[str, Any]) -> Sizes:
        """The sizes of what a step is handed."""
        nq, ng = (data["distances"].shape) if "distances" in data else (0, 0)
        wide = next((data[side] for side in ("query", "gallery", "train") if side in data), None)
        aux = next((data[name] for name in ("gallery_aux", "train_aux") if name in data), None)
        return Sizes(
            nq=len(data["query"]) if "query" in data else nq,
            ng=len(data["gallery"]) if "gallery" in data else ng,
            train=len(data["train"]) if "train" in data else 0,
            width=0 if wide is None else wide.shape[1],
            aux=0 if aux is None else aux.shape[1],
            tracks=self.tracks,
            threads=self.threads,
            given=frozenset(data),
            on_disk=frozenset(side for side in ("query", "gallery") if side in data and data[side].on_disk),
        )
