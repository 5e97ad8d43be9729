"""Run a checked plan: models in, distances or the nearest images out, one report line a step.

images, models   what is read, and the features while somebody needs them
walk             which node after which
nodes            what a node computes from what its inputs gave
state            the value between nodes; partial where not every image is known
scoring, lines   what is told of every node
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

import postproc
from ensemble.base.distances import ModelSet
from ensemble.base.errors import refuse_if_any
from ensemble.base.kinds import Array, Ints
from ensemble.io.folder import is_side
from ensemble.pipeline import lines, memory, partial
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.images import Images, read
from ensemble.pipeline.lines import Line
from ensemble.pipeline.models import Models
from ensemble.pipeline.neighbours import Made
from ensemble.pipeline.nodes import ARRAYS, Maker, Outcome
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.scoring import Scored, scored, told
from ensemble.pipeline.spread import lists_memory_problems, lists_spread_for, spread_text
from ensemble.pipeline.state import Memo, State
from ensemble.pipeline.tree import Node, leaves, tree
from ensemble.pipeline.walk import Walk
from ensemble.scores import Scores
from ensemble.scores.protocol import Protocol
from postproc.base import arrays, remarks


@dataclass(frozen=True, eq=False)
class Seen:
    """What a watcher of a run sees of a node: its line, its state, which it must not change, and its scores."""

    images: Images
    protocol: Protocol
    root: Node
    node: Node
    line: Line
    state: State
    scores: Scores | None


@dataclass(frozen=True)
class Result:
    """The end of a run: (nq, k) gallery rows nearest first (-1: none), how far they are, scores, and names.

    Where ``scores`` is None, ``unscored`` says why. ``filled``: the rows with images behind that no rank list
    names, or no model knows, for formats that demand a full line; None where there is none to add. ``notes``: of
    what was read.
    """

    ranking: Array
    distances: Array
    scores: Scores | None
    unscored: str
    lines: tuple[Line, ...]
    query_names: list[str]
    gallery_names: list[str]
    query_pid: Ints | None = None
    filled: Array | None = None
    notes: tuple[str, ...] = ()
    query_label: list[object] | None = None  # the same as the user has written them
    lists: bool = False  # it is about rank lists


@dataclass(frozen=True, eq=False)
class Run:
    """A plan and how it is run; calling it runs it.

    show:       called with every line as soon as the step is done.
    protocol:   how it is scored; None: as the recipe says.
    memory:     refuse to start what needs more bytes.
    sets:       the models' features, where somebody has read them already.
    memo:       keeps what steps give, for another run on the same sets that begins alike.
    every_step: score after every step, not only at the end.
    begun:      called when everything is read and nothing is computed.
    watch:      called after every line.
    device:     where features and distances live and steps run; what cannot run there runs on the host.
    made:       neighbour lists, for the steps that compare the features they are of.
    make:       what makes arrays.
    """

    plan: Plan
    show: Callable[[Line], None]
    protocol: Protocol | None = None
    memory: int | None = None
    sets: Mapping[str, ModelSet] | None = None
    memo: Memo | None = None
    every_step: bool = True
    begun: Callable[[Images], None] | None = None
    watch: Callable[[Seen], None] | None = None
    device: Device = CPU
    made: Made | None = None
    make: Maker = ARRAYS

    def __call__(self) -> Result:
        """Run everything; the answer holds ``top_k`` images a query, or all of them where labels need that."""
        with self.device.room(self.plan.recipe.name):
            return self._result()

    def _result(self) -> Result:
        recipe, root = self.plan.recipe, tree(self.plan)
        protocol = self.protocol or recipe.rules
        started = time.perf_counter()
        if self.made is not None:
            self.made.expect(root)
        images, sets = read(self.plan, protocol, self.sets)
        images = self._admitted(images, sets, protocol)
        seconds = time.perf_counter() - started
        if self.begun:
            images = replace(images, notes=(*images.notes, *told(sets, protocol, images.lists)))
            self.begun(images)
        judged = _Judged(self, images, protocol, root)
        judged.tell(lines.reading(len(self.plan.all_models), images.shape, seconds, one_set=images.one_set))
        walk = Walk(images, Models(sets, root, self.device), self.device, self.memo, judged, self.make)
        del sets  # so that a model goes when nobody needs it any more
        whole = _needs_all(images, protocol) or images.lists is not None
        with remarks.listening() as heard:
            outcome = walk.outcome(root, None if whole else max(recipe.top_k, protocol.top_k or 0))
        found = judged(root, outcome)
        state = partial.whole(outcome.state, images, recipe.name)
        if found is None or state is not outcome.state:
            found = scored(state, images, protocol)
        rows, distances, filled = _answer(state, images, recipe.top_k)
        return Result(
            ranking=rows,
            distances=distances,
            scores=found.scores,
            unscored=found.unscored,
            lines=tuple(judged.lines),
            query_names=images.query_names,
            gallery_names=images.gallery_names,
            query_pid=images.labels.query_pid if images.labels else None,
            notes=(*images.notes, *dict.fromkeys(heard), *lines.notes_of(judged.lines)),
            filled=filled,
            query_label=images.query_label,
            lists=images.lists is not None,
        )

    def _admitted(self, images: Images, sets: Mapping[str, ModelSet], protocol: Protocol) -> Images:
        """The images with what there is to say of them; InputError where they want more memory than is allowed."""
        if self.made is not None:
            images = replace(images, made=self.made, notes=(*images.notes, *self.made.notes))
        if images.lists is not None:
            wants = lists_spread_for(self.plan, protocol)
            sizes = len(images.lists.names), len(images.lists.found.rows)
            refuse_if_any(lists_memory_problems(*sizes, *images.shape, wants, self.memory))
            said = spread_text(*images.shape, wants) if wants else None
            return replace(images, notes=(*images.notes, said)) if said else images
        if self.sets is None and self.memory is not None:
            needed = memory.predict(
                self.plan,
                memory.of_sets(sets),
                protocol=protocol,
                scored=images.labels is not None,
                every_step=self.every_step,
            )
            refuse_if_any(memory.problems(needed, self.memory, whole=_needs_all(images, protocol)))
        return images


@dataclass(frozen=True, eq=False)
class _Judged:
    """Scores the nodes of a run and tells of them, each when it is done; ``lines`` holds what was told."""

    run: Run
    images: Images
    protocol: Protocol
    root: Node
    lines: list[Line] = field(default_factory=list)

    def __call__(self, node: Node, outcome: Outcome) -> Scored | None:
        if all(map(is_side, leaves(node))):  # a side model says nothing about identities
            return None
        wanted = self.run.every_step or node is self.root
        found = scored(outcome.state, self.images, self.protocol) if wanted else None
        scores = found.scores if found else None
        line = lines.of_node(node, outcome, scores, leaf="list" if self.images.lists else "model")
        self.tell(line)
        if self.run.watch:
            self.run.watch(Seen(self.images, self.protocol, self.root, node, line, outcome.state, scores))
        return found

    def tell(self, line: Line) -> None:
        """Show a line, and keep it."""
        self.lines.append(line)
        self.run.show(line)


def _needs_all(images: Images, protocol: Protocol) -> bool:
    """Whether scores want all distances."""
    return images.labels is not None and protocol.whole


def _answer(state: State, images: Images, k: int) -> tuple[Array, Array, Array | None]:
    """The first ``k`` that were found of every query, how far they are, and them filled up if that is more."""
    if images.lists is not None:
        k = min(k, len(images.gallery_names))
        answer = images.lists.answer(state, k)
        nearest = answer.first(k)
        rows, distances, filled = nearest.rows, nearest.distances, images.lists.filled(state, answer, k)
    elif state.known:
        filled, _ = _first(state, k)
        rows, distances = _first(State({"distances": partial.answer(state, images)}), k)
    else:
        return *_first(state, k), None
    return rows, distances, None if np.array_equal(filled, rows) else filled


def _first(state: State, k: int) -> tuple[Array, Array]:
    """The first ``k`` of every list, and how far they are."""
    if state.nearest is not None:
        return arrays.host(state.nearest.rows[:, :k]), arrays.host(state.nearest.distances[:, :k])
    distances = state.data["distances"]
    xp = arrays.namespace(distances)
    rows = postproc.rank(distances, top_k=k)
    there = arrays.as_type(xp.maximum(rows, 0), np.int64)
    return arrays.host(rows), arrays.host(xp.take_along_axis(distances, there, axis=1))
