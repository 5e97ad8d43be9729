"""Scores of pairs from elsewhere re-order the pairs that they know, and nothing else moves.

Source: what re-rankers of pairs do with the head of a list (STIR, Shabanov et al. 2023, in
open-metric-learning): the head is sorted by the new score, the rest keeps its order behind it.
"""

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import Part
from postproc.base.vocabulary import Floats


@join(
    unit="distances of the leader", host_only=True, lists="padded", memory=parts.blocks(6), work=parts.looks(60, 5)
)
def reorder_pairs(distances: Parts, *, leader: Part = 0) -> Floats:
    """Give the pairs that the others know the leader's distances of these pairs, nearest first by the others'
    mean.

    The places that known pairs have in the leader's list are dealt out again among them, in the order of the
    mean of what the other parts say; ties by the leader's distance, then by column. A table of the 25 nearest
    of each query so sorts the first 25 places; one with gaps sorts the places that it has.

    Takes:   distances, one (nq, n) float32 a part: the leader's, and those of the others, which are pair scores
             with the sign changed, as a table of pairs has them, or distances. NaN where a part does not know
             the pair; of pairs that the leader does not know nobody asks, and they stand behind all that it knows.
    Returns: (nq, n) float32, in every row the leader's distances in another order.
    leader:  whose list it is: its number, from 0; in recipes its name, or a pattern as of models.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    a sort of every row's known pairs, the result, and some blocks of rows.

    >>> far, score = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32), np.array([[np.nan, 5, 9, 7]], np.float32)
    >>> reorder_pairs([far, -score])  # .2, .3 and .4 go to the scores 9, 7 and 5
    array([[0.1, 0.4, 0.2, 0.3]], dtype=float32)
    """
    found = parts.checked(distances)
    base, others = found[leader], [part for number, part in enumerate(found) if number != leader]

    def deal(rows: slice) -> np.ndarray:
        block = base[rows]
        never = parts.any_of([np.isinf(part[rows]) for part in found])
        total, count = np.zeros(block.shape), np.zeros(block.shape)
        for part in others:
            known = np.isfinite(part[rows])
            total += np.where(known, part[rows], 0)
            count += known
        out = block.astype(np.float64)
        for i, asked in enumerate((count > 0) & np.isfinite(block) & ~never):
            (columns,) = np.nonzero(asked)
            own = block[i, columns]
            order = np.lexsort((columns, own, total[i, columns] / count[i, columns]))
            out[i, columns[order]] = np.sort(own)
        return parts.answer(out, never, np.isnan(block) & ~never)

    return parts.by_rows(found, deal, what="pairs")
