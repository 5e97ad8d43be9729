"""How much memory a run will take and how much there is to do, stage by stage, before it starts.

Nobody writes down here what is alive when. The walk of a run (:mod:`ensemble.pipeline.walk`) is walked with
:class:`Room` in the place of arrays, which counts from when it is made until nobody holds it any more, as an array
does. What a step holds beside its input and its answer, it declares itself; so do joins and readers of files. What
there is to do they declare as well, or nobody knows (:mod:`ensemble.pipeline.forecast` makes seconds of it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from ensemble import io
from ensemble.base.distances import ModelSet
from ensemble.base.features import SIDES
from ensemble.fusion import join
from ensemble.io.ahead import ModelSize
from ensemble.io.folder import is_side
from ensemble.io.lists import read_labels
from ensemble.pipeline import joins, lines, neighbours, steps, travel_times
from ensemble.pipeline.devices import CPU
from ensemble.pipeline.flow import labels
from ensemble.pipeline.images import Images
from ensemble.pipeline.models import Models
from ensemble.pipeline.nodes import Outcome
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.rooms import Meter, Room, Rooms, Stage
from ensemble.pipeline.tree import Node, leaves, tree
from ensemble.pipeline.walk import Walk
from ensemble.scores.protocols import Protocol
from postproc.base import runtime, step
from postproc.base.sizes import DOUBLE, SINGLE, Sizes
from postproc.base.stored import is_mapped
from postproc.base.work import NO_WORK, Work
from postproc.pairs import spent

MEGABYTE = 1 << 20
PROGRAM = 225 * MEGABYTE  # Python, NumPy, pandas, numba and kernels; 20 less once these are kept
LIBRARIES = {
    "scipy": 24 * MEGABYTE,
    "sklearn": 62 * MEGABYTE,
    "torch": 250 * MEGABYTE,
}  # imported by who needs them
LOADING = {"": 1.5e6, "scipy": 2e5, "sklearn": 1.3e6, "torch": 3e6}  # objects; "": what everybody loads
IMAGE = 700  # bytes of an image's name and labels, in lists, tables and arrays
BY_LINES = ("csv", "trec")  # formats that are written some lines at a time
LINE, ENTRY = 20, 105  # bytes of an entry of the answer while it is written: in those formats, in others
READ = 8  # bytes of work for a byte that is read: from the file, made float32, looked at for NaN
NAMED = 4  # objects of work for an image of a model: its name in lists and tables
WRITTEN = 1  # objects of work for an entry of the answer
JUDGED = 5  # entries of work for a pair, in scores


@dataclass(frozen=True)
class Prediction:
    """The stages of a run in their order."""

    stages: tuple[Stage, ...]

    @property
    def largest(self) -> Stage:
        """The stage that needs most, the first of equals."""
        return max(self.stages, key=lambda stage: stage.bytes)


def problems(found: Prediction, limit: int | None, *, whole: bool) -> list[str]:
    """A problem with the figures if a run needs more than ``limit`` bytes, from the stage that breaks it.

    whole: whether scores want all distances.
    """
    if limit is None or found.largest.bytes <= limit:
        return []
    first = next(stage for stage in found.stages if stage.bytes > limit)
    rest = "" if first is found.largest else f", and {found.largest.said} {found.largest.bytes / 1e9:.2f} GB"
    remedy = "allow more, or take fewer models"
    if whole:
        remedy += ", or score only the first 100 with --protocol aicity"
    return [
        f"--memory: wanted at most {limit / 1e9:.2f} GB, found that {first.said} needs about "
        f"{first.bytes / 1e9:.2f} GB{rest}; {remedy}"
    ]


def of_sets(sets: Mapping[str, ModelSet]) -> dict[str, ModelSize]:
    """The sizes of what was read."""
    found = {}
    for model, features in sets.items():
        if features.distances is not None:
            found[model] = ModelSize({}, distances=features.distances.shape, some=features.partial)
            continue
        arrays = {side: getattr(features, side) for side in SIDES}
        shapes = {side: array.shape for side, array in arrays.items() if array is not None}
        on_disk = frozenset(side for side in shapes if is_mapped(arrays[side]))
        found[model] = ModelSize(shapes, codes=features.codes, on_disk=on_disk)
    return found


def predict(
    plan: Plan,
    sizes: Mapping[str, ModelSize],
    *,
    protocol: Protocol,
    scored: bool = True,
    every_step: bool = True,
    threads: int | None = None,
    until: Node | None = None,
    elsewhere: str | None = None,
    lists: bool = False,
) -> Prediction:
    """What each stage of a run will hold.

    sizes:      of the models' files (:func:`ensemble.io.sizes`), or as they were read.
    protocol:   how it is scored; scored: whether there are labels for that; every_step: after every step.
    threads:    in which it runs; None: those in force.
    until:      the part of the plan that is run; None: all of it, to the files that are written.
    elsewhere:  a step that other processes work out, which is not counted but for its answer.
    lists:      whether neighbour lists are there already. Where several steps could take them, nobody knows before
                features are compared whose they are: then all look for their own.
    """
    threads = threads or runtime.current().threads
    images = [size.images for size in sizes.values()]
    nq, ng, train = (max(count.get(side, 0) for count in images) for side in ("query", "gallery", "train"))
    everybody = (ng if plan.folder.one_set else nq + ng) + train
    meter = Meter(PROGRAM + _libraries(plan) + IMAGE * everybody)
    root = until or tree(plan)
    lists = lists and len(neighbours.takers(root)) == 1
    make = Rooms(meter, threads, _tracks(plan, ng), elsewhere, lists)
    sets = _read(plan, sizes, make)
    meter.spend("read", _reading(plan, sizes, everybody))
    stages = [meter.stage("read", f"{len(sizes)} model{'s' if len(sizes) > 1 else ''}")]
    columns = _columns(plan, {"query": nq, "gallery": ng, "train": train})
    one_set = plan.folder.one_set
    prior = travel_times.given(plan.recipe, plan.folder)
    everything = Images(range(nq), range(ng), columns, None, one_set=one_set, times=prior)  # type: ignore[arg-type]

    def judge(node: Node, outcome: Outcome) -> None:
        if scored and (every_step or node is root) and not all(map(is_side, leaves(node))):
            meter.beside(_scoring(outcome, nq, ng, protocol, make))
            meter.spend("scores", _judging(outcome, nq, ng, protocol, make))
        line = lines.of_node(node, outcome, None, leaf="model")
        stages.append(meter.stage(line.step, line.what))

    walk = Walk(everything, Models(sets, root, CPU), CPU, None, judge, make)
    del sets
    whole = scored and protocol.whole
    outcome = walk.outcome(root, None if whole else max(plan.recipe.top_k, protocol.top_k or 0))
    judge(root, outcome)
    if until is not None:
        return Prediction(tuple(stages))
    k = min(plan.recipe.top_k, ng)
    meter.beside(_ranking(outcome, nq, ng, k, threads))
    meter.spend("answer", _sorting(outcome, nq, ng, k))
    meter.hold(2 * SINGLE * nq * k)
    stages.append(meter.stage("answer", f"{nq} x {k}"))
    del outcome, walk
    meter.stage("", "")
    meter.beside((LINE if plan.recipe.submission in BY_LINES else ENTRY) * nq * k)
    meter.spend("write", Work(objects=WRITTEN * nq * k))
    stages.append(meter.stage("write", plan.recipe.submission))
    return Prediction(tuple(stages))


def _read(plan: Plan, sizes: Mapping[str, ModelSize], make: Rooms) -> dict[str, Any]:
    """The models as they stand in memory when all of them are read."""
    sets, one_set = {}, plan.folder.one_set
    for model, size in sizes.items():
        sides = [side for side in size.shapes if not (one_set and side == "query")]
        rooms = {side: make.room(*size.shapes[side], on_disk=side in size.on_disk) for side in sides}
        if size.distances is not None:
            rooms["distances"] = make.room(*size.distances)
        elif one_set:
            rooms["query"] = rooms["gallery"]
        tables = {f"{side}_table": _Table(plan.folder, side, size.images[side]) for side in ("query", "gallery")}
        said = {"model": model, "codes": size.codes, "train": None, "partial": size.some, "one_set": one_set}
        said |= {"distances": None, "labelled": None}
        sets[model] = SimpleNamespace(**{**said, **tables, **rooms})
        make.meter.beside(size.beside)
    return sets


def _tracks(plan: Plan, ng: int) -> int:
    """How many the gallery has; as many as images where its table does not say."""
    path = plan.folder.tables.get("gallery")
    found = read_labels(path, plan.folder.wanted, plan.folder.keys).columns.get("track") if path else None
    return ng if found is None else len(np.unique(found))


class _Table:
    """The columns of a side's table, for branches that are about some of the images."""

    def __init__(self, folder: io.Folder, side: str, count: int) -> None:
        self.path, self.keys, self.count = folder.tables.get(side), folder.keys, count

    def __len__(self) -> int:
        return self.count

    def __contains__(self, column: str) -> bool:
        return column in self._columns

    def __getitem__(self, column: str) -> Any:
        import pandas as pd

        return pd.Series(self._columns[column])

    @cached_property
    def _columns(self) -> Mapping[str, Any]:
        """What a file beside the features says; labels inside theirs are not read for that."""
        return read_labels(self.path, (), self.keys).columns if self.path else {}


