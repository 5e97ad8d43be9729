"""The median, the smallest and the largest of what the models say about a pair.

Source: Fox and Shaw, "Combination of Multiple Searches", TREC-2, 1994: CombMED, CombMAX and CombMIN of scores, the
largest score being the smallest distance.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, by_query, join, scaled_or_kept
from ensemble.fusion.scaling import Scaling, scaler
from postproc.base import arrays
from postproc.base.vocabulary import Floats

Missing = Literal["refuse", "known"]


@join(unit=scaled_or_kept, lists=by_query, memory=parts.blocks(5, 0.7), work=parts.looks(50, 1))
def median(distances: Parts, *, scaling: Scaling = "none", missing: Missing = "refuse") -> Floats:
    """Take the median of what the parts say (CombMED); of an even number the mean of the middle two.

    Takes:   distances, one (nq, n) float32 a part; without scaling all in comparable units.
    Returns: (nq, n) float32.
    scaling: see :func:`~ensemble.fusion.scaled`.
    missing: "refuse", or "known": of the parts that know the pair.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    a sort of the parts for every pair; the result and some rows of all parts.

    >>> median([np.array([[d]], np.float32) for d in (1.0, 9.0, 2.0)])
    array([[2.]], dtype=float32)
    """

    def middle(ascending: np.ndarray, known: np.ndarray) -> np.ndarray:
        xp = arrays.namespace(ascending)
        low, high = (xp.maximum(known - 1, 0) // 2)[None], (known // 2)[None]
        high = xp.minimum(high, len(ascending) - 1)
        picked = [arrays.as_type(xp.take_along_axis(ascending, at, axis=0)[0], np.float64) for at in (low, high)]
        return (picked[0] + picked[1]) / 2

    return _of_sorted(distances, scaling, missing, middle)


@join(unit=scaled_or_kept, lists=by_query, memory=parts.blocks(1.2, 1), work=parts.looks(32, 2))
def smallest(distances: Parts, *, scaling: Scaling = "none", missing: Missing = "refuse") -> Floats:
    """Take the smallest distance that any part gives (CombMAX of scores): near for one is near.

    Settings, errors and cost as :func:`median`.

    >>> smallest([np.array([[d]], np.float32) for d in (1.0, 9.0, 2.0)])
    array([[1.]], dtype=float32)
    """
    return _of_sorted(distances, scaling, missing, lambda ascending, known: ascending[0])


@join(unit=scaled_or_kept, lists=by_query, memory=parts.blocks(1.2, 1), work=parts.looks(32, 2.5))
def largest(distances: Parts, *, scaling: Scaling = "none", missing: Missing = "refuse") -> Floats:
    """Take the largest distance that any part gives (CombMIN of scores): near has to be near for all.

    Settings, errors and cost as :func:`median`.

    >>> largest([np.array([[d]], np.float32) for d in (1.0, 9.0, 2.0)])
    array([[9.]], dtype=float32)
    """

    def last(ascending: np.ndarray, known: np.ndarray) -> np.ndarray:
        xp = arrays.namespace(ascending)
        return xp.take_along_axis(ascending, xp.maximum(known - 1, 0)[None], axis=0)[0]

    return _of_sorted(distances, scaling, missing, last)


def _of_sorted(
    distances: Parts, scaling: Scaling, missing: Missing, pick: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Floats:
    """``pick(values of the parts in ascending order, how many know the pair)`` for every pair."""
    found = parts.checked(distances, missing, get_args(Missing))
    xp = arrays.namespace(found[0])
    changes = [scaler(part, scaling) for part in found]

    def look(rows: slice) -> np.ndarray:
        values = xp.stack([change(part[rows]) for part, change in zip(found, changes, strict=True)])
        never = xp.any(xp.isinf(values), axis=0)
        known = (~xp.isnan(values)).sum(axis=0)
        values = xp.sort(values, axis=0, stable=False)  # NaN goes last
        return parts.answer(pick(values, known), never, known == 0)

    return parts.by_rows(found, look, what="order of the parts")
