"""CombMNZ: the sum of scores, times the number of models that list the image at all.

Source: Fox and Shaw, "Combination of Multiple Searches", TREC-2, 1994; ranx ``ranx/fusion/comb_mnz.py``.
Differs: scores are made from distances here, so that 0 is the farthest (of z-scores: the middle, as in ranx).
"""

from typing import Literal, get_args

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, by_query, join
from ensemble.fusion.kinds import FoundWeights
from ensemble.fusion.scaling import FARTHEST, scaler
from postproc.base import arrays
from postproc.base.vocabulary import Floats

Missing = Literal["none", "refuse"]
WithFarEnd = Literal["min-max", "min-max-whole", "z-score", "z-score-whole", "row-max", "sum", "rank"]


@join(lists=by_query, memory=parts.blocks(5.2, 0.5), work=parts.looks(4, 2.5))
def comb_mnz(
    distances: Parts,
    *,
    weights: FoundWeights = None,
    scaling: WithFarEnd = "min-max",
    missing: Missing = "none",
) -> Floats:
    """Reward images that many models know: ``-hits * sum_m w_m (farthest - scaled(D_m))``.

    ``farthest`` is 1 for min-max, row-max and rank, and 0 for sum and z-scores; ``hits`` counts the parts that
    know the pair. For parts that all know every pair this orders as the weighted sum.

    Takes:   distances, one (nq, n) float32 a part; NaN outside the list that a model gives.
    Returns: (nq, n) float32, minus the CombMNZ score.
    weights: one number of 0 or more a part, 0 leaves it out; not all 0. None: 1 each.
             "agreement": as in :func:`~ensemble.fusion.reciprocal_rank_fusion`.
    scaling: one that has a natural far end; of z-scores, half of which are below 0, hits then push the far half
             away, as in ranx.
    missing: "none" a pair that a part does not know is no hit and adds nothing; "refuse".
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    one pass over every part, the result, and some blocks of rows.

    >>> comb_mnz([np.array([[0.0, 1.0, 2.0]], np.float32), np.array([[0.0, np.nan, 1.0]], np.float32)])
    array([[-4. , -0.5, -0. ]], dtype=float32)
    """
    used = parts.used(distances, weights, missing, get_args(Missing))
    changes = [(weight, part, scaler(part, scaling)) for weight, part in used]

    def reward(rows: slice) -> np.ndarray:
        xp = arrays.namespace(used[0][1])
        blocks = [change(part[rows]) for _, part, change in changes]
        never = parts.any_of([xp.isinf(block) for block in blocks])
        total, hits = parts.zeros(never), parts.zeros(never)
        for (weight, _, _), block in zip(changes, blocks, strict=True):
            known = xp.isfinite(block)
            hits += known
            near = FARTHEST.get(scaling, 0.0) - arrays.as_type(xp.where(known, block, 0.0), np.float64)
            total += xp.where(known, weight * near, 0)
        return parts.answer(-hits * total, never, (hits == 0) & ~never)

    return parts.by_rows([part for _, part in used], reward, what="CombMNZ")
