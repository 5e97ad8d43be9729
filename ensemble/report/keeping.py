"""Watch a run and keep what its report will show."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import postproc
from ensemble.pipeline import steps
from ensemble.pipeline.devices import on_host
from ensemble.pipeline.tree import Node
from ensemble.report.kept import JUNK, UNKNOWN, Kept, Step
from ensemble.report.measuring import Block, Judge, Measured, measure
from ensemble.scores import Scores, agreement, labels
from postproc.base import arrays

if TYPE_CHECKING:
    from ensemble.pipeline.run import Result, Run

PLACES = 50  # kept of every list
LEAST = 10
BYTES = 1 << 28  # of all lists together
SHOWN = ("cam", "track", "frame")
TIMED = ("spatio_temporal", "rerank_spatio_temporal")
CURVES = 12  # pairs of cameras whose gaps are shown


class Keeper:
    """Called after every step of a run (``Run(..., watch=keeper)``); :meth:`kept` is what it saw."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.numbers: dict[int, int] = {}  # of steps, by their nodes
        self.extras: dict[str, Any] = {}
        self.judge: Judge | None = None
        self.places = 0
        self.columns: Mapping[str, Any] = {}
        self.labels: Mapping[str, Any] = {}
        self.peak = 0

    def __call__(self, run: "Run", node: Node, state: Mapping[str, Any]) -> None:
        """Look at what ``node`` gave."""
        if not self.places:
            self._start(run)
        line = run.lines[-1]
        found = self._measured(run, node, state)
        scores = run.scores
        rows = state.get("rows")
        own: dict[str, np.ndarray] = {}
        if scores is not None:
            own = {name: getattr(scores, name) for name in ("ap", "inp", "first_hit")}
            if rows is not None:
                own = {
                    name: _spread(
                        value, rows["query"], len(run.query_names), -1 if name == "first_hit" else np.nan
                    )
                    for name, value in own.items()
                }
        before = [self.numbers[id(part)] for part in node.inputs if id(part) in self.numbers]
        self.numbers[id(node)] = len(self.steps)
        alone = _alone(run.root, node)
        self.steps.append(
            Step(
                label=_label(node, line.step, alone),
                what=line.what.removeprefix(node.what).strip() if alone else line.what,
                kind="model" if alone else "step",
                state="features" if "query" in state else "distances",
                after=max(before, key=lambda number: _mAP(self.steps[number])) if before else -1,
                seconds=line.seconds,
                rows=found.rows,
                distances=found.distances,
                relation=found.relation,
                scores=_numbers(scores),
                **own,
                curves=found.curves,
            )
        )
        if line.step in TIMED and node.use is not None:
            self._prior(steps.catalogue()[line.step].with_defaults(node.use.settings))

    def kept(self, result: "Result", record: Mapping[str, Any]) -> Kept:
        """Everything, with the last step as the run gave it back."""
        assert self.steps
        last = self.steps[-1]
        k = min(self.places, result.ranking.shape[1])
        rows, distances = result.ranking[:, :k], np.where(result.ranking < 0, np.inf, result.distances)[:, :k]
        relation = np.full(rows.shape, UNKNOWN, np.int8)
        if self.judge is not None:
            for i, listed in enumerate(rows):
                good, hidden = self.judge.of(i)
                there = listed >= 0
                relation[i][there] = np.where(
                    hidden[listed[there]], JUNK, good[listed[there]].astype(np.int8)
                )  # WRONG is 0, GOOD is 1
        scores = result.scores
        own = {} if scores is None else {name: getattr(scores, name) for name in ("ap", "inp", "first_hit")}
        self.steps[-1] = replace(
            last, rows=rows, distances=distances, relation=relation, scores=_numbers(scores), **own
        )
        self._agreement()
        images = np.unique(np.concatenate([step.rows.ravel() for step in self.steps]))
        images = images[images >= 0]
        place = np.full(len(result.gallery_names) + 1, -1, np.int32)
        place[images] = np.arange(len(images))
        return Kept(
            title=str(record.get("recipe", {}).get("name", "")),
            queries=self._table("query", result.query_names, np.arange(len(result.query_names))),
            images=self._table("gallery", result.gallery_names, images),
            steps=tuple(replace(step, rows=place[step.rows]) for step in self.steps),
            record=record,
            unscored="" if scores is not None else result.unscored,
            extras=self.extras,
        )

    def _start(self, run: "Run") -> None:
        nq, ng = len(run.query_names), len(run.gallery_names)
        count = _nodes(run.root)
        self.places = int(np.clip(BYTES // (9 * nq * count), LEAST, PLACES))
        self.columns, self.labels = run.columns, run.labels
        if run.labels:
            pairs = {name: value for name, value in run.labels.items() if not name.endswith("_track")}
            known = labels.given((nq, ng), **({"query_cam": None, "gallery_cam": None} | pairs))
            self.judge = Judge(
                labels.ready(run.protocol, known), known.query_cam, known.gallery_cam, ng, run.protocol.top_k
            )

    def _measured(self, run: "Run", node: Node, state: Mapping[str, Any]) -> Measured:
        nq, ng = len(run.query_names), len(run.gallery_names)
        places = state.get("rows")
        rows, columns = (None, None) if places is None else (places["query"], places["gallery"])
        settings: dict[str, Any] = {"places": self.places, "judge": self.judge, "pairs": node is run.root}
        if "nearest" in state:
            nearest = on_host(state["nearest"])
            if places is not None:
                whole = np.full((nq, nearest.rows.shape[1]), -1, np.int32)
                values = np.full(whole.shape, np.inf, np.float32)
                whole[rows] = np.where(nearest.rows >= 0, places["gallery"][nearest.rows], -1)
                values[rows] = nearest.distances
                nearest = postproc.Nearest(values, whole)
            return measure(None, nearest, nq, **settings)
        block = self._block(run, state)
        if places is None:
            return measure(block, None, nq, **settings)
        assert rows is not None
        at = np.full(nq, -1)
        at[rows] = np.arange(len(rows))

        def whole_block(start: int, stop: int) -> np.ndarray:
            """+inf for what the state does not know."""
            out = np.full((stop - start, ng), np.inf, np.float32)
            for i in range(start, stop):
                if at[i] >= 0:
                    out[i - start, columns] = block(int(at[i]), int(at[i]) + 1)[0]
            return out

        return measure(whole_block, None, nq, **settings)

    def _block(self, run: "Run", state: Mapping[str, Any]) -> Block:
        if run.lists is not None and "list" in state:
            alone = run.lists.alone(state["list"])
            return lambda start, stop: alone[start:stop]
        if "distances" in state:
            matrix: np.ndarray = state["distances"]
            return lambda start, stop: arrays.host(matrix[start:stop])
        query, gallery = state["query"], state["gallery"]
        return lambda start, stop: arrays.host(postproc.distances(query[start:stop], gallery))

    def _table(self, side: str, names: list[str], rows: np.ndarray) -> dict[str, Any]:
        columns: dict[str, Any] = {"name": [names[row] for row in rows.tolist()]}
        known = {**self.columns, **self.labels}
        for name in ("pid", *SHOWN):
            value = known.get(f"{side}_{name}")
            if value is not None:
                columns[name] = np.asarray(value)[rows].astype(np.int64)
        return columns

    def _agreement(self) -> None:
        """How much of the ten nearest every two models share."""
        models = [step for step in self.steps if step.after == -1]
        if not 2 <= len(models) <= 40 or any((step.rows[:, :10] < 0).any() for step in models):
            return
        lists = [step.rows[:, :10] for step in models]
        self.extras["models"] = [step.label for step in models]
        self.extras["agreement"] = np.array(
            [[agreement.overlap(one, other, k=10) for other in lists] for one in lists]
        )

    def _prior(self, settings: Mapping[str, Any]) -> None:
        """The gaps in time between cameras that a step has learned."""
        given = {name: self.columns.get(f"train_{name}") for name in ("pid", "cam", "frame")}
        if any(value is None for value in given.values()):
            return
        known: dict[str, Any] = {f"train_{name}": np.asarray(value) for name, value in given.items()}
        taken: dict[str, Any] = {name: settings[name] for name in ("bin_frames", "bins", "sigma")}
        prior = postproc.fit_prior(**known, **taken)
        people, who = np.unique(known["train_pid"], return_inverse=True)
        seen = np.zeros((len(people), len(prior.cameras) + 1), bool)
        seen[who, prior.codes(known["train_cam"])] = True
        seen = seen[known["train_pid"][np.unique(who, return_index=True)[1]] >= 0, :-1]
        both = seen.T.astype(np.int64) @ seen
        np.fill_diagonal(both, 0)
        mass = prior.histograms.any(axis=2)
        later, earlier = np.nonzero(mass)
        order = np.argsort(-both[later, earlier], kind="stable")[:CURVES]
        if not len(order):
            return
        shares = prior.histograms[later[order], earlier[order]]
        end = int(np.searchsorted(np.cumsum(shares.sum(axis=0)) / shares.sum(), 0.99)) + 1
        step = -(-end // 200)
        end = min(end + (-end) % step, shares.shape[1] - shares.shape[1] % step) or shares.shape[1]
        step = step if end % step == 0 else 1
        self.extras |= {
            "prior_shares": shares[:, :end].reshape(len(order), -1, step).sum(axis=2),
            "prior_frames": np.arange(0, end, step) * prior.bin_frames,
            "prior_cameras": np.stack([prior.cameras[earlier[order]], prior.cameras[later[order]]], axis=1),
            "prior_people": both[later[order], earlier[order]],
        }


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


def _spread(values: np.ndarray, rows: np.ndarray, count: int, fill: float) -> np.ndarray:
    whole = np.full(count, fill, values.dtype)
    whole[rows] = values
    return whole


def _numbers(scores: Scores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    found = scores.as_json()
    return {name: value for name, value in found.items() if name not in ("trials", "protocol")} | {
        "cmc": scores.cmc[:100].tolist()
    }
