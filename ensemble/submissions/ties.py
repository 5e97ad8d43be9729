"""Distances that tell an order by themselves, where a list says one that its distances do not.

A list may hold equal distances, or distances that only float64 can tell apart. Whoever sorts them again, by their
values and then by the gallery's rows or by the images' names, gets another list. So what would come out wrong is
moved behind what stands before it, by the smallest step that float32 has.
"""

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.int64]
TINY = int(
    np.float32(np.finfo(np.float32).tiny).view(np.int32)
)  # the smallest number that no processor takes for 0
LARGEST = int(np.float32(np.finfo(np.float32).max).view(np.int32)) - TINY + 1  # in steps from 0
APART = 1 << 40  # steps between two lists, more than there are in one


def told(distances: NDArray[np.float32], behind: NDArray[np.bool_], list_of: Steps) -> NDArray[np.float32]:
    """The nearest distances that tell the order: never falling in a list, and larger where ``behind`` says so.

    Takes:   distances (n,) of lists one after the other, no NaN; behind (n,) whether an entry has to be farther
             than the one before it, or as far is enough; list_of (n,) the number of its list, ascending.
    Returns: (n,) float32; what told its order stays to the bit. Where float32 ends, what stands before gives way.
    Cost:    O(n), some arrays of int64.

    >>> told(np.float32([0.5, 0.5, 2]), np.array([False, True, True]), np.zeros(3, np.int64))
    array([0.5       , 0.50000006, 2.        ], dtype=float32)
    """
    if not len(distances):
        return distances
    given = _steps(distances)
    first = np.append(True, list_of[1:] != list_of[:-1])
    least = np.cumsum(behind & ~first)  # steps that have to be made up to here
    found: Steps = np.maximum.accumulate(given - least + list_of * APART) - list_of * APART + least
    ends = np.append(np.flatnonzero(first)[1:], len(first)) - 1
    last = np.repeat(ends, np.diff(np.append(-1, ends)))
    highest = np.where(np.isinf(distances[last]), LARGEST + 1, LARGEST)
    found = np.minimum(found, highest - (least[last] - least))
    return np.where(found == given, distances, _numbers(found))


def _steps(values: NDArray[np.float32]) -> Steps:
    """How many steps of float32 a number is away from 0, all that is smaller than a normal number being 0."""
    steps = np.maximum(np.abs(values).view(np.int32).astype(np.int64) - TINY + 1, 0)
    return np.where(values < 0, -steps, steps)


def _numbers(steps: Steps) -> NDArray[np.float32]:
    sizes = np.where(steps == 0, 0, np.abs(steps) + TINY - 1).astype(np.int32).view(np.float32)
    return np.where(steps < 0, -sizes, sizes)
