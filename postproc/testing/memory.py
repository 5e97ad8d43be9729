"""The law that memory stays under what a step declares, in a world where a matrix of all images would be seen."""

import inspect
import tracemalloc
from dataclasses import replace
from functools import cache

import numpy as np

from postproc.base.one_set import takes_one_set
from postproc.base.runtime import using
from postproc.base.sizes import Sizes
from postproc.base.step import declared_by, with_defaults
from postproc.base.vocabulary import VOCABULARY
from postproc.testing.one_set import alone, call
from postproc.testing.subject import Settings, Subject
from postproc.testing.worlds import World, known, pick, world

FREE = 1 << 20  # bytes that are nobody's: what Python and a walk over tiles need whatever the sizes
OVER = 1.05  # of what is declared
FEWER = 640  # images of one set, where a matrix of all of them is still larger than what is free


@cache
def many() -> World:
    """More images, so that their lists, matrices and tiles are larger than what is free."""
    return known(world(nq=40, ng=800, people=40))


def excess(step: Subject, settings: Settings) -> str | None:
    """What is wrong with the declaration, in words; None where memory stays under it.

    Counted are NumPy's arrays, beside data and answer. What takes one set is tried on one as well.
    """
    own = step.larger is step.data  # somebody handed data over: others may have no meaning
    data = {name: np.ascontiguousarray(array) for name, array in (step.everything if own else many()).items()}
    given = {name: data[name] for name in step.inputs if name in (step.data if own else data)}
    found = _excess(step, settings, given, one_set=False)
    if found or not takes_one_set(inspect.unwrap(step.function)):
        return found
    found = _excess(step, settings, alone(step, data if own else pick(data, ng=range(FEWER))), one_set=True)
    return found and f"of one set {found}"


def _excess(step: Subject, settings: Settings, data: World, *, one_set: bool) -> str | None:
    sizes = sizes_of(data)
    if one_set:
        count = max(sizes.nq, sizes.ng)
        sizes = replace(sizes, nq=count, ng=count, one_set=True)
    allowed = declared_by(step.function).memory(sizes, with_defaults(step.function, settings))
    with using(threads=1):
        tracemalloc.start()
        try:
            found = call(step, settings, data) if one_set else step(settings, data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    answer = sum(array.nbytes for array in found.values())
    if peak <= OVER * (allowed + answer) + FREE:
        return None
    return (
        f"wanted at most the {allowed / 1e6:.1f} MB that it declares beside data and answer, "
        f"got {(peak - answer) / 1e6:.1f} MB"
    )


def sizes_of(data: World) -> Sizes:
    """The sizes of data by their names in the vocabulary."""
    counts = {axis: count for name in data for axis, count in _axes(name, data[name])}
    tracks = data.get("gallery_track", data.get("query_track"))
    wide = next((data[name] for name in ("query", "gallery", "features", "train") if name in data), None)
    aux = data.get("gallery_aux", data.get("query_aux"))
    return Sizes(
        nq=counts.get("nq", 0),
        ng=counts.get("ng", counts.get("features", 0)),
        train=counts.get("train", 0),
        width=0 if wide is None else wide.shape[1],
        aux=0 if aux is None else aux.shape[1],
        tracks=counts.get("ng", counts.get("nq", 0)) if tracks is None else len(np.unique(tracks)),
        given=frozenset(data),
    )


def _axes(name: str, array: np.ndarray) -> list[tuple[str, int]]:
    return list(zip(VOCABULARY[name].axes, array.shape, strict=True))
