"""Several rank lists as one table of candidates: what old submissions need to be joined like models.

lists = read_rankings(folder, query_names=names, gallery_names=images)
rows, distances = candidates(list(lists.values()))
fused = ...                                  # (nq, c) from the (nq, c) of every list
whole = dense(fused, rows, len(images))      # (nq, ng)
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, near, refuse_if_any
from ensemble.io.write import LEFT_OVER
from ensemble.submissions import formats
from ensemble.submissions.ranklist import RankList
from ensemble.submissions.unions import union
from postproc.base import checks


def read_rankings(
    folder: Path,
    *,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    similarity: Collection[str] = (),
    partial: bool = False,
) -> dict[str, RankList]:
    """Every file of a folder as rank lists in the order of the names, by the name of the file without its ending.

    query_names, gallery_names: the images; numbers of AI City files are those in the gallery's names.
    similarity: names of the lists whose numbers are larger for nearer images.
    partial:    a file may lack queries; their lists are empty.
    Returns:    in the order of the names. Hidden files, folders and ``NAME.PID.part`` are passed over.
    Raises:     InputError with every problem of all files.
    """
    if not folder.is_dir():
        raise InputError([f"{folder}: wanted a folder of rank lists, found none; check the path"])
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    paths = [path for path in files if not LEFT_OVER.fullmatch(path.name)]
    problems: list[str] = []
    if not paths:
        problems.append(f"{folder}: wanted files of rank lists, found none; copy them there")
    names = [path.stem for path in paths]
    for name in similarity:
        if name not in names:
            problems.append(
                f"similarity: wanted a list of {folder} ({examples(names)}), found {name}{near(name, names)}"
            )
    for path in paths:
        if names.count(path.stem) > 1:
            problems.append(f"{path}: wanted one file a name, found another of the name {path.stem}; rename it")
    lists: dict[str, RankList] = {}
    for path in paths:
        with collecting(problems):
            lists[path.stem] = formats.read_aligned(
                path, query_names, gallery_names, similarity=path.stem in similarity, partial=partial
            )
    refuse_if_any(problems)
    return lists


@dataclass(frozen=True)
class Candidates:
    """The images that any of several lists names, without a matrix: memory for the entries of the lists.

    starts:    (nq + 1,) int64: those of query ``i`` are ``rows[starts[i]:starts[i + 1]]``.
    rows:      (n,) int32 gallery rows, ascending in every query.
    distances: for every list (n,) float32, NaN where it lacks the image.
    gallery:   how many images there are.
    """

    starts: np.ndarray
    rows: np.ndarray
    distances: tuple[np.ndarray, ...]
    gallery: int

    @property
    def counts(self) -> np.ndarray:
        """(nq,) int64: how many images each query has."""
        return np.diff(self.starts)

    def table(self, queries: np.ndarray, values: np.ndarray, fill: float) -> np.ndarray:
        """(len(queries), c) of what is known of the images, one value each, ``fill`` behind the last."""
        counts = self.counts[queries]
        out = np.full((len(queries), int(counts.max(initial=1))), fill, values.dtype)
        out[np.arange(out.shape[1]) < counts[:, None]] = values[self.entries(queries)]
        return out

    def entries(self, queries: np.ndarray) -> np.ndarray:
        """(n,) int64: where the images of some queries stand, query after query."""
        counts = self.counts[queries]
        before = np.cumsum(counts) - counts
        return np.repeat(self.starts[queries] - before, counts) + np.arange(counts.sum())


def merged(lists: Sequence[RankList], *, places: bool | None = None) -> Candidates:
    """The images that any list names, and how far every list says they are.

    lists:   joined, so that they have the same queries and the same gallery.
    places:  True: the place in the list, from 0, stands for the distance; False: its own distances, equal ones a
             step of float32 apart where the gallery's rows do not tell their order; None: its own where all lists
             have them.
    Raises:  ValueError for lists of other images, and for distances asked of a list that has none.
    Cost:    O(n log n) time and O(lists * n) memory for n entries in all.
    """
    if not lists:
        raise ValueError("lists: wanted at least one, got none")
    one = lists[0]
    for number, other in enumerate(lists):
        if other.by != "name" or other.query_names is None:
            raise ValueError(f"lists: wanted lists joined by names, got numbers in list {number}")
        if other.query_names != one.query_names or other.gallery_names != one.gallery_names:
            raise ValueError(f"lists: wanted the same queries and gallery, got others in list {number}")
    without = [number for number, ranking in enumerate(lists) if ranking.distances is None]
    if places is False and without:
        raise ValueError(f"lists: wanted distances in every list, got none in list {without[0]}")
    by_place = bool(without) if places is None else places
    starts, rows, at = union(
        [ranking.starts for ranking in lists], [ranking.rows for ranking in lists], len(one.gallery_names)
    )
    values = []
    for ranking, place in zip(lists, at, strict=True):
        out = np.full(len(rows), np.nan, np.float32)
        out[place] = _by_place(ranking) if by_place else ranking.telling(ties=True)
        values.append(out)
    return Candidates(starts, rows, tuple(values), len(one.gallery_names))


def _by_place(ranking: RankList) -> np.ndarray:
    """The place of every entry in its list, from 0."""
    if ranking.counts.max(initial=0) < 1 << 24:
        return ranking.places
    return replace(ranking, distances=None).telling(ties=False)


def candidates(lists: Sequence[RankList], *, places: bool | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """:func:`merged` as tables, all as wide as the longest: what joins take in the place of matrices.

    Returns: rows (nq, c) int32, gallery rows ascending, -1 behind the last, with c the most images that the lists
             have for one query, 1 or more; and for every list (nq, c) float32, NaN where it lacks the image.
    Cost:    as :func:`merged`, and O(lists * nq * c) memory.

    >>> from ensemble.submissions import from_matrix
    >>> a, b = (from_matrix(np.array([row]), ["q"], ["x", "y", "z"]) for row in ([2, 0], [2, 1]))
    >>> rows, (first, second) = candidates([a, b])
    >>> rows
    array([[0, 1, 2]], dtype=int32)
    >>> first, second
    (array([[ 1., nan,  0.]], dtype=float32), array([[nan,  1.,  0.]], dtype=float32))
    """
    found = merged(lists, places=places)
    everybody = np.arange(len(found.counts))
    rows = found.table(everybody, found.rows, -1)
    return rows, [found.table(everybody, values, np.nan) for values in found.distances]


def dense(fused: np.ndarray, rows: np.ndarray, gallery: int) -> np.ndarray:
    """Distances of candidates -> distances of the whole gallery, unlisted images behind all listed ones.

    fused:   (nq, c) numbers, smaller is nearer, +inf = never return; what stands where ``rows`` is -1 is ignored.
    rows:    (nq, c) gallery rows of :func:`candidates`, -1 for none.
    gallery: how many images there are.
    Returns: (nq, ng) float32. Unlisted images of a query are all equally far: the largest finite listed distance
             plus the spread of the listed ones (1 where that is 0), so that a later step can still pull them up.
    Raises:  ValueError for NaN or -inf at a candidate, and for numbers too large to stand anything behind them.

    >>> dense(np.array([[0.5, 0.25]]), np.array([[0, 2]]), 4)
    array([[0.5 , 0.75, 0.25, 0.75]], dtype=float32)
    """
    rows = checks.ranking("rows", rows, gallery)
    if fused.shape != rows.shape:
        raise ValueError(f"fused: wanted one number a candidate, shape {rows.shape}, got shape {fused.shape}")
    listed = rows >= 0
    with np.errstate(over="ignore"):
        values = fused.astype(np.float32)
    wrong = listed & (np.isnan(values) | (values == -np.inf))
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        raise ValueError(f"fused: wanted numbers or +inf at every candidate, got NaN or -inf first in row {row}")
    finite = listed & np.isfinite(values)
    farthest = np.max(values, axis=1, where=finite, initial=-np.inf)
    nearest = np.min(values, axis=1, where=finite, initial=np.inf)
    some = finite.any(axis=1)
    farthest, nearest = np.where(some, farthest, 0), np.where(some, nearest, 0)
    with np.errstate(over="ignore"):
        spread = farthest - nearest
        behind = farthest + np.where(spread > 0, spread, np.float32(1))
        behind = np.maximum(behind, np.nextafter(farthest, np.float32(np.inf)))
    if not np.isfinite(behind).all():
        raise ValueError(f"fused: wanted numbers with room behind them, got {farthest.max():.3g}")
    out = np.repeat(behind.astype(np.float32)[:, None], gallery, axis=1)
    out[np.nonzero(listed)[0], rows[listed]] = values[listed]
    return out
