"""The value that goes from node to node: arrays by name, and which images they are about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ensemble.base.features import SIDES
from ensemble.base.kinds import Array, Bools, Ints
from postproc import Nearest
from postproc.base import cache


class Rows(NamedTuple):
    """Some of the queries and of the gallery images, by their rows, ascending."""

    query: Ints
    gallery: Ints

    def of(self, side: str) -> Ints | None:
        """The rows of a side; None for train, of which all images count."""
        return {"query": self.query, "gallery": self.gallery}.get(side)

    def asking(self) -> Ints:
        """The queries of which some pair is among them."""
        return self.query

    def mark(self, found: Bools, queries: slice) -> None:
        """Set ``found`` (n, ng), of some of the queries, where a pair is among them."""
        inside = self.query[(self.query >= queries.start) & (self.query < queries.stop)] - queries.start
        found[inside[:, None], self.gallery] = True


class Pairs(NamedTuple):
    """Single pairs: the gallery images of query ``i`` are ``gallery[starts[i]:starts[i + 1]]``."""

    starts: Ints
    gallery: Ints

    def asking(self) -> Ints:
        """The queries of which some pair is among them."""
        return np.flatnonzero(np.diff(self.starts))

    def mark(self, found: Bools, queries: slice) -> None:
        """Set ``found`` (n, ng), of some of the queries, where a pair is among them."""
        starts = self.starts[queries.start : queries.stop + 1]
        found[np.repeat(np.arange(len(found)), np.diff(starts)), self.gallery[starts[0] : starts[-1]]] = True


Known = Rows | Pairs
"""Which pairs somebody knows."""


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
    everything: of rank lists: whatever has a finite distance was found, whether a list names it or not.
    labelled: what the model whose distances these are says of labelled pairs; empty from the first step on.
    known:    the pairs that are known in ``distances``; a pair in none was not found. Empty: all are.
    """

    data: Mapping[str, Array]
    nearest: Nearest | None = None
    rows: Rows | None = None
    kept: Mapping[str, Array] = field(default_factory=dict)
    codes: tuple[int, ...] = ()
    listed: Array | None = None
    everything: bool = False
    known: tuple[Known, ...] = ()
    labelled: Mapping[str, Array] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return cache.size((self.data, self.nearest, self.rows, self.kept, self.listed, self.labelled))

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
