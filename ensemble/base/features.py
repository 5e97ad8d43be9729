"""The value that moves through a run: one model's features and the tables that say what each row is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ensemble.base import labels
from ensemble.base.errors import InputError, examples, refuse_if_any
from postproc.base import temporary
from postproc.base.one_set import are_distances

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("query", "gallery", "train")
# Beside ``name``.
COLUMNS = ("pid", "cam", "cam_predicted", "track", "order", "frame", "scene", "quality", "clothes")


@dataclass(frozen=True)
class FeatureSet:
    """One model's features of all images, checked once, read-only afterwards.

    ``query`` (nq, d), ``gallery`` (ng, d) and, where there is one, ``train`` (n, d) are float32. Each has a
    table with one row an image, in the same order: ``name`` (text, unique) and any of ``pid``, ``cam``,
    ``cam_predicted`` (by some classifier, where ``cam`` is for the scores), ``track``, ``order`` (place inside the
    track), ``frame``, ``scene`` (group of cameras), ``quality`` (as the area of the crop in pixels) and
    ``clothes`` as whole numbers, labels (``ensemble.base.labels``) as text too. A column that nobody gave is
    absent, never made up.

    ``codes`` are the lengths of binary codes, where the values are bits (0 and 1, or -1 and 1): one length a code,
    several where codes stand side by side. Empty: these are numbers.

    An ``auxiliary`` model tells of cameras, orientation, attributes or parts; its rows may be zero, where there is
    nothing to tell. Of a ``partial`` model, rows of NaN are images that it does not know. ``notes`` says in
    sentences how its rows came to their images, where that was not by their names as they are, and what was taken
    for codes by its values alone. ``named`` is False where names are but the numbers of rows, so that one name on
    both sides means nothing. ``one_set``: each image against all others; the same arrays and tables stand on both
    sides.
    """

    model: str
    query: np.ndarray
    gallery: np.ndarray
    query_table: "pd.DataFrame"
    gallery_table: "pd.DataFrame"
    train: np.ndarray | None = None
    train_table: "pd.DataFrame | None" = field(default=None)
    auxiliary: bool = False
    partial: bool = False
    codes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    named: bool = True
    one_set: bool = False

    distances: ClassVar[None] = None  # these are features; see ensemble.base.distances

    def __post_init__(self) -> None:
        problems = []
        if self.one_set:  # said of one side, and checked once
            object.__setattr__(self, "query", self.gallery)
            object.__setattr__(self, "query_table", self.gallery_table)
        for side in self.sides:
            array, table = getattr(self, side), getattr(self, f"{side}_table")
            if array is None and table is None and side == "train":
                continue
            where, partial = f"{self.model}, {side}", self.partial and side != "train"
            problems += _problems(where, array, table, partial=partial, zeros=self.auxiliary or bool(self.codes))
        if not problems:
            widths = {side: getattr(self, side).shape[1] for side in SIDES if getattr(self, side) is not None}
            if len(set(widths.values())) > 1:
                found = ", ".join(f"{side} {width}" for side, width in widths.items())
                problems.append(
                    f"{self.model}: wanted the same number of values an image everywhere, found {found}; "
                    "were the files written by the same model?"
                )
            elif self.codes and sum(self.codes) not in widths.values():
                problems.append(
                    f"{self.model}: wanted as many bits as its codes of {list(self.codes)} have, found {widths}"
                )
        refuse_if_any(problems)
        for side in self.sides:
            array = getattr(self, side)
            if array is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, side, view)
        if self.one_set:
            object.__setattr__(self, "query", self.gallery)

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that there are, each once: of one set the gallery stands for both."""
        return SIDES[1:] if self.one_set else SIDES

    def known(self, side: str) -> np.ndarray:
        """Which images of a side the model knows, (n,) bool."""
        known: np.ndarray = ~_row_by_row(getattr(self, side), lambda rows: np.isnan(rows).all(axis=1))
        return known

    def take(self, **rows: np.ndarray) -> "FeatureSet":
        """The set with only these rows of the sides named, as ``take(gallery=[0, 2])``.

        Of one set, rows of either side are rows of it; of both sides all queries are among the gallery's rows, and
        it stays one set, or none is, and there are two. ValueError for anything between.
        """
        parts: dict[str, Any] = {}
        if self.one_set and "query" in rows:
            among = np.isin(rows["query"], rows.get("gallery", rows["query"]))
            if among.all():
                rows = {"gallery": rows.pop("query"), **rows}
            elif among.any():
                raise ValueError(f"{self.model}: wanted the same images on both sides of one set, got others")
            else:
                parts["one_set"] = False
        for side, chosen in rows.items():
            array, table = getattr(self, side), getattr(self, f"{side}_table")
            parts |= {
                side: temporary.rows(array, chosen),
                f"{side}_table": table.iloc[chosen].reset_index(drop=True),
            }
        return replace(self, **parts)

    def data(self) -> dict[str, np.ndarray]:
        """Everything a step may ask for, by its name in the vocabulary (``query``, ``gallery_cam``, …)."""
        found = {}
        for side in SIDES:
            array = getattr(self, side)
            if array is not None:
                found[side] = array
        return found | columns({side: getattr(self, f"{side}_table") for side in found})


