"""Old submissions in the place of features: every list a part, joined over the images that any list names.

A list says how far an image is, or only at which place it stands. All lists are brought to one table of
candidates, a join makes one distance of each candidate, and the answer is spread over the whole gallery: what no
list names stands behind what some list does, near enough for a later step to pull it up.

What no list names was not found: it is never scored, and never an answer, unless a step has pulled it up with the
track of an image that some list names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble.base.collecting import collecting
from ensemble.base.errors import examples, refuse_if_any
from ensemble.base.features import columns
from ensemble.io import Folder, read_tables
from ensemble.io.alignment import sorted_names
from ensemble.pipeline.state import State
from ensemble.submissions import RankList, aligned, formats
from ensemble.submissions.ensembles import candidates, dense
from postproc.base import arrays


@dataclass(frozen=True)
class Rankings:
    """Lists of the same queries and gallery: candidates (nq, c), a matrix of the same shape a list, the tables."""

    candidates: np.ndarray
    distances: Mapping[str, np.ndarray]
    query_table: pd.DataFrame
    gallery_table: pd.DataFrame
    notes: tuple[str, ...] = ()  # what is to be said of the lists

    def data(self) -> dict[str, np.ndarray]:
        """The columns of both tables by their names in the vocabulary."""
        return columns({"query": self.query_table, "gallery": self.gallery_table})

    def whole(self, distances: np.ndarray) -> np.ndarray:
        """Distances of the candidates as (nq, ng) of the whole gallery."""
        spare = np.where(self.candidates < 0, np.float32(0), distances)
        return dense(spare, self.candidates, len(self.gallery_table))

    def answer(self, state: State) -> np.ndarray:
        """(nq, ng) distances of a state with +inf, never returned, for every image that was not found.

        Found is what a list names; and, of the track of such an image, what stands in front of all images that
        have nothing to do with any list. Where all are of such tracks: in front of the last image that is named.
        """
        if state.listed:
            distances, named = self.alone(state.listed), self._named(~np.isnan(self.distances[state.listed]))
        else:
            distances, named = arrays.host(state.data["distances"]), self._named(self.candidates >= 0)
        pulled = self._of_named_tracks(named) & ~named
        others = ~named & ~pulled
        infinity = np.float32(np.inf)
        front = distances.min(axis=1, where=others, initial=infinity)
        last = distances.max(axis=1, where=named & np.isfinite(distances), initial=-infinity)
        pulled &= distances < np.where(others.any(axis=1), front, last)[:, None]
        return np.where(named | pulled, distances, infinity)

    def _named(self, candidates: np.ndarray) -> np.ndarray:
        """(nq, ng) bool from some of the candidates (nq, c)."""
        found = np.zeros((len(candidates), len(self.gallery_table)), bool)
        query, column = np.nonzero(candidates)
        found[query, self.candidates[query, column]] = True
        return found

    def _of_named_tracks(self, named: np.ndarray) -> np.ndarray:
        """(nq, ng) bool: which images are of the track of a named one; -1 is no track."""
        if "track" not in self.gallery_table:
            return np.zeros_like(named)
        tracks, of = np.unique(self.gallery_table["track"].to_numpy(), return_inverse=True)
        found = np.zeros((len(named), len(tracks)), bool)
        query, image = np.nonzero(named)
        found[query, of[image]] = True
        found[:, tracks == -1] = False
        return found[:, of]

    def alone(self, name: str) -> np.ndarray:
        """One list as (nq, ng): candidates of other lists stand behind, too."""
        own = ~np.isnan(self.distances[name])
        rows = np.where(own, self.candidates, -1)
        return dense(np.where(own, self.distances[name], 0), rows, len(self.gallery_table))


def read(folder: Folder, names: list[str]) -> Rankings:
    """Read the lists of a folder by name; raises InputError with every problem of all files.

    Where neither a list of names nor a table says what the images are, the rank lists do, if all of them hold
    names: those of all of them, sorted; queries in the lists' order where they have one.
    """
    lists, problems, notes = {}, list[str](), list[str]()
    paths = {name: folder.models[name][0] for name in names}
    for name, path in paths.items():
        with collecting(problems):
            lists[name] = formats.read(path)
    tables: dict[str, pd.DataFrame] = {}
    with collecting(problems):
        named = _names(list(lists.values())) if len(lists) == len(names) else None
        tables = read_tables(folder, named, notes=notes)
    if not tables:
        refuse_if_any(problems)
    images = {side: list(table["name"]) for side, table in tables.items()}
    by_line = [paths[name].name for name, ranking in lists.items() if ranking.query_names is None]
    if by_line:
        source = folder.names.get("query") or folder.tables.get("query")
        has = "has" if len(by_line) == 1 else "have"
        notes.append(
            f"query: joined by position: {examples(by_line, 20)} {has} no names, line by line they are the "
            f"queries of {source}, in its order"
        )
    for name, ranking in lists.items():
        with collecting(problems):
            partial = formats.named(formats.guess(paths[name])).absent
            lists[name] = aligned(
                str(paths[name]), ranking, images["query"], images["gallery"], partial=partial, notes=notes
            )
    refuse_if_any(problems)
    rows, matrices = candidates(list(lists.values()))
    distances = dict(zip(lists, matrices, strict=True))
    notes += [note for name, ranking in lists.items() if (note := _empty(paths[name], ranking))]
    return Rankings(rows, distances, tables["query"], tables["gallery"], tuple(notes))


def _names(lists: list[RankList]) -> dict[str, list[str]]:
    """The names that rank lists hold, by side; none where one of the lists holds numbers."""
    if any(ranking.by != "name" or ranking.query_names is None for ranking in lists):
        return {}
    orders = [ranking.query_names or [] for ranking in lists]
    queries = orders[0] if all(order == orders[0] for order in orders) else sorted_names(set().union(*orders))
    return {"query": queries, "gallery": sorted_names(set().union(*(ranking.gallery_names for ranking in lists)))}


def _empty(path: Path, ranking: RankList) -> str:
    """What is said of queries without an answer; empty where there is none."""
    empty = [(ranking.query_names or [])[row] for row in np.flatnonzero(ranking.counts == 0)]
    return f"{path.name}: no answer for {len(empty)} queries ({examples(empty)}), which counts as missed" * bool(
        empty
    )