def _columns(plan: Plan, counts: Mapping[str, int]) -> dict[str, Any]:
    """What steps find beside features, by name; what it takes is counted for every image."""
    meter = Meter(0)
    found = {}
    for name in labels(plan.recipe, plan.folder):
        side = name.partition("_")[0]
        if side in counts and name not in SIDES:
            found[name] = Room(meter, (counts[side],), 0)
    return found


def _libraries(plan: Plan) -> int:
    """Bytes of the packages that the steps and joins of a plan import."""
    return sum(LIBRARIES[package] for package in _packages(plan))


def _packages(plan: Plan) -> set[str]:
    """The packages that the steps and joins of a plan import, of those whose size is known."""
    known, found = steps.catalogue(), set[str]()
    for use in plan.recipe.uses():
        is_join = use.name in joins.names()
        function = joins.function(use.name) if is_join else known[use.name].function
        declared = join.declared_by(function) if is_join else step.declared_by(function)
        loads = declared.loads
        found |= set(loads(step.with_defaults(function, use.settings)) if callable(loads) else loads)
    return found & LIBRARIES.keys()


def _reading(plan: Plan, sizes: Mapping[str, ModelSize], images: int) -> Work:
    """Work of reading all models, and of importing what runs them."""
    most = sum(READ * (size.nbytes + size.beside) for size in sizes.values())
    most += sum(READ * SINGLE * size.distances[0] * size.distances[1] for size in sizes.values() if size.distances)
    loading = sum(LOADING[package] for package in {"", *_packages(plan)})
    return Work(bytes=most, objects=loading + NAMED * images * max(1, len(sizes)))


