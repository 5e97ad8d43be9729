"""Queries compete for tracks: a soft one to one, found for all queries at once.

Source: our own, found on rank lists of the AI City challenge. The nearest published relatives are Sinkhorn's
scaling of an assignment (Cuturi, NIPS 2013) and the exclusion of AI City 2020's first place.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from postproc import kernels
from postproc.base import checks, runtime
from postproc.base.settings import Count, Neighbours, Share, Weight, Within
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, checked
from postproc.base.vocabulary import Unchecked
from postproc.base.work import Work
from postproc.tracks.grouping import compact

Pool = Literal["camera", "all", "none"]
Power = Annotated[Weight, Within(0, 100)]
Lend = Annotated[Weight, Within(0, 100)]
Rounds = Annotated[Count, Within(0, 1000)]
TINY = 1e-9  # of what a claim was before the competition that decides where nothing is left of it
COLUMNS = 256  # of sums, a task


def held_by(sizes: Sizes, chosen: Chosen) -> int:
    """Bytes of a competition: two and a half matrices and the answer, lists of queries and tracks, votes."""
    tracks = max(1, sizes.tracks)
    queries, lenders = (min(int(chosen["neighbours"]), count) for count in (sizes.nq, tracks))
    votes = 100 * sizes.nq * min(int(chosen["depth"]), sizes.ng)
    return 28 * sizes.nq * tracks + 64 * sizes.nq * queries + 32 * tracks * lenders + votes


def looks(sizes: Sizes, chosen: Chosen) -> Work:
    """What a competition has to do: claims gone over for each who pools or lends, in every round."""
    tracks = max(1, sizes.tracks)
    queries, lenders = (min(int(chosen["neighbours"]), count) for count in (sizes.nq, tracks))
    pooled = 2 * int(chosen["rounds"]) * queries / 8 + 2 * lenders / 4
    return Work(entries=sizes.nq * tracks * (pooled + 20 * int(chosen["rounds"])))


@checked
def compete(
    votes: Unchecked,
    query_cam: Unchecked = None,
    track_cam: Unchecked = None,
    *,
    pool: Pool = "camera",
    power: Power = 8.0,
    neighbours: Neighbours = 1000,
    lend: Lend = 0.5,
    sharpen: Share = 0.5,
    once: bool = True,
    regroup: bool = True,
    rounds: Rounds = 4,
) -> Any:
    """Let queries compete for tracks: a track shows one vehicle, and a vehicle has one track a camera.

    1. Queries pool: ``A = W v``; W are the shares of ``C^power``, C the cosine between rows of votes, those for
       the own camera included; afterwards a query has no claim on tracks of its own camera.
    2. Tracks lend: ``A += lend A T``; T is the squared cosine between columns of votes without those for the own
       camera, of tracks of different cameras alone, its rows of sum 1 at most.
    3. ``rounds`` times: ``A *= (A / sum of the column)^sharpen``; where ``once``, ``A *= (A / sum of the row in
       the track's camera)^sharpen``; where ``regroup``, except in the last round, W again, from ``sqrt(C cos)``
       with the cosine between the rows of sqrt(A); ``A = W A``.

    What a claim was before step 3, times 1e-9, decides where nothing is left of it.

    Takes:   votes (nq, tracks) of 0 or more: those of :func:`track_votes`, summed over rankings, or any others.
             query_cam (nq,) int, track_cam (tracks,) int, None or -1 where unknown: such a query has no own camera
             and pools with others of unknown camera; such a track neither lends nor competes inside a camera.
    Returns: claims (nq, tracks) float64, 0 or more, **higher is nearer**, no unit: they say an order for every
             query. A query without votes has none. The answer of a query depends on the other queries.
    pool:    "camera": with queries of the same camera, where a vehicle's queries come from one camera. "all": with
             all queries. "none": where a vehicle has one query.
    power:   0 to 100. Small: queries that are a little alike pool too.
    neighbours: 1 or more: at most so many queries pool with a query, and so many tracks lend to a track, the most
             alike ones, ties by row.
    lend:    0 to 100. 0: no lending.
    sharpen: 0 to 1. 0: no competition. 0.25 where the gallery has many tracks that nobody asks for.
    once:    off where a camera may have several tracks of one vehicle.
    regroup: whether W is found again in every round.
    rounds:  0 to 1,000.
    Raises:  ValueError for votes below 0, NaN or infinity, lengths that do not fit, a setting out of range.
    Cost:    time O(rounds nq (neighbours + 1) tracks) and the products of the votes that two queries or two tracks
             share; memory: one and a half matrices of the answer's size beside it, lists of ``neighbours``.

    >>> compete(np.array([[5, 4], [5, 1]]), pool="none").round(2)  # both want the first; who else has the second?
    array([[0.38, 1.  ],
           [0.38, 0.  ]])
    """
    from scipy.sparse import csr_array

    given = np.asarray(votes, np.float64)
    if given.ndim != 2 or not (given >= 0).all() or not np.isfinite(given).all():
        raise ValueError("votes: wanted a matrix of finite numbers of 0 or more, found others")
    nq, nt = given.shape
    cameras = Cameras.of(query_cam, track_cam, nq, nt)
    how = How(pool, float(power), int(neighbours), float(lend), float(sharpen), once, regroup, int(rounds))
    return claims(csr_array(given), cameras, how)


@dataclass(frozen=True)
class Cameras:
    """Whose cameras are known: of queries and tracks in one numbering 0, 1, …, -1 unknown."""

    query: np.ndarray
    track: np.ndarray

    @classmethod
    def of(cls, query_cam: Unchecked, track_cam: Unchecked, nq: int, nt: int) -> "Cameras":
        """Checked; None is unknown."""
        query = np.full(nq, -1) if query_cam is None else checks.labels("query_cam", query_cam, nq)
        track = np.full(nt, -1) if track_cam is None else checks.labels("track_cam", track_cam, nt)
        both = compact(np.concatenate([query, track]))
        return cls(both[:nq], both[nq:])


@dataclass(frozen=True)
class How:
    """The settings of a competition, as :func:`compete` has them."""

    pool: str = "camera"
    power: float = 8.0
    neighbours: int = 1000
    lend: float = 0.5
    sharpen: float = 0.5
    once: bool = True
    regroup: bool = True
    rounds: int = 4


def claims(votes: Any, cameras: Cameras, how: How) -> np.ndarray:
    """:func:`compete` for sparse votes, scipy's."""
    used = np.flatnonzero(np.bincount(votes.indices, votes.data, votes.shape[1]) > 0)
    out = np.zeros(votes.shape)
    if len(used):
        competition = _Competition(votes[:, used], Cameras(cameras.query, cameras.track[used]), how)
        found = competition.claims()
        if len(used) == votes.shape[1]:
            return found
        out[:, used] = found
    return out


def without_own(votes: Any, cameras: Cameras) -> Any:
    """Sparse votes, 0 for tracks of the query's own camera."""
    of_query = np.repeat(cameras.query, np.diff(votes.indptr))
    out = votes.copy()
    out.data[(of_query >= 0) & (of_query == cameras.track[votes.indices])] = 0
    return out


class _Competition:
    """Two matrices of claims, written in turn, and who pools with whom."""

    def __init__(self, votes: Any, cameras: Cameras, how: How) -> None:
        self.votes, self.cameras, self.how = votes, cameras, how
        self.open = without_own(votes, cameras)
        self.kernel = kernels.of(votes.data).claims
        self.now, self.next = np.empty(votes.shape), np.empty(votes.shape)

    def claims(self) -> np.ndarray:
        how = self.how
        rows, near = self._alike_queries()
        lent = self._alike_tracks() if how.lend else None
        weights = _shares(near**how.power)
        self._start(rows, weights, lent)
        first = self.now.astype(np.float32)
        again = weights
        for number in range(how.rounds):
            self._sharpen()
            if how.regroup and how.pool != "none" and number < how.rounds - 1:
                again = _shares((near * self._alike_again(rows)) ** (how.power / 2))
            self._pool(rows, again)
            self.now /= self.now.max() or 1
        np.multiply(first, TINY * self.now.max(axis=1, keepdims=True), out=self.next)
        self.now += self.next  # what a claim was decides where nothing is left of it
        return self.now

    def _rows(self, function: Any, count: int | None = None) -> None:
        runtime.over_rows(function, self.votes.shape[0] if count is None else count, what="claims")

    def _alike_queries(self) -> tuple[np.ndarray, np.ndarray]:
        nq = self.votes.shape[0]
        if self.how.pool == "none":
            return np.arange(nq, dtype=np.int32)[:, None], np.ones((nq, 1))
        group = self.cameras.query if self.how.pool == "camera" else np.zeros(nq, np.int32)
        cameras = [np.flatnonzero(group == camera) for camera in np.unique(group)]
        width = min(self.how.neighbours, max(map(len, cameras)))
        rows, near = np.full((nq, width), -1, np.int32), np.zeros((nq, width))
        for queries in cameras:  # those of one camera have nothing to do with the others
            found, alike = self._alike(self.votes[queries], np.zeros(len(queries), np.int32), apart=False)
            columns = slice(0, found.shape[1])
            rows[queries, columns] = np.where(found < 0, -1, queries[found])
            near[queries, columns] = alike
        return rows, near

    def _alike_tracks(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Tracks that others lend to, and the shares."""
        if not (self.cameras.track >= 0).any():
            return None
        tracks, alike = self._alike(self.open.T.tocsr(), self.cameras.track, apart=True)
        alike **= 2
        return tracks, alike / np.maximum(alike.sum(axis=1, keepdims=True), 1)

    def _alike(self, matrix: Any, group: np.ndarray, *, apart: bool) -> tuple[np.ndarray, np.ndarray]:
        columns = matrix.T.tocsr()
        n, width = matrix.shape[0], min(self.how.neighbours, matrix.shape[0])
        lengths = np.zeros(n)
        rows, values = np.empty((n, width), np.int32), np.empty((n, width))
        np.add.at(lengths, np.repeat(np.arange(n), np.diff(matrix.indptr)), matrix.data**2)
        sides = [part for side in (matrix, columns) for part in _parts(side)]
        self._rows(
            lambda start, stop: self.kernel.alike_rows(
                *sides, np.sqrt(lengths), group.astype(np.int32), apart, start, stop, rows, values
            ),
            n,
        )
        return rows, values

    def _start(self, rows: np.ndarray, weights: np.ndarray, lent: tuple[np.ndarray, np.ndarray] | None) -> None:
        """``now``: what is pooled and lent, before anybody competes; the largest claim is 1."""
        parts = _parts(self.open)
        self._rows(lambda start, stop: self.kernel.pool_sparse(rows, weights, *parts, start, stop, self.now))
        self._clear()
        if lent is not None:
            self._rows(partial(self.kernel.lend_rows, *lent, self.how.lend, self.now))
            self._clear()
        self.now /= self.now.max() or 1

    def _clear(self) -> None:
        self._rows(partial(self.kernel.clear_own, self.cameras.query, self.cameras.track, self.now))

    def _sharpen(self) -> None:
        sums, count = np.empty(self.now.shape[1]), int(self.cameras.track.max(initial=-1)) + 1
        runtime.over_rows(
            lambda start, stop: self.kernel.sums_of_columns(self.now, start, stop, sums),
            len(sums), what="claims", block=COLUMNS,
        )  # fmt: skip
        settings = self.how.once, self.how.sharpen
        self._rows(partial(self.kernel.sharpen_rows, sums, self.cameras.track, count, *settings, self.now))

    def _alike_again(self, rows: np.ndarray) -> np.ndarray:
        roots, out = self.next, np.empty(rows.shape)
        np.sqrt(self.now, out=roots)
        lengths = np.sqrt(np.array([row.sum() for row in self.now]))
        self._rows(lambda start, stop: self.kernel.alike_again(rows, roots, lengths, start, stop, out))
        return out

    def _pool(self, rows: np.ndarray, weights: np.ndarray) -> None:
        if self.how.pool == "none":
            return
        self._rows(lambda start, stop: self.kernel.pool_rows(rows, weights, self.now, start, stop, self.next))
        self.now, self.next = self.next, self.now
        self._clear()


def _parts(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets int64, members int32 and values of a sparse matrix: one kind, whatever scipy chose."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


def _shares(values: np.ndarray) -> np.ndarray:
    """Every row over its sum; a row of zeros stays."""
    sums = values.sum(axis=1, keepdims=True)
    return values / np.where(sums > 0, sums, 1)
