"""Neighbour lists that were made before: for the steps whose features they are of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensemble.base.errors import InputError
from ensemble.base.features import SIDES
from ensemble.pipeline import steps
from ensemble.pipeline.tree import Node
from postproc import NeighbourLists
from postproc.pairs import pairwise

DATA = "neighbours"  # as steps call it
HOW = "make them by python -m ensemble.neighbours with the same folder, recipe and settings"


class Made:
    """Lists from a folder, and how many steps of a run may still take them.

    They are handed to every step that takes lists and compares the very features that they are of. Where no step
    does, the last one that could refuses, before it computes anything.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.lists = NeighbourLists.load(folder)
        except (FileNotFoundError, ValueError) as error:
            raise InputError([f"--neighbours: {error}; {HOW}"]) from None
        self._left, self._used, self._seen = 0, False, list[str]()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of them."""
        lists = self.lists
        kind = "exact" if lists.exact else lists.caveat.removeprefix("neighbours: ")
        whose = what(lists.sizes, lists.one_set, lists.digest)
        return (f"--neighbours: {self.folder}: the {lists.k} nearest of {whose}; {kind}",)

    def expect(self, root: Node) -> None:
        """Count the steps below ``root`` that could take them; InputError where there is none."""
        self._left, self._used, self._seen = len(takers(root)), False, []
        if not self._left:
            raise InputError(
                [f"--neighbours: wanted a recipe with a step that takes neighbour lists, as kreciprocal, found "
                 f"none; name another --recipe, or leave {self.folder} out"]
            )  # fmt: skip

    def for_step(self, called: steps.Step, data: Mapping[str, Any], one_set: bool) -> dict[str, Any]:
        """What a step finds beside its data: the lists, or nothing."""
        if not takes(called):
            return {}
        self._left -= 1
        sides = [data[side] for side in SIDES if side in data]
        if len(sides) < 2:
            return {}
        pairs = pairwise.sqeuclidean(sides[1]) if one_set else pairwise.sqeuclidean(*sides[:2])
        if self.lists.digest == pairs.digest and self.lists.sizes == pairs.sizes:
            self._used = True
            return {DATA: self.lists}
        self._seen.append(f"{called.name} has {what(pairs.sizes, one_set, pairs.digest)}")
        if not self._left and not self._used:
            lists = self.lists
            found = f"lists of {what(lists.sizes, lists.one_set, lists.digest)}"
            raise InputError(
                [f"--neighbours: {self.folder}: wanted lists of the features that a step compares, found {found}, "
                 f"where {', '.join(self._seen)}; {HOW}"]
            )  # fmt: skip
        return {}


def takers(root: Node) -> list[Node]:
    """The nodes whose step could take lists, each once."""
    found: dict[str, Node] = {}
    if root.use is not None and root.use.name in steps.catalogue() and takes(steps.catalogue()[root.use.name]):
        found[root.key] = root
    for part in (*root.inputs, *root.aux):
        found |= {node.key: node for node in takers(part)}
    return list(found.values())


def takes(called: steps.Step) -> bool:
    """Whether a step starts from the neighbours of features, and takes lists of them."""
    return DATA in called.may_use and "query" in called.needs


def what(sizes: tuple[int, int], one_set: bool, digest: str) -> str:
    """Images and features in words."""
    images = f"{sizes[1]} images" if one_set else f"{sizes[0]} queries and {sizes[1]} gallery images"
    return f"{images}, features {digest[:8] or 'unknown'}"
