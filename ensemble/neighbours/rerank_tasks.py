"""What one process does of a re-ranking: a range of rows, from mapped arrays of all images to a file.

The functions are those of one process (:mod:`postproc.context.kreciprocal`, :mod:`postproc.context.overlaps`), on
a range. What all tasks of a stage have found becomes a group of arrays (:mod:`ensemble.neighbours.groups`), which
the next stage maps.

heads     the beginning of every list, and who has whom in theirs too
vectors   V of every image, sparse
averages  its mean over k2 neighbours, dealt by columns
columns   the mean's columns: the inverted index
answers   the nearest of every query among its candidates, and who has to be looked at again
rest      the nearest of these among all
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ensemble.neighbours import files, groups, rerank_plan
from ensemble.neighbours.files import Damaged, Maps
from ensemble.neighbours.rerank_plan import Plan
from ensemble.neighbours.tasks import task_of
from postproc import Nearest, NeighbourLists, kernels
from postproc.base import runtime
from postproc.context import kreciprocal
from postproc.context.overlaps import Averaged, Finish
from postproc.context.sparse import Sparse
from postproc.pairs import from_lists, long_lists, stored
from postproc.pairs.tiles import Lists, PairwiseTiles

PIECE = 8192  # rows after which mapped pages are given back
KNOWN, HEADS, VECTORS, COLUMNS, ANSWERS = "known", "heads", "vectors", "columns", "answers"
task = task_of(rerank_plan.read)


def part_file(folder: Path, stage: str, number: int) -> Path:
    """What the task of a range writes."""
    return folder / "parts" / stage / f"{number:05}.npz"


@task
def heads(folder: Path, made: Plan, number: int) -> None:
    """The beginning of the lists of a range, and which of those in it have the image in their own list."""
    maps, lists, rows = Maps(), _lists(made), made.rows(number, made.count)
    near = np.ascontiguousarray(lists.rows[rows.start : rows.stop, : made.entries])
    _refuse_strange(near, rows, made)
    all_rows = maps.array(_file_of(lists.rows))
    found: list[tuple[np.ndarray, ...]] = []
    for piece in _pieces(rows, PIECE):
        flags = kreciprocal.mutual(all_rows, made.flags, piece.start, piece.stop)
        found.append(tuple(flag[piece.start : piece.stop].copy() for flag in flags))
        maps.release()
    whole, half = (np.concatenate(parts) for parts in zip(*found, strict=True))
    values = np.ascontiguousarray(lists.distances[rows.start : rows.stop, : made.short])
    arrays = {"rows": near[:, : made.short], "values": values, "whole": whole, "half": half}
    files.write(part_file(folder, "heads", number), made.key, arrays)


@task
def vectors(folder: Path, made: Plan, number: int) -> None:
    """V of a range."""
    maps, rows = Maps(), made.rows(number, made.count)
    head = groups.arrays(maps, folder, HEADS)
    lists = Lists(head["rows"], head["values"], _scale(made, 1.0))
    tiles, found = _tiles(maps, folder, made), []
    for piece in _pieces(rows, PIECE):
        flags = head["whole"], head["half"]
        found.append(kreciprocal.encode_rows(tiles, lists, flags, piece.start, piece.stop, made.power))
        maps.release()
    whole = Sparse.stacked(found)
    arrays = {"sizes": whole.sizes, "members": whole.members, "weights": whole.weights}
    files.write(part_file(folder, "vectors", number), made.key, arrays)


@task
def averages(folder: Path, made: Plan, number: int) -> None:
    """Averaged V of a range of gallery images, by columns, and with the sum of every row."""
    maps, rows = Maps(), made.rows(number, made.sizes[1])
    averaged = _averaged(maps, folder, made)
    members, owners, weights = [], [], []
    least = np.zeros(len(rows), np.float32)
    for part in _pieces(rows, PIECE):
        for start, piece in averaged.pieces(made.border + part.start, made.border + part.stop):
            own = np.repeat(np.arange(piece.rows, dtype=np.int32) + (start - made.border), piece.sizes)
            if made.one_set:
                kernels.of(least).overlap.sums_by_row(own - rows.start, piece.weights, least)
            members.append(piece.members)
            owners.append(own)
            weights.append(piece.weights)
        maps.release()
    columns = np.concatenate(members)
    order = np.argsort(columns, kind="stable")
    columns = columns[order]
    ends = np.searchsorted(columns, [made.rows(c, made.count).stop for c in made.ranges(made.count)])
    arrays: dict[str, np.ndarray] = {"least": least}
    begin = 0
    for c, end in enumerate(ends.tolist()):
        arrays[f"columns-{c}"] = columns[begin:end]
        begin = end
    for name, parts in (("rows", owners), ("weights", weights)):
        whole = np.concatenate(parts)[order]
        begin = 0
        for c, end in enumerate(ends.tolist()):
            arrays[f"{name}-{c}"] = whole[begin:end]
            begin = end
    files.write(part_file(folder, "averages", number), made.key, arrays)


@task
def columns(folder: Path, made: Plan, number: int) -> list[Damaged]:
    """Some columns of averaged V, gallery images ascending; or which files of the ranges are damaged."""
    images, damaged = made.rows(number, made.count), []
    found: list[list[np.ndarray]] = []
    for one in made.ranges(made.sizes[1]):
        try:
            names = [f"{name}-{number}" for name in ("columns", "rows", "weights")]
            found.append(files.read(part_file(folder, "averages", one), made.key, *names))
        except Damaged as error:
            damaged.append(error)
    if not damaged:
        column, rows, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(column, kind="stable")  # ranges ascend, and so do their images
        sizes = np.bincount(column - images.start, minlength=len(images)).astype(np.int64)
        arrays = {"sizes": sizes, "rows": rows[order], "weights": weights[order]}
        files.write(part_file(folder, "columns", number), made.key, arrays)
    return damaged


@task
def answers(folder: Path, made: Plan, number: int) -> None:
    """The nearest of a range of queries among their candidates, and of whom that is not certain."""
    maps, rows, lists = Maps(), made.rows(number, made.sizes[0]), _lists(made)
    finish = _finish(maps, folder, made)
    distances = np.empty((len(rows), made.top_k), np.float32)
    numbers = np.empty(distances.shape, np.int32)
    uncertain: list[np.ndarray] = []
    for piece in _pieces(rows, long_lists.QUERIES * runtime.current().threads):  # marks are cleared once a thread
        near = np.ascontiguousarray(lists.rows[piece.start : piece.stop, : made.entries])
        values = np.ascontiguousarray(lists.distances[piece.start : piece.stop, : made.entries])
        found, certain = finish.of_candidates(near, values, piece.start, made.top_k)
        here = slice(piece.start - rows.start, piece.stop - rows.start)
        distances[here], numbers[here] = found.distances, found.rows
        uncertain.append(piece.start + np.flatnonzero(~certain))
        maps.release()
    arrays = {"distances": distances, "rows": numbers, "uncertain": np.concatenate(uncertain)}
    files.write(part_file(folder, "answers", number), made.key, arrays)


@task
def rest(folder: Path, made: Plan, number: int, whole: int) -> None:
    """The nearest of the queries of a range of whom that is not certain, by all distances."""
    maps, rows = Maps(), made.rows(number, made.sizes[0])
    wanted = np.array(groups.arrays(maps, folder, ANSWERS)["uncertain"])
    wanted = wanted[(wanted >= rows.start) & (wanted < rows.stop)]
    distances = np.empty((len(wanted), made.top_k), np.float32)
    numbers = np.empty(distances.shape, np.int32)

    def keep(queries: np.ndarray, found: Nearest) -> None:
        at = np.searchsorted(wanted, queries)
        distances[at], numbers[at] = found.distances, found.rows
        maps.release()

    _finish(maps, folder, made).of_everybody(wanted, made.top_k, keep, whole=bool(whole))
    arrays = {"queries": wanted, "distances": distances, "rows": numbers}
    files.write(part_file(folder, "rest", number), made.key, arrays)


def _pieces(rows: range, size: int) -> Iterator[range]:
    for start in range(rows.start, rows.stop, size):
        yield range(start, min(start + size, rows.stop))


def _lists(made: Plan) -> NeighbourLists:
    try:
        return NeighbourLists.load(made.lists)
    except ValueError as error:
        raise ValueError(f"neighbours: {error}; make them again") from None


def _file_of(array: np.ndarray) -> Path:
    return Path(str(getattr(array, "filename", "")))


def _scale(made: Plan, unit: float) -> np.ndarray:
    """What distances are divided by: the largest of each image, or one number."""
    largest = _lists(made).largest
    return np.array(largest, np.float32) if made.normalize else np.full(len(largest), unit, np.float32)


def _refuse_strange(near: np.ndarray, rows: range, made: Plan) -> None:
    """Raise ValueError for lists that end too early, or name images that are not there."""
    there = (near >= 0).sum(axis=1)
    from_lists.refuse_short(there, made.entries, "images, itself one of them,", np.arange(rows.start, rows.stop))
    if (near >= made.count).any():
        raise ValueError(f"neighbours: wanted images below {made.count}, found {near.max()}; make the lists again")


def _tiles(maps: Maps, folder: Path, made: Plan) -> PairwiseTiles:
    """Distances of pairs, from mapped features."""
    found = rerank_plan.known_of(made, groups.arrays(maps, folder, KNOWN))
    return stored.tiles_of([maps.array(folder / source) for source in made.sources], found)


def _averaged(maps: Maps, folder: Path, made: Plan) -> Averaged:
    head, found = groups.arrays(maps, folder, HEADS), groups.arrays(maps, folder, VECTORS)
    near = head["rows"][:, : made.k2] if made.k2 > 1 else np.arange(made.count, dtype=np.int32)[:, None]
    return Averaged(Sparse(found["offsets"], found["members"], found["weights"]), near, made.one_set)


def _finish(maps: Maps, folder: Path, made: Plan) -> Finish:
    index = groups.arrays(maps, folder, COLUMNS)
    return Finish(
        _tiles(maps, folder, made),
        _averaged(maps, folder, made),
        (index["offsets"], index["rows"], index["weights"]),
        index["least"],
        _scale(made, 2.0),
        np.float32(made.lambda_value),
        made.power / 2,
    )
