"""Distances between queries and gallery."""

from typing import Literal, get_args

import numpy as np

from postproc.base import arrays
from postproc.base.settings import TopK
from postproc.base.step import of_metric, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.pairs import answering, exact, held, pairwise, spent
from postproc.pairs.answering import Change
from postproc.pairs.pairwise import FeatureTerm, Pairwise
from postproc.pairs.tiles import PairwiseTiles

Metric = Literal["sqeuclidean", "euclidean", "cosine"]
METRICS = get_args(Metric)


@step(
    unit=of_metric,
    memory=held.measured,
    work=spent.together(spent.across(), spent.nearest, spent.read(52), spent.matrix(0.97)),
    on_disk=True,
)
def distances(
    query: Query | Pairwise, gallery: Gallery | None = None, *, metric: Metric = "sqeuclidean", top_k: TopK = None
) -> Distances | Nearest:
    """Measure every query against every gallery image, or each image of one set against all others.

    ``sqeuclidean`` |q - g|^2, ``euclidean`` |q - g|, ``cosine`` 1 - q.g / (|q| |g|), which is 1 where one is zero.

    Takes:   query (nq, d), gallery (ng, d) float32; or one set (n, d) alone; or one :class:`Pairwise` alone, which
             is its own metric.
    Returns: (nq, ng) float32; of one set (n, n), symmetric, with +inf on the diagonal. Copies of an image are
             exactly equally far from everybody, and at exactly 0 from each other; without a Pairwise nothing is
             below 0, and no cosine distance above 2. Features that have much in common, as coordinates have, and
             near pairs keep their bits: :mod:`postproc.pairs.exact`. With ``top_k`` the :class:`Nearest` of every
             query: the first ``top_k`` of the full answer, which never exists.
    metric:  one of the three.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    one product, nq ng d multiply-adds; the answer, or one strip of 128 MiB, and one 16 MB tile a thread.

    >>> distances(np.array([[0.0, 0.0]], np.float32), np.array([[3.0, 4.0]], np.float32), metric="euclidean")
    array([[5.]], dtype=float32)
    """
    if isinstance(query, Pairwise):
        if gallery is not None or metric != "sqeuclidean":
            raise ValueError("metric: a Pairwise is its own metric and holds the gallery, give nothing else")
        return answering.answer(PairwiseTiles(query), lambda strip, queries: None, top_k=top_k)
    pairs = pairwise.of(query, gallery, unit=metric == "cosine", cuda=True)
    scale = 1.0
    if metric == "euclidean":
        (term,) = pairs.terms
        assert isinstance(term, FeatureTerm)
        scale = exact.scale_of(term.query, term.gallery)
        if scale != 1:  # squares of very small numbers are none
            scaled = None if pairs.one_set else term.gallery[:] * scale
            pairs = pairwise.sqeuclidean(term.query[:] * scale, scaled)
    return answering.answer(PairwiseTiles(pairs), to_metric(pairs, metric, scale), top_k=top_k)


def to_metric(pairs: Pairwise, metric: str, scale: float = 1.0) -> Change:
    """What turns strips of the squared distances of features, of unit length for "cosine", into ``metric``.

    ``scale``: what "euclidean" divides by.
    """
    (term,) = pairs.terms
    assert isinstance(term, FeatureTerm)
    lost_query, lost_gallery = (  # no direction
        np.concatenate([arrays.host((side[part] == 0).all(axis=1)) for part in arrays.blocks(side, exact.ROWS)])
        for side in (term.query, term.gallery)
    )

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if metric == "euclidean":
            arrays.namespace(strip).sqrt(strip, out=strip)
            if scale != 1:
                strip /= scale
        elif metric == "cosine":
            strip *= 0.5
            for part in arrays.blocks(strip, 256):  # a mask of all of it would be a quarter as large
                rows = strip[part]
                rows[rows > 2] = 2  # by rounding
            strip[lost_query[queries]] = 1
            strip[:, lost_gallery] = 1

    return change
