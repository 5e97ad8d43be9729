"""What track files hold: one row a box."""

from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.kinds import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Boxes:
    """One row a box, by camera, then frame, then track.

    cam, track, frame: (n,) int64. A track number means one track of its camera; or, where ``track`` are
                       identities, the same in all cameras.
    box:               (n, 4) float64: left, top, width, height in pixels.
    conf:              (n,) float64, 1 where a file has none.
    world:             (n, 2) float64: where it stands on the ground, NaN where nobody knows.
    """

    cam: Ints
    track: Ints
    frame: Ints
    box: Floats
    conf: Floats
    world: Floats

    def __len__(self) -> int:
        return len(self.cam)

    @property
    def centre(self) -> Floats:
        """(n, 2) the middle of every box."""
        return self.box[:, :2] + self.box[:, 2:] / 2

    @property
    def area(self) -> Floats:
        """(n,) pixels."""
        return self.box[:, 2] * self.box[:, 3]

    def take(self, rows: Ints | Bools) -> "Boxes":
        """Some of the rows."""
        return Boxes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def called(self, track: Ints) -> "Boxes":
        """The same boxes with other track numbers, in the order that follows from them."""
        return ordered(replace(self, track=np.asarray(track, np.int64)))


def ordered(boxes: Boxes) -> Boxes:
    """By camera, frame, track: the order in which everything looks at boxes."""
    return boxes.take(np.lexsort((boxes.track, boxes.frame, boxes.cam)))


def joined(parts: list[Boxes]) -> Boxes:
    """All boxes of several files."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return ordered(Boxes(*(np.concatenate(column) for column in columns)))


def overlaps(one: Floats, other: Floats) -> Floats:
    """(m, k) area that two boxes share over the area that they cover together, 0 to 1.

    >>> overlaps(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 2, 2.0], [5, 5, 1, 1]]))  # 2 of 6
    array([[0.33333333, 0.        ]])
    """
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum((one[:, :2] + one[:, 2:])[:, None], (other[:, :2] + other[:, 2:])[None])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    both = np.prod(one[:, 2:], axis=1)[:, None] + np.prod(other[:, 2:], axis=1)[None] - shared
    found: Floats = np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)
    return found
