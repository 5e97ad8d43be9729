"""Re-ranking in which cameras and tracks count among all images, on whole matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, unit
from postproc.kernels.reference.reciprocal import rerank_matrix

Labels = NDArray[np.integer]
Side = Mapping[str, NDArray]  # features, cam, track, group, view of the images of one side


def camera_rules(
    cam: Sequence[Labels],
    group: Sequence[Labels],
    view: Sequence[Array],
    camera: float,
    grouped: float,
    direction: float,
    alike: float,
) -> Array:
    """(n, m): what one camera, one group, and one side where the camera of the row is unknown, count together."""
    same_side = unit(view[0]) @ unit(view[1]).T >= alike
    out = direction * ((cam[0] < 0)[:, None] & same_side)
    for (left, right), weight in ((cam, camera), (group, grouped)):
        out = out + weight * ((left[:, None] == right) & (left >= 0)[:, None])
    return np.asarray(out, np.float64)


def rerank_constrained(
    distances: Array,
    query: Side,
    gallery: Side,
    k1: int,
    k2: int,
    lambda_value: float,
    *,
    camera: float,
    query_camera: float,
    group: float,
    direction: float,
    alike: float,
    together: float | None,
    between: float,
    alone: str,
    clip: bool,
) -> Array:
    """Zhong et al. 2017 on (2 - 2 s)^2, s put together from three blocks."""
    blocks = []
    for side, weight, copies in ((query, query_camera, distances), (gallery, camera, distances.T)):
        x, track = np.asarray(side["features"], np.float64), side["track"]
        own = [*side.values(), copies]
        itself = np.array([[all((a[i] == a[j]).all() for a in own) for j in range(len(x))] for i in range(len(x))])
        cams, groups, views = ([side[name]] * 2 for name in ("cam", "group", "view"))
        penalty = camera_rules(cams, groups, views, weight, group, direction, alike)
        one = (track[:, None] == track) & (track >= 0)[:, None]
        s = x @ x.T
        if side is query:
            lone = (track < 0)[:, None] & (
                (track < 0) if alone == "together" else np.full(len(x), alone == "exempt")
            )
            s = s - np.where(one | itself | lone, 0, penalty)
            s = s - between * (~one & ~itself & (track >= 0)[:, None] & (track >= 0))
            inside = (x @ x.T + together) if together is not None else 1.0
            blocks.append(np.where(one | (itself & (together is None)), inside, s))
        else:
            s = np.where(one | itself, 1, s - penalty)
            blocks.append(np.clip(s, -1, 1) if clip else s)
    across = 1 - np.asarray(distances, np.float64)
    across = np.clip(across, -1, 1) if clip else across
    every = np.block([[blocks[0], across], [across.T, blocks[1]]])
    return rerank_matrix((2 - 2 * every) ** 2, len(across), k1, k2, lambda_value)
