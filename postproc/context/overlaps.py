"""The first ``top_k`` of k-reciprocal re-ranking without a second look at all pairs.

A Jaccard distance is below 1 only where two images share a member of V, or both hold it: a few hundred images a
query. Their values come from an inverted index, their distances from the query's list or, one pair at a time, from
the tiles. Everybody else is at ``(1 - lambda) + lambda p`` with a p of the end of the query's list or more, for
all nearer images are in the list. If the last of the ``top_k`` is strictly below that, the answer is certain, and
it is so nearly always where the list is a little longer than ``top_k``: what is in it is at that bound or below.
Queries that are not certain (equal distances where the list ends, numbers that are not finite) get their row of
all distances, as everybody would without lists of that length.

V itself, some hundred entries an image, never exists as a whole: the unaveraged rows and the k2 nearest stand for
it, and only its inverted index is kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.vocabulary import Nearest
from postproc.context.sparse import Sparse
from postproc.pairs import answering, long_lists
from postproc.pairs.layout import STRIP
from postproc.pairs.tiles import Lists, Tiles

BLOCK = 4096  # rows of V that are made at a time
FEW = 8  # one query in so many: their rows of distances are taken alone, more of them in whole tiles
MORE = 16  # how many more than wanted are asked for, in parts of them: first none, then one part, two, four
PAIRS = 1 << 20  # distances of chosen pairs that are asked for at a time


def length(tiles: Tiles, top_k: int | None) -> int | None:
    """How long lists must be that the answer is found in them and by overlap; None where strips are taken.

    On a device they are: what looks at single pairs is slow there. So they are where the distance to an image is
    another than that from it, and where somebody has found shorter lists.
    """
    layout = tiles.layout
    if arrays.on_cuda(layout.like) or not tiles.symmetric:
        return None
    wanted = long_lists.length(layout.nq, layout.ng, tiles.width, top_k, one_set=layout.one_set)
    short = tiles.known is not None and wanted is not None and tiles.known.rows.shape[1] < wanted
    return None if short else wanted


@dataclass(frozen=True)
class Averaged:
    """V of images: the mean of the rows ``near`` (images, k2) of ``vectors``, made when somebody asks for it.

    ``ascending``: members ascend, so that what i shares with j and j with i is one sum.
    """

    vectors: Sparse
    near: np.ndarray
    ascending: bool

    def of(self, lists: np.ndarray) -> Sparse:
        """V of images whose nearest these lists are."""
        kernel, vectors, lists = kernels.of(self.vectors.weights), self.vectors, np.ascontiguousarray(lists)
        sizes, members, weights = kernel.sparse.sum_of_rows(
            vectors.offsets, vectors.members, vectors.weights, lists, np.ones((1, 1), np.float32), 0, len(lists)
        )
        weights /= np.repeat((lists >= 0).sum(axis=1).astype(np.float32), sizes)
        found = Sparse(arrays.offsets(sizes), members, weights)
        if self.ascending:
            kernel.overlap.order_rows(found.offsets, found.members, found.weights)
        return found

    def inverted(self, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The columns of V of the images ``first ..``: (offsets, images - first, weights), images ascending."""
        kernel, images = kernels.of(self.vectors.weights), len(self.near)
        counts = np.zeros(images, np.int64)
        for _, piece in self.pieces(first, images):
            kernel.overlap.count_columns(piece.members, counts)
        offsets = arrays.offsets(counts)
        rows, weights = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.float32)
        ends = offsets[:-1].copy()
        for start, piece in self.pieces(first, images):
            kernel.overlap.fill_columns(
                piece.offsets, piece.members, piece.weights, start - first, ends, rows, weights
            )
        return offsets, rows, weights

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, Sparse]]:
        """V of the images ``first .. last``, some rows after the others, each made by a thread."""
        for begin in range(first, last, 8 * BLOCK):
            found: dict[int, Sparse] = {}

            def make(start: int, found: dict[int, Sparse] = found) -> None:
                found[start] = self.of(self.near[start : min(start + BLOCK, last)])

            starts = range(begin, min(begin + 8 * BLOCK, last), BLOCK)
            kernels.of(self.near).walk.run(make, starts, what="weights")
            for start in starts:
                yield start, found.pop(start)


