"""The law that neighbour lists say what features say: to the bit beside them, to rounding alone."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from postproc.base.lists import takes_lists, takes_lists_alone
from postproc.base.one_set import takes_one_set
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.neighbours import neighbours
from postproc.testing.one_set import alone, call
from postproc.testing.subject import Settings, Subject, bits, difference
from postproc.testing.worlds import World

Must = Callable[[object, str], None]
Near = Callable[[np.ndarray, np.ndarray, str], None]
FEATURES = ("query", "gallery", "features")
SHORT = 4  # others in a list that may be too short


def neighbour_lists(step: Subject, must: Must, must_be_near: Near) -> None:
    """Try lists of everybody; beside the defaults short ones and those of other features, too."""
    function = inspect.unwrap(step.function)
    left = {how for how, takes in (("beside", takes_lists), ("alone", takes_lists_alone)) if takes(function)}
    if not left:
        return
    for data in _worlds(step):
        known = list(_lists(data))
        for settings in step.variants():
            wanted = call(step, settings, data)
            for lists in known:
                fit = not set(FEATURES) & data.keys()
                if takes_lists(function):
                    fit = _beside(step, settings, data, lists, wanted, must)
                    left -= {"beside"} if fit else set()
                if fit and takes_lists_alone(function):
                    left -= {"alone"} if _alone(step, settings, data, lists, wanted, must_be_near) else set()
    must(not left, f"neighbours: lists of everybody {' and '.join(left)} are refused, whatever the settings")


def _worlds(step: Subject) -> Iterator[World]:
    """Queries and gallery, and one set."""
    yield {name: step.data[name] for name in step.inputs if name in step.data}
    if "query" in step.inputs and takes_one_set(inspect.unwrap(step.function)):
        yield alone(step)


def _lists(data: World) -> Iterator[NeighbourLists]:
    """Everybody in the list of everybody, of features as they are and of unit length; or by a matrix."""
    sides = [data[name] for name in FEATURES if name in data]
    if sides:
        for images in (sides, [l2_normalize(side) for side in sides]):
            yield neighbours(*images, k=sum(map(len, images)))
        return
    square = next(iter(data.values())).copy()
    np.fill_diagonal(square, 0)
    rows = np.argsort(square, axis=1, kind="stable").astype(np.int32)
    far = np.take_along_axis(square, rows, axis=1)
    yield NeighbourLists(rows, far, far[:, -1].copy(), (len(rows), len(rows)), one_set=True)


def _beside(
    step: Subject, settings: Settings, data: World, lists: NeighbourLists, wanted: World, must: Must
) -> bool:
    """Whether they are of the distances that these settings use, and so taken."""
    found = _called(step, settings, {**data, "neighbours": lists})
    if found is None:
        return False
    must(bits(found) == bits(wanted), f"with neighbour lists: {difference(found, wanted)}")
    if not settings:
        short = replace(lists, rows=lists.rows[:, : SHORT + 1], distances=lists.distances[:, : SHORT + 1])
        found = _called(step, settings, {**data, "neighbours": short})
        must(found is None or bits(found) == bits(wanted), "with lists that are too short, another answer")
        other = replace(lists, digest="0" * 32)
        must(_called(step, settings, {**data, "neighbours": other}) is None, "lists of other features are taken")
    return True


def _alone(
    step: Subject, settings: Settings, data: World, lists: NeighbourLists, wanted: World, must_be_near: Near
) -> bool:
    first = [name for name in FEATURES if name in data] or list(data)[:1]
    rest = {name: array for name, array in data.items() if name not in first}
    found = _called(step, settings, {**rest, first[0]: lists})
    for name, array in (found or {}).items():
        if name != "ranking":  # of images as near as each other another may be first
            must_be_near(array, wanted[name], f"from neighbour lists alone, {name}")
    return found is not None


def _called(step: Subject, settings: Settings, data: dict[str, Any]) -> World | None:
    """What comes back; None where lists are refused in a sentence."""
    try:
        return call(step, settings, data)
    except (ValueError, TypeError) as refusal:
        if "lists" in str(refusal):
            return None
        raise
