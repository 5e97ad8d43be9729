"""Which steps take neighbour lists, beside features or alone: their signatures say it.

A step that starts from neighbours has a parameter ``neighbours``. It takes lists alone where the annotation of its
first data names ``NeighbourLists`` too.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from postproc.base.vocabulary import VOCABULARY

LISTS = "NeighbourLists"


def takes_lists(function: Callable[..., Any]) -> bool:
    """Whether a step takes lists beside features, so that neighbours need not be found."""
    return "neighbours" in _data(function)


def takes_lists_alone(function: Callable[..., Any]) -> bool:
    """Whether a step takes lists in the place of its first data."""
    if not _data(function):
        return False
    hint = typing.get_type_hints(function).get(_data(function)[0])
    return any(getattr(kind, "__name__", "") == LISTS for kind in typing.get_args(hint))


def in_place(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``rerank(neighbours=lists)``, without features: the lists stand in the place of the queries.

    Raises TypeError for what is no lists, and where a step needs the features.
    """
    found = dict(given)
    lists = found.get("neighbours") if takes_lists(function) else None
    if lists is not None and not hasattr(lists, "digest"):
        raise TypeError(f"neighbours: wanted postproc.NeighbourLists, got {type(lists).__name__}")
    first = next(iter(_data(function)), "")
    if lists is not None and found.get(first) is None:
        found |= {first: lists, "neighbours": None}
    if first and type(found.get(first)).__name__ == LISTS:
        if not _alone(function):
            name = function.__name__
            how = f"they stand beside it: {name}({first}, …, neighbours=lists)" if takes_lists(function) else ""
            raise TypeError(f"{first}: wanted an array, got neighbour lists; {how or f'{name} takes none'}")
        if "gallery" in _data(function):
            found.setdefault("gallery", None)
    return found


@cache
def _alone(function: Callable[..., Any]) -> bool:
    return takes_lists_alone(function)


@cache
def _data(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's data."""
    code = inspect.unwrap(function).__code__
    names = code.co_varnames[: code.co_argcount]
    return tuple(name for name in names if name in VOCABULARY)
