"""What a run computes, as a tree: models at its leaves, a step or a join at every node, the answer at the root."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ensemble.base.features import SIDES
from ensemble.pipeline import joins, steps
from ensemble.pipeline.flow import on_distances
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Group, Use
from ensemble.pipeline.told import branch_name
from postproc.base.cached import cached_property

Only = Mapping[str, tuple[int | str, ...]]


@dataclass(frozen=True, eq=False)
class Node:
    """A value of a run: a ``model`` as it is read, or what ``use`` makes of ``inputs``.

    ``aux`` are the side models that a step looks at, ``only`` the images that a branch is about, ``keep`` says
    that a later step wants features beside distances. ``what`` is for the eye, ``parts`` what the inputs of a
    join are called.
    """

    what: str
    model: str = ""
    only: Only = field(default_factory=dict)
    use: Use | None = None
    inputs: tuple["Node", ...] = ()
    aux: tuple["Node", ...] = ()
    keep: bool = False
    parts: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """The same for nodes that compute the same from the same models."""
        only = {name: list(values) for name, values in self.only.items()}
        used = self.use and [self.use.name, dict(self.use.settings)]
        parts = [node.key for node in self.inputs], [node.key for node in self.aux]
        text = json.dumps([self.model, only, used, parts, self.keep], sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def tree(plan: Plan) -> Node:
    """The root of what a plan computes."""
    branches = []
    after = plan.recipe.steps if len(plan.recipe.branches) == 1 else ()
    for branch, models, groups in zip(plan.recipe.branches, plan.models, plan.groups, strict=True):
        beside = {name: _side(group) for name, group in groups.items()}
        parts = [
            _chain(
                Node(model, model, branch.only),
                on_distances(branch.each_of(model)) if model in plan.folder.given else branch.each_of(model),
                beside,
                then=branch.steps,
            )
            for model in models
        ]
        node = parts[0]
        if branch.join and (len(parts) > 1 or joins.changes_one(branch.join.name, branch.join.settings)):
            what = f"{len(parts)} model{'s' if len(parts) > 1 else ''}"
            node = Node(what, use=branch.join, inputs=tuple(parts), parts=tuple(models))
        branches.append(_chain(node, branch.steps, beside, then=after))
    node = branches[0]
    if len(branches) > 1:
        names = tuple(branch_name(branch, place) for place, branch in enumerate(plan.recipe.branches))
        node = Node(f"{len(branches)} branches", use=plan.recipe.join, inputs=tuple(branches), parts=names)
    return _chain(node, plan.recipe.steps, {name: _side(group) for name, group in plan.common.items()})


def leaves(node: Node) -> Iterable[str]:
    """The models below a node, once for each time that they are needed."""
    if node.model:
        yield node.model
    for part in (*node.inputs, *node.aux):
        yield from leaves(part)


def _side(group: Group) -> tuple[Node, ...]:
    parts = tuple(_chain(Node(model, model), group.each, {}) for model in group.models)
    if not group.average or len(parts) < 2:
        return parts
    mean = Use("concat", {"weights": [1 / len(parts)] * len(parts)}, "auxiliary")
    return (Node(f"{len(parts)} side models", use=mean, inputs=parts),)


def _chain(
    node: Node, uses: Sequence[Use], beside: Mapping[str, tuple[Node, ...]], then: Sequence[Use] = ()
) -> Node:
    """A step after the other on ``node``; ``then`` are those that follow later."""
    for place, use in enumerate(uses):
        step = steps.catalogue()[use.name]
        looks = any(name.endswith("_aux") for name in (*step.needs, *step.may_use))
        aux = tuple(part for name, group in beside.items() if use.aux in (None, name) for part in group)
        later = [steps.catalogue()[after.name] for after in (*uses[place + 1 :], *then)]
        keep = any("distances" in after.needs and set(SIDES) & {*after.needs, *after.may_use} for after in later)
        what = node.what if node.model else ""
        node = Node(what, use=use, inputs=(node,), aux=aux if looks else (), keep=keep)
    return node
