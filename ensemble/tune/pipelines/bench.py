"""What a candidate is worth to every query, and what it costs, with everything kept that the next one can use.

Runs that begin alike go on from there (:mod:`ensemble.pipeline.state`), neighbour lists and distances of the
same features are found once (:mod:`postproc.pairs.remembered`). The cost of a candidate is that of all its
nodes, each as it was measured when it ran for the first time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.kinds import Floats, Ints
from ensemble.io import Folder
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.plan import Plan, check
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.run import Result, Run, Seen
from ensemble.pipeline.state import Memo
from ensemble.pipeline.tree import Node, tree
from ensemble.scores import Scores, labels_of, statistics
from ensemble.scores.protocol import Protocol
from ensemble.tune.pipelines.crowded import Crowd
from ensemble.tune.pipelines.worlds import Worlds
from ensemble.tune.trials import KEPT, Objective
from postproc import using
from postproc.pairs.remembered import Store, remembering


class Measured(NamedTuple):
    """What every query got, NaN: no match; seconds of the pipeline on one world; the score by the protocol.

    ``values`` are as in a gallery of the real size (:mod:`ensemble.tune.pipelines.crowded`), the score as it is.
    """

    values: Floats
    seconds: float
    score: float


@dataclass(eq=False)
class Bench:
    """Scores recipes on worlds; ``kept`` bytes are remembered.

    ``times``: how much larger the real gallery is than a world's.
    """

    folder: Folder
    worlds: Worlds
    protocol: Protocol
    objective: Objective
    threads: int | None = None
    kept: int = KEPT
    device: Device = CPU
    times: float = 1.0
    costs: dict[tuple[int, str], float] = field(default_factory=dict)
    memos: dict[int, Memo] = field(default_factory=dict)
    crowds: dict[int, Crowd | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.kept // 2)

    def __call__(self, recipe: Recipe, kind: str) -> Measured:
        """``sample``: the search's queries in the first worlds; ``search``: in all; ``held``: those held back.

        Raises InputError where a step refuses its settings.
        """
        images = max(len(part.gallery_table) for part in self.worlds.each[0].sets.values())
        plan = check(replace(recipe, top_k=images), self.folder)  # the whole ranking
        found = [self._world(plan, number, kind) for number in range(len(self.worlds.of(kind)))]
        seconds, score = (float(np.mean([getattr(one, name) for one in found])) for name in ("seconds", "score"))
        return Measured(np.concatenate([one.values for one in found]), seconds, score)

    def _world(self, plan: Plan, number: int, kind: str) -> Measured:
        world = self.worlds.each[number]
        memo = self.memos.setdefault(number, Memo(max(1, self.kept // (2 * len(self.worlds.each)))))

        def watch(seen: Seen) -> None:
            self.costs.setdefault((number, seen.node.key), seen.line.seconds)

        run = Run(
            plan,
            lambda line: None,
            protocol=self.protocol,
            sets=world.sets,
            memo=memo,
            every_step=False,
            watch=watch,
            device=self.device,
        )
        with using(threads=self.threads, progress=False), remembering(self.store):
            result = run()
        if result.scores is None:
            raise InputError([f"{plan.recipe.name}: wanted scores, found none: {result.unscored}"])
        keys = {node.key for node in _nodes(tree(plan))}
        seconds = sum(self.costs.get((number, key), 0.0) for key in sorted(keys))
        rows = world.asked(kind)
        own = of_queries(result.scores, self.objective)
        score = mean(own[rows], world.pid[rows], self.protocol)
        return Measured(self._values(result, number, own)[rows], seconds, score)

    def _values(self, result: Result, number: int, own: Floats) -> Floats:
        """What every query got, in a gallery of the real size where that can be told."""
        if number not in self.crowds:
            labels = labels_of(next(iter(self.worlds.each[number].sets.values())))
            larger = labels is not None and self.times > 1 and self.objective.score == "mAP"
            self.crowds[number] = Crowd.of(labels, self.protocol, self.times) if labels and larger else None
        crowd = self.crowds[number]
        if crowd is None or result.ranking.shape[1] < crowd.good.shape[1]:
            return own
        return crowd.precisions(result.ranking)


def mean(values: Floats, pid: Ints, protocol: Protocol) -> float:
    """The mean of what queries got, as a protocol takes it; NaN: no match."""
    known = ~np.isnan(values) | (protocol.denominator == "all")
    weight = statistics.weights(protocol.average, pid[known])
    return float((np.nan_to_num(values[known]) * weight).sum() / weight.sum()) if known.any() else float("nan")


def of_queries(scores: Scores, objective: Objective) -> Floats:
    """(nq,) what each query adds to the objective, NaN where it has no match."""
    if objective.score == "mAP":
        return scores.ap
    if objective.score == "mINP":
        return scores.inp
    place = int(objective.score.removeprefix("rank"))
    hit = (scores.first_hit >= 0) & (scores.first_hit < place)
    return np.where(np.isnan(scores.ap), np.nan, hit.astype(np.float64))


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for part in (*node.inputs, *node.aux):
        yield from _nodes(part)
