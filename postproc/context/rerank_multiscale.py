"""k-reciprocal re-ranking at several scales, of distances without hubs: it hardly ever hurts.

Source: our own, of parts that are published: CSLS (Conneau et al., ICLR 2018) in each block of queries and
gallery, k-reciprocal encoding (Zhong et al., CVPR 2017) at five scales, one Jaccard distance of their mean. How
much it counts beside the distance, and how much the wide scales in it, follows from how far images lie in groups.
"""

import math
from typing import Annotated, Any

import numpy as np

from postproc.base import arrays, remarks
from postproc.base.settings import Checked, Neighbours, Neutral, Share, TopK, Within
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Ints, Nearest, Query
from postproc.base.work import Work
from postproc.context import kreciprocal
from postproc.context.closeness import NAMES, closeness
from postproc.context.sparse import Sparse
from postproc.hubness.corrected import AboveZero, CorrectedTiles
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.pairwise import Pairwise

SCALES = ((3, 1), (6, 2), (10, 3), (20, 6), (40, 12))
EXPECTED = ((0.16, "one or two images"), (0.27, "two to five images"), (math.inf, "five images or more"))
USUAL = 0.15  # the closeness at which settings hold as they are: one or two images of an identity


def _wrong(value: Any) -> str | None:
    """Why a value is no list of scales."""
    given = value.tolist() if isinstance(value, np.ndarray) else value
    right = isinstance(given, (list, tuple)) and len(given) > 0
    for pair in given if right else ():
        right &= isinstance(pair, (list, tuple)) and len(pair) == 2 and all(map(_is_count, pair))
    return None if right else "wanted pairs [k1, k2] of whole numbers, 1 or more"


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 1)


def _longest(scales: Any) -> int:
    """Entries of lists, the image itself among them."""
    return int(max(NAMES + 1, *(max(k1 + 1, k2) for k1, k2 in scales)))


