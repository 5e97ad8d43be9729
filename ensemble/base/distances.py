"""A model that is distances already: a matrix of queries and gallery, beside the tables that say what they are."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet, columns

if TYPE_CHECKING:
    import pandas as pd

TRAIN_DISTANCES, TRAIN_HITS, TRAIN_HIT_LISTS = "train_distances", "train_hits", "train_hit_lists"
STRIP = 1 << 22  # entries that are looked at together


class LabelledPairs(NamedTuple):
    """What a model says of pairs of labelled images: (m,) float32 distances, finite, None where it has an order
    alone; whether they are of one identity, (m,) bool; and the lists that they make, (queries, places) int8, see
    :func:`~ensemble.fusion.hit_lists`.
    """

    distances: np.ndarray | None
    hits: np.ndarray
    lists: np.ndarray

    def data(self) -> dict[str, np.ndarray]:
        """All by their names in the vocabulary."""
        far = {} if self.distances is None else {TRAIN_DISTANCES: self.distances}
        return far | {TRAIN_HITS: self.hits, TRAIN_HIT_LISTS: self.lists}


@dataclass(frozen=True, eq=False)
class DistanceSet:
    """How far one model says that every pair of a query and a gallery image is, where somebody else computed it.

    ``distances`` (nq, ng) float32, smaller is nearer, +inf never return, NaN where it does not know the pair: a
    table of pairs and a rank list know few. It may be mapped from its file, and is never written to. ``partial``:
    there are such pairs. Tables and notes are those of a FeatureSet, and so is what it has beside: a recipe's
    models are of either kind. Of ``one_set`` both sides have the same images in the same order, and +inf stands on
    the diagonal. ``labelled``: what the model says of other images, whose identities are known, for joins that
    learn from it. ``places``: its numbers are places in a list.
    """

    model: str
    distances: np.ndarray
    query_table: "pd.DataFrame"
    gallery_table: "pd.DataFrame"
    notes: tuple[str, ...] = ()
    named: bool = True
    partial: bool = False
    one_set: bool = False
    labelled: LabelledPairs | None = None
    places: bool = False

    train: ClassVar[None] = None
    train_table: ClassVar[None] = None
    auxiliary: ClassVar[bool] = False
    codes: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        wanted = len(self.query_table), len(self.gallery_table)
        if self.distances.shape != wanted or self.distances.dtype != np.float32:
            raise InputError(
                [
                    f"{self.model}: wanted distances of {wanted[0]} x {wanted[1]} float32, found "
                    f"{' x '.join(map(str, self.distances.shape))} {self.distances.dtype}"
                ]
            )
        object.__setattr__(self, "partial", _lacks(self.model, self.distances))
        if self.partial and np.isnan(self.distances).all():
            raise InputError([f"{self.model}: wanted a pair that it knows, found none; leave it out"])
        view = self.distances.view()
        view.flags.writeable = False
        object.__setattr__(self, "distances", view)

    def take(self, *, query: np.ndarray | None = None, gallery: np.ndarray | None = None) -> "DistanceSet":
        """The set with only these rows of the sides named; of one set as a FeatureSet has it."""
        one_set = self.one_set
        if one_set and query is not None:
            among = np.isin(query, query if gallery is None else gallery)
            if among.any() and not among.all():
                raise ValueError(f"{self.model}: wanted the same images on both sides of one set, got others")
            one_set = bool(among.all())
            gallery = query if gallery is None else gallery
        if one_set:
            query = gallery
        found = self.distances if query is None else self.distances[query]
        tables = self.query_table, self.gallery_table
        left, right = (
            table if rows is None else table.iloc[rows].reset_index(drop=True)
            for table, rows in zip(tables, (query, gallery), strict=True)
        )
        taken = found if gallery is None else np.ascontiguousarray(found[:, gallery])
        return replace(self, distances=taken, query_table=left, gallery_table=right, one_set=one_set)

    def data(self) -> dict[str, np.ndarray]:
        """The columns of both tables by their names in the vocabulary; the distances are no column."""
        return columns({"query": self.query_table, "gallery": self.gallery_table})


ModelSet = FeatureSet | DistanceSet
"""A model as it was read: features, or distances already."""


def _lacks(model: str, distances: np.ndarray) -> bool:
    """Whether some pair is not known. Raises InputError for -inf, which is nearer than near."""
    lacks = False
    step = max(1, STRIP // max(1, distances.shape[1]))
    for start in range(0, len(distances), step):
        block = distances[start : start + step]
        if block.size and not np.isfinite(block.min()):  # NaN where any is
            lacks = lacks or bool(np.isnan(block).any())
            if (block == -np.inf).any():
                raise InputError(
                    [f"{model}: wanted numbers, +inf or NaN, found -inf; leave out what is not known"]
                )
    return lacks
