"""Ranked lists of all images, and scores of the pairs that they name: what re-ranking by places alone is made of.

Such a technique sees of the images only who stands at which place of whose list. It makes sparse matrices of the
first places, scores every pair that a list names by an entry of their products, sorts the lists by the scores, and
begins anew. So it holds ``depth`` numbers an image, and no matrix of all by all. Images that nothing tells apart
have one list.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from postproc import kernels
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, Memory
from postproc.base.vocabulary import Distances, Floats, Ints, Nearest
from postproc.context.sparse import Sparse
from postproc.pairs import answering, nearest
from postproc.pairs.tiles import Tiles

Score = Callable[[Ints, int, int], Floats]

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def memory(listed: float, first: float = 0, pairs: float = 0, *, longer: int = 1) -> Memory:
    """Bytes for each place of a list, which has ``longer`` times ``depth``; for each of the first ``k``; and for
    each image that is in the lists of those, which are fewer than ``k^2``."""

    def needed(sizes: Sizes, chosen: Chosen) -> int:
        k = int(chosen["k"])
        depth, near, reached = (min(n, sizes.images) for n in (max(longer * chosen["depth"], k), k, k * k))
        return int(sizes.images * (listed * depth + first * near + pairs * reached))

    return needed


def lists_of(tiles: Tiles, depth: int) -> Ints:
    """(classes, depth) int32: the nearest of every class, itself first."""
    rows = nearest.of_classes(tiles, depth).rows
    return resorted(rows, np.broadcast_to(np.float32(0), rows.shape))


def resorted(rows: Ints, scores: Floats) -> Ints:
    """Lists by falling score; equal ones keep their order, and each image stays the first of its own."""
    out = np.empty_like(rows)

    def sort(start: int, stop: int) -> None:
        part = rows[start:stop]
        own = part == np.arange(start, stop)[:, None]
        own[~own.any(axis=1), -1] = True  # crowded out of its list
        keys = np.where(own, -np.inf, -scores[start:stop])
        found = np.take_along_axis(part, np.argsort(keys, axis=1, kind="stable"), axis=1)
        found[:, 0] = np.arange(start, stop)
        out[start:stop] = found

    kernels.of(rows).walk.over_rows(sort, len(rows), what="ranked lists", block=64)
    return out


def by_place(rows: Ints, weights: np.ndarray) -> Floats:
    """(depth,) float32: the weights of all places of a list, 0 behind the last that has one."""
    out = np.zeros(rows.shape[1], np.float32)
    out[: len(weights)] = weights[: len(out)]
    return out


def weighed(rows: Ints, weights: np.ndarray, first: int = 0) -> Sparse:
    """A sparse matrix: row i holds the places ``first ..`` of i's list, with ``weights`` by place."""
    weights = np.asarray(weights, np.float32)[: rows.shape[1]]
    some = rows[:, first : len(weights)]
    return Sparse.of_lists(some, np.broadcast_to(weights[first:], some.shape))


def logarithmic(k: int) -> np.ndarray:
    """(k,) float64: ``1 - log_k(r)`` at the places r = 1 .. k."""
    return 1 - np.log(np.arange(1, k + 1)) / np.log(k)


def expanded(rows: Ints, weights: np.ndarray, *, own: float = 0, one_step: float = 0) -> Sparse:
    """``own I + one_step W + W W``, W the weights by place: who is in the lists of whom a list names.

    Sums are taken in float64 and rounded once, so that they do not depend on the order of images.
    """
    from scipy.sparse import identity

    links = matrix_of(weighed(rows, weights))
    both = links @ links + one_step * links + own * identity(len(rows), format="csr")
    return sparse_of(both)


def matrix_of(rows: Sparse) -> "csr_matrix":
    """The same in float64."""
    from scipy.sparse import csr_matrix

    shape = (rows.rows, rows.rows)
    return csr_matrix((rows.weights.astype(np.float64), rows.members, rows.offsets), shape)


