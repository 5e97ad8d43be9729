"""Two steps: one over features, one over distances."""

from typing import Annotated

import numpy as np

from postproc.base import checks
from postproc.base.settings import Neutral, Weight, Within
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances, Features


@step(host_only=True)
def soft_threshold(
    features: Features, *, strength: Annotated[Weight, Within(0, 1e6), Neutral(0.0)] = 0.1
) -> Features:
    """Move every value towards 0 by ``strength``, and no further: ``sign(x) max(|x| - strength, 0)``.

    Takes:    features (n, d) float32.
    Returns:  (n, d) float32.
    strength: 0 (nothing changes) to 1,000,000, in the unit of the values.
    """
    x = checks.features("features", features)
    return np.sign(x) * np.maximum(np.abs(x) - np.float32(strength), 0)


@step(unit=KEPT, host_only=True)
def own_camera_last(
    distances: Distances,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    *,
    share: Annotated[Weight, Within(0, 1), Neutral(0.0)] = 1.0,
) -> Distances:
    """Add ``share`` of the spread of all distances where query and gallery image are of one camera.

    Takes:   distances (nq, ng) float32; cameras, int, -1 unknown, which matches nothing.
    Returns: (nq, ng) float32, same unit.
    share:   0 (nothing changes) to 1 (images of the own camera stand behind all others).
    """
    given = checks.distances("distances", distances)
    query, gallery = (
        checks.labels(name, value, count)
        for name, value, count in zip(
            ("query_cam", "gallery_cam"), (query_cam, gallery_cam), given.shape, strict=True
        )
    )
    same = (query[:, None] == gallery) & (query[:, None] >= 0)
    finite = given[np.isfinite(given)]
    spread = finite.max(initial=0) - finite.min(initial=0)
    return given + np.float32(share * spread) * same
