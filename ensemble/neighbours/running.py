"""A run whose re-ranking is done in tasks: what makes arrays in it, and which recipes it is for."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.cli import machine
from ensemble.cli.numbers import too_small
from ensemble.cli.workers import STEP
from ensemble.neighbours import engines, rerank_plan, reranking, told
from ensemble.neighbours.engines import Engine
from ensemble.neighbours.lists import GIGABYTE, work_of
from ensemble.pipeline import steps
from ensemble.pipeline.forecast import HEAD
from ensemble.pipeline.neighbours import DATA, takers
from ensemble.pipeline.nodes import Arrays, Maker
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Use
from ensemble.pipeline.tree import tree
from postproc import Nearest

MORE = ("camera_penalty", "auxiliary_weight")  # settings of distances that are not those of features alone
ENDING = ".rerank"  # behind the name of the folder of the results


class InTasks(Arrays):
    """Makes what a run computes with; re-ranking from lists in tasks over ranges of rows.

    ``out`` is where the answer stands until the run has it, with the work beside it.
    """

    def __init__(self, engine: Engine, lists: Path, out: Path, budget: int) -> None:
        self.engine, self.lists, self.out, self.budget = engine, lists, out, budget
        self.watch = told.Watch(engine, budget)

    def step(
        self, called: steps.Step, taken: Mapping[str, Any], settings: Mapping[str, Any], one_set: bool
    ) -> dict[str, Any]:
        if DATA not in taken:
            return super().step(called, taken, settings, one_set)
        top_k = settings.get("top_k")
        if top_k is None:
            raise InputError(
                [f"--workers: wanted a run that looks at the first of every list alone, found one that wants all "
                 f"distances; score by --protocol {HEAD}, leave labels out, or leave --workers out"]
            )  # fmt: skip
        sides = [taken["gallery"]] if one_set else [taken["query"], taken["gallery"]]
        started = time.perf_counter()
        found = reranking.on(
            self.engine, self.lists, sides, self.out, top_k=top_k, memory=self.budget, say=told.say,
            seen=self.watch.seen,
            settings={name: settings[name] for name in rerank_plan.SETTINGS if name in settings},
        )  # fmt: skip
        nearest = Nearest(np.array(found.distances), np.array(found.rows))
        del found
        told.say(f"{called.name}: {self.watch.ended(time.perf_counter() - started)}")
        shutil.rmtree(self.out, ignore_errors=True)
        return {"nearest": nearest}


def checked(options: argparse.Namespace) -> int:
    """The bytes that a worker may hold, which are no limit of the run; all problems of options in one error."""
    option = "--scheduler" if options.scheduler else "--workers"
    problems = too_small(options, workers=1)
    budget = 2 * GIGABYTE
    with collecting(problems):
        budget = machine.memory(options) or budget
    options.memory = None
    if options.neighbours is None:
        problems.append(f"{option}: wanted --neighbours too, found none; make the lists by ensemble.neighbours")
    if options.device != "cpu":
        problems.append(f"--device: wanted cpu, where tasks run, found {options.device}; leave it or {option} out")
    refuse_if_any(problems)
    return budget


def refuse_other_recipes(plan: Plan) -> None:
    """Raise InputError where re-ranking is not the end of the recipe, or not of features alone."""
    root = tree(plan)
    name = root.use.name if root.use else "nothing"
    others = [node.use.name for node in takers(root) if node is not root and node.use]
    if root.use is None or name != STEP or others:
        found = f"{name} at its end" if name != STEP else f"{others[0]} before it"
        raise InputError(
            [f"--workers: wanted a recipe that ends in {STEP} and compares features nowhere else, found {found}; "
             "leave --workers out"]
        )  # fmt: skip
    used: Use = root.use
    more = [each for each in MORE if used.settings.get(each)]
    if more:
        raise InputError(
            [f"{used.where} ({name}), {more[0]}: wanted 0 with --workers, found {used.settings[more[0]]}; leave "
             "--workers out"]
        )  # fmt: skip


@contextmanager
def maker(options: argparse.Namespace, out: Path, budget: int) -> Iterator[Maker]:
    """What makes arrays in a run that writes into ``out``, where workers do the re-ranking."""
    with machine.using(options), engine(options) as found:
        yield InTasks(found, options.neighbours, answer_of(out), budget)


def engine(options: argparse.Namespace) -> AbstractContextManager[Engine]:
    """Who does the work."""
    return engines.at(options.scheduler) if options.scheduler else engines.local(options.workers or 1)


def files_of(out: Path) -> list[Path]:
    """What is written beside the results meanwhile."""
    beside = answer_of(out)
    return [beside / "nearest.json", work_of(beside) / "plan.json"]


def answer_of(out: Path) -> Path:
    """Where the answer stands until the run has it."""
    return out.with_name(out.name + ENDING)