def sparse_of(matrix: "csr_matrix") -> Sparse:
    """The same in float32, what is above 0, columns ascending."""
    matrix = matrix.tocsr()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return Sparse(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32))


def largest_sums(matrix: Sparse, k: int) -> np.ndarray:
    """(n,) float64: of each row the sum of its ``k`` largest weights."""
    out = np.zeros(matrix.rows)

    def add(start: int, stop: int) -> None:
        for i in range(start, stop):
            row = matrix.weights[matrix.offsets[i] : matrix.offsets[i + 1]]
            out[i] = np.sort(row)[::-1][:k].sum(dtype=np.float64)

    kernels.of(matrix.weights).walk.over_rows(add, matrix.rows, what="sums")
    return out


def scaled(matrix: Sparse, factors: np.ndarray) -> Sparse:
    """Each row times a factor of its own."""
    return Sparse(matrix.offsets, matrix.members, matrix.weights * factors.astype(np.float32)[matrix.owners])


def transposed(matrix: Sparse) -> Sparse:
    """Columns as rows."""
    return Sparse(*matrix.inverted(0))


def on_lists(rows: Ints, left: Sparse, right: Sparse, *, least: bool = False) -> Floats:
    """The entries (i, rows[i, t]) of the product ``left right``; with ``least`` of sums of minima in its place."""
    kernel = kernels.of(rows)
    out = np.empty(rows.shape, np.float32)
    scores = partial(
        kernel.ranks.products_on_lists,
        rows, left.offsets, left.members, left.weights, right.offsets, right.members, right.weights, least,
    )  # fmt: skip
    kernel.walk.over_rows(partial(scores, out=out), len(rows), what="scores", block=64)
    return out


def back(rows: Ints, weights: np.ndarray) -> Floats:
    """(n, depth) float32: for each place of a list the weight of the own place in the other's, or 0."""
    count = len(rows)
    own = Sparse(np.arange(count + 1), np.arange(count, dtype=np.int32), np.ones(count, np.float32))
    return on_lists(rows, own, transposed(weighed(rows, weights)))


def mutual(rows: Ints, weights: np.ndarray) -> Ints:
    """Lists sorted by what the places of two images in each other's list weigh together."""
    return resorted(rows, by_place(rows, weights) + back(rows, weights))


def queries(tiles: Tiles, rows: Ints) -> Ints:
    """The lists of those that ask, which come first."""
    return rows[: tiles.layout.query_classes]


def reranked(tiles: Tiles, rows: Ints, score: Score, rounds: int, *, top_k: int | None) -> Distances | Nearest:
    """The answer of lists that are sorted again and again; of no round the distances.

    ``score(rows, count, done)`` gives (count, depth) scores of the first lists, after ``done`` rounds.
    """
    if not rounds:
        return answering.answer(tiles, lambda strip, asked: None, top_k=top_k)
    for done in range(rounds - 1):
        rows = resorted(rows, score(rows, len(rows), done))
    asked = queries(tiles, rows)
    return answer(tiles, asked, score(rows, len(asked), rounds - 1), top_k=top_k)


def answer(tiles: Tiles, rows: Ints, scores: Floats, *, top_k: int | None) -> Distances | Nearest:
    """``-score`` for what the lists of the queries name, each query's copies first; others at their distance."""
    kernel = kernels.of(rows)
    own = rows == np.arange(len(rows))[:, None]
    largest = np.where(own, 0, scores).max(axis=1, keepdims=True)
    above = np.nextafter(np.maximum(largest, 0), np.float32(np.inf))
    scores = np.where(own, np.where(largest > 0, np.maximum(scores, above), 0), scores)
    sources = tiles.layout.inverse[: tiles.layout.nq]
    offsets, images = tiles.layout.gallery

    def change(strip: np.ndarray, asked: np.ndarray) -> None:
        put = partial(kernel.ranks.put_scores, strip, sources[asked], rows, scores, offsets, images)
        kernel.walk.over_rows(put, len(strip), what="scores", block=64)

    return answering.answer(tiles, change, top_k=top_k)
