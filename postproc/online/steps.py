"""What happens to features before an index sees them: fitted once, applied to every image alone, kept with it.

``transform=`` takes one object with ``transform(features)``, or a list of such. Those that can be kept are the
fitted steps of :mod:`postproc.online.estimators` and scikit-learn's Pipelines of them: they are a few matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from postproc.base import checks, runtime
from postproc.base.stored import Stored
from postproc.base.vocabulary import Unchecked
from postproc.features.linear import ROWS, Map

ELSEWHERE = -1  # in the place of a camera: images of any other


class Step(Protocol):
    """An object that changes features."""

    def transform(self, X: Any) -> Any: ...


Transform = Step | Sequence[Step]


@dataclass(frozen=True)
class Fitted:
    """A step that was fitted: a map for images of every camera that has one of its own, and one for all others."""

    maps: Mapping[int, Map]

    @property
    def looks_at_cameras(self) -> bool:
        """Whether it matters to it where an image was taken."""
        return len(self.maps) > 1

    def transform(self, X: Unchecked, cam: Unchecked = None) -> np.ndarray:
        """(n, d) features -> (n, c) float32; ``cam`` (n,) cameras, -1 unknown, which is what None means."""
        features = checks.features("X", X)
        cams = checks.labels_or_none("cam", cam, len(features))
        cams = np.where(np.isin(cams, list(self.maps)), cams, ELSEWHERE)
        last = self.maps[ELSEWHERE].matrix
        out = np.empty((len(features), features.shape[1] if last is None else last.shape[1]), np.float32)
        for camera in np.unique(cams):
            rows = np.flatnonzero(cams == camera)
            if len(rows) == 1:
                _change(self.maps[int(camera)], features, rows, out, 0, 1)
            else:
                runtime.over_rows(
                    partial(_change, self.maps[int(camera)], features, rows, out),
                    len(rows), what="features", block=ROWS,
                )  # fmt: skip
        return out


def _change(change: Map, features: np.ndarray, rows: np.ndarray, out: np.ndarray, start: int, stop: int) -> None:
    """Each row by itself, so that its bits do not depend on the others: a copy stays a copy."""
    for row in rows[start:stop]:
        out[row] = change(features[row : row + 1].astype(np.float64))[0]


def applied(transform: Transform | None, features: Unchecked, name: str, cam: Unchecked = None) -> Unchecked:
    """Features after all steps; ``name`` is what messages call them."""
    if isinstance(features, Stored):  # every query looks at all of them
        features = features[:]
    if transform is None:
        if cam is not None:
            raise ValueError(f"{name}: wanted cameras only where a transform looks at them, got some")
        return features
    array = checks.images(name, features)
    for step in _listed(transform):
        fitted = _fitted(step)
        array = step.transform(array) if fitted is None else fitted.transform(array, cam)
    return checks.images(name, array)


def as_arrays(transform: Transform | None) -> tuple[dict[str, np.ndarray], list[list[dict[str, Any]]]]:
    """All that there is to keep of it: arrays by name, and what they are."""
    kept: dict[str, np.ndarray] = {}
    said = []
    for at, step in enumerate(() if transform is None else _listed(transform)):
        fitted = _fitted(step)
        if fitted is None:
            raise TypeError(
                f"transform: wanted fitted steps of postproc.online.estimators, which can be kept, got "
                f"{type(step).__name__}; give features that it has changed already"
            )
        maps = []
        for number, (camera, one) in enumerate(fitted.maps.items()):
            entry: dict[str, Any] = {"camera": camera, "unit": one.unit}
            for part in ("centre", "matrix"):
                if getattr(one, part) is not None:
                    entry[part] = f"step{at}_map{number}_{part}"
                    kept[entry[part]] = getattr(one, part)
            maps.append(entry)
        said.append(maps)
    return kept, said


def arrays_of(said: list[list[dict[str, Any]]]) -> list[str]:
    """The names of the arrays that :func:`as_arrays` gave."""
    return [entry[part] for maps in said for entry in maps for part in ("centre", "matrix") if part in entry]


def from_arrays(said: list[list[dict[str, Any]]], kept: Mapping[str, np.ndarray]) -> Transform | None:
    """The steps of :func:`as_arrays` again, or None."""
    steps = []
    for maps in said:
        found = {}
        for entry in maps:
            centre, matrix = (
                np.asarray(kept[entry[part]]) if part in entry else None for part in ("centre", "matrix")
            )
            found[int(entry["camera"])] = Map(centre, matrix, bool(entry["unit"]))
        steps.append(Fitted(found))
    return steps or None


def _listed(transform: Any) -> list[Any]:
    """The single steps of a list, or of a Pipeline, one after the other."""
    if isinstance(transform, (list, tuple)):
        return [step for each in transform for step in _listed(each)]
    if hasattr(transform, "steps"):  # a Pipeline
        return [step for _, each in transform.steps if each not in (None, "passthrough") for step in _listed(each)]
    if not hasattr(transform, "transform"):
        raise TypeError(f"transform: wanted objects with transform(features), got {type(transform).__name__}")
    return [transform]


def _fitted(step: Any) -> Fitted | None:
    """What was fitted, of a step of ours."""
    return step if isinstance(step, Fitted) else getattr(step, "fitted_", None)
