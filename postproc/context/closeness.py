"""How far images lie in groups, read off neighbour lists: nothing is known of their identities.

In a group as large as its lists are long, everybody names the same images; strangers who happen to be near each
other name others. Which share of the names two neighbours have in common says which of both it is.
"""

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.pairs import nearest
from postproc.pairs.nearest import Lists

NAMES = 10  # nearest others of each that are compared


def closeness(lists: Lists) -> float:
    """The mean share of an image's ten nearest others who are among the ten nearest of each of those, over chance.

    0 is chance or less, 1 is groups of eleven and nothing between them. ``lists`` of all images name themselves.
    Counts are whole numbers, so that their sum is the same in any order. Cost: 100 looks an image.
    """
    rows = nearest.without_self(lists).rows[:, :NAMES]
    count, k = rows.shape
    if not k:
        return 0.0
    rows = arrays.contiguous(rows)
    shared = arrays.empty(count, np.int32, rows)
    kernel, xp = kernels.of(rows), arrays.namespace(rows)
    kernel.walk.over_rows(
        lambda start, stop: kernel.reciprocal.shared_neighbours(rows, start, stop, shared),
        count,
        what="shared neighbours",
    )
    return over_chance(int(xp.sum(shared, dtype=xp.int64)), count, k)


def over_chance(shared: int, images: int, k: int) -> float:
    """Of ``shared`` names in all; by chance two lists of ``k``, one of which names the other's owner, share
    ``(k - 1) / (images - 1)``."""
    share, chance = shared / (images * k * k), (k - 1) / (images - 1)
    return max(0.0, (share - chance) / (1 - chance)) if chance < 1 else 0.0