@dataclass(frozen=True)
class Finish:
    """What the final values of pairs are made of; ``inverted`` is V's gallery side."""

    tiles: Tiles
    vectors: Averaged
    inverted: tuple[np.ndarray, np.ndarray, np.ndarray]
    least: np.ndarray
    scale: np.ndarray
    lambda_value: np.float32
    half_power: float

    @classmethod
    def of(cls, tiles: Tiles, vectors: Averaged, scale: np.ndarray, lambda_value: float, power: float) -> "Finish":
        """From V and what distances are divided by."""
        layout = tiles.layout
        inverted = vectors.inverted(layout.border)
        least = np.zeros(layout.ng, np.float32)
        if layout.one_set:
            kernels.of(least).overlap.sums_by_row(inverted[1], inverted[2], least)
        return cls(tiles, vectors, inverted, least, scale, np.float32(lambda_value), power / 2)

    def nearest(self, lists: Lists, top_k: int) -> Nearest:
        """The ``top_k`` nearest of every query; lists of one set are written over, so that both never exist."""
        layout = self.tiles.layout
        k = min(top_k, max(1, layout.others))
        values, rows = (_room(part, layout.nq, k, layout.one_set) for part in (lists.values, lists.rows))
        uncertain = []
        for start in range(0, layout.nq, long_lists.QUERIES):
            stop = min(start + long_lists.QUERIES, layout.nq)
            found, certain = self.of_candidates(lists.rows[start:stop], lists.values[start:stop], start, k)
            values[start:stop], rows[start:stop] = found.distances, found.rows
            uncertain.append(start + np.flatnonzero(~certain))

        def keep(queries: np.ndarray, found: Nearest) -> None:
            values[queries], rows[queries] = found.distances, found.rows

        wanted = np.concatenate(uncertain)
        self.of_everybody(wanted, k, keep, whole=many(len(wanted), layout.nq))
        return Nearest(values, rows)

    def of_candidates(
        self, near: np.ndarray, values: np.ndarray, first: int, k: int
    ) -> tuple[Nearest, np.ndarray]:
        """The nearest of the queries ``first ..`` among their candidates, and for which of them that is certain.

        near, values: (queries, w), the lists of these queries and their distances.
        """
        layout, kernel, last = self.tiles.layout, kernels.of(values), first + len(near)
        mix = self.scale, self.half_power, self.lambda_value

        def find(start: int, stop: int) -> tuple[np.ndarray, ...]:
            own = self.vectors.of(self.vectors.near[first + start : first + stop])
            found: tuple[np.ndarray, ...] = kernel.overlap.candidates(
                first + start, own.offsets, own.members, own.weights, *self.inverted, self.least,
                near[start:stop], values[start:stop], layout.inverse, not layout.distinct, layout.border,
                layout.one_set, *mix, k,
            )  # fmt: skip
            return found

        offsets, pool, jaccards, distances, ends = Sparse.in_pieces(find, last - first, values)
        sizes = np.diff(offsets)
        found = Nearest(np.full((last - first, k), np.inf, np.float32), np.empty((last - first, k), np.int32))
        counts = np.zeros(last - first, np.int64)
        certain = np.empty(last - first, np.bool_)

        def choose(asked: np.ndarray, start: int, stop: int) -> None:
            kernel.overlap.choose(
                first, offsets, sizes, pool, jaccards, distances, ends, *mix,
                start, stop, found.distances, found.rows, asked, counts,
            )  # fmt: skip

        def judge(start: int, stop: int) -> None:
            kernel.overlap.judge(
                first, ends, self.lambda_value, layout.ng, layout.one_set,
                start, stop, found.distances, found.rows, certain,
            )  # fmt: skip

        more = 0
        while sizes.any():
            asked = np.empty((last - first, k + more), np.int64)
            kernel.walk.over_rows(partial(choose, asked), last - first, what="answer")
            unknown = asked[np.arange(k + more) < counts[:, None]]
            more = min(max(2 * more, -(-k // MORE)), k)
            owners = np.repeat(np.arange(first, last, dtype=np.int32), counts)
            for begin in range(0, len(unknown), PAIRS):
                some = unknown[begin : begin + PAIRS]
                near = self.tiles.between(owners[begin : begin + PAIRS], layout.border + pool[some])
                distances[some] = np.where(np.isnan(near), np.inf, near)  # no number: behind all others
        kernel.walk.over_rows(judge, last - first, what="answer")
        return found, certain

    def of_everybody(
        self, wanted: np.ndarray, k: int, keep: Callable[[np.ndarray, Nearest], None], *, whole: bool
    ) -> None:
        """``keep(queries, nearest)`` with the ``wanted`` queries, by their distances to the whole gallery.

        whole: these come from whole tiles; if not, one pair at a time.
        """
        layout = self.tiles.layout

        def take(strip: np.ndarray, queries: np.ndarray) -> None:
            self._finish(strip, queries)
            keep(queries, answering.smallest(strip, k))

        if whole:

            def use(strip: np.ndarray, queries: np.ndarray) -> None:
                asked = np.isin(queries, wanted)
                if asked.any():
                    take(strip[asked], queries[asked])

            answering.strips(self.tiles, use, what="answer", asked=wanted)
            return
        gallery = np.arange(layout.border, layout.border + layout.ng, dtype=np.int32)
        tall = max(1, STRIP // (64 * layout.ng))
        for start in range(0, len(wanted), tall):
            some = wanted[start : start + tall]
            left, right = np.repeat(some.astype(np.int32), layout.ng), np.tile(gallery, len(some))
            take(self.tiles.between(left, right).reshape(len(some), layout.ng), some)

    def _finish(self, strip: np.ndarray, queries: np.ndarray) -> None:
        """Distances of some queries to the whole gallery become final values, in place; +inf where they are."""
        own, scale, kernel = self.vectors.of(self.vectors.near[queries]), self.scale[queries], kernels.of(strip)
        numbers = np.arange(len(queries))
        kernel.walk.over_rows(
            lambda start, stop: kernel.reciprocal.finish_strip(
                strip, numbers, own.offsets, own.members, own.weights, *self.inverted, self.least,
                scale, self.half_power, self.lambda_value, start, stop,
            ),
            len(strip),
            what="Jaccard distances",
            block=16,
        )  # fmt: skip
        if self.tiles.layout.one_set:
            answering.set_own(strip, queries)


def many(wanted: int, queries: int) -> bool:
    """Whether so many queries of all are better looked at in whole tiles."""
    return FEW * wanted > queries


def _room(part: np.ndarray, count: int, k: int, over: bool) -> np.ndarray:
    """Room for ``k`` entries a query: a new array, or the beginning of the lists, which are read row by row.

    Of lists that are not much longer, so that an answer does not keep a multiple of itself.
    """
    if not over or not k <= part.shape[1] <= k + max(k // 2, 2 * long_lists.MORE) or not part.flags.c_contiguous:
        return np.empty((count, k), part.dtype)
    return part.reshape(-1)[: count * k].reshape(count, k)
