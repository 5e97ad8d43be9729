"""Calls with one set of images: each against all others.

``rerank(images)`` has no gallery, and the columns are given once: ``rerank(images, query_cam=cam)``. A step whose
gallery may be None (``gallery: Gallery | None``) is called with None then, and with the same column on both sides.
A matrix of distances is of one set if all of its diagonal is +inf: no image is its own answer.
"""

import typing
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from postproc.base import arrays
from postproc.base.vocabulary import VOCABULARY, Array

FEW = 5  # images of which a square says nothing


class TwiceTheSame(UserWarning):
    """One set was handed over as queries and as gallery."""


def completed(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a call with one set leaves out: ``gallery=None``, and the gallery's columns, which are the queries'.

    Other calls come back as they are. Raises ValueError where a column is given for both sides, and TypeError
    where the function takes no set alone.
    """
    found = dict(given)
    if _is_of_columns(function):
        return _with_one_side(function, found)
    if not _means_one_set(function, found):
        return found
    if "gallery" in _data(function):
        if not takes_one_set(function):
            raise TypeError(f"gallery: wanted an array, {function.__name__} takes no set of images alone")
        found.setdefault("gallery", None)
    for query, gallery in _columns(function):
        sides = [name for name in (query, gallery) if found.get(name) is not None]
        if len(sides) == 2 and found[query] is not found[gallery]:
            raise ValueError(f"{gallery}: one set has its columns once, give {query} alone, or the gallery too")
        if len(sides) == 1:
            found |= {query: found[sides[0]], gallery: found[sides[0]]}
    return found


@cache
def takes_one_set(function: Callable[..., Any]) -> bool:
    """Whether a function may be called with one set: its gallery may be None, or it has none."""
    if _is_of_columns(function):
        return True
    if "gallery" not in _data(function):
        matrices = [name for name in _data(function) if name.endswith("distances")]
        return matrices == ["distances"]
    hint = typing.get_type_hints(function)["gallery"] if "query" in _data(function) else None
    return type(None) in typing.get_args(hint)


def warn_of_twice(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Say it where queries and gallery are the same rows: most likely each is meant against all others."""
    query, gallery = given.get("query"), given.get("gallery")
    if "query" in _data(function) and same(query, gallery):
        warnings.warn(
            f"{function.__name__}: query and gallery are the same images, so each counts twice and is its own "
            f"first answer; {function.__name__}(images) means each against all others",
            TwiceTheSame,
            stacklevel=3,
        )


def same(query: Array, gallery: Array) -> bool:
    """Whether two matrices of several rows are the same, looked at no further than to the first difference."""
    sides = [side if arrays.on_cuda(side) else _matrix(side) for side in (query, gallery)]
    if any(side is None for side in sides) or arrays.on_cuda(query) != arrays.on_cuda(gallery):
        return False
    query, gallery = sides
    if query.shape != gallery.shape or len(query.shape) != 2 or len(query) < 2:
        return False
    return query is gallery or all(
        bool((query[part] == gallery[part]).all()) for part in arrays.blocks(query, 256)
    )


def _matrix(value: Array) -> Array:
    """What a caller holds as a NumPy array, of a table too; None for lists and what is no array."""
    return np.asarray(arrays.host(value)) if hasattr(value, "__array__") else None


def is_one_set(distances: Array) -> bool:
    """Whether a matrix is one set against itself: square, two images or more, +inf on all of its diagonal."""
    count = len(distances)
    if count < 2 or distances.shape != (count, count):
        return False
    everybody = arrays.beside(np.arange(count), distances)
    return bool((distances[everybody, everybody] == np.inf).all())


def are_distances(array: Array) -> bool:
    """Whether features are most likely distances of all by all: a symmetric square with zeros on its diagonal."""
    count = len(array)
    if count < FEW or not isinstance(array, np.ndarray) or array.shape != (count, count):
        return False
    return (
        not array.diagonal().any()
        and bool(array[0].any())
        and all(np.array_equal(array[part], array[:, part].T) for part in arrays.blocks(array, 256))
    )


def with_columns(distances: Array, query: Array, gallery: Array) -> bool:
    """Whether a matrix is one set's and its two sides have the same column: that was given once."""
    return is_one_set(distances) and (query is gallery or same(query, gallery))


def _with_one_side(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Columns of one set stand as those of queries, whatever they were called, and the gallery has none."""
    twins = _columns(function)
    if any(given.get(query) is not None and given.get(gallery) is not None for query, gallery in twins):
        return given
    alone = {
        query: given[name] for query, gallery in twins for name in (query, gallery) if given.get(name) is not None
    }
    return {**given, **dict.fromkeys(gallery for _, gallery in twins), **alone}


@cache
def _is_of_columns(function: Callable[..., Any]) -> bool:
    """Whether a function takes columns alone, and those of one side where its first gallery column may be None."""
    if {"query", "gallery", "distances"} & set(_data(function)) or not _columns(function):
        return False
    return type(None) in typing.get_args(typing.get_type_hints(function)[_columns(function)[0][1]])


def _means_one_set(function: Callable[..., Any], given: Mapping[str, Any]) -> bool:
    names = _data(function)
    if "query" in names and "gallery" in names:
        query = given.get("query")
        if query is None or given.get("gallery") is not None:
            return False
        return bool(getattr(query, "one_set", True))  # a Pairwise says it itself
    matrix = given.get("distances")
    halves = [pair for pair in _columns(function) if sum(given.get(name) is not None for name in pair) == 1]
    return bool(halves) and hasattr(matrix, "shape") and is_one_set(matrix)


@cache
def _data(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's data."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return tuple(name for name in names if name in VOCABULARY)


@cache
def _columns(function: Callable[..., Any]) -> tuple[tuple[str, str], ...]:
    """What a function takes of both sides but features: ("query_cam", "gallery_cam"), …"""
    names = _data(function)
    pairs = [(name, name.replace("query", "gallery", 1)) for name in names if name.startswith("query_")]
    return tuple(pair for pair in pairs if pair[1] in names and "distances" not in pair[0])
