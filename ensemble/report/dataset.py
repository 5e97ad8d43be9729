"""What a run's features say of its data set: a map of the images, and copies among them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.base.kinds import Array, Ints
from ensemble.report import embedding
from ensemble.report.copies import Side, copies
from postproc.base import arrays

if TYPE_CHECKING:
    from ensemble.pipeline.images import Images
    from ensemble.pipeline.run import Seen


class DataSet:
    """Looks at the nodes of a run; :meth:`extras` is what it saw.

    Copies are looked for in the first model, and the map is of the last features on the way to the result.
    """

    def __init__(self) -> None:
        self.copies: dict[str, Any] = {}
        self.points: Array | None = None
        self.rows: dict[str, Ints] = {}

    def look(self, seen: "Seen", *, alone: bool) -> None:
        """Take from a node what it has; ``alone``: it is about one model of several."""
        found = seen.state.features
        if "gallery" not in found or seen.state.rows is not None or seen.state.codes:
            return
        images = seen.images
        sides = ("gallery", "train") if images.one_set else ("query", "gallery", "train")
        if seen.node.model and not self.copies:
            given = {side: arrays.host(found[side]) for side in sides if side in found}
            told = copies({side: _side(images, side, rows) for side, rows in given.items()})
            self.copies = {**told, "model": seen.node.model}
        if not alone:
            nq, ng = images.shape
            self.rows = self.rows or embedding.sample(0 if images.one_set else nq, ng)
            parts = [arrays.host(found[side])[rows] for side, rows in self.rows.items() if len(rows)]
            self.points = np.concatenate(parts)

    def extras(self, images: "Images") -> dict[str, Any]:
        """What a history keeps: ``copies``, and of the map points, sides and numbers of identities and cameras."""
        kept: dict[str, Any] = {"copies": self.copies} if self.copies else {}
        if self.points is None or len(self.points) < 3 or not np.isfinite(self.points).all():
            return kept
        points, about = embedding.mapped(self.points)
        sides = np.repeat(np.arange(len(self.rows)), [len(rows) for rows in self.rows.values()])
        kept |= {"map_points": points, "map_sides": sides, "map_about": about}
        for column in ("pid", "cam"):
            values = [images.known.get(f"{side}_{column}") for side in self.rows]
            if all(value is not None for value in values):
                rows = zip(values, self.rows.values(), strict=True)
                kept[f"map_{column}"] = np.concatenate([np.asarray(value)[at] for value, at in rows]).astype(int)
        return kept


def _side(images: "Images", side: str, rows: Array) -> Side:
    names = {"query": images.query_names, "gallery": images.gallery_names, "train": images.train_names}[side]
    if len(names) != len(rows):
        names = [f"{side} image {row + 1}" for row in range(len(rows))]
    pid = images.known.get(f"{side}_pid")
    return Side(rows, names, None if pid is None else np.asarray(pid))
