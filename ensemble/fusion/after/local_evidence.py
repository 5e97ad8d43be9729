"""Local evidence on a score: an outside matcher's word raises what a model says of a pair, and never lowers it.

Source: the rule of VIPL-VSU (AI City multi-camera tracking), ``s' = s + w l (1 - s)`` for evidence l of 0 to 1,
fewer than 8 inliers counting as none.
Differs: written for distances, ``1 - s' = (1 - s) (1 - w l)``, so that it holds for any distance of 0 or more.
"""

from typing import Annotated

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import NotNegative, Part
from postproc.base.settings import Number, Within
from postproc.base.vocabulary import Floats


@join(host_only=True, lists="padded", memory=parts.blocks(4))
def local_evidence(
    distances: Parts,
    *,
    weight: Annotated[Number, Within(0, 1)] = 0.5,
    leader: Part = 0,
    full: Annotated[Number, Within(1)] = 1.0,
    least: NotNegative = 8.0,
) -> Floats:
    """Move pairs nearer by evidence: ``d' = d prod_m (1 - weight l_m)``, which is ``s' = s + weight l (1 - s)``.

    Takes:   distances, one (nq, n) float32 a part: those of the leader ``1 - s``, 0 or more; those of all others
             evidence with the sign changed, as a table of pairs with a column ``score`` (``inliers``,
             ``matches``) has it. A pair without evidence (NaN) keeps its distance; one that the leader does not
             know stands behind all that it knows.
    Returns: (nq, n) float32, no pair farther than before.
    weight:  0 to 1: how much evidence counts; at 1 whole evidence means distance 0, at 0 nothing changes.
    leader:  which part is moved: its number, from 0; in recipes its name, or a pattern as of models.
    full:    the number that is whole evidence, ``l = min(number / full, 1)``. 1: the numbers are l themselves.
    least:   of counts, which is where ``full`` is more than 1: fewer inliers than these count as none.
    Raises:  ValueError for a wrong setting, distances or evidence below 0, evidence above 1 where ``full`` is 1.
    Cost:    one pass over every part, the result, and some blocks of rows.

    >>> far, inliers = np.array([[0.5, 0.5]], np.float32), np.array([[7, 40]], np.float32)
    >>> local_evidence([far, -inliers], weight=0.5, full=80)  # 7 are none; 0.5 (1 - 0.5 * 40 / 80)
    array([[0.5  , 0.375]], dtype=float32)
    """
    found = parts.checked(distances)
    base, others = found[leader], [part for number, part in enumerate(found) if number != leader]

    def move(rows: slice) -> np.ndarray:
        block = base[rows]
        if (block < 0).any():
            raise ValueError(
                f"leader: wanted distances of 0 or more, as 1 - score, in part {leader + 1}, found "
                f"{np.nanmin(block):.4g}; name another leader, or scale them"
            )
        out = block.astype(np.float64)
        never = np.isinf(block)
        for part in others:
            never |= part[rows] == np.inf
            out *= 1 - weight * _evidence(part[rows], full, least)
        return parts.answer(out, never, np.isnan(block) & ~never)

    return parts.by_rows(found, move, what="local evidence")


def _evidence(block: np.ndarray, full: float, least: float) -> np.ndarray:
    """(rows, n) float64 of 0 to 1: what scores with the sign changed say; 0 for pairs without any."""
    numbers = np.where(np.isfinite(block), -block.astype(np.float64), 0)
    if (numbers < 0).any():
        raise ValueError(
            f"evidence: wanted numbers of 0 or more that are larger for surer pairs, found {numbers.min():.4g}; "
            "write them as score, or say --similarity of a matrix"
        )
    if full == 1:
        if (numbers > 1).any():
            raise ValueError(
                f"full: wanted evidence of 0 to 1, found up to {numbers.max():.4g}; of counts of inliers say how "
                "many are whole evidence, as full = 100"
            )
        return numbers
    return np.where(numbers < least, 0, np.minimum(numbers / full, 1))