def _weights(sizes: Sizes, chosen: Chosen) -> int:
    """Lists, the weights of every scale one after the other, and their mean."""
    scales = chosen["scales"]
    longest = _longest(scales)
    each = sum(24 * (k1 + 1) for k1, _ in scales)
    together = max(24 * (k1 + 1) * (1 + k2 // 2) for k1, k2 in scales)
    return int(sizes.images * (2 * held.ENTRY * longest + each + together))


def _encoding(sizes: Sizes, chosen: Chosen) -> Work:
    """Sets and weights of every scale, and what rows of their mean share."""
    full = sum((k1 + 1) * k2 for k1, k2 in chosen["scales"])
    shared = 0.33 * sizes.nq * full * min(full, sizes.ng)
    return Work(sparse=sizes.images * (30 * full + NAMES**2) + shared)


@step(
    memory=held.compared(held.lists("k", factor=2, more=2), held.images(32), _weights, unit=True),
    work=spent.together(
        spent.pairs(2),
        spent.across(),
        spent.nearest,
        spent.looked(2.5),
        spent.matrix(6),
        _encoding,
        spent.read(150),
    ),
)
def rerank_multiscale(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    k: Annotated[Neighbours, Within(0)] = 10,
    scales: Annotated[Any, Checked(_wrong)] = SCALES,
    lambda_value: Annotated[Share, Neutral(1.0, (("k", 0),))] = 0.5,
    adapt: Share = 1.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Compare neighbourhoods of five sizes at once, in distances from which hubs were taken.

    ``E[i, j] = D[i, j] - (r_i + r_j) / 2``, D = 2 - 2 cosine over queries and gallery together and r the mean D to
    the ``k`` nearest others in the block of i and j: queries and queries, queries and gallery, or gallery and
    gallery. V is the mean over the ``scales`` of the weights of :func:`postproc.rerank`, with E - min E in the
    place of the distance. ``out = (1 - share) * Jaccard(V_q, V_g) + share * E[q, g] / max D[q]``.

    How many images an identity has decides which single scale is right, and nothing that one sees without labels
    tells it reliably. So no scale is chosen, and what is usual for two ends is taken off before, which alone gains
    where one or two images of an identity are there. What can be seen moves weights, for all images at once: c is
    the mean share of an image's ten nearest, by E, who are among the ten nearest of each of those, over chance
    (0 to 1); ``x = c / 0.15``. ``share = lambda_value / (lambda_value + (1 - lambda_value) * x^(2 adapt))``, and a
    scale counts as ``k1^(adapt t / 2)``, ``t = ln x`` cut to -1 and 1.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here. Or one :class:`Pairwise` in
             their place, whose distance is D then. One set (n, d) alone is each image against all others, one
             block.
    Returns: (nq, ng) float32, smaller is nearer, may be below 0; with ``top_k`` the :class:`Nearest` of every
             query instead. Of one set (n, n), +inf on the diagonal.
    k:       0 or more neighbours that say what is usual for an image; 0 takes nothing off.
    scales:  pairs [k1, k2] as in :func:`postproc.rerank`, in any order.
    lambda_value: 0 (neighbourhoods only) to 1 (E alone), where c is 0.15. 2/3 loses less still where an identity
             has one image, and gains less where it has many.
    adapt:   0 to 1, how far c moves the weights. 0: ``lambda_value`` is the share and all scales count alike.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Lists of neighbours are not taken: they are ordered by D, and no length of them is sure to hold the nearest by
    E, nor those of the other side.
    Cost:    as :func:`rerank`, to look for neighbours twice, and little more; memory: the answer, some hundred
             sparse weights an image, one 16 MB tile a thread.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.0, 1.0]], np.float32)
    >>> rerank_multiscale(q, g, k=1, scales=[(1, 1), (2, 1)], adapt=0).round(3)
    array([[0.082, 0.588]], dtype=float32)
    """
    tiles = CorrectedTiles(pairwise.of(query, gallery, unit=True, cuda=True), k)
    layout, filled = tiles.layout, None
    if top_k is None and not layout.one_set:
        filled = arrays.empty((layout.nq, layout.ng), np.float32, layout.like)
    above = AboveZero(tiles, _longest(scales), filled)
    close = closeness(above.known)
    share, counts = _weighed(close, lambda_value, adapt, [k1 for k1, _ in scales])
    if remarks.wanted():
        remarks.remark(_seen(tiles, close, share))
    encoded = [
        kreciprocal.encode(above, above.known, k1=int(k1), length=int(k1) + 1, power=2.0) for k1, _ in scales
    ]
    vectors = _mean(encoded, [above.known.rows[:, : int(k2)] for _, k2 in scales], counts)
    blend = kreciprocal.jaccard_change(vectors, layout, tiles.largest, share, 2.0)
    return answering.answer(tiles, blend, top_k=top_k, filled=filled)


def _weighed(close: float, lambda_value: float, adapt: float, k1: list[int]) -> tuple[float, list[float]]:
    """The share of the distance, and what every scale counts; those sum to 1."""
    x = close / USUAL
    groups = (1 - lambda_value) * x ** (2 * adapt)
    share = lambda_value / (lambda_value + groups) if lambda_value else 0.0
    tilt = adapt * (min(1.0, max(-1.0, math.log(x))) if x else -1.0) / 2
    counts = [float(k) ** tilt for k in k1]
    return share, [each / sum(counts) for each in counts]


def _seen(tiles: CorrectedTiles, close: float, share: float) -> str:
    """What was done, and what the data look like."""
    images = next(words for limit, words in EXPECTED if close < limit)
    said = (
        f"rerank_multiscale: near images have {close:.2f} of their {NAMES} nearest in common, chance taken off: "
        f"on real sets that goes with {images} of an identity, or with features that tell little; the distance "
        f"counts {share:.2f}, neighbourhoods {1 - share:.2f}. Hubs: how often images are named is skewed by "
        f"{tiles.skew:.1f}"
    )
    if tiles.layout.one_set or not tiles.usual[0].any():
        return said
    own, other = tiles.usual_of_queries()
    return (
        f"{said}. Queries are {own:.2f} from the nearest queries and {other:.2f} from the nearest gallery images"
    )


def _mean(encoded: list[Sparse], near: list[Ints], counts: list[float]) -> Sparse:
    """The mean over all scales, as they count, of the mean of each over its nearest images."""
    xp, rows = arrays.namespace(near[0]), encoded[0].rows
    whole = Sparse.stacked(encoded)
    lists = xp.concat([part + np.int32(rows * at) for at, part in enumerate(near)], axis=1)
    shares = [
        xp.full(part.shape, each / part.shape[1], dtype=xp.float32)
        for part, each in zip(near, counts, strict=True)
    ]
    return whole.sum(lists, arrays.beside(xp.concat(shares, axis=1), near[0]))
