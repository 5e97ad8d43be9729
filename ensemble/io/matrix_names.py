"""The rows and columns of matrices by name: all in the order of the images, whatever order a file has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.alike import alike
from ensemble.base.errors import examples, refuse_if_any
from ensemble.io.lists import repeated
from ensemble.io.matrices import SIDES, Matrix

Names = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Order:
    """The order that a list beside matrices states for one side, and where it stands."""

    where: str
    names: Sequence[str]


def named(matrix: Matrix, orders: Mapping[str, Order]) -> tuple[Matrix, str]:
    """The matrix with names from the lists of its folder where it has none of its own, and what is said of that.

    Raises InputError where the lists are those of other images.
    """
    lacking = [side for side in SIDES if side not in matrix.names and side in orders]
    counts = dict(zip(SIDES, matrix.values.shape, strict=True))
    off = {side: len(orders[side].names) for side in lacking if len(orders[side].names) != counts[side]}
    if off:
        refuse_if_any([_other_size(matrix, {side: len(order.names) for side, order in orders.items()})])
    what = {"query": "rows", "gallery": "columns"}
    of = " and ".join(f"{what[side]} are those of {orders[side].where}" for side in lacking)
    names = {**matrix.names, **{side: list(orders[side].names) for side in lacking}}
    return replace(matrix, names=names), of and f"joined by position: no names inside, {of}, in that order"


def placed(matrix: Matrix, images: Names, *, missing: str, notes: list[str]) -> np.ndarray:
    """(nq, ng) float32: the matrix in the order of the images, NaN where it lacks one and ``missing`` is "keep".

    Taken are queries by gallery, and a square of all images of both sides. What is in order already is not copied.
    missing: "refuse", "keep" or "drop", as of features; with "drop" it may have gallery images that were dropped.
    Raises:  InputError for other images, names given twice, and rows without names where the images have some.
    """
    _refuse_nameless(matrix, images)
    everybody = dict.fromkeys([*images["query"], *images["gallery"]])
    problems: list[str] = []
    rows = []
    for side in SIDES:
        wanted, found = images[side], matrix.names[side]
        again = repeated(found)
        if again:
            problems.append(
                f"{matrix.where}: wanted every {side} name once, found again {examples(again)}; remove the copies"
            )
        whole = len(found) > len(wanted)
        like = alike(found, list(everybody) if whole else wanted)
        if like is not None and like.renamed:
            notes.append(f"{matrix.where}: its {side} names differ from those wanted {like}: joined without that")
            found = [like.renamed.get(name, name) for name in found]
        hint = like.hint() if like is not None else ""
        place = {name: row for row, name in enumerate(found)}
        at = np.array([place.get(name, -1) for name in wanted], np.int64)
        lacking = [wanted[row] for row in np.flatnonzero(at < 0).tolist()]
        strange = [name for name in found if name not in everybody]
        if lacking and missing != "keep":
            problems.append(
                f"{matrix.where}: wanted the {side} images, found {len(lacking)} missing ({examples(lacking)}); "
                f"add them, or leave them out everywhere{hint}"
            )
        if strange and not (missing == "drop" and side == "gallery"):
            problems.append(
                f"{matrix.where}: wanted only images that are there, found {len(strange)} more among its {side} "
                f"names ({examples(strange)}); leave them out{hint}"
            )
        rows.append(at)
    refuse_if_any(problems)
    return _taken(matrix.values, *rows)


def _taken(values: np.ndarray, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Rows and columns of a matrix, NaN for -1; itself where all stand as they are wanted."""
    same = [np.array_equal(at, np.arange(count)) for at, count in zip((query, gallery), values.shape, strict=True)]
    out = values if same[0] else values[query]
    if not same[1]:
        out = np.take(out, gallery, axis=1)
    for axis, at in enumerate((query, gallery)):
        if (at < 0).any():
            out[(slice(None),) * axis + (at < 0,)] = np.nan
    return out


def _refuse_nameless(matrix: Matrix, images: Names) -> None:
    if any(side not in matrix.names for side in SIDES):
        refuse_if_any([_nameless(matrix, {side: len(images[side]) for side in SIDES})])


def _nameless(matrix: Matrix, counts: Mapping[str, int]) -> str:
    return (
        f"{matrix.where}: wanted the names of its rows and columns, found {_size(matrix)} without for "
        f"{counts['query']} queries and {counts['gallery']} images; put query_name and gallery_name into the "
        "file, or lists of names beside it"
    )


def _other_size(matrix: Matrix, counts: Mapping[str, int]) -> str:
    """What is said of a matrix without names that is of another size than the lists."""
    nq, ng = counts.get("query", matrix.values.shape[0]), counts.get("gallery", matrix.values.shape[1])
    remedy = "give the lists that were written with it"
    if matrix.values.shape == (ng, nq):
        remedy = "it stands the other way round: write it transposed"
    elif matrix.values.shape == (nq + ng, nq + ng):
        remedy = (
            f"queries and gallery in one matrix need names that say which is which: put them beside it, or write "
            f"D[:{nq}, {nq}:] if the queries come first"
        )
    return f"{matrix.where}: wanted {nq} x {ng}, as the lists of names say, found {_size(matrix)}; {remedy}"


def _size(matrix: Matrix) -> str:
    return " x ".join(map(str, matrix.values.shape))
