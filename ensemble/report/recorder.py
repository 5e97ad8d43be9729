"""Watch a run and keep what its report will show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import postproc
from ensemble.base.kinds import Array, Ints
from ensemble.pipeline import partial, steps
from ensemble.pipeline.devices import on_host
from ensemble.pipeline.images import Images
from ensemble.pipeline.lines import weights_text
from ensemble.pipeline.state import State
from ensemble.pipeline.tree import Node
from ensemble.report import gaps
from ensemble.report.curves import Block, Lists, Matrix, Ranked, measure
from ensemble.report.dataset import DataSet
from ensemble.report.hard_pairs import HardPairs
from ensemble.report.history import UNKNOWN, History, Step
from ensemble.report.judge import Judge, relations
from ensemble.scores import Scores, agreement
from postproc.base import arrays

if TYPE_CHECKING:
    from ensemble.pipeline.run import Result, Seen

PLACES = 50  # kept of every list
LEAST = 10
BYTES = 1 << 28  # of all lists together
COMPARED = 10  # nearest images by which models are compared
MODELS = 40  # that are compared at most
SHOWN = ("cam", "track", "frame")


@dataclass(frozen=True, eq=False)
class _Setting:
    """What stays the same over a run: its images, who judges them (None: nobody), places kept of every list."""

    images: Images
    judge: Judge | None
    places: int

    @classmethod
    def of(cls, seen: "Seen") -> "_Setting":
        images = seen.images
        judge = Judge.under(seen.protocol, images.labels) if images.labels else None
        places = BYTES // (9 * images.shape[0] * _nodes(seen.root))
        return cls(images, judge, int(np.clip(places, LEAST, PLACES)))


@dataclass(eq=False)
class Recorder:
    """Called after every step of a run (``Run(..., watch=recorder)``); :meth:`history` is what it saw."""

    setting: _Setting | None = None
    steps: list[Step] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # of steps, by their nodes
    gaps: dict[str, Array] = field(default_factory=dict)
    hard_pairs: HardPairs = field(default_factory=HardPairs)
    data_set: DataSet = field(default_factory=DataSet)

    def __call__(self, seen: "Seen") -> None:
        """Look at what a node gave."""
        self.setting = self.setting or _Setting.of(seen)
        before = [self.numbers[id(part)] for part in seen.node.inputs if id(part) in self.numbers]
        after = max(before, key=lambda number: _mAP(self.steps[number])) if before else -1
        self.numbers[id(seen.node)] = len(self.steps)
        self.steps.append(_step(seen, self.setting, after))
        self.hard_pairs.look(seen)
        self.data_set.look(seen, alone=_alone(seen.root, seen.node))
        use = seen.node.use
        known = steps.catalogue().get(use.name) if use else None
        if use and known and gaps.learns(known):
            learned = gaps.learned(seen.images.columns, known.with_defaults(use.settings), seen.images.times)
            if "prior_cameras" in learned:
                learned["prior_cameras"] = _labels(seen.images, "cam", learned["prior_cameras"])
            self.gaps |= learned

    def history(self, result: "Result", record: Mapping[str, Any]) -> History:
        """Everything, with the last step as the run gave it back."""
        assert self.setting is not None
        ranked = [*self.steps[:-1], _final(self.steps[-1], result, self.setting)]
        used = np.unique(np.concatenate([step.rows.ravel() for step in ranked]))
        used = used[used >= 0]
        place = np.full(len(result.gallery_names) + 1, -1, np.int32)
        place[used] = np.arange(len(used))
        images = self.setting.images
        return History(
            title=str(record.get("recipe", {}).get("name", "")),
            queries=_table(images, "query", result.query_names, np.arange(len(result.query_names))),
            images=_table(images, "gallery", result.gallery_names, used),
            steps=tuple(replace(step, rows=place[step.rows]) for step in ranked),
            record=record,
            unscored="" if result.scores is not None else result.unscored,
            extras={
                **self.gaps,
                **self.hard_pairs.extras(),
                **_agreement(ranked),
                **_lettered(self.data_set.extras(images), images),
            },
        )


def _step(seen: "Seen", setting: _Setting, after: int) -> Step:
    """A node's ranking, and what is told of it. ``after``: the number of the step that it follows."""
    node, line = seen.node, seen.line
    found = measure(
        _ranked(seen.images, seen.state), places=setting.places, judge=setting.judge, pairs=node is seen.root
    )
    alone = _alone(seen.root, node)
    return Step(
        label=_label(node, line.step, alone),
        what=_what(line.what.removeprefix(node.what).strip() if alone else line.what, line.weights),
        kind="model" if alone else "step",
        state="features" if "query" in seen.state.data else "distances",
        after=after,
        seconds=line.seconds,
        rows=found.rows,
        distances=found.distances,
        relation=found.relation,
        scores=_numbers(seen.scores),
        **_own(seen.scores, seen.state, len(seen.images.query_names)),
        curves=_named(seen.images, found.curves),
    )


def _what(written: str, weights: Mapping[str, float]) -> str:
    """What is said beside a step, with the weights that it found."""
    return f"{written}; weights found: {weights_text(weights)}" if weights else written


def _named(images: Images, curves: Mapping[str, Array]) -> Mapping[str, Array]:
    """Curves with the names of cameras that are text."""
    return {
        name: _labels(images, "cam", values) if name == "cameras" else values for name, values in curves.items()
    }


