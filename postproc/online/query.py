"""The answer to single queries."""

from collections.abc import Sequence

import numpy as np

from postproc import kernels
from postproc.base.vocabulary import Nearest
from postproc.context.kreciprocal import refuse_power
from postproc.online.build import squared_lengths
from postproc.online.candidates import Candidates
from postproc.online.state import State
from postproc.online.workplace import lend
from postproc.pairs import exact
from postproc.pairs.pairwise import read_only

TOGETHER = 8  # queries for whom features are read once
BLOCK = 4 << 20  # bytes of features that a thread reads at a time


def answered(
    state: State, queries: np.ndarray, top_k: int | None, candidates: Candidates | None = None
) -> Nearest:
    """The ``top_k`` nearest of every query (m, d) alone, after re-ranking, among ``candidates`` or all."""
    shortlists = None if candidates is None else candidates.rows(state, queries)
    k = state.count if top_k is None else min(top_k, state.count)
    found = Nearest(np.full((len(queries), k), np.inf, np.float32), np.full((len(queries), k), -1, np.int32))
    if state.centre is not None:
        queries = queries - state.centre
    queries = read_only(queries)
    norms = squared_lengths(queries)
    exact.check_lengths(norms, lambda: True)
    near = state.near or not exact.of_unit_length(norms)
    walk = kernels.of(queries).walk
    for start in range(0, len(queries), TOGETHER):
        some = slice(start, start + TOGETHER)
        shortlist = None if shortlists is None else shortlists[some]
        distances = _distances(state, queries[some], norms[some], near, shortlist)
        if state.settings.power > 2:  # what float32 holds squared it holds to less
            refuse_power(distances.max(axis=1, where=np.isfinite(distances), initial=0), state.settings.power)

        def answer(at: int, start: int = start, distances: np.ndarray = distances) -> None:
            bound = 0.0 if shortlists is None else state.bound(float(norms[start + at]))
            _answer(state, distances[at], bound, found, start + at)

        if len(distances) == 1:
            answer(0)
        else:
            walk.run(answer, range(len(distances)), what="queries")
    return found


def _distances(
    state: State,
    queries: np.ndarray,
    norms: np.ndarray,
    near: bool,
    shortlists: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """(m, n) float32; with ``shortlists`` +inf for all others."""
    out = np.empty((len(queries), state.count), np.float32)
    kernel = kernels.of(out)
    if shortlists is not None:
        out[:] = np.inf
        for query, norm, rows, mine in zip(queries, norms, shortlists, out, strict=True):
            kernel.exactly.distances_to_some(state.features, state.norms, query, norm, near, rows, mine)
        return out
    block = max(1, BLOCK // (4 * state.features.shape[1]))

    def fill(start: int, stop: int) -> None:
        kernel.exactly.distances_to(state.features, state.norms, queries, norms, near, start, stop, out)

    if state.count <= block:
        fill(0, state.count)
    else:
        kernel.walk.over_rows(fill, state.count, what="distances", block=block)
    return out


def _answer(state: State, distances: np.ndarray, bound: float, found: Nearest, at: int) -> None:
    """Write the answer to one query, whose distances are these, into the row ``at``."""
    settings, kernel = state.settings, kernels.of(distances).online
    whole, half = settings.lengths(state.count + 1)
    half_power, lambda_value = settings.power / 2, np.float32(settings.lambda_value)
    with lend(state.free, state.count, kernel.NOWHERE, kernel.MARKS) as room:
        count, top, now = kernel.jaccard_of_one(
            state.features, state.norms, state.near, state.rows, state.values, state.border, state.largest,
            state.offsets, state.members, state.distances, state.weights, *state.inverted, *state.holders,
            distances, whole, half, min(settings.k2, state.count + 1), half_power, settings.normalize,
            np.float32(bound), room.place, room.own_place, room.marks, room.value_of, room.entering, room.asked,
            room.answers, room.jaccard, room.stamps,
        )  # fmt: skip
        scale = top if settings.normalize else np.float32(2)
        values, rows = found.distances[at], found.rows[at]
        rows[:] = kernel.NOBODY
        kernel.first_of_all(
            distances, room.answers, room.jaccard, count, room.marks[kernel.ANSWER], now, np.float32(scale),
            half_power, lambda_value, values, rows,
        )  # fmt: skip
