"""Sets that grow along a list of pairs, as lists."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = Sequence[tuple[int, int]]


def unite(images: int, must: Rows, pairs: Rows, cannot: Rows) -> NDArray[np.int64]:
    """Unite what must be, then along the pairs what may be; every image's set by its lowest row."""
    sets = [{i} for i in range(images)]
    forbidden = {frozenset(pair) for pair in cannot}

    def of(i: int) -> set[int]:
        return next(found for found in sets if i in found)

    for place, (i, j) in enumerate([*must, *pairs]):
        one, other = of(i), of(j)
        free = not any(frozenset((a, b)) in forbidden for a in one for b in other)
        if one is not other and (free or place < len(must)):
            sets.remove(other)
            one |= other
    return np.array([min(of(i)) for i in range(images)])
