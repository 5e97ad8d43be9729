"""Run a checked plan: models in, distances or the nearest images out, one report line a step."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import postproc
from ensemble import fusion, io, steps
from ensemble.errors import InputError, printable, refuse_if_any
from ensemble.features import SIDES, FeatureSet
from ensemble.plan import Plan, memory_problems
from ensemble.protocols import PROTOCOLS, Protocol
from ensemble.recipe import Use
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
        self.labels: dict[str, Any] = {}
        self.scores: Scores | None = None
        self.unscored = "these images have no labels (a pid column in query.csv and gallery.csv)"
        self.query_names: list[str] = []
        self.gallery_names: list[str] = []

    def __call__(self) -> Result:
        """Run everything; the answer holds ``top_k`` images a query, or all of them where labels need that."""
        recipe = self.plan.recipe
        waiting = self._read()
        states = []
        branches = zip(recipe.branches, self.plan.models, self.plan.auxiliary, strict=True)
        for number, (branch, models, auxiliary) in enumerate(branches, 1):
            later = {model for others in self.plan.models[number:] for model in others}
            later |= {model for others in self.plan.auxiliary[number - 1 :] for model in others}
            parts = [
                self._model(waiting[model] if model in later else waiting.pop(model), branch.each)
                for model in models
            ]
            state = parts.pop() if len(parts) == 1 else self._concat(branch.join, parts)
            if auxiliary:
                for side in ("query", "gallery"):
                    state[f"{side}_aux"] = np.concatenate([waiting[m].data()[side] for m in auxiliary], axis=1)
            states.append(self._steps(branch.steps, state, last=len(recipe.branches) == 1 and not recipe.steps))
        state = states[0]
        if len(states) > 1:
            state = self._join_distances(recipe.join, states)
        return self._result(self._steps(recipe.steps, state, last=True))

    @property
    def needs_all(self) -> bool:
        """Whether the scores look at the whole ranking of every query."""
        return bool(self.labels) and self.protocol.top_k is None

    def _read(self) -> dict[str, FeatureSet]:
        """Every model that the plan names, joined by name; labels and names are kept for the end."""
        started = time.perf_counter()
        models = list(self.plan.all_models)
        sets = {features.model: features for features in io.read(self.plan.folder, models)}
        images = sets[models[0]]
        data = images.data()
        if all(name in data for name in SCORED):
            self.labels = {name: data[name] for name in (*SCORED, "query_cam", "gallery_cam") if name in data}
        self.query_names, self.gallery_names = list(images.query_table["name"]), list(images.gallery_table["name"])
        nq, ng = len(self.query_names), len(self.gallery_names)
        refuse_if_any(memory_problems(self.plan, nq, ng, self.memory, whole_answer=self.needs_all))
        seconds = time.perf_counter() - started
        what = f"{len(models)} model{'s' if len(models) > 1 else ''}"
        self._show(Line("read", what, f"{nq} + {ng} images", seconds, peak_memory(), None))
        return sets

    def _model(self, features: FeatureSet, each: Sequence[Use]) -> State:
        state: State = {name: value for name, value in features.data().items() if name not in SCORED}
        self._line("model", features.model, state, time.perf_counter())
        return self._steps(each, state, last=False, what=features.model)

    def _concat(self, join: Use | None, parts: list[State]) -> State:
        assert join is not None  # the plan was checked
        started = time.perf_counter()
        joined = dict(parts[0])
        for side in SIDES:
            if side in joined:
                blocks = [part.pop(side) for part in parts]
                joined[side] = fusion.BEFORE[join.name](blocks, **join.settings)
        self._line(join.name, f"{len(parts)} models", joined, started)
        return joined

    def _join_distances(self, join: Use | None, states: list[State]) -> State:
        assert join is not None  # the plan was checked
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
            try:
                given = steps.apply(step, state, settings)
            except (ValueError, TypeError) as error:
                raise InputError([f"{use.where} ({use.name}), {error}"]) from error
            if "distances" in given or "nearest" in given:
                state = {name: value for name, value in state.items() if name not in SIDES}
            state = {**state, **given}
            written = ", ".join(f"{name} {value}" for name, value in use.settings.items())
            self._line(use.name, " ".join(filter(None, (what, written))), state, started)
        return state

    def _line(self, step: str, what: str, state: State, started: float) -> None:
        seconds = time.perf_counter() - started
        scores = self.scores = self._score(state)
        self._show(Line(step, what, _shape(state), seconds, peak_memory(), scores.mAP if scores else None))

    def _show(self, line: Line) -> None:
        self.lines.append(line)
        self.show(line)

    def _score(self, state: State) -> Scores | None:
        """The scores of whatever the state is at; features by their squared Euclidean distances."""
        if not self.labels:
            return None
        try:
            return self._scores_of(state)
        except ValueError as error:  # labels that allow no score cost the scores, not the ranking
            self.unscored = str(error)
            return None

    def _scores_of(self, state: State) -> Scores:
        if "nearest" in state:
            return score_ranking(state["nearest"].rows, **self.labels, protocol=self.protocol)
        distances = (
            state["distances"] if "distances" in state else postproc.distances(state["query"], state["gallery"])
        )
        return score(distances, **self.labels, protocol=self.protocol)

    def _result(self, state: State) -> Result:
        k = self.plan.recipe.top_k
        if "nearest" in state:
            nearest: postproc.Nearest = state["nearest"]
            rows, values = nearest.rows[:, :k], nearest.distances[:, :k]
        else:
            rows = postproc.rank(state["distances"], top_k=k)
            values = np.take_along_axis(state["distances"], np.maximum(rows, 0), axis=1)
        return Result(
            ranking=rows,
            distances=values,
            scores=self.scores,
            unscored=self.unscored,
            lines=tuple(self.lines),
            query_names=self.query_names,
            gallery_names=self.gallery_names,
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