def _judging(outcome: Outcome, nq: int, ng: int, protocol: Protocol, make: Rooms) -> Work:
    """Work of scores: a look at every pair, and distances where there are only features."""
    state = outcome.state
    found = Work(entries=JUDGED * nq * ng)
    if state.nearest is None and "distances" not in state.data:
        plain = steps.catalogue()["distances"]
        found += plain.work(make.sizes(state.data), {}) or NO_WORK
    return found


def _sorting(outcome: Outcome, nq: int, ng: int, k: int) -> Work:
    """Work of the first of every list."""
    if outcome.state.nearest is not None:
        return NO_WORK
    return spent.nearest(Sizes(nq=nq, ng=ng), {"top_k": k})


def _scoring(outcome: Outcome, nq: int, ng: int, protocol: Protocol, make: Rooms) -> int:
    """What scores need beside a state: the distances of features; rows of tracks, where the protocol has them."""
    state = outcome.state
    needed = 0
    if state.nearest is None and "distances" not in state.data:
        plain = steps.catalogue()["distances"]
        needed = SINGLE * nq * ng + plain.memory(make.sizes(state.data), plain.with_defaults({}))
    return needed + (SINGLE * nq * ng if protocol.reshapes else 0)


def _ranking(outcome: Outcome, nq: int, ng: int, k: int, threads: int) -> int:
    """What the first k of every list need beside distances."""
    state = outcome.state
    if state.nearest is not None:
        return 0
    some = state.rows is not None or state.known  # then it is spread over all images, and masked
    return nq * k * (2 * SINGLE + DOUBLE) + threads * 64 * ng + (3 * SINGLE * nq * ng if some else 0)
