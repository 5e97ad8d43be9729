"""CombMNZ: the sum of scores, times the number of models that list the image at all.

Source: Fox and Shaw, "Combination of Multiple Searches", TREC-2, 1994 (CombMNZ, CombANZ, CombSUM); Lee,
"Analyses of Multiple Evidence Combination", SIGIR 1997 (CombGMNZ); ranx ``comb_mnz``, ``comb_gmnz``, ``mixed``,
``wmnz``. Differs: scores are made from distances here, so that 0 is the farthest (of z-scores: the middle, as
in ranx).
"""

from typing import Annotated, Literal, get_args

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, by_query, join
from ensemble.fusion.kinds import FoundWeights
from ensemble.fusion.scaling import FARTHEST, scaler
from postproc.base import arrays
from postproc.base.settings import Number, Within
from postproc.base.vocabulary import Floats

Missing = Literal["none", "refuse"]
Exponent = Annotated[Number, Within(-8, 8)]
WithFarEnd = Literal["min-max", "min-max-whole", "z-score", "z-score-whole", "row-max", "sum", "rank"]


@join(lists=by_query, memory=parts.blocks(5.2, 0.5), work=parts.looks(4, 2.5))
def comb_mnz(
    distances: Parts,
    *,
    weights: FoundWeights = None,
    scaling: WithFarEnd = "min-max",
    exponent: Exponent = 1.0,
    weigh: Literal["scores", "hits"] = "scores",
    missing: Missing = "none",
) -> Floats:
    """Reward images that many models know: ``-hits^exponent * sum_m w_m (farthest - scaled(D_m))``.

    ``farthest`` is 1 for min-max, row-max and rank, and 0 for sum and z-scores; ``hits`` counts the parts that
    know the pair. For parts that all know every pair this orders as the weighted sum.

    Takes:   distances, one (nq, n) float32 a part; NaN outside the list that a model gives.
    Returns: (nq, n) float32, minus the CombMNZ score.
    weights: one number of 0 or more a part, 0 leaves it out; not all 0. None: 1 each.
             "agreement": as in :func:`~ensemble.fusion.reciprocal_rank_fusion`.
    scaling: one that has a natural far end; of z-scores, half of which are below 0, hits then push the far half
             away, as in ranx.
    exponent: -8 to 8. 1: CombMNZ; another: CombGMNZ; 0: CombSUM; -1: the mean (CombANZ); 0.5 with weights: ranx's
             Mixed. Large: who is in all lists is first.
    weigh:   what weights count: "scores", or "hits" (ranx's WMNZ): hits are then the sum of the weights of the
             parts that know the pair, and scores are added as they are.
    missing: "none" a pair that a part does not know is no hit and adds nothing; "refuse".
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    one pass over every part, the result, and some blocks of rows.

    >>> comb_mnz([np.array([[0.0, 1.0, 2.0]], np.float32), np.array([[0.0, np.nan, 1.0]], np.float32)])
    array([[-4. , -0.5, -0. ]], dtype=float32)
    """
    used = parts.used(distances, weights, missing, get_args(Missing))
    changes = [(weight, part, scaler(part, scaling)) for weight, part in used]

    def join_rows(rows: slice) -> np.ndarray:
        xp = arrays.namespace(used[0][1])
        blocks = [change(part[rows]) for _, part, change in changes]
        never = parts.any_of([xp.isinf(block) for block in blocks])
        total, hits, seen = parts.zeros(never), parts.zeros(never), never & False
        for (weight, _, _), block in zip(changes, blocks, strict=True):
            known = xp.isfinite(block)
            seen |= known
            hits += parts.times(known, weight) if weigh == "hits" else known
            near = FARTHEST.get(scaling, 0.0) - arrays.as_type(xp.where(known, block, 0.0), np.float64)
            total += xp.where(known, (1.0 if weigh == "hits" else weight) * near, 0)
        reward = xp.where(seen, hits, 1.0) ** float(exponent)
        return parts.answer(-reward * total, never, ~seen & ~never)

    return parts.by_rows([part for _, part in used], join_rows, what="CombMNZ")
