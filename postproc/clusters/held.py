"""What the steps of this family hold beside their input and their answer."""

from postproc.base.sizes import DOUBLE, SINGLE, Sizes
from postproc.base.step import Chosen

PAIR = 64  # bytes of a pair while it is sorted: two rows, a number, their order


def of_pairs(sizes: Sizes, chosen: Chosen) -> int:
    """A symmetric copy, and all pairs of one set, were they all within the threshold."""
    return SINGLE * sizes.nq**2 + PAIR * sizes.nq * (sizes.nq + 1) // 2


def of_tree(sizes: Sizes, chosen: Chosen) -> int:
    """The same, and the distances of one component in float64, in a triangle and once more while it is joined."""
    return of_pairs(sizes, chosen) + 3 * DOUBLE * sizes.nq**2
