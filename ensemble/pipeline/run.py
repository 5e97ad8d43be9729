"""Run a checked plan: models in, distances or the nearest images out, one report line a step."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

import postproc
from ensemble import io
from ensemble.base.errors import InputError, examples, printable, refuse_if_any
from ensemble.base.features import SIDES, FeatureSet
from ensemble.io.folder import is_side
from ensemble.pipeline import joins, rankings, steps
from ensemble.pipeline.devices import CPU, Device, OnHost, on_host
from ensemble.pipeline.memo import Memo
from ensemble.pipeline.plan import Plan, memory_problems
from ensemble.pipeline.recipe import Use
from ensemble.pipeline.tree import Node, leaves, tree
from ensemble.scores import Scores, labels_of, score, score_ranking
from ensemble.scores.protocols import PROTOCOLS, Protocol
from postproc.base import arrays

State = dict[str, Any]
Watch = Callable[["Run", Node, State], None]
SCORED = ("query_pid", "gallery_pid")


@dataclass(frozen=True)
class Line:
    """What one step did: its name, on what, the shape of the result, seconds, peak memory, mAP or None, where."""

    step: str
    what: str
    shape: str
    seconds: float
    peak_bytes: int | None
    mAP: float | None
    device: str = CPU.name


@dataclass(frozen=True)
class Result:
    """The end of a run: (nq, k) gallery rows nearest first (-1: none), how far they are, scores, and names.

    Where ``scores`` is None, ``unscored`` says why.
    """

    ranking: np.ndarray
    distances: np.ndarray
    scores: Scores | None
    unscored: str
    lines: tuple[Line, ...]
    query_names: list[str]
    gallery_names: list[str]
    query_pid: np.ndarray | None = None


class Run:
    """One walk through a plan. ``show`` is called with every line as soon as the step is done.

    sets:       the models' features, where somebody has read them already.
    memo:       keeps what steps give, for another run on the same sets that begins alike.
    every_step: score after every step, not only at the end.
    watch:      called after every line with the run, the step's node and what it gave, which it must not change.
    device:     where features and distances live and steps run; what cannot run there runs on the host.
    """

    def __init__(
        self,
        plan: Plan,
        show: Callable[[Line], None],
        *,
        protocol: Protocol | None = None,
        memory: int | None = None,
        sets: Mapping[str, FeatureSet] | None = None,
        memo: Memo | None = None,
        every_step: bool = True,
        watch: Watch | None = None,
        device: Device = CPU,
    ) -> None:
        self.plan, self.show, self.memory, self.sets, self.memo = plan, show, memory, sets, memo
        self.protocol = protocol or PROTOCOLS[plan.recipe.protocol]
        self.every_step, self.watch, self.device = every_step, watch, device
        self.root = tree(plan)
        self.lines: list[Line] = []
        self.columns: dict[str, Any] = {}  # of all images: what steps find beside features
        self.labels: dict[str, Any] = {}  # what scores are computed from
        self.scores: Scores | None = None
        self.unscored = "these images have no labels (a pid column in query.csv and gallery.csv)"
        self.query_names: list[str] = []
        self.gallery_names: list[str] = []
        self.waiting: dict[str, FeatureSet] = {}
        self.uploaded: dict[str, State] = {}  # features of models by side
        self.seconds, self.ran_on = 0.0, CPU.name  # that the last step took, and where it ran
        self.lists: rankings.Rankings | None = None  # in the place of features
        self.needed = Counter(leaves(self.root))  # so that a model's features go when nobody needs them any more

    def __call__(self) -> Result:
        """Run everything; the answer holds ``top_k`` images a query, or all of them where labels need that."""
        with self.device.room(self.plan.recipe.name):
            return self._walked()

    def _walked(self) -> Result:
        self._read()
        state = self._value(self.root)
        if "rows" in state:
            state = self._whole(state)
            self.scores = self._score(state)
        elif self.scores is None:  # all of it was remembered
            self.scores = self._score(state)
        return self._result(state)

    @property
    def needs_all(self) -> bool:
        """Whether the scores look at the whole ranking of every query."""
        return bool(self.labels) and self.protocol.whole

    def _read(self) -> None:
        """Every model that the plan names, joined by name; labels and names are kept for the end."""
        started = time.perf_counter()
        models, recipe = list(self.plan.all_models), self.plan.recipe
        if "distances" in self.plan.folder.columns:
            self.lists = rankings.read(self.plan.folder, models)
            self.waiting = {}
        elif self.sets is None:
            read = io.read(self.plan.folder, models, missing=recipe.missing)
            self.waiting = {features.model: features for features in read}
        else:
            self.waiting = {model: self.sets[model] for model in models}
        images: Any = self.lists or max(self.waiting.values(), key=lambda features: features.train is not None)
        data = images.data()
        self.columns = {name: value for name, value in data.items() if name not in (*SIDES, *SCORED)}
        if recipe.cameras != "cam":
            self.columns |= {
                f"{side}_cam": data[f"{side}_{recipe.cameras}"]
                for side in SIDES
                if f"{side}_{recipe.cameras}" in data
            }
        self.labels = labels_of(images)
        self.query_names, self.gallery_names = list(images.query_table["name"]), list(images.gallery_table["name"])
        nq, ng = len(self.query_names), len(self.gallery_names)
        if self.sets is None and self.lists is None:
            refuse_if_any(memory_problems(self.plan, nq, ng, self.memory, whole_answer=self.needs_all))
        seconds = time.perf_counter() - started
        what = f"{len(models)} model{'s' if len(models) > 1 else ''}"
        self._show(Line("read", what, f"{nq} + {ng} images", seconds, peak_memory(), None))

    def _value(self, node: Node) -> State:
        """What a node stands for, computed or remembered."""
        known = self.memo.get(node.key) if self.memo else None
        self.seconds, self.ran_on = 0.0, self.device.name
        if known is not None:
            if node is self.root:  # so that it is scored, which it was not as an inner node of another run
                self._line(node, dict(known))
            return dict(known)
        if node.model:
            state = self._model(node)
        elif node.use and node.use.name in joins.names():
            state = self._joined(node, [self._value(part) for part in node.inputs])
        else:
            state = self._step(node, self._value(node.inputs[0]))
        if self.memo and "nearest" not in state:  # a cut answer is none for a step behind it in another run
            self.memo.put(node.key, dict(state))
        self._line(node, state)
        return state

    def _model(self, node: Node) -> State:
        """A model's features of the images that it knows and the branch is about; of a rank list its distances."""
        if self.lists is not None:
            if len(self.plan.all_models) == 1:
                return {"distances": self.device.up(self.lists.alone(node.model))} | self.columns
            return {"distances": self.lists.distances[node.model], "list": node.model} | self.columns
        features = self.waiting[node.model]
        self.needed[node.model] -= 1
        if not self.needed[node.model] and self.sets is None:
            del self.waiting[node.model]
        rows = {side: self._rows(features, side, node.only) for side in ("query", "gallery")}
        data = self._features(node.model, features)
        if all(chosen is None for chosen in rows.values()):
            return data | self.columns
        places = {side: np.arange(len(data[side])) if chosen is None else chosen for side, chosen in rows.items()}
        empty = [side for side, chosen in places.items() if not len(chosen)]
        if empty:
            where = ", ".join(f"{column} {list(values)}" for column, values in node.only.items())
            raise InputError(
                [f"{node.model}: wanted {' and '.join(empty)} images where {where or 'it knows them'}, found none"]
            )
        data |= {side: data[side][chosen] for side, chosen in places.items()}
        return data | self._columns_of(places) | {"rows": places}

    def _features(self, model: str, features: FeatureSet) -> State:
        """Every side of a model on the device, brought there once."""
        if model not in self.uploaded:
            started = time.perf_counter()
            found = {side: self.device.up(getattr(features, side)) for side in SIDES}
            self.uploaded[model] = {side: array for side, array in found.items() if array is not None}
            if self.device.is_cuda:
                self.device.wait()
                self.seconds = time.perf_counter() - started
        return dict(self.uploaded[model] if self.needed[model] else self.uploaded.pop(model))

    def _rows(self, features: FeatureSet, side: str, only: Mapping[str, tuple[int, ...]]) -> np.ndarray | None:
        """Rows of a side that a branch is about; None for all."""
        if not features.partial and not only:
            return None
        chosen = features.known(side) if features.partial else np.ones(len(getattr(features, side)), bool)
        for column, values in only.items():
            chosen &= np.isin(getattr(features, f"{side}_table")[column], values)
        return None if chosen.all() else np.flatnonzero(chosen)

    def _columns_of(self, rows: Mapping[str, np.ndarray]) -> State:
        """The columns of some of the images."""
        sides = {name: name.partition("_")[0] for name in self.columns}
        return {
            name: value[rows[sides[name]]] if sides[name] in rows else value
            for name, value in self.columns.items()
        }

    def _joined(self, node: Node, parts: list[State]) -> State:
        assert node.use is not None
        if self.lists is not None:
            return self.columns | self._applied(node, lambda use: self._of_lists(use, parts))
        if joins.stage(node.use.name) == "after":
            given = [{"distances": self._spread(part.pop("distances"), part)} for part in parts]
            partial = any("rows" in part for part in parts)
            beside = self.columns if partial else {k: v for k, v in parts[0].items() if k not in (*SIDES, "kept")}
            return beside | self._join(node, given)
        parts = self._common(parts)
        joined = self._join(node, parts)
        beside = {name: value for name, value in parts[0].items() if name not in (*SIDES, "kept")}
        return beside | joined

    def _of_lists(self, use: Use, parts: list[State]) -> State:
        """Lists joined, over the whole gallery; short as they are, they are joined on the host."""
        assert self.lists is not None
        fused = joins.apply(use.name, parts, use.settings)
        if "list" in parts[0]:
            fused["distances"] = self.lists.whole(fused["distances"])
        return fused

    def _join(self, node: Node, parts: list[State]) -> State:
        assert node.use is not None
        here = self.device.runs(joins.function(node.use.name))
        taken = parts if here else [OnHost(part) for part in parts]
        return self._applied(node, lambda use: joins.apply(use.name, taken, use.settings), here)

    def _common(self, parts: list[State]) -> list[State]:
        """The parts, all with the images that every one of them has."""
        if not any("rows" in part for part in parts):
            return parts
        sizes = {"query": len(self.query_names), "gallery": len(self.gallery_names)}
        everything = {side: np.arange(size) for side, size in sizes.items()}
        places = [part.get("rows", everything) for part in parts]
        both = {side: reduce(np.intersect1d, [place[side] for place in places]) for side in sizes}
        shared = self._columns_of(both) | {"rows": both}
        return [
            part | {side: part[side][np.searchsorted(place[side], both[side])] for side in sizes} | shared
            for part, place in zip(parts, places, strict=True)
        ]

    def _spread(self, distances: np.ndarray, state: State) -> np.ndarray:
        """Distances of all images, NaN where the state does not know one of the two."""
        rows = state.get("rows")
        if rows is None:
            return distances
        shape = len(self.query_names), len(self.gallery_names)
        whole: np.ndarray = arrays.full(shape, np.nan, np.float32, distances)
        whole[rows["query"][:, None], rows["gallery"]] = distances
        return whole

    def _whole(self, state: State) -> State:
        """The answer for all images where it was for some: those that nobody knows stand behind the others."""
        rows = state["rows"]
        lacking = np.setdiff1d(np.arange(len(self.query_names)), rows["query"])
        if len(lacking):
            names = [self.query_names[row] for row in lacking]
            raise InputError(
                [
                    f"{self.plan.recipe.name}: wanted every query in some branch, found {len(names)} in none "
                    f"({examples(names)}); add a branch for them"
                ]
            )
        if "nearest" in state:
            nearest = on_host(state["nearest"])
            found = np.where(nearest.rows >= 0, rows["gallery"][nearest.rows], -1).astype(np.int32)
            return {"nearest": nearest._replace(rows=found)}
        distances = self._spread(state["distances"], state)
        xp = arrays.namespace(distances)
        unknown = xp.isnan(distances)
        known = xp.max(xp.where(unknown | xp.isinf(distances), -np.inf, distances), axis=1, keepdims=True)
        return {"distances": xp.where(unknown, xp.where(xp.isinf(known), 0, known) + 1, distances)}

    def _step(self, node: Node, state: State) -> State:
        assert node.use is not None
        step = steps.catalogue()[node.use.name]
        settings = dict(node.use.settings)
        cut = node is self.root and not self.needs_all and "top_k" in step.settings and "rows" not in state
        if cut and settings.get("top_k") is None:  # the same answer, only as long as somebody looks at it
            settings["top_k"] = max(self.plan.recipe.top_k, self.protocol.top_k or 0)
        seen = state | self._auxiliary(node, state)
        if "distances" in step.needs:
            seen |= state.get("kept", {})
        here = self.device.runs(step.function)
        taken = seen if here else OnHost(seen)
        given = self._applied(node, lambda use: steps.apply(step, taken, settings), here)
        if "distances" in given or "nearest" in given:
            kept = {side: state[side] for side in SIDES if side in state} or state.get("kept", {})
            state = {name: value for name, value in state.items() if name not in (*SIDES, "kept")}
            state |= {"kept": kept} if node.keep and kept else {}
        return {**state, **given}

    def _auxiliary(self, node: Node, state: State) -> State:
        """The side models' values side by side, for the images of the state."""
        parts = [self._value(part) for part in node.aux]
        found: State = {}
        for side in SIDES if parts else ():
            if all(side in part for part in parts):
                values = [arrays.like(part[side], parts[0][side]) for part in parts]
                whole = arrays.namespace(values[0]).concat(values, axis=1)
                rows = state.get("rows", {}).get(side)
                found[f"{side}_aux"] = whole if rows is None else whole[rows]
        return found

    def _applied(self, node: Node, function: Callable[[Use], State], here: bool = False) -> State:
        """What a step or a join gives, on the device, whether it ran ``here`` or on the host."""
        assert node.use is not None
        started = time.perf_counter()
        where = f"{node.use.where} ({node.use.name})"
        try:
            with self.device.room(where):
                given = {name: self.device.up(value) for name, value in function(node.use).items()}
                self.device.wait()
        except (ValueError, TypeError) as error:
            raise InputError([f"{where}, {error}"]) from error
        self.seconds, self.ran_on = time.perf_counter() - started, self.device.name if here else CPU.name
        return given

    def _line(self, node: Node, state: State) -> None:
        seconds, ran_on = self.seconds, self.ran_on
        if all(map(is_side, leaves(node))):  # a side model says nothing about identities
            return
        if self.every_step or node is self.root:
            self.scores = self._score(state)
        written = ", ".join(f"{name} {value}" for name, value in node.use.settings.items()) if node.use else ""
        what = " ".join(filter(None, (node.what, written)))
        name = node.use.name if node.use else "list" if self.lists else "model"
        scores = self.scores if self.every_step or node is self.root else None
        mAP = scores.mAP if scores else None
        self._show(Line(name, what, _shape(state), seconds, peak_memory(), mAP, ran_on))
        if self.watch:
            self.watch(self, node, state)

    def _show(self, line: Line) -> None:
        self.lines.append(line)
        self.show(line)

    def _score(self, state: State) -> Scores | None:
        """The scores of whatever the state is at; features by their squared Euclidean distances."""
        if not self.labels:
            return None
        labels = self.labels
        if "rows" in state:
            labels = {name: value[state["rows"][name.partition("_")[0]]] for name, value in labels.items()}
        try:
            return self._scores_of(state, labels)
        except ValueError as error:  # labels that allow no score cost the scores, not the ranking
            self.unscored = str(error)
            return None

    def _scores_of(self, state: State, labels: Mapping[str, Any]) -> Scores:
        if "nearest" in state:
            return score_ranking(state["nearest"].rows, **labels, protocol=self.protocol)
        if self.lists is not None and "list" in state:
            return score(self.lists.alone(state["list"]), **labels, protocol=self.protocol)
        distances = (
            state["distances"] if "distances" in state else postproc.distances(state["query"], state["gallery"])
        )
        return score(distances, **labels, protocol=self.protocol)

    def _result(self, state: State) -> Result:
        k = self.plan.recipe.top_k
        if "nearest" in state:
            nearest: postproc.Nearest = state["nearest"]
            rows, values = nearest.rows[:, :k], nearest.distances[:, :k]
        else:
            xp = arrays.namespace(state["distances"])
            rows = postproc.rank(state["distances"], top_k=k)
            there = arrays.as_type(xp.maximum(rows, 0), np.int64)
            values = xp.take_along_axis(state["distances"], there, axis=1)
        return Result(
            ranking=arrays.host(rows),
            distances=arrays.host(values),
            scores=self.scores,
            unscored=self.unscored,
            lines=tuple(self.lines),
            query_names=self.query_names,
            gallery_names=self.gallery_names,
            query_pid=self.labels.get("query_pid"),
        )


def peak_memory() -> int | None:
    """The most memory this process has had, in bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _shape(state: Mapping[str, Any]) -> str:
    if "nearest" in state:
        nq, k = state["nearest"].rows.shape
        return f"{nq} x {k} nearest"
    if "distances" in state:
        return " x ".join(map(str, state["distances"].shape))
    return f"{len(state['query'])} + {len(state['gallery'])} x {state['query'].shape[1]}"


def heading(scored: bool) -> str:
    """The heading of :func:`text`'s columns."""
    return f"{'step':<24} {'what':<36} {'shape':<24} {'seconds':>8} {'peak MB':>8}" + (
        "     mAP" if scored else ""
    )


def text(line: Line) -> str:
    """One line of the table."""
    peak = "-" if line.peak_bytes is None else f"{line.peak_bytes / 2**20:.0f}"
    mAP = "" if line.mAP is None else f" {line.mAP:7.4f}"
    return f"{line.step:<24} {printable(line.what):<36.36} {line.shape:<24} {line.seconds:8.2f} {peak:>8}{mAP}"
