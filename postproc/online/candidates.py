"""Candidates that somebody else's index finds, where the gallery has too many features to read for every query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from postproc.online.state import State

Search = Callable[[np.ndarray, int], Any]


@dataclass(frozen=True)
class Candidates:
    """``finder(queries (m, d), k)`` or ``finder.search(queries, k)`` names ``count`` images for every query by id.

    As faiss has it, (distances, ids), both (m, k); an object with ``keys``, as usearch has it; or ids alone. What
    is no id of the index, as -1, is nobody. Distances are not looked at: they are computed from the features.
    """

    finder: Any
    count: int

    def __post_init__(self) -> None:
        if not callable(getattr(self.finder, "search", self.finder)):
            raise TypeError(
                "candidates: wanted a function or an object with search(queries, k), "
                f"got {type(self.finder).__name__}"
            )

    def rows(self, state: State, queries: np.ndarray) -> list[np.ndarray]:
        """Rows of the gallery for every query, each once, rising."""
        found = getattr(self.finder, "search", self.finder)(queries, min(self.count, state.count))
        ids = np.asarray(getattr(found, "keys", found[1] if isinstance(found, tuple) else found))
        if ids.size and ids.dtype.kind not in "iu":
            raise ValueError(f"candidates: wanted whole numbers, ids of the index, got {ids.dtype}")
        ids = ids.reshape(len(queries), -1) if ids.ndim < 2 else ids
        if len(ids) != len(queries):
            raise ValueError(f"candidates: wanted ids for {len(queries)} queries, got shape {ids.shape}")
        order, named = state.by_id
        places = np.minimum(np.searchsorted(named, ids), len(named) - 1)
        return [
            np.unique(order[place[named[place] == one]]).astype(np.int32)
            for one, place in zip(ids, places, strict=True)
        ]
