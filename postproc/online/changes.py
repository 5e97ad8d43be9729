"""Images join and leave: a new state, in which only what they touch was worked out again."""

import threading
from collections.abc import Callable

import numpy as np

from postproc import kernels
from postproc.context.sparse import Sparse
from postproc.online.build import assembled, of_moved, sets_of, squared_lengths
from postproc.online.state import Room, State
from postproc.pairs import exact
from postproc.pairs.pairwise import read_only

COLUMNS, ROWS = 2048, 512  # of a tile of products
SEARCHED = 0.5  # a larger share of images to be searched again costs more than to build


def with_rows(state: State, rows: np.ndarray, ids: np.ndarray) -> State:
    """The state with the images ``rows`` (m, d) behind the others."""
    settings, before = state.settings, state.count
    moved = rows if state.centre is None else rows - state.centre
    room, features = _behind(state.room, state.features, moved)
    norms = squared_lengths(features[before:])
    exact.check_lengths(norms, lambda: True)
    norms = read_only(np.concatenate([state.norms, norms]))
    ids = read_only(np.concatenate([state.ids, ids]))
    near = state.near or not exact.of_unit_length(norms[before:])
    if near != state.near:  # all distances are computed another way
        return of_moved(features, state.centre, ids, settings)
    count, width = len(features), state.rows.shape[1]
    lists, values = np.full((count, width), -1, np.int32), np.full((count, width), np.inf, np.float32)
    lists[:before], values[:before] = state.rows, state.values
    largest = np.concatenate([state.largest, np.full(count - before, -np.inf, np.float32)])
    _search(features, norms, near, lists, values, largest, np.arange(before, count), both=before)
    whole, half = settings.lengths(count)
    if settings.lengths(before) != (whole, half):
        stale = np.ones(count, np.bool_)
    else:
        stale = _stale(state.rows, lists, whole, half)
    known = Sparse(state.offsets, state.members, state.distances)
    sets = sets_of(features, norms, near, lists, values, settings, stale, known)
    return assembled(
        settings,
        features,
        norms,
        near,
        state.centre,
        lists,
        values,
        largest,
        sets,
        ids,
        exact=state.exact,
        room=room,
    )


def without_rows(state: State, leaving: np.ndarray) -> State:
    """The state without the images at these rows; the others move up."""
    kernel, settings = kernels.of(state.features), state.settings
    stays = np.ones(state.count, np.bool_)
    stays[leaving] = False
    kept = np.flatnonzero(stays).astype(np.int32)
    number = np.where(stays, np.cumsum(stays) - 1, -1).astype(np.int32)
    lost = np.zeros(state.count, np.bool_)
    if settings.normalize:
        _walk(state.features, leaving, lambda tile, rows, first: kernel.upkeep.as_far(
            tile, state.norms, rows, first, state.largest, lost))  # fmt: skip
    features, norms = read_only(state.features[kept]), read_only(state.norms[kept])
    count = len(kept)
    lists, values, before = (np.empty((count, state.rows.shape[1]), part.dtype)
                             for part in (state.rows, state.values, state.rows))  # fmt: skip
    kernel.walk.over_rows(
        lambda start, stop: kernel.upkeep.without(
            state.rows, state.values, read_only(kept), read_only(number), start, stop, lists, values, before
        ),
        count,
        what="lists",
    )
    largest = state.largest[kept]
    short = lists[:, min(settings.most, count) - 1] < 0
    again = np.flatnonzero(short | lost[kept]).astype(np.int32)
    ids = read_only(state.ids[kept])
    if len(again) > SEARCHED * count or state.near != (not exact.of_unit_length(norms)):
        return of_moved(features, state.centre, ids, settings)
    lists[again], values[again], largest[again] = -1, np.inf, -np.inf
    if len(again):
        _search(features, norms, state.near, lists, values, largest, again, both=0)
    whole, half = settings.lengths(count)
    sizes = np.diff(state.offsets)[kept]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    places = np.repeat(state.offsets[kept] - offsets[:-1], sizes) + np.arange(offsets[-1])
    known = Sparse(offsets, number[state.members[places]], state.distances[places])
    stale = _stale(before, lists, whole, half)
    if settings.lengths(state.count) != (whole, half):
        stale[:] = True
    sets = sets_of(features, norms, state.near, lists, values, settings, stale, known)
    return assembled(
        settings, features, norms, state.near, state.centre, lists, values, largest, sets, ids, exact=state.exact
    )


