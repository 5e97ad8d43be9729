"""Images that not every model knows, or that a branch is not about.

A pair that no model knows was not found: it is never scored, and no answer (:mod:`ensemble.pipeline.answers`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from ensemble.base import labels
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, examples
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Array, Bools
from ensemble.pipeline.answers import Tracks, answered, strips
from ensemble.pipeline.devices import on_host
from ensemble.pipeline.images import Images
from ensemble.pipeline.state import Known, Pairs, Rows, State
from ensemble.pipeline.tree import Only
from postproc import Nearest
from postproc.base import arrays


def rows_of(features: ModelSet, only: Only) -> Rows | None:
    """The images that a model knows and a branch is about; None for all. InputError where there are none."""
    chosen = {side: _chosen(features, side, only) for side in ("query", "gallery")}
    if all(known.all() for known in chosen.values()):
        return None
    empty = [side for side, known in chosen.items() if not known.any()]
    if empty:
        where = ", ".join(f"{column} {list(values)}" for column, values in only.items())
        raise InputError(
            [f"{features.model}: wanted {' and '.join(empty)} images where {where or 'it knows them'}, found none"]
        )
    return Rows(np.flatnonzero(chosen["query"]), np.flatnonzero(chosen["gallery"]))


def columns_of(columns: Mapping[str, Array], rows: Rows) -> dict[str, Array]:
    """The columns of some of the images."""
    found = {}
    for name, value in columns.items():
        chosen = rows.of(name.partition("_")[0])
        found[name] = value if chosen is None else value[chosen]
    return found


def common(parts: list[State], images: Images) -> list[State]:
    """The parts, all about the images that every one of them has."""
    if all(part.rows is None for part in parts):
        return parts
    nq, ng = images.shape
    everything = Rows(np.arange(nq), np.arange(ng))
    places = [part.rows or everything for part in parts]
    both = Rows(*(reduce(np.intersect1d, rows) for rows in zip(*places, strict=True)))
    columns = columns_of(images.columns, both)

    def cut(part: State, rows: Rows) -> State:
        pairs = {"query": (rows.query, both.query), "gallery": (rows.gallery, both.gallery)}
        features = {
            side: part.data[side][np.searchsorted(known, wanted)] for side, (known, wanted) in pairs.items()
        }
        return replace(part, data={**part.data, **features, **columns}, rows=both)

    return [cut(part, rows) for part, rows in zip(parts, places, strict=True)]


def spread(distances: Array, rows: Rows | None, images: Images) -> Array:
    """Distances of all images, NaN where one of the two is not among ``rows``."""
    if rows is None:
        return distances
    out: Array = arrays.full(images.shape, np.nan, np.float32, distances)
    out[rows.query[:, None], rows.gallery] = distances
    return out


def given(distances: Array, rows: Rows | None, some: bool) -> State:
    """What a model that is distances already says of all images, or of ``rows``.

    some: pairs may be NaN, which it does not know; they stand behind the others, so that steps may look at all.
    """
    if some:
        pairs = _pairs(arrays.host(distances), rows)
        return State({"distances": _behind(distances)}, known=(pairs,))
    if rows is None:
        return State({"distances": distances})
    return State({"distances": distances[rows.query][:, rows.gallery]}, rows=rows)


def _pairs(distances: Array, rows: Rows | None) -> Pairs:
    """The pairs of a matrix that are known, NaN elsewhere, and among ``rows``."""
    there = ~np.isnan(distances)
    if rows is not None:
        among = np.zeros_like(there)
        among[rows.query[:, None], rows.gallery] = True
        there &= among
    return Pairs(np.concatenate([[0], np.cumsum(there.sum(axis=1))]), np.nonzero(there)[1])


def known_to(parts: Sequence[State], weights: Sequence[float] | str | None) -> tuple[Known, ...]:
    """The pairs that some part knows that counts; empty where one of them knows all. In words: all count."""
    found: list[Known] = []
    for number, part in enumerate(parts):
        if not isinstance(weights, str) and weights is not None and weights[number] == 0:
            continue
        if part.rows is None and not part.known:
            return ()
        found += part.known or [rows for rows in (part.rows,) if rows is not None]
    return tuple(found)


def unknown(distances: Array, known: tuple[Known, ...], images: Images) -> Array:
    """Distances of all images, NaN for pairs that nobody knows."""
    if not known:
        return distances
    xp = arrays.namespace(distances)
    out: Array = arrays.full(images.shape, np.nan, np.float32, distances)
    for queries in strips(*images.shape):
        found = arrays.like(_marked(known, queries, images), distances)
        out[queries] = xp.where(found, distances[queries], np.float32(np.nan))
    return out


def _marked(known: tuple[Known, ...], queries: slice, images: Images) -> Bools:
    """(n, ng): which pairs of some queries somebody knows."""
    found = np.zeros((queries.stop - queries.start, images.shape[1]), bool)
    for pairs in known:
        pairs.mark(found, queries)
    return found


def answer(state: State, images: Images) -> Array:
    """(nq, ng) distances of a state of all images, +inf for what was not found."""
    distances = arrays.host(state.data["distances"])
    tracks = Tracks(images.columns.get("gallery_track"))
    out = np.empty_like(distances)
    for queries in strips(*images.shape):
        out[queries] = answered(distances[queries], _marked(state.known, queries, images), tracks)
    return out


def whole(state: State, images: Images, where: str) -> State:
    """The answer about all images where it was about some: pairs that nobody knows stand behind the others.

    Raises InputError, which begins with ``where``, for queries that nobody knows.
    """
    known: tuple[Known, ...] = (state.rows,) if state.rows is not None else state.known
    if not known:
        return state
    asking = np.concatenate([each.asking() for each in known])
    lacking = np.setdiff1d(np.arange(len(images.query_names)), asking)
    if len(lacking) and all(isinstance(each, Rows) for each in known):
        names = [images.query_names[row] for row in lacking]
        raise InputError(
            [
                f"{where}: wanted every query in some branch, found {len(names)} in none "
                f"({examples(names)}); add a branch for them"
            ]
        )
    rows = state.rows
    if rows is None:
        return state if state.nearest is None else State({}, nearest=_found(on_host(state.nearest), known, images))
    if state.nearest is not None:
        nearest = on_host(state.nearest)
        found = np.where(nearest.rows >= 0, rows.gallery[nearest.rows], -1).astype(np.int32)
        return State({}, nearest=nearest._replace(rows=found))
    return State({"distances": _behind(spread(state.data["distances"], rows, images))}, known=known)


def _behind(distances: Array) -> Array:
    """Distances with what is NaN behind everything else that the query knows, so that steps may look at all."""
    xp = arrays.namespace(distances)
    lacks = xp.isnan(distances)
    far = xp.max(xp.where(lacks | xp.isinf(distances), -np.inf, distances), axis=1, keepdims=True)
    behind = xp.where(xp.isinf(far), 0, far) + 1
    found: Array = xp.where(lacks, behind, distances)
    return found


def _found(nearest: Nearest, known: tuple[Known, ...], images: Images) -> Nearest:
    """Lists without the images that nobody knows together with the query."""
    found = np.zeros(nearest.rows.shape, bool)
    for queries in strips(*images.shape):
        own = nearest.rows[queries]
        pairs = _marked(known, queries, images)
        found[queries] = np.take_along_axis(pairs, np.maximum(own, 0), axis=1) & (own >= 0)
    order = np.argsort(~found, axis=1, kind="stable")
    kept = np.take_along_axis(found, order, axis=1)
    listed, far = (np.take_along_axis(each, order, axis=1) for each in (nearest.rows, nearest.distances))
    return Nearest(np.where(kept, far, np.float32(np.inf)), np.where(kept, listed, -1))


def _chosen(features: ModelSet, side: str, only: Only) -> Bools:
    """(n,) whether an image of a side is known and meant."""
    table = getattr(features, f"{side}_table")
    chosen = np.ones(len(table), bool)
    if features.partial and isinstance(features, FeatureSet):  # of distances, pairs are known, not images
        chosen = features.known(side)
    for column, values in only.items():
        import pandas as pd

        if not isinstance(table, pd.DataFrame) and column not in table:
            continue  # nothing is read yet, and nobody can tell: at most all
        chosen &= labels.among(table[column].to_numpy(), values)
    return chosen
