"""The value that goes from node to node: arrays by name, and which images they are about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ensemble.base.features import SIDES
from ensemble.base.kinds import Array, Ints
from postproc import Nearest
from postproc.base import cache


class Rows(NamedTuple):
    """Some of the queries and of the gallery images, by their rows, ascending."""

    query: Ints
    gallery: Ints

    def of(self, side: str) -> Ints | None:
        """The rows of a side; None for train, of which all images count."""
        return {"query": self.query, "gallery": self.gallery}.get(side)


@dataclass(frozen=True, eq=False)
class State:
    """What a node of a run stands for.

    data:     features or distances, and the columns of the tables, by their names in the vocabulary.
    nearest:  the end of a run in the place of ``distances``: the first of every list.
    rows:     the images that all of it is about; None: all images.
    kept:     features, where a later step wants them beside distances.
    codes:    lengths of the binary codes that the features are, side by side; empty: they are none.
    listed:   of rank lists: how far each of their candidates is, NaN for one that was not found. ``distances`` are
              there beside it from the first step on that wants the whole gallery.
    known:    the images whose pairs are known in ``distances``; a pair in none was not found. Empty: all are.
    """

    data: Mapping[str, Array]
    nearest: Nearest | None = None
    rows: Rows | None = None
    kept: Mapping[str, Array] = field(default_factory=dict)
    codes: tuple[int, ...] = ()
    listed: Array | None = None
    known: tuple[Rows, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return cache.size((self.data, self.nearest, self.rows, self.kept, self.listed))

    @property
    def features(self) -> dict[str, Array]:
        """The features by side."""
        return {side: self.data[side] for side in SIDES if side in self.data}

    @property
    def columns(self) -> dict[str, Array]:
        """Everything but features."""
        return {name: value for name, value in self.data.items() if name not in SIDES}

    def shape(self) -> str:
        """What is there, in words: sizes of lists, of a matrix or of features."""
        if self.nearest is not None:
            nq, k = self.nearest.rows.shape
            return f"{nq} x {k} nearest"
        if "distances" in self.data:
            return " x ".join(map(str, self.data["distances"].shape))
        if self.listed is not None:
            return f"{len(self.listed)} in lists"
        query, gallery = self.data["query"], self.data["gallery"]
        queries = "" if query is gallery else f"{len(query)} + "
        return f"{queries}{len(gallery)} x {query.shape[1]}"


Memo = cache.Cache[str, State]
"""States by the key of their node, for runs on the same images that begin alike."""
