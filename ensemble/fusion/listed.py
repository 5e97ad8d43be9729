"""Rank lists joined as they are: no matrix of queries and gallery, memory for the entries of the lists.

A join takes matrices. Lists come to it as tables of the images that any of them names, a group of queries of about
the same number of images after the other, so that a long list costs no more than itself. What stands behind the
images of a query in such a table is +inf, which no join counts. What no list of a weight other than 0 names was
not found, and is in no answer.

A join that looks at all queries together gets one table, as wide as the longest; one whose columns have to be the
gallery's rows gets matrices of the whole gallery (``@join(lists=…)``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from ensemble.fusion import agreement, join, parts
from ensemble.fusion.join import Listed
from ensemble.submissions import Candidates, RankList, merged
from postproc import rank
from postproc.base.settings import settings_of
from postproc.base.step import with_defaults

Join = Callable[..., Any]
WIDER = {"padded": 1.25, "exact": 1.0}  # the widest list of a group, times the shortest


def join_lists(
    lists: Sequence[RankList], by: Join, *, top_k: int | None = None, places: bool | None = None, **settings: Any
) -> RankList:
    """Join rank lists by a join that takes distances, such as :func:`~ensemble.fusion.reciprocal_rank_fusion`.

    lists:    of the same queries and gallery, as :func:`ensemble.submissions.read_rankings` gives them.
    top_k:    images a query; None: all that any list names.
    places:   see :func:`ensemble.submissions.candidates`.
    settings: those of the join.
    Returns:  rank lists, nearest first, ties by gallery row; only what some list names, and nothing at +inf.
    Raises:   ValueError as the join does, and for lists of other images.
    Cost:     the join on the images that some list names; memory for the entries of all lists. See above for joins
              that need more.

    >>> from ensemble.fusion import reciprocal_rank_fusion
    >>> from ensemble.submissions import from_matrix
    >>> a, b = (from_matrix(np.array([row]), ["q"], ["x", "y", "z"]) for row in ([2, 0], [2, 1]))
    >>> join_lists([a, b], reciprocal_rank_fusion).rows
    array([2, 0, 1])
    """
    found = merged(lists, places=places)
    starts, rows, distances = ordered(found, joined(found, by, settings), top_k)
    return RankList(lists[0].query_names, lists[0].gallery_names, starts, rows, distances)


def joined(found: Candidates, by: Join, settings: Mapping[str, Any]) -> np.ndarray:
    """(n,) float32: the joined distance of every candidate; NaN where only lists of weight 0 name it."""
    known = settings_of(by)
    for name in settings:
        if name not in known:
            raise TypeError(f"{by.__name__}() got an unexpected keyword argument {name!r}")
    join.refuse(by, settings, found.distances)
    if join.wants_agreement(by, settings):
        settings = dict(settings) | {"weights": _agreement(found)}
    weights = settings.get("weights")
    used = [i for i in range(len(found.distances)) if weights is None or weights[i] != 0]
    chosen = dict(settings) | ({} if weights is None else {"weights": [weights[i] for i in used]})
    lists = [found.distances[i] for i in used]
    how = join.takes_lists(by, chosen)
    if how in ("gallery", "whole"):
        out = _in_the_gallery(found, by, lists, chosen)
    else:
        if "missing" in known and with_defaults(by, chosen)["missing"] == "refuse":
            parts.checked([values[None] for values in lists], "refuse", known["missing"].choices)
        out = np.empty(len(found.rows), np.float32)
        for queries in groups(found.counts, how):
            tables = [found.table(queries, values, np.inf) for values in lists]
            answer = np.asarray(by(tables, **chosen), np.float32)
            out[found.entries(queries)] = answer[np.arange(answer.shape[1]) < found.counts[queries, None]]
    out[np.logical_and.reduce([np.isnan(values) for values in lists])] = np.nan
    return out


def ordered(
    found: Candidates, distances: np.ndarray, top_k: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The candidates of every query nearest first, without those at NaN and +inf: starts, rows and distances."""
    there = np.isfinite(distances)
    counts = np.diff(np.append(0, np.cumsum(there))[found.starts])
    counts = counts if top_k is None else np.minimum(counts, top_k)
    starts = np.concatenate([[0], np.cumsum(counts)])
    made = Candidates(starts, np.empty(starts[-1], np.int32), (np.empty(starts[-1], np.float32),), found.gallery)
    far = np.where(there, distances, np.float32(np.inf))
    for queries in groups(found.counts, "padded"):
        table = found.table(queries, far, np.inf)
        columns = rank(table, top_k=top_k)
        query, place = np.nonzero(columns >= 0)
        columns = columns[query, place]
        at = made.entries(queries)
        made.rows[at] = found.rows[found.starts[queries][query] + columns]
        made.distances[0][at] = table[query, columns]
    return made.starts, made.rows, made.distances[0]


