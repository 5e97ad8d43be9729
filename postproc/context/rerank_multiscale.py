"""k-reciprocal re-ranking at several scales, of distances without hubs: it hardly ever hurts.

Source: our own, from parts that are published elsewhere: CSLS (Conneau et al., ICLR 2018) in each block of queries
and gallery, k-reciprocal encoding (Zhong et al., CVPR 2017) at four scales, one Jaccard distance of their mean.
"""

from typing import Annotated, Any

import numpy as np

from postproc.base import arrays
from postproc.base.settings import Checked, Neighbours, Neutral, Share, TopK, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context import kreciprocal
from postproc.context.sparse import Sparse
from postproc.hubness.corrected import AboveZero, CorrectedTiles
from postproc.pairs import held, nearest, pairwise
from postproc.pairs.pairwise import Pairwise

SCALES = ((3, 1), (6, 2), (10, 3), (20, 6))


def _wrong(value: Any) -> str | None:
    given = value.tolist() if isinstance(value, np.ndarray) else value
    right = isinstance(given, (list, tuple)) and len(given) > 0 and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2
        and all(isinstance(k, int) and not isinstance(k, bool) and k >= 1 for k in pair)
        for pair in given
    )  # fmt: skip
    return None if right else "wanted pairs (k1, k2) of whole numbers, 1 or more"


@step()
def rerank_multiscale(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    k: Neighbours = 10,
    scales: Annotated[Any, Checked(_wrong)] = SCALES,
    lambda_value: Share = 0.5,
    top_k: TopK = None,
) -> Distances | Nearest:
    tiles = CorrectedTiles(pairwise.of(query, gallery, unit=True, cuda=True), k)
    above = AboveZero(tiles, max(max(k1 + 1, k2) for k1, k2 in scales))
    layout, lists = tiles.layout, above.known
    count, xp = layout.count, arrays.namespace(lists.values)
    encoded = [kreciprocal.encode(above, lists, k1=k1, length=k1 + 1, power=2.0) for k1, _ in scales]
    rows, factors = [], []
    for at, (_, k2) in enumerate(scales):
        near = lists.rows[:, :k2]
        rows.append(near + np.int32(at * count))
        factors.append(np.full(near.shape, 1 / (len(scales) * near.shape[1]), np.float32))
    offsets, start = [encoded[0].offsets], encoded[0].offsets[-1]
    for part in encoded[1:]:
        offsets.append(part.offsets[1:] + start)
        start = offsets[-1][-1]
    stacked = Sparse(xp.concat(offsets), xp.concat([part.members for part in encoded]), xp.concat([part.weights for part in encoded]))
    vectors = stacked.sum(xp.concat(rows, axis=1), xp.concat(factors, axis=1))
    blend = kreciprocal.jaccard_change(vectors, layout, tiles.largest, lambda_value, 2.0)
    return nearest.answer(tiles, blend, top_k=top_k)