def columns(tables: "Mapping[str, pd.DataFrame]") -> dict[str, np.ndarray]:
    """What tables hold beside names, as arrays called ``SIDE_COLUMN``; labels as numbers, -1 unknown."""
    there = [(side, column) for side, table in tables.items() for column in COLUMNS if column in table.columns]
    given = {f"{side}_{column}": tables[side][column].to_numpy() for side, column in there}
    kinds: dict[str, dict[str, np.ndarray]] = {}
    for side, column in there:
        if column in labels.LABELS:
            name = f"{side}_{column}"
            read = labels.of_values(given[name])
            if read is None:
                raise InputError(
                    [f"{name}: wanted labels, found {given[name].dtype}; write whole numbers or text"]
                )
            kinds.setdefault(labels.kind_of(column), {})[name] = read
    numbers = {name: values for kind in kinds.values() for name, values in labels.numbered(kind).items()}
    return {
        name: numbers[name] if name in numbers else values.astype(_dtype(name)) for name, values in given.items()
    }


def _dtype(name: str) -> type:
    return np.float32 if name.endswith("_quality") else np.int64


def _problems(
    where: str, array: np.ndarray | None, table: "pd.DataFrame | None", *, partial: bool, zeros: bool
) -> list[str]:
    """What is wrong with one set of images, each problem with examples; empty when nothing is.

    ``partial``: rows of NaN alone are images that the model does not know; ``zeros``: rows of zeros are no fault.
    """
    if array is None or table is None:
        return [f"{where}: wanted features and a table, found only one of them"]
    if array.ndim != 2 or array.dtype != np.float32:
        return [f"{where}: wanted (images, values) float32, found shape {array.shape} {array.dtype}"]
    if not array.size:
        return [f"{where}: wanted at least one image and one value, found shape {array.shape}"]
    if len(table) != len(array):
        return [f"{where}: wanted one table row an image, found {len(table)} rows for {len(array)} images"]
    problems = []
    names = table["name"]
    twice = names[names.duplicated()].unique()
    if len(twice):
        problems.append(f"{where}: wanted every name once, found again {examples(list(twice))}; remove the copies")
    finite = _row_by_row(array, lambda rows: np.isfinite(rows).all(axis=1))
    if partial:
        finite |= _row_by_row(array, lambda rows: np.isnan(rows).all(axis=1))
    if not finite.all():
        bad = list(names[~finite])
        problems.append(
            f"{where}: wanted finite numbers, found NaN or infinity in {len(bad)} images "
            f"({examples(bad)}); extract them again"
        )
    with np.errstate(invalid="ignore"):  # a signalling NaN was reported above
        zero = ~_row_by_row(array, lambda rows: rows.any(axis=1))
    if zero.any() and not zeros:
        bad = list(names[zero])
        problems.append(
            f"{where}: wanted features, found only zeros in {len(bad)} images ({examples(bad)}); "
            "extract them again or leave these images out everywhere"
        )
    if are_distances(array):
        problems.append(
            f"{where}: wanted features, found a symmetric square with zeros on its diagonal, as distances of all "
            "by all are; give them as rankings"
        )
    return problems


def _row_by_row(array: np.ndarray, looked: Callable[[np.ndarray], Any]) -> np.ndarray:
    """(n,) bool of what is true of rows, some of them at a time: they may be more than memory holds."""
    found = np.empty(len(array), bool)
    for part in temporary.blocks(array.shape, "read"):
        found[part] = looked(array[part])
    return found