def groups(counts: np.ndarray, how: Listed) -> Iterator[np.ndarray]:
    """Queries to be joined in one table; those without any image are in none."""
    if how == "together":
        yield np.arange(len(counts))
        return
    order = np.argsort(counts, kind="stable")
    ascending = counts[order]
    begin = int(np.searchsorted(ascending, 1))
    while begin < len(order):
        end = int(np.searchsorted(ascending, int(ascending[begin] * WIDER[how]), side="right"))
        yield order[begin:end]
        begin = end


def found(
    candidates: Candidates, by: Join, shared: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> np.ndarray:
    """(nq, ng) float32 of a join of the kind "whole", which may find what no list names: +inf was not found.

    shared: what it looks at beside the lists, by its name in the vocabulary.
    """
    join.refuse(by, settings, candidates.distances)
    weights = settings.get("weights")
    known = np.zeros(len(candidates.rows), bool)
    for number, values in enumerate(candidates.distances):
        if isinstance(weights, str) or weights is None or weights[number]:
            known |= ~np.isnan(values)
    answer: np.ndarray = np.asarray(by(Spread(candidates), **shared, **settings), np.float32)
    named = np.zeros(answer.shape, bool)
    named[np.repeat(np.arange(len(answer)), candidates.counts)[known], candidates.rows[known]] = True
    answer[~named & (answer >= 0)] = np.inf
    return answer


class Spread(Sequence[np.ndarray]):
    """The lists of candidates as matrices of the whole gallery, NaN where a list lacks the image, made when asked.

    So that a join that looks at one after the other holds one.
    """

    def __init__(self, candidates: Candidates) -> None:
        self.candidates = candidates

    def __len__(self) -> int:
        return len(self.candidates.distances)

    @overload
    def __getitem__(self, number: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[np.ndarray]: ...

    def __getitem__(self, number: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        values = self.candidates.distances[number]
        out = np.full((len(self.candidates.counts), self.candidates.gallery), np.nan, np.float32)
        out[np.repeat(np.arange(len(out)), self.candidates.counts), self.candidates.rows] = values
        return out


def _agreement(candidates: Candidates) -> list[float]:
    """The weights of the lists as they agree."""
    everybody = np.arange(len(candidates.counts))
    tables = (candidates.table(everybody, values, np.nan) for values in candidates.distances)
    found: list[float] = agreement.weights_of_distances(tables).tolist()
    return found


def _in_the_gallery(
    found: Candidates, by: Join, lists: Sequence[np.ndarray], chosen: Mapping[str, Any]
) -> np.ndarray:
    """What a join makes of matrices of the whole gallery, NaN where a list lacks the image."""
    at = np.repeat(np.arange(len(found.counts)), found.counts), found.rows
    matrices = [np.full((len(found.counts), found.gallery), np.nan, np.float32) for _ in lists]
    for matrix, values in zip(matrices, lists, strict=True):
        matrix[at] = values
    answer: np.ndarray = np.asarray(by(matrices, **chosen), np.float32)[at]
    return answer