def _behind(room: Room | None, features: np.ndarray, rows: np.ndarray) -> tuple[Room, np.ndarray]:
    """Both, one after the other; in room that was left behind the first, where nobody else has taken it."""
    count = len(features) + len(rows)
    if room is None or room.used != len(features) or count > len(room.array):
        room = Room(np.empty((count + count // 8, features.shape[1]), np.float32))
        room.array[: len(features)] = features
    room.array[len(features) : count] = rows
    room.used = count
    return room, read_only(room.array[:count])


def _search(
    features: np.ndarray,
    norms: np.ndarray,
    near: bool,
    lists: np.ndarray,
    values: np.ndarray,
    largest: np.ndarray,
    images: np.ndarray,
    *,
    both: int,
) -> None:
    """Offer all images to the lists of some, and these to the lists of the first ``both``; in place."""
    kernel, count, width = kernels.of(features), len(features), lists.shape[1]
    known = (lists >= 0).sum(axis=1)
    sizes = np.where((known == 0) | (known >= both), width, known).astype(np.int32)
    touched = np.zeros(count, np.bool_)

    def over_all(function: Callable[[int, int], None]) -> None:
        kernel.walk.over_rows(function, count, what="lists")

    def offer(tile: np.ndarray, rows: np.ndarray, first: int) -> None:
        kernel.upkeep.admit(
            tile, features, norms, near, rows, first, first < both, lists, values, sizes, largest, touched
        )

    over_all(lambda start, stop: kernel.upkeep.to_heaps(lists, values, sizes, start, stop))
    _walk(features, images, offer, border=both)
    over_all(lambda start, stop: kernel.upkeep.from_heaps(lists, values, sizes, touched, start, stop))


def _walk(
    features: np.ndarray, images: np.ndarray, use: Callable[[np.ndarray, np.ndarray, int], None], border: int = 0
) -> None:
    """``use(products, images, first)`` with tiles of products of some ``images`` and those from ``first`` on.

    Of tiles that share rows or columns one is used at a time. No tile has columns on both sides of the border.
    """
    starts = [*range(0, border, COLUMNS), *range(border, len(features), COLUMNS)]
    stops = [*starts[1:], len(features)]
    some = [read_only(images[at : at + ROWS].astype(np.int32)) for at in range(0, len(images), ROWS)]
    loaded = [features[rows] for rows in some]
    row_locks, column_locks = [threading.Lock() for _ in some], [threading.Lock() for _ in starts]

    def visit(task: tuple[int, int]) -> None:
        i, j = task
        tile = loaded[i] @ features[starts[j] : stops[j]].T
        with row_locks[i], column_locks[j]:
            use(tile, some[i], starts[j])

    tasks = [(i, (i + j) % len(starts)) for j in range(len(starts)) for i in range(len(some))]
    kernels.of(features).walk.run(visit, tasks, what="neighbours", bytes_each=4 * COLUMNS * ROWS)


def _stale(before: np.ndarray, after: np.ndarray, whole: int, half: int) -> np.ndarray:
    """(n,) bool: whose expanded set may have changed from lists ``before`` to lists ``after``."""
    kernel = kernels.of(after)
    sets, halves, stale = (np.zeros(len(after), np.bool_) for _ in range(3))
    kernel.upkeep.changed_lists(read_only(before), read_only(after), whole, sets)
    kernel.upkeep.changed_lists(read_only(before), read_only(after), half, halves)
    kernel.walk.over_rows(
        lambda start, stop: kernel.upkeep.stale_sets(after, whole, sets, halves, start, stop, stale),
        len(after),
        what="lists",
    )
    return stale
