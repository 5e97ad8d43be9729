"""What cameras and tracks say of a pair of images, as values.

Kernels are handed these values as plain tuples (:func:`plain`): numba's cache on disk would name the classes by
the module that they are in, and could not be read any more once that has moved.
"""

from typing import Any, NamedTuple

import numpy as np

APART, TOGETHER, EXEMPT = 0, 1, 2  # what images of no track are to one another


class CameraRule(NamedTuple):
    """What it counts where two images were seen from one place.

    ``camera``: both cameras are known and the same. ``group``: both camera groups are known and the same.
    ``direction``: the camera of the first image is unknown, and the product of the two orientations, of unit
    length, is ``alike`` or more.
    """

    camera: float
    group: float
    direction: float
    alike: float


class TrackRule(NamedTuple):
    """What tracks do to the similarity of two images of one side.

    ``within``: added inside a track; NaN: the similarity is 1 there. ``between``: taken off between two tracks.
    ``alone``: what images of no track are to the others, :data:`APART`, :data:`TOGETHER` or :data:`EXEMPT`.
    ``clip``: cut the similarity to -1 .. 1.
    """

    within: float
    between: float
    alone: int
    clip: bool


class SideRules(NamedTuple):
    """The rules that hold between the images of one side."""

    cameras: CameraRule
    tracks: TrackRule


class Places(NamedTuple):
    """Where images, or kinds of images, were seen from: cameras and camera groups (n,) int32, -1 unknown, and
    orientations (n, a) float32."""

    cams: np.ndarray
    groups: np.ndarray
    orientations: np.ndarray


def plain(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """A value as tuples of tuples, without the names."""
    return tuple(plain(part) if isinstance(part, tuple) else part for part in value)
