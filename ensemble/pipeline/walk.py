"""The order in which the nodes of a run are computed, and what is held meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass

from ensemble.pipeline import joins, nodes
from ensemble.pipeline.devices import Device
from ensemble.pipeline.images import Images
from ensemble.pipeline.models import Models
from ensemble.pipeline.nodes import Maker, Outcome
from ensemble.pipeline.state import Memo, State
from ensemble.pipeline.tree import Node


@dataclass(frozen=True, eq=False)
class Walk:
    """Nodes, each computed after those that it looks at, or remembered; ``judge`` gets what is computed."""

    images: Images
    models: Models
    device: Device
    memo: Memo | None
    judge: Callable[[Node, Outcome], object]
    make: Maker = nodes.ARRAYS

    def outcome(self, node: Node, top_k: int | None = None) -> Outcome:
        """What a node gave; a remembered state took no time. ``top_k``: what the end of a run wants of a list."""
        known = self._known(node)
        return self._computed(node, top_k) if known is None else Outcome(known, 0.0, self.device.name)

    def _known(self, node: Node) -> State | None:
        return None if self.memo is None else self.memo.get(node.key)

    def _state(self, node: Node) -> State:
        known = self._known(node)
        if known is not None:
            return known
        outcome = self._computed(node, None)
        self.judge(node, outcome)
        return outcome.state

    def _computed(self, node: Node, top_k: int | None) -> Outcome:
        if node.model and self.images.lists is not None:
            outcome = nodes.rank_list(node, self.images, self.device)
        elif node.model:
            outcome = nodes.model(node, self.models, self.images, self.device, self.make)
        elif node.use and node.use.name in joins.names():
            parts = [self._state(part) for part in node.inputs]
            outcome = nodes.join(node, parts, self.images, self.device, self.make)
        else:
            state = self._state(node.inputs[0])
            auxiliary = [self._state(part) for part in node.aux]
            outcome = nodes.step(node, state, auxiliary, self.images, self.device, top_k, self.make)
        if self.memo is not None and outcome.state.nearest is None:  # a cut answer is none for a step behind it
            self.memo.put(node.key, outcome.state)
        return outcome
