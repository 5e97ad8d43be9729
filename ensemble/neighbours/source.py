"""The features that a recipe compares: its models, its steps on features, its join of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ensemble.base.errors import InputError, examples, near
from ensemble.pipeline import steps
from ensemble.pipeline.devices import CPU
from ensemble.pipeline.images import read
from ensemble.pipeline.models import Models
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.tree import Node, leaves, tree
from ensemble.pipeline.walk import Walk
from ensemble.scores.protocol import Protocol
from postproc.pairs import long_lists

FEWEST = 100  # neighbours of an image that most recipes can do with
EVERYBODY = Protocol(junk="self")  # nothing is scored, and all images take part


class Source(NamedTuple):
    """Features as a step compares them: (queries, gallery), or one set. ``step`` is the step, ``models`` whose."""

    sides: list[np.ndarray]
    step: str
    models: tuple[str, ...]
    notes: tuple[str, ...]


def of_model(model: str | None) -> Callable[[Recipe], Recipe]:
    """What becomes of a recipe where one model is asked for: its first branch that has it, of that model alone."""

    def change(recipe: Recipe) -> Recipe:
        if model is None:
            return recipe
        for branch in recipe.branches:
            if any(fnmatch.fnmatch(model, one) for pattern in branch.models for one in pattern.split("|")):
                alone = replace(branch, models=(model,))
                return replace(recipe, branches=(alone,), join=None)
        wanted = examples([pattern for branch in recipe.branches for pattern in branch.models], 20)
        raise InputError([f"--model: wanted one that the recipe looks at ({wanted}), found {model!r}"])

    return change


def unknown_model(model: str | None, known: list[str]) -> list[str]:
    """What is wrong with ``--model``, if anything."""
    if model is None or model in known:
        return []
    return [f"--model: wanted one of {examples(known, 20)}, found {model!r}{near(model, known)}"]


def compared(plan: Plan) -> tuple[Node, str]:
    """What makes the features that the plan compares, and the step that does. Raises InputError where it compares
    several, or none."""
    found: dict[str, tuple[Node, str]] = {}
    for node, name in _compared(tree(plan)):
        found.setdefault(node.key, (node, name))
    if len(found) != 1:
        models = examples(list(dict.fromkeys(name for node, _ in found.values() for name in leaves(node))), 20)
        many = f"{len(found)} kinds ({models}); give --model" if found else "none; give another --recipe"
        raise InputError([f"--recipe: wanted one kind of features that are compared, found {many}"])
    (one,) = found.values()
    return one


def source(plan: Plan) -> Source:
    """The features that the plan compares. Raises InputError as :func:`compared`.

    Memory: the features of the models that they are made of.
    """
    node, name = compared(plan)
    images, sets = read(plan, EVERYBODY)
    walk = Walk(images, Models(sets, node, CPU), CPU, None, lambda node, outcome: None)
    del sets
    state = walk.outcome(node).state
    if not state.features:
        raise InputError(
            [f"{name}: wanted features to compare, found distances; give --model of one with features"]
        )
    sides = [state.data["gallery"]] if images.one_set else [state.data["query"], state.data["gallery"]]
    return Source(sides, name, tuple(dict.fromkeys(leaves(node))), images.notes)


def enough(sides: Sequence[np.ndarray], top_k: int) -> int:
    """How many neighbours of every image an answer of ``top_k`` wants, if it is made of them in tasks."""
    nq, ng, one_set = len(sides[0]), len(sides[-1]), len(sides) == 1
    wanted = long_lists.entries(nq, ng, top_k, one_set=one_set) - 1
    return max(FEWEST, min(wanted, long_lists.LONGEST))


def _compared(node: Node) -> list[tuple[Node, str]]:
    """What stands below the first steps that make distances of features, with their names."""
    if node.use is not None and node.use.name in steps.catalogue():
        step = steps.catalogue()[node.use.name]
        if "query" in step.needs and "distances" in step.gives:
            return [(node.inputs[0], step.name)]
    return [found for part in node.inputs for found in _compared(part)]
