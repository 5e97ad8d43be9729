"""The weighted product of distances.

Source: the alternative rule in IvyYZ/multi-model-fusion ``multi_model.py`` (u1^0.81 u2^(0.19 w2) u3^(0.19 w3),
every u one model's distances, min-max by query).
"""

from typing import Annotated, Literal, get_args

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, by_query, join
from ensemble.fusion.kinds import FoundWeights
from ensemble.fusion.scaling import scaler, worst
from postproc.base import arrays
from postproc.base.settings import Number, Within
from postproc.base.vocabulary import Floats

Missing = Literal["refuse", "mean", "worst"]
NotBelow0 = Literal["min-max", "none", "min-max-whole", "row-max", "rank"]  # scalings of such results


@join(lists=by_query, memory=parts.blocks(5.4, 0.5), work=parts.looks(2, 6))
def product(
    distances: Parts,
    *,
    weights: FoundWeights = None,
    scaling: NotBelow0 = "min-max",
    floor: Annotated[Number, Within(0, 1)] = 0.0,
    missing: Missing = "refuse",
) -> Floats:
    """Multiply distances: ``prod_m max(scaled(D_m), floor)^w_m``, so one model that is sure counts more.

    Takes:   distances, one (nq, n) float32 a part, 0 or more after scaling.
    Returns: (nq, n) float32, 0 or more.
    weights: one number of 0 or more a part, 0 leaves it out; not all 0. None: equal ones of sum 1, the geometric
             mean. "agreement": as in :func:`~ensemble.fusion.reciprocal_rank_fusion`.
    scaling: min-max, none, min-max-whole, row-max or rank, see :func:`~ensemble.fusion.scaled`. A factor to all
             of a row changes no order, so units need not be one.
    floor:   0 to 1: distances are no smaller. At 0 whatever is nearest for one part is at 0 for all together.
    missing: "refuse", "mean" the parts that know the pair, their weights raised to the same total, "worst" as far
             as the farthest of that query that the part knows.
    Raises:  ValueError for a wrong setting, distances below 0 after scaling, parts of different shapes.
    Cost:    one pass over every part, the result, and some blocks of rows.

    >>> product([np.array([[4.0]], np.float32), np.array([[9.0]], np.float32)], scaling="none")
    array([[6.]], dtype=float32)
    """
    used = parts.used(distances, weights, missing, get_args(Missing))
    share = 1 / len(used) if weights is None else 1.0
    changes = [(weight * share, part, scaler(part, scaling)) for weight, part in used]
    whole = sum(weight for weight, _, _ in changes)

    def multiply(rows: slice) -> np.ndarray:
        xp = arrays.namespace(changes[0][1])
        blocks = [change(part[rows]) for _, part, change in changes]
        never, some = (parts.any_of([test(block) for block in blocks]) for test in (xp.isinf, xp.isfinite))
        total, known_weight = parts.zeros(never) + 1, parts.zeros(never)
        for (weight, _, _), block in zip(changes, blocks, strict=True):
            known = xp.isfinite(block)
            if (known & (block < 0)).any():
                raise ValueError('scaling: wanted distances of 0 or more, found some below; choose "min-max"')
            fill = worst(block, scaling) if missing == "worst" else 1.0
            factor = arrays.as_type(xp.maximum(xp.where(known, block, fill), floor), np.float64)
            total *= factor ** parts.times(known | (missing == "worst"), weight)
            known_weight += parts.times(known, weight)
        if missing == "mean":
            total **= whole / xp.where(known_weight > 0, known_weight, whole)
        return parts.answer(total, never, ~some & ~never)

    return parts.by_rows([part for _, part in used], multiply, what="product")