def _final(last: Step, result: "Result", setting: _Setting) -> Step:
    """The last step with the ranking and the scores that the run gave back."""
    k = min(setting.places, result.ranking.shape[1])
    rows, distances = result.ranking[:, :k], np.where(result.ranking < 0, np.inf, result.distances)[:, :k]
    relation = np.full(rows.shape, UNKNOWN, np.int8)
    if setting.judge is not None:
        for i, listed in enumerate(rows):
            relation[i] = relations(listed, *setting.judge.of(i))
    scores = result.scores
    own = {} if scores is None else {name: getattr(scores, name) for name in ("ap", "inp", "first_hit")}
    return replace(last, rows=rows, distances=distances, relation=relation, scores=_numbers(scores), **own)


def _ranked(images: Images, state: State) -> Ranked:
    """The ranking of all images that a state stands for; what it does not know is never returned."""
    nq, ng = images.shape
    rows = state.rows
    if images.lists is not None:
        return Lists(images.lists.answer(state).first())
    if state.nearest is not None:
        nearest = on_host(state.nearest)
        if rows is not None:
            listed, far = np.full((nq, nearest.rows.shape[1]), -1, np.int32), nearest.distances
            listed[rows.query] = np.where(nearest.rows >= 0, rows.gallery[nearest.rows], -1)
            distances = np.full(listed.shape, np.inf, np.float32)
            distances[rows.query] = far
            nearest = postproc.Nearest(distances, listed)
        return Lists(nearest)
    block = _block(images, state)
    if rows is None:
        return Matrix(block, nq, ng)
    at = np.full(nq, -1)
    at[rows.query] = np.arange(len(rows.query))

    def whole(start: int, stop: int) -> np.ndarray:
        out = np.full((stop - start, ng), np.inf, np.float32)
        for i in range(start, stop):
            if at[i] >= 0:
                out[i - start, rows.gallery] = block(int(at[i]), int(at[i]) + 1)[0]
        return out

    return Matrix(whole, nq, ng)


def _block(images: Images, state: State) -> Block:
    """Distances of the images that a state knows."""
    if state.known:
        alone = partial.answer(state, images)
        return lambda start, stop: alone[start:stop]
    if "distances" in state.data:
        matrix = state.data["distances"]
        return lambda start, stop: arrays.host(matrix[start:stop])
    query, gallery = state.data["query"], state.data["gallery"]
    return lambda start, stop: arrays.host(postproc.distances(query[start:stop], gallery))


def _table(images: Images, side: str, names: list[str], rows: Ints) -> dict[str, Any]:
    """What is known of some images of a side, by column."""
    columns: dict[str, Any] = {"name": [names[row] for row in rows.tolist()]}
    for name in ("pid", *SHOWN):
        value = images.known.get(f"{side}_{name}")
        if value is not None:
            columns[name] = _labels(images, name, np.asarray(value)[rows].astype(np.int64))
    return columns


def _labels(images: Images, kind: str, numbers: Ints) -> Array:
    """Labels as the user has written them: numbers, or text."""
    called = images.called.get(kind)
    if called is None:
        return numbers
    names = [called.get(number, "") for number in numbers.ravel().tolist()]
    return np.array(names, np.str_).reshape(numbers.shape)


def _lettered(kept: Mapping[str, Any], images: Images) -> dict[str, Any]:
    """The same with labels of the map as the user has written them."""
    return {
        name: _labels(images, name.removeprefix("map_"), value) if name in ("map_pid", "map_cam") else value
        for name, value in kept.items()
    }


def _agreement(ranked: Sequence[Step]) -> dict[str, Any]:
    """How much of the nearest images every two models share; empty where that cannot be told."""
    models = [step for step in ranked if step.after == -1]
    lists = [step.rows[:, :COMPARED] for step in models]
    if not 2 <= len(models) <= MODELS or any((rows < 0).any() for rows in lists):
        return {}
    shared = [[agreement.overlap(one, other, k=COMPARED) for other in lists] for one in lists]
    return {"models": [step.label for step in models], "agreement": np.array(shared)}


def _own(scores: Scores | None, state: State, nq: int) -> dict[str, Array]:
    """Each query's own scores, NaN and -1 for a query that the state does not know."""
    if scores is None:
        return {}
    own = {name: getattr(scores, name) for name in ("ap", "inp", "first_hit")}
    if state.rows is None:
        return own
    whole = {}
    for name, values in own.items():
        whole[name] = np.full(nq, -1 if name == "first_hit" else np.nan, values.dtype)
        whole[name][state.rows.query] = values
    return whole


def _label(node: Node, step: str, alone: bool) -> str:
    """The model as it is, or the step; with the model where it is one of several."""
    if node.model:
        return node.model
    return f"{_models(node)[0]}, {step}" if alone else step


def _alone(root: Node, node: Node) -> bool:
    """Whether a node is about one model of several."""
    return bool(node.model) or (len(set(_models(node))) == 1 and len(set(_models(root))) > 1)


def _models(node: Node) -> list[str]:
    """The models that are ranked below a node, not those that steps only look at."""
    return [node.model] if node.model else [model for part in node.inputs for model in _models(part)]


def _nodes(node: Node) -> int:
    return 1 + sum(map(_nodes, node.inputs))


def _mAP(step: Step) -> float:
    return step.scores["mAP"] if step.scores else 0.0


def _numbers(scores: Scores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    found = scores.as_json()
    return {name: value for name, value in found.items() if name not in ("trials", "protocol")} | {
        "cmc": scores.cmc[:100].tolist()
    }
