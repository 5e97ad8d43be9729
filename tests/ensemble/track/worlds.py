"""Small worlds of tracklets, made by hand."""

from collections.abc import Mapping

import numpy as np

from ensemble.boxes.tables import Clocks
from ensemble.boxes.value import Boxes, ordered
from ensemble.track import tracklets
from ensemble.track.value import Shots, World


def boxes(*tracks, world=None):
    """Tracks as (cam, track, first frame, last frame[, x]); boxes of 10 x 10, ``world[row]`` on the ground."""
    parts = []
    for row, (cam, track, first, last, *x) in enumerate(tracks):
        frame = np.arange(first, last + 1)
        count = len(frame)
        box = np.tile([x[0] if x else 0.0, 0.0, 10.0, 10.0], (count, 1))
        ground = (
            np.full((count, 2), np.nan) if world is None or world[row] is None else np.tile(world[row], (count, 1))
        )
        parts.append(
            (np.full(count, cam), np.full(count, track), frame, box, np.ones(count), ground.astype(float))
        )
    return ordered(Boxes(*(np.concatenate(column) for column in zip(*parts, strict=True))))


class Table:
    """Distances that are given, among the tracklets in their order."""

    def __init__(self, table: np.ndarray) -> None:
        self.table, self.asked = np.asarray(table, np.float64), []

    def among(self, rows: np.ndarray, models: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        self.asked.append((rows.tolist(), models))
        found = self.table[np.ix_(rows, rows)].copy()
        np.fill_diagonal(found, 0)
        return found


class Cosine:
    """1 - cosine of the model "a"."""

    def __init__(self, looks: np.ndarray) -> None:
        self.looks = looks

    def among(self, rows: np.ndarray, models: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        looks = (models or {"a": self.looks})["a"][rows].astype(np.float64)
        looks = looks / np.linalg.norm(looks, axis=1, keepdims=True)
        found = 1 - looks @ looks.T
        np.fill_diagonal(found, 0)
        return found


def world(found, *, table=None, looks=None, windows=(), zones=(), shots: Shots | None = None, fps=1.0):
    """A world of these boxes: a second is a frame, unless ``fps`` says another. Rows are by camera, then track."""
    made = tracklets.made(found, Clocks(usual=fps, first=0), zones)
    count = len(made)
    looks = np.eye(count, 4 + count, dtype=np.float32) if looks is None else np.asarray(looks, np.float32)
    return World(
        tracklets=made,
        models={"a": looks},
        known=~np.isnan(looks).any(axis=1),
        looks=Cosine(looks) if table is None else Table(table),
        windows=tuple(windows),
        shots=shots,
        fps=fps,
    )
