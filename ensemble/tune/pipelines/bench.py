"""What a candidate is worth to every query, and what it costs, with everything kept that the next one can use.

Runs that begin alike go on from there (:mod:`ensemble.pipeline.state`), neighbour lists and distances of the
same features are found once (:mod:`postproc.pairs.remembered`). The cost of a candidate is that of all its
nodes, each as it was measured when it ran for the first time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.kinds import Floats
from ensemble.io import Folder
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.plan import Plan, check
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.run import Run, Seen
from ensemble.pipeline.state import Memo
from ensemble.pipeline.tree import Node, tree
from ensemble.scores import Scores
from ensemble.scores.protocol import Protocol
from ensemble.tune.pipelines.worlds import Worlds
from ensemble.tune.trials import KEPT, Objective
from postproc import using
from postproc.pairs.remembered import Store, remembering

KINDS = SAMPLE, SEARCH, HELD = "sample", "search", "held"


class Measured(NamedTuple):
    """What every query got, NaN: it has no match; and the seconds of the pipeline on one world."""

    values: Floats
    seconds: float


@dataclass(eq=False)
class Bench:
    """Scores recipes on worlds; ``clock`` measures a run, ``kept`` bytes are remembered."""

    folder: Folder
    worlds: Worlds
    protocol: Protocol
    objective: Objective
    threads: int | None = None
    kept: int = KEPT
    device: Device = CPU
    clock: Callable[[], float] = time.perf_counter
    costs: dict[tuple[int, str, str], float] = field(default_factory=dict)
    memos: dict[tuple[int, str], Memo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.kept // 2)

    def __call__(self, recipe: Recipe, kind: str) -> Measured:
        """``sample``: the first world; ``search``: all worlds; ``held``: queries held back.

        Of one world alone ``sample`` are some of its queries. The queries held back ask in every world, and a
        query's value is the mean over these. Raises InputError where a step refuses its settings.
        """
        plan = check(recipe, self.folder)
        several = len(self.worlds.each) > 1
        numbers = range(1 if kind == SAMPLE else len(self.worlds.each))
        found = [self._world(plan, number, SEARCH if kind == SAMPLE and several else kind) for number in numbers]
        values = [one.values for one in found]
        together = np.mean(values, axis=0) if kind == HELD else np.concatenate(values)
        return Measured(together, float(np.mean([one.seconds for one in found])))

    def _world(self, plan: Plan, number: int, kind: str) -> Measured:
        place = number, kind
        memo = self.memos.setdefault(place, Memo(max(1, self.kept // (4 * len(self.worlds.each)))))

        def watch(seen: Seen) -> None:
            self.costs.setdefault((number, kind, seen.node.key), seen.line.seconds)

        run = Run(
            plan,
            lambda line: None,
            protocol=self.protocol,
            sets=getattr(self.worlds.each[number], kind),
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
        seconds = sum(self.costs.get((number, kind, key), 0.0) for key in sorted(keys))
        return Measured(of_queries(result.scores, self.objective), seconds)


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
