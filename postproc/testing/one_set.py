"""The law that one set alone means each against all others."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from postproc.base.one_set import takes_one_set
from postproc.base.runtime import Runtime, within
from postproc.base.vocabulary import Nearest
from postproc.testing.subject import LABELS, Settings, Subject, bits, difference, fields
from postproc.testing.worlds import World, pick

SQUARES = ("query_distances", "gallery_distances")
Must = Callable[[object, str], None]
Near = Callable[[np.ndarray, np.ndarray, str], None]


def one_set(step: Subject, must: Must, must_be_near: Near) -> None:
    """Try it on the gallery as one set."""
    if not takes_one_set(inspect.unwrap(step.function)) and not _takes_a_square_alone(step):
        return
    data = alone(step)
    count = len(next(iter(data.values())))
    order = np.random.default_rng(1).permutation(count)
    others = {_gallerys(name) if name in _twins(step) else name: array for name, array in data.items()}
    for settings in step.variants():
        found = call(step, settings, data)
        shuffled = call(step, settings, pick(data, nq=order, ng=order))
        for name, array in found.items():
            if name in LABELS:
                continue
            must(len(array) == count, f"{name}: wanted {count} rows, one an image, got shape {array.shape}")
            must(not np.isnan(array).any(), f"{name}: found NaN")
            if name == "distances":
                own = 0 if settings.get("count_self") else np.inf
                must(array.shape == (count, count), f"distances: wanted {(count, count)}, got {array.shape}")
                must((np.diagonal(array) == own).all(), f"distances: wanted {own} on all of the diagonal")
                must_be_near(shuffled[name], array[np.ix_(order, order)], "with the images shuffled, distances")
            elif name == "ranking":
                must((array != np.arange(count)[:, None]).all(), "ranking: an image is its own answer")
            elif name != "nearest":
                must_be_near(shuffled[name], array[order], f"with the images shuffled, {name}")
        with within(Runtime(3, memory=1)):
            again = call(step, settings, others)
        must(bits(again) == bits(found), f"again, with the gallery's columns: {difference(again, found)}")


def _takes_a_square_alone(step: Subject) -> bool:
    """Whether distances are all that it must have, and may be +inf or those of one set."""
    alone_is_enough = set(step.inputs) - step.optional == {"distances"}
    return alone_is_enough and (step.takes_infinity or "query_distances" in step.optional)


def alone(step: Subject, everything: World | None = None) -> World:
    """The gallery as one set: what a step is given once."""
    everything = step.everything if everything is None else everything
    found: World = {}
    for name in step.inputs:
        if name == "distances":
            images = everything["gallery"]
            found[name] = ((images[:, None] - images) ** 2).sum(axis=2, dtype=np.float32)
            np.fill_diagonal(found[name], np.inf)
        elif name == "query" or name in _twins(step):
            found[name] = everything[_gallerys(name)]
        elif name not in ("gallery", *SQUARES) and name not in map(_gallerys, _twins(step)):
            found[name] = everything[name]
    return found


def call(step: Subject, settings: Settings, data: Mapping[str, Any]) -> World:
    """What comes back for one set, by name; features as the queries'."""
    step.tried = settings
    found = step.function(**data, **settings)
    hint = next(hint for hint in step.returns if isinstance(found, Nearest) is (hint is Nearest))
    parts = found if isinstance(found, tuple) else (found,)
    return dict(zip(fields(hint), parts, strict=False))


def _gallerys(name: str) -> str:
    return name.replace("query", "gallery", 1)


def _twins(step: Subject) -> list[str]:
    """The queries' columns whose gallery's are inputs too."""
    columns = [name for name in step.inputs if name.startswith("query_") and "distances" not in name]
    return [name for name in columns if _gallerys(name) in step.inputs]
