"""One set of images: distances of each to all others, what is known of the images and of pairs of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.pipeline import lines, partial
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.images import read
from ensemble.pipeline.models import Models
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.tree import tree
from ensemble.pipeline.walk import Walk
from ensemble.scores.protocol import Protocol
from postproc.base import arrays
from postproc.base.vocabulary import Array, Ints, Nearest
from postproc.clusters.known_pairs import Given, given
from postproc.clusters.links import NONE

Sets = Mapping[str, ModelSet]
EVERYBODY = Protocol(junk="self")  # no ranking is scored, and all images take part


@dataclass(frozen=True, eq=False)
class OneSet:
    """``names`` (n,), ``known`` distances of pairs, ``pid`` (n,) -1 unknown, ``columns`` by name without a side.

    must, cannot: (m, 2) rows that somebody has said to be one, and not to be.
    """

    names: Sequence[str]
    known: Given
    pid: Ints
    columns: Mapping[str, Ints] = field(default_factory=dict)
    must: Ints = field(default_factory=lambda: NONE)
    cannot: Ints = field(default_factory=lambda: NONE)

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.names)

    def take(self, rows: Ints) -> "OneSet":
        """Some of the images, as if there were no others."""
        place = np.full(self.images, -1)
        place[rows] = np.arange(len(rows))

        def moved(links: Ints) -> Ints:
            found = place[links]
            return found[(found >= 0).all(axis=1)]

        return OneSet(
            [self.names[row] for row in rows.tolist()],
            _taken(self.known, rows, place),
            self.pid[rows],
            {name: values[rows] for name, values in self.columns.items()},
            moved(self.must),
            moved(self.cannot),
        )

    def labelled(self) -> "OneSet":
        """The images of known identity."""
        return self.take(np.flatnonzero(self.pid >= 0))


def _taken(known: Given, rows: Ints, place: Ints) -> Given:
    if known.matrix is not None:
        return Given(len(rows), known.matrix[np.ix_(rows, rows)], None)
    assert known.listed is not None
    left, right = place[known.listed.left], place[known.listed.right]
    inside = known.listed.only((left >= 0) & (right >= 0))
    one, other = place[inside.left], place[inside.right]
    low, high = np.minimum(one, other).astype(np.int32), np.maximum(one, other).astype(np.int32)
    return Given(len(rows), None, inside._replace(images=len(rows), left=low, right=high))


def of_recipe(
    plan: Plan,
    sets: Sets,
    *,
    neighbours: int | None = None,
    device: Device = CPU,
    show: Callable[[str], None] = lambda line: None,
) -> tuple[OneSet, list[str]]:
    """The distances of a plan among the images of some sets, and what there is to say of them.

    The set is the gallery, if there are two sides. neighbours: lists of so many for each image, in the place of
    all distances. ``show`` gets a line a step.
    """
    one: dict[str, ModelSet] = {
        name: replace(each, one_set=True) if isinstance(each, FeatureSet) else each for name, each in sets.items()
    }
    images, taken = read(plan, EVERYBODY, one)
    root = tree(plan)

    def told(node: Any, outcome: Any) -> None:
        show(lines.text(lines.of_node(node, outcome, None, leaf="model")))

    with device.room(plan.recipe.name):
        walk = Walk(images, Models(taken, root, device), device, None, told)
        outcome = walk.outcome(root, neighbours)
        told(root, outcome)
        state = partial.whole(outcome.state, images, plan.recipe.name)
    notes: list[str] = []
    del taken
    if state.nearest is not None:
        far: Any = Nearest(arrays.host(state.nearest.distances), arrays.host(state.nearest.rows))
    else:
        far = partial.answer(state, images) if state.known else arrays.host(state.data["distances"])
        if neighbours is not None:
            far = nearest_of(far, neighbours)
    known = _symmetric(far, notes)
    data = images.known
    columns = {
        name: np.asarray(data[f"gallery_{name}"])
        for name in ("cam", "track", "frame")
        if f"gallery_{name}" in data
    }
    pid = np.asarray(data.get("gallery_pid", np.full(known.images, -1)), np.int64)
    return OneSet(images.gallery_names, known, pid, columns), [*images.notes, *notes]


def of_train(sets: Sets) -> dict[str, FeatureSet] | None:
    """The training images as one set; None where no model has labelled ones."""
    moved = {
        name: replace(features, gallery=features.train, gallery_table=features.train_table)
        for name, features in sets.items()
        if isinstance(features, FeatureSet) and features.train is not None and features.train_table is not None
    }
    labelled = moved and all("pid" in features.gallery_table.columns for features in moved.values())
    return moved if labelled and len(moved) == len(sets) else None


def rows_of_parts(parts: list[str]) -> dict[str, Ints]:
    """The rows of every data set, in the order in which they come first."""
    array = np.array(parts, object)
    return {name: np.flatnonzero(array == name) for name in dict.fromkeys(parts)}


def nearest_of(far: Array, neighbours: int) -> Nearest:
    """The nearest of every row of a matrix, without the image itself."""
    from postproc import rank

    without = np.array(far, np.float32)
    np.fill_diagonal(without, np.inf)
    rows = rank(without, top_k=neighbours)
    found = np.take_along_axis(without, np.maximum(rows, 0), axis=1)
    return Nearest(np.where(rows < 0, np.float32(np.inf), found), rows)


def _symmetric(far: Array | Nearest, notes: list[str]) -> Given:
    """Distances of pairs; their mean, which is said, where they depend on who is asked about."""
    try:
        return given("distances", far)
    except ValueError as error:
        if "symmetric" not in str(error):
            raise InputError([str(error)]) from error
    notes.append("distances depend on which of two images is asked about, and the mean of both is taken")
    return given("distances", far, "mean")
