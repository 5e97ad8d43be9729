"""From features to everything that a query needs to find ready."""

import warnings
from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.context.kreciprocal import refuse_weightless
from postproc.context.sparse import Sparse
from postproc.online.state import SPARE, Room, Settings, State
from postproc.pairs import exact, known, nearest
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import read_only, sqeuclidean
from postproc.pairs.tiles import PairwiseTiles


def built(features: np.ndarray, ids: np.ndarray, settings: Settings, given: NeighbourLists | None = None) -> State:
    """The state of a gallery (n, d) float32, which is not copied where it has no large common part."""
    if given is not None:
        _check(given, features, settings)
    centre = exact.common_part([features])
    return of_moved(features if centre is None else features - centre, centre, ids, settings, given)


def of_moved(
    features: np.ndarray,
    centre: np.ndarray | None,
    ids: np.ndarray,
    settings: Settings,
    given: NeighbourLists | None = None,
) -> State:
    """The same of features from which the common part is taken."""
    features = read_only(features)
    norms = squared_lengths(features)
    exact.check_lengths(norms, lambda: not features.any())
    width = settings.most + SPARE
    if given is None:
        lists = nearest.of_all(PairwiseTiles(sqeuclidean(features)), width)
        found, largest = (lists.rows, lists.values), lists.largest
    else:
        found, largest = (given.rows, given.distances), np.array(given.largest)
    if settings.lambda_value < 1 and not settings.normalize:
        refuse_weightless(found[1][:, 1:2], settings.power)
    rows, values = in_width(*found, width)
    near = not exact.of_unit_length(norms)
    kernel = kernels.of(features).exactly
    kernels.of(features).walk.over_rows(
        lambda start, stop: kernel.list_distances(features, norms, near, rows, start, stop, values),
        len(features),
        what="distances",
    )
    everybody = np.ones(len(features), np.bool_)
    nothing = Sparse(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    sets = sets_of(features, norms, near, rows, values, settings, everybody, nothing)
    exactly = given is None or given.exact
    return assembled(settings, features, norms, near, centre, rows, values, largest, sets, ids, exact=exactly)


def assembled(
    settings: Settings,
    features: np.ndarray,
    norms: np.ndarray,
    near: bool,
    centre: np.ndarray | None,
    rows: np.ndarray,
    values: np.ndarray,
    largest: np.ndarray,
    sets: Sparse,
    ids: np.ndarray,
    *,
    exact: bool,
    room: Room | None = None,
) -> State:
    """A state whose arrays nobody writes to any more; largest distances are of no use without ``normalize``."""
    largest = largest if settings.normalize else np.zeros_like(largest)
    return State(
        settings, features, read_only(norms), near, centre, read_only(rows), read_only(values), read_only(largest),
        read_only(sets.offsets), read_only(sets.members), read_only(sets.weights), read_only(ids), exact, room,
    )  # fmt: skip


def _check(given: NeighbourLists, features: np.ndarray, settings: Settings) -> None:
    """Refuse lists of other images, or short ones."""
    known.check(sqeuclidean(features), given)
    if given.rows.shape[1] < min(settings.most, len(features)):
        raise ValueError(f"neighbours: wanted k = {settings.most - 1} or more for k1 and k2, got {given!r}")
    if given.caveat:
        warnings.warn(given.caveat, known.ApproximateNeighbours, stacklevel=4)


def squared_lengths(features: np.ndarray) -> np.ndarray:
    """(n,) float32."""
    out = np.empty(len(features), np.float32)
    plus = np.ones(features.shape[1], np.float32)
    kernel = kernels.of(features)
    kernel.walk.over_rows(
        lambda start, stop: kernel.rows.square_norms(features, plus, start, stop, out), len(features), what="norms"
    )
    return read_only(out)


def in_width(rows: np.ndarray, values: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists with as many entries as wanted, the last of them nobody where there are fewer."""
    wide = (
        arrays.full((len(rows), width), -1, np.int32, rows),
        arrays.full((len(rows), width), np.inf, np.float32, rows),
    )
    for old, new in zip((rows, values), wide, strict=True):
        new[:, : old.shape[1]] = old[:, :width]
    return wide


def sets_of(
    features: np.ndarray,
    norms: np.ndarray,
    near: bool,
    rows: np.ndarray,
    values: np.ndarray,
    settings: Settings,
    stale: np.ndarray,
    known: Sparse,
) -> Sparse:
    """The expanded reciprocal sets of all images, with distances; ``known`` ones where they are not ``stale``."""
    whole, half = settings.lengths(len(features))
    rows, values = read_only(rows), read_only(values)
    given = map(read_only, (known.offsets, known.members, known.weights))
    make = partial(
        kernels.of(features).upkeep.sets_of_rows,
        features, norms, near, rows, values, whole, half, read_only(stale), *given,
    )  # fmt: skip
    return Sparse(*Sparse.in_pieces(make, len(features)))
