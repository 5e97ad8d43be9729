"""Old submissions in the place of features: every list a part, joined over the images that any list names.

A list says how far an image is, or only at which place it stands. All lists are brought to candidates, with memory
for their entries and no matrix; a join makes one distance of each candidate, and these are the answer. Only a step
behind the join wants the whole gallery: then what no list names stands behind what some list does.

What is an answer: :mod:`ensemble.pipeline.answers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import examples, refuse_if_any
from ensemble.base.features import columns
from ensemble.fusion import listed
from ensemble.io import Folder, read_tables
from ensemble.io.alignment import sorted_names
from ensemble.pipeline import directions
from ensemble.pipeline.answers import Tracks, answered, strips
from ensemble.pipeline.state import State
from ensemble.submissions import Candidates, RankList, aligned, dense, formats, merged, python_text
from ensemble.submissions.alignment import KEY
from postproc import Nearest, rank
from postproc.base import arrays

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answer:
    """Lists of gallery rows, nearest first: that of query ``i`` is ``rows[starts[i]:starts[i + 1]]``."""

    starts: np.ndarray
    rows: np.ndarray
    distances: np.ndarray

    def first(self, k: int | None = None) -> Nearest:
        """The first ``k`` of every list, all of them for None, -1 and +inf behind the last."""
        counts = np.diff(self.starts)
        width = int(counts.max(initial=1)) if k is None else k
        there = np.arange(width) < counts[:, None]
        at = (self.starts[:-1, None] + np.arange(width))[there]
        rows, distances = np.full(there.shape, -1, np.int32), np.full(there.shape, np.inf, np.float32)
        rows[there], distances[there] = self.rows[at], self.distances[at]
        return Nearest(distances, rows)

    def matrix(self, gallery: int) -> np.ndarray:
        """(nq, gallery) distances, +inf for what is in no list."""
        out = np.full((len(self.starts) - 1, gallery), np.inf, np.float32)
        out[np.repeat(np.arange(len(out)), np.diff(self.starts)), self.rows] = self.distances
        return out


@dataclass(frozen=True)
class Rankings:
    """Lists of the same queries and gallery by name, as candidates, and the tables of the images."""

    names: tuple[str, ...]
    found: Candidates
    query_table: "pd.DataFrame"
    gallery_table: "pd.DataFrame"
    notes: tuple[str, ...] = ()  # what is to be said of the lists
    one_set: bool = False  # queries and gallery are the same images, and no list names its own

    def data(self) -> dict[str, np.ndarray]:
        """The columns of both tables by their names in the vocabulary."""
        return columns({"query": self.query_table, "gallery": self.gallery_table})

    def of(self, name: str) -> np.ndarray:
        """(n,) what one list says of the candidates, NaN where it does not name them."""
        return self.found.distances[self.names.index(name)]

    def joined(self, lists: Sequence[np.ndarray], by: listed.Join, settings: Mapping[str, Any]) -> np.ndarray:
        """(n,) the candidates joined, NaN where none of the lists that count names them."""
        parts = Candidates(self.found.starts, self.found.rows, tuple(lists), self.found.gallery)
        return listed.joined(parts, by, settings)

    def found_by(
        self,
        lists: Sequence[np.ndarray],
        by: listed.Join,
        shared: Mapping[str, np.ndarray],
        settings: Mapping[str, Any],
    ) -> np.ndarray:
        """(nq, ng) from a join that finds images that no list names: +inf for what was not found."""
        parts = Candidates(self.found.starts, self.found.rows, tuple(lists), self.found.gallery)
        return listed.found(parts, by, shared, settings)

    def whole(self, distances: np.ndarray) -> np.ndarray:
        """Distances of the candidates (n,) as (nq, ng) of the whole gallery."""
        out = np.empty((len(self.query_table), len(self.gallery_table)), np.float32)
        for queries in strips(*out.shape):
            within = np.arange(len(out))[queries]
            rows, values = (self.found.table(within, each, -1) for each in (self.found.rows, distances))
            unknown = np.isnan(values)
            out[queries] = dense(np.where(unknown, 0, values), np.where(unknown, -1, rows), out.shape[1])
        if self.one_set:
            np.fill_diagonal(out, np.inf)
        return out

    def answer(self, state: State, top_k: int | None = None) -> Answer:
        """What was found, nearest first, of a state whose ``listed`` is not None; ``top_k`` of every query."""
        assert state.listed is not None
        if "distances" not in state.data:
            return Answer(*listed.ordered(self.found, state.listed, top_k))
        matrix, tracks = arrays.host(state.data["distances"]), self._tracks()
        counts: list[np.ndarray] = [np.zeros(1, np.int64)]
        rows: list[np.ndarray] = []
        distances: list[np.ndarray] = []
        for queries in strips(*matrix.shape):
            far = matrix[queries]
            if not state.everything:
                far = answered(far, self._named(queries, state.listed), tracks)
            nearest = rank(far, top_k=top_k)
            query, place = np.nonzero(nearest >= 0)
            counts.append((nearest >= 0).sum(axis=1))
            rows.append(nearest[query, place])
            distances.append(far[query, rows[-1]])
        return Answer(np.cumsum(np.concatenate(counts)), np.concatenate(rows), np.concatenate(distances))

    def filled(self, state: State, answer: Answer, k: int) -> np.ndarray:
        """(nq, k) rows of the answer, and behind them images that were not found."""
        out = answer.first(k).rows
        matrix = arrays.host(state.data["distances"]) if "distances" in state.data else None
        assert state.listed is not None
        for query in np.flatnonzero((out < 0).any(axis=1)).tolist():
            if matrix is not None:
                full = rank(matrix[query : query + 1], top_k=k)[0]
                out[query, : len(full)] = full
                continue
            span = slice(self.found.starts[query], self.found.starts[query + 1])
            left = np.ones(self.found.gallery, bool)
            left[self.found.rows[span][~np.isnan(state.listed[span])]] = False
            left[query if self.one_set else []] = False
            lacking = np.flatnonzero(out[query] < 0)
            more = np.flatnonzero(left)[: len(lacking)]
            out[query, lacking[: len(more)]] = more
        return out

    def _named(self, queries: slice, listed: np.ndarray) -> np.ndarray:
        """(n, ng) bool: which images are named for some of the queries."""
        starts = self.found.starts[queries.start : queries.stop + 1]
        span = slice(starts[0], starts[-1])
        there = ~np.isnan(listed[span])
        found = np.zeros((len(starts) - 1, self.found.gallery), bool)
        found[np.repeat(np.arange(len(found)), np.diff(starts))[there], self.found.rows[span][there]] = True
        return found

    def _tracks(self) -> Tracks:
        return Tracks(self.gallery_table["track"].to_numpy() if "track" in self.gallery_table else None)


def read(folder: Folder, names: list[str], similarity: Sequence[str] = ()) -> Rankings:
    """Read the lists of a folder by name; raises InputError with every problem of all files.

    Where neither a list of names nor a table says what the images are, the rank lists do, if all of them hold
    names: those of all of them, sorted; queries in the lists' order where they have one, and so the gallery of
    printed matrices.

    similarity: those whose numbers are larger for nearer images.
    """
    lists, problems, notes = {}, list[str](), list[str]()
    paths = {name: folder.models[name][0] for name in names}
    for name, path in paths.items():
        with collecting(problems):
            lists[name] = formats.read(path, similarity=name in similarity)
    tables: dict[str, pd.DataFrame] = {}
    with collecting(problems):
        dumps = all(formats.guess(path) == python_text.FORMAT.name for path in paths.values())
        named = names_of(list(lists.values()), dumps) if len(lists) == len(names) else None
        sides = ("gallery",) if folder.one_set else ("query", "gallery")
        tables = read_tables(folder, named, notes=notes, sides=sides)
        tables = {"query": tables["gallery"], **tables}
    if not tables:
        refuse_if_any(problems)
    if named and dumps and not (folder.names or folder.tables):
        notes += _files_of_keys(tables)
    images = {side: list(table["name"]) for side, table in tables.items()}
    by_line = [paths[name].name for name, ranking in lists.items() if ranking.query_names is None]
    if by_line:
        side = "gallery" if folder.one_set else "query"
        source = folder.names.get(side) or folder.tables.get(side)
        has = "has" if len(by_line) == 1 else "have"
        notes.append(
            f"query: joined by position: {examples(by_line, 20)} {has} no names, line by line they are the "
            f"queries of {source}, in its order"
        )
    for name, ranking in lists.items():
        with collecting(problems):
            partial = ranking.partial or formats.named(formats.guess(paths[name])).absent
            lists[name] = aligned(
                str(paths[name]), ranking, images["query"], images["gallery"], partial=partial, notes=notes
            )
            if folder.one_set:
                lists[name] = lists[name].among_themselves(pairs=ranking.partial)
    refuse_if_any(problems)
    notes += [note for name, ranking in lists.items() if (note := _empty(paths[name], ranking))]
    notes += [
        f"{paths[name].name}: it has an order and no numbers, so that it is no list of similarities either"
        for name, ranking in lists.items()
        if name in similarity and ranking.distances is None
    ]
    found = merged(list(lists.values()))
    notes += directions.doubts({paths[name].name: name for name in lists}, found, similarity)
    return Rankings(tuple(lists), found, tables["query"], tables["gallery"], tuple(notes), folder.one_set)


def names_of(lists: list[RankList], dumps: bool) -> dict[str, list[str]]:
    """The names that rank lists hold, by side; none where one of the lists holds numbers, or no list any name.

    dumps: they are printed matrices, whose columns stand in the gallery's order.
    """
    if any(ranking.by != "name" or ranking.query_names is None for ranking in lists):
        return {}
    orders = [ranking.query_names for ranking in lists if ranking.query_names] or [[]]
    queries = orders[0] if all(order == orders[0] for order in orders) else sorted_names(set().union(*orders))
    gallery = lists[0].gallery_names
    if not (dumps and all(ranking.gallery_names == gallery for ranking in lists)):
        gallery = sorted_names(set().union(*(ranking.gallery_names for ranking in lists)))
    names = {"query": queries, "gallery": gallery}
    return {side: known for side, known in names.items() if known}


def _files_of_keys(tables: "Mapping[str, pd.DataFrame]") -> list[str]:
    """Images called by their file where all names are printed keys, PID_CAM_FILE; what is said of it."""
    files = {side: [key and key[1] for key in map(KEY.fullmatch, table["name"])] for side, table in tables.items()}
    if any(None in of or len(set(of)) < len(of) for of in files.values()):
        return []
    for side, table in tables.items():
        table["name"] = files[side]
    return ["names of the images: the file in their keys, PID_CAM_FILE"]


def _empty(path: Path, ranking: RankList) -> str:
    """What is said of queries without an answer; empty where there is none."""
    empty = [(ranking.query_names or [])[row] for row in np.flatnonzero(ranking.counts == 0)]
    return f"{path.name}: no answer for {len(empty)} queries ({examples(empty)}), which counts as missed" * bool(
        empty
    )
