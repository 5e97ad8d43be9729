"""Rank lists in memory: for every query its nearest gallery images, best first, whatever file they come from."""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ensemble.base.errors import InputError, examples
from ensemble.submissions.ties import told
from postproc.base.checks import whole

TOGETHER = 1024  # lists whose entries are made numbers and texts of Python at a time


@dataclass(frozen=True)
class RankList:
    """Lists of gallery images, one a query, of any length, nearest first.

    query_names:   whose list is whose; None: line ``i`` belongs to query ``i``.
    gallery_names: what ``rows`` point into; empty where the file holds numbers.
    starts:        (nq + 1,) int64: the list of query ``i`` is ``rows[starts[i]:starts[i + 1]]``.
    rows:          (n,) int64, what ``by`` says: ``name`` places in ``gallery_names``, ``number`` the numbers in
                   the images' names (AI City), ``place`` places in the gallery's list, from 0.
    distances:     (n,) float32, smaller is nearer, +inf allowed; None where the file holds only an order.
    partial:       it is a table of pairs: of queries that it does not name it knows nothing.
    """

    query_names: list[str] | None
    gallery_names: list[str]
    starts: np.ndarray
    rows: np.ndarray
    distances: np.ndarray | None = None
    by: Literal["name", "number", "place"] = "name"
    partial: bool = False

    def __post_init__(self) -> None:
        whole_numbers = {"starts": self.starts, "rows": self.rows}
        for name, values in whole_numbers.items():
            object.__setattr__(self, name, np.ascontiguousarray(values, np.int64))
        if self.distances is not None:
            with np.errstate(over="ignore"):  # too large for float32 is infinitely far
                object.__setattr__(self, "distances", np.ascontiguousarray(self.distances, np.float32))
            if self.distances.shape != self.rows.shape:
                raise ValueError(f"distances: wanted {self.rows.shape}, got shape {self.distances.shape}")
        if self.starts[0] != 0 or self.starts[-1] != len(self.rows) or (np.diff(self.starts) < 0).any():
            raise ValueError(f"starts: wanted 0 to {len(self.rows)}, ascending, got another")
        if self.query_names is not None and len(self.query_names) != len(self):
            raise ValueError(f"query_names: wanted {len(self)}, got {len(self.query_names)}")

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> np.ndarray:
        """(nq,) int64: how many images each query has."""
        return np.diff(self.starts)

    @property
    def query_of(self) -> np.ndarray:
        """(n,) int64: the query of each entry."""
        return np.repeat(np.arange(len(self)), self.counts)

    @property
    def places(self) -> np.ndarray:
        """(n,) int64: the place of each entry in its list, from 0."""
        return np.arange(len(self.rows)) - np.repeat(self.starts[:-1], self.counts)

    def lines(self) -> Iterator[np.ndarray]:
        """The rows of one query after the other."""
        return (self.rows[start:end] for start, end in zip(self.starts[:-1], self.starts[1:], strict=True))

    def first(self, top_k: int | None) -> "RankList":
        """The ``top_k`` best of every query; None: all."""
        if top_k is None:
            return self
        whole("top_k", top_k, 1)
        if (self.counts <= top_k).all():
            return self
        return self.only(self.places < top_k)

    def only(self, kept: np.ndarray) -> "RankList":
        """The entries that a mask (n,) keeps, in their order."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.query_of[kept], minlength=len(self)))])
        distances = None if self.distances is None else self.distances[kept]
        return replace(self, starts=starts, rows=self.rows[kept], distances=distances)

    def among_themselves(self, *, pairs: bool) -> "RankList":
        """The lists of one set, whose queries are the gallery in its order: without the own image.

        pairs: an entry is about two images, whichever asks: where the other one does not have it, it stands there
               too, and lists have the order of their distances, ties by row.
        """
        others = self.only(self.rows != self.query_of)
        if not pairs:
            return others
        assert others.distances is not None
        ends = np.stack([others.query_of, others.rows])
        (query, image), far = np.concatenate([ends, ends[::-1]], axis=1), np.tile(others.distances, 2)
        _, first = np.unique(query * len(self) + image, return_index=True)
        kept = first[np.lexsort((image[first], far[first], query[first]))]
        starts = np.concatenate([[0], np.cumsum(np.bincount(query[kept], minlength=len(self)))])
        return replace(self, starts=starts, rows=image[kept], distances=far[kept])

    def telling(self, *, ties: bool) -> np.ndarray:
        """(n,) float32 distances that tell the order by themselves (:mod:`ensemble.submissions.ties`).

        Where there are no distances, they are the places, from 1.

        ties: whether equal distances may stay where the gallery's rows tell the order, as anywhere else; then +inf
              stays too. If not, no two distances of a list are equal.
        """
        given = self.distances
        if given is None:
            given = (self.places + 1).astype(np.float32)
            ties = False  # behind place 2^24 float32 has one number for two of them
        behind = np.ones(len(self.rows), bool)
        if not ties:
            return told(given, behind, self.query_of)
        behind[1:] = self.rows[1:] < self.rows[:-1]
        finite = np.isfinite(given)
        out = given.copy()
        out[finite] = told(out[finite], behind[finite], self.query_of[finite])
        return out

    def entries(self) -> Iterator[tuple[str, int, str, float | None]]:
        """Query, place from 1, gallery image and distance of every entry."""
        assert self.query_names is not None
        for first in range(0, len(self), TOGETHER):
            starts = self.starts[first : first + TOGETHER + 1]
            counts, some = np.diff(starts), slice(starts[0], starts[-1])
            queries = np.repeat(np.arange(first, first + len(counts)), counts).tolist()
            ranks = (np.arange(some.start, some.stop) - np.repeat(starts[:-1], counts) + 1).tolist()
            rows = self.rows[some].tolist()
            distances = [None] * len(rows) if self.distances is None else self.distances[some].tolist()
            for query, rank, row, value in zip(queries, ranks, rows, distances, strict=True):
                yield self.query_names[query], rank, self.gallery_names[row], value


def from_matrix(
    rows: np.ndarray,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    distances: np.ndarray | None = None,
    *,
    top_k: int | None = None,
) -> RankList:
    """A ranking as a run leaves it -> rank lists.

    rows:      (nq, k) gallery rows, best first, -1 = no image; ``k`` is ``min(top_k, ng)`` or more.
    distances: (nq, k) how far they are.
    top_k:     take only so many, 1 or more; None: all.
    Raises:    ValueError for rows that are not as above or name an image twice.
    """
    best = _best_rows(rows, len(query_names), len(gallery_names), top_k)
    kept = best >= 0
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    values = None if distances is None else distances[:, : best.shape[1]][kept]
    return RankList(list(query_names), list(gallery_names), starts, best[kept], values)


def from_lists(
    lists: Iterable[tuple[str, Sequence[str], Sequence[float] | None]],
    *,
    similarity: bool = False,
    nearest_first: bool = False,
) -> RankList:
    """(query, names of images, their distances or None) one after the other -> rank lists by name.

    similarity:    the numbers are larger for nearer images.
    nearest_first: the numbers order every list, in all their digits; what is equally far stays as it comes.
    """
    codes: dict[str, int] = {}
    queries: list[str] = []
    starts, rows, values = array("q", [0]), array("q"), array("d")
    for query, images, distances in lists:
        queries.append(query)
        rows.extend([codes.setdefault(image, len(codes)) for image in images])
        starts.append(len(rows))
        if distances is not None:
            values.extend(distances)
    known = np.array(values) if values else None
    if known is not None and similarity:
        known = -known
    places = np.array(rows, np.int64)
    if known is not None and nearest_first:
        order = np.lexsort((known, np.repeat(np.arange(len(queries)), np.diff(np.array(starts)))))
        places, known = places[order], known[order]
    return RankList(queries, list(codes), np.array(starts), places, known)


def from_lines(lines: Sequence[Sequence[int]], *, by: Literal["number", "place"]) -> RankList:
    """Numbers, a line a query -> rank lists without names."""
    starts = np.cumsum([0, *map(len, lines)])
    return RankList(None, [], starts, np.array([number for line in lines for number in line], np.int64), by=by)


def from_columns(
    queries: Sequence[str],
    images: Sequence[str],
    order: Sequence[np.ndarray],
    distances: np.ndarray | None,
    *,
    query_names: Sequence[str] = (),
) -> RankList:
    """A table, a row an entry, in any order -> rank lists by name; queries in the order of their first rows.

    order:       keys (n,) by which each list is sorted, the first counts most, then the order of the rows.
    query_names: all queries in their order, where some have no row.
    """
    query_codes = {name: code for code, name in enumerate(dict.fromkeys(query_names or queries))}
    image_codes = {name: code for code, name in enumerate(dict.fromkeys(images))}
    query_of = np.array([query_codes[name] for name in queries], np.int64)
    rows = np.array([image_codes[name] for name in images], np.int64)
    sorting = np.lexsort((*reversed(order), query_of))
    starts = np.concatenate([[0], np.cumsum(np.bincount(query_of, minlength=len(query_codes)))])
    values = None if distances is None else distances[sorting]
    return RankList(list(query_codes), list(image_codes), starts, rows[sorting], values)


EMPTY = RankList([], [], np.zeros(1, np.int64), np.zeros(0, np.int64))


def _best_rows(rows: np.ndarray, queries: int, gallery: int, top_k: int | None) -> np.ndarray:
    if top_k is not None:
        whole("top_k", top_k, 1)
    least = min(top_k or 0, gallery)
    wanted = f"({queries}, {least} or more) whole numbers"
    if not np.issubdtype(rows.dtype, np.integer) or rows.ndim != 2 or len(rows) != queries:
        raise ValueError(f"rows: wanted {wanted}, one row a query, got shape {rows.shape} {rows.dtype}")
    if rows.shape[1] < least:
        raise ValueError(f"rows: wanted {wanted}, got shape {rows.shape}")
    best = rows[:, :top_k]
    if best.size and (best.min() < -1 or best.max() >= gallery):
        raise ValueError(f"rows: wanted -1 to {gallery - 1}, got {best.min()} to {best.max()}")
    ascending = np.sort(best, axis=1)
    twice = ((ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        raise ValueError(f"rows: wanted every image once, got one twice first in row {np.argmax(twice)}")
    return best


def refuse_names(where: str, names: Iterable[str], pattern: re.Pattern[str], wanted: str) -> None:
    """Refuse names that a format cannot hold, those that ``pattern`` finds something in."""
    wrong = [repr(name) for name in names if not name or pattern.search(name)]
    if wrong:
        raise InputError(
            [f"{where}: wanted {wanted}, found {examples(wrong)}; rename them or choose another format"]
        )
