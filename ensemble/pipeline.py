"""Run a checked plan: models in, distances or the nearest images out, one report line a step."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import postproc
from ensemble import fusion, io, steps
from ensemble.errors import refuse_if_any
from ensemble.features import SIDES, FeatureSet
from ensemble.plan import Plan, memory_problems
from ensemble.protocols import PROTOCOLS, Protocol
from ensemble.recipe import Branch, Use
from ensemble.scores import Scores, score, score_ranking

State = dict[str, Any]
SCORED = ("query_pid", "gallery_pid")


@dataclass(frozen=True)
class Line:
    """What one step did: its name, on what, the shape of the result, seconds, peak memory, mAP or None."""

    step: str
    what: str
    shape: str
    seconds: float
    peak_bytes: int | None
    mAP: float | None


@dataclass(frozen=True)
class Result:
    """The end of a run: gallery rows nearest first (-1: none), the scores, and the set that names the rows."""

    ranking: np.ndarray
    distances: np.ndarray
    scores: Scores | None
    lines: tuple[Line, ...]
    images: FeatureSet


class Run:
    """One walk through a plan. ``show`` is called with every line as soon as the step is done."""

    def __init__(
        self,
        plan: Plan,
        show: Callable[[Line], None],
        *,
        protocol: Protocol | None = None,
        memory: int | None = None,
    ) -> None:
        self.plan, self.show, self.memory = plan, show, memory
        self.protocol = protocol or PROTOCOLS[plan.recipe.protocol]
        self.lines: list[Line] = []
        self.images: FeatureSet | None = None
        self.labels: dict[str, Any] = {}

    def __call__(self) -> Result:
        """Run everything; the answer holds ``top_k`` images a query, or all of them where labels need that."""
        recipe = self.plan.recipe
        states = [
            self._branch(branch, models, last=len(recipe.branches) == 1 and not recipe.steps)
            for branch, models in zip(recipe.branches, self.plan.models, strict=True)
        ]
        state = states[0]
        if len(states) > 1 and recipe.join:
            state = self._join_distances(recipe.join, states)
        state = self._steps(recipe.steps, state, last=True)
        assert self.images is not None
        return self._result(state, self.images)

    @property
    def needs_all(self) -> bool:
        """Whether the scores look at the whole ranking of every query."""
        return bool(self.labels) and self.protocol.top_k is None

    def _branch(self, branch: Branch, models: Sequence[str], *, last: bool) -> State:
        parts = [self._model(model, branch.each) for model in models]
        state = parts[0] if len(parts) == 1 else self._concat(branch.join, parts)
        parts.clear()
        return self._steps(branch.steps, state, last=last)

    def _model(self, model: str, each: Sequence[Use]) -> State:
        started = time.perf_counter()
        (features,) = io.read(self.plan.folder, [model])
        if self.images is None:
            self.images = features
            data = features.data()
            if all(name in data for name in SCORED):
                self.labels = {name: data[name] for name in (*SCORED, "query_cam", "gallery_cam") if name in data}
            refuse_if_any(
                memory_problems(
                    self.plan, len(features.query), len(features.gallery), self.memory, whole_answer=self.needs_all
                )
            )
        state: State = {name: value for name, value in features.data().items() if name not in SCORED}
        self._line("read", model, state, started)
        return self._steps(each, state, last=False, what=model)

    def _concat(self, join: Use | None, parts: list[State]) -> State:
        assert join is not None
        started = time.perf_counter()
        joined = dict(parts[0])
        for side in SIDES:
            if side in joined:
                blocks = [part.pop(side) for part in parts]
                joined[side] = fusion.BEFORE[join.name](blocks, **join.settings)
        self._line(join.name, f"{len(parts)} models", joined, started)
        return joined

    def _join_distances(self, join: Use, states: list[State]) -> State:
        started = time.perf_counter()
        joined = {name: value for name, value in states[0].items() if name not in SIDES}
        joined["distances"] = fusion.AFTER[join.name](
            [state.pop("distances") for state in states], **join.settings
        )
        self._line(join.name, f"{len(states)} branches", joined, started)
        return joined

    def _steps(self, uses: Sequence[Use], state: State, *, last: bool, what: str = "") -> State:
        for number, use in enumerate(uses, 1):
            started = time.perf_counter()
            step = steps.catalogue()[use.name]
            settings = dict(use.settings)
            cut = last and number == len(uses) and not self.needs_all and "top_k" in step.settings
            if cut and settings.get("top_k") is None:  # the same answer, only as long as somebody looks at it
                settings["top_k"] = max(self.plan.recipe.top_k, self.protocol.top_k or 0)
            given = steps.apply(step, state, settings)
            if "distances" in given or "nearest" in given:
                state = {name: value for name, value in state.items() if name not in SIDES}
            state = {**state, **given}
            written = ", ".join(f"{name} {value}" for name, value in use.settings.items())
            self._line(use.name, " ".join(filter(None, (what, written))), state, started)
        return state

    def _line(self, step: str, what: str, state: State, started: float) -> None:
        seconds = time.perf_counter() - started
        scores = self._score(state)
        line = Line(step, what, _shape(state), seconds, peak_memory(), scores.mAP if scores else None)
        self.lines.append(line)
        self.show(line)

    def _score(self, state: State) -> Scores | None:
        """The scores of whatever the state is at; features by their squared Euclidean distances."""
        if not self.labels:
            return None
        if "nearest" in state:
            return score_ranking(state["nearest"].rows, **self.labels, protocol=self.protocol)
        distances = (
            state["distances"] if "distances" in state else postproc.distances(state["query"], state["gallery"])
        )
        return score(distances, **self.labels, protocol=self.protocol)

    def _result(self, state: State, images: FeatureSet) -> Result:
        if "nearest" in state:
            nearest: postproc.Nearest = state["nearest"]
            rows, values = nearest.rows, nearest.distances
        else:
            rows = postproc.rank(state["distances"], top_k=self.plan.recipe.top_k)
            values = np.take_along_axis(state["distances"], np.maximum(rows, 0), axis=1)
        k = self.plan.recipe.top_k
        return Result(rows[:, :k], values[:, :k], self._score(state), tuple(self.lines), images)


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


def table(lines: Sequence[Line]) -> Iterator[str]:
    """The lines as text, with a heading; a column for the mAP only where there is one."""
    yield heading(any(line.mAP is not None for line in lines))
    yield from map(text, lines)


def heading(scored: bool) -> str:
    """The heading of :func:`text`'s columns."""
    return f"{'step':<16} {'what':<44} {'shape':<24} {'seconds':>8} {'peak MB':>8}" + (
        "     mAP" if scored else ""
    )


def text(line: Line) -> str:
    """One line of the table."""
    peak = "-" if line.peak_bytes is None else f"{line.peak_bytes / 2**20:.0f}"
    mAP = "" if line.mAP is None else f" {line.mAP:7.4f}"
    return f"{line.step:<16} {line.what:<44.44} {line.shape:<24} {line.seconds:8.2f} {peak:>8}{mAP}"
