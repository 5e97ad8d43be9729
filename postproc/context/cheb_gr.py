"""Graph convolution without a k: neighbours are those who are much nearer than usual.

Source: the idea of Cheb-GR (Yang et al., "Cheb-GR: Rethinking K-nearest Neighbor Search in Re-ranking for Person
Re-identification", CVPR 2025), whose threshold is Chebyshev's inequality, on the graph of GCR
(:mod:`postproc.features.gcr`).
"""

from dataclasses import replace
from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Neighbours, Neutral, Number, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery, Query, Sides
from postproc.features.gcr import propagated, propagation
from postproc.hubness import moments
from postproc.pairs import held, nearest, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.tiles import PairwiseTiles


@step(
    host_only=True,
    memory=held.together(held.times(4, held.features), held.walk, held.lists("most", factor=12), held.images(200)),
    loads=("scipy",),
    work=spent.for_setting(
        "rounds", spent.together(spent.pairs(3), spent.looked(4), spent.lists(80, "most"), spent.read(370))
    ),
)
def cheb_gr(
    query: Query,
    gallery: Gallery | None = None,
    *,
    deviations: Annotated[Weight, Within(0, 64)] = 3.0,
    beta: Annotated[Number, Within(0.001, 1000)] = 0.2,
    most: Neighbours = 100,
    rounds: Annotated[Count, Neutral(0)] = 1,
) -> Sides:
    """Replace every feature by a weighted sum over the images that are nearer to it than nearly all.

    ``X <- norm(L X)``, ``L_ij = S_ij / sqrt(sum_t S_it * sum_t S_tj)``, ``S_ij = exp(-c_ij / beta)`` where
    ``c_ij <= max(mean_i - deviations * sd_i, 0)`` and 0 elsewhere: c is 1 - cosine, mean and standard deviation
    are over all other images. By Chebyshev's inequality no more than 1 / deviations^2 of them are that near.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here. Or one set (n, d).
    Returns: both, (nq, d) and (ng, d) float32 of unit length; of one set (n, d).
    deviations: 0 to 64. 0: all who are nearer than the mean, as far as ``most`` goes; large: nobody, and features
             stay. 3 is far out where distances are spread like a bell, and nobody's where they are not.
    beta:    0.001 to 1000. Small: only the most similar count. Large: all neighbours count alike.
    most:    1 or more, the image itself counted: no more are looked at, and that much memory is held.
    rounds:  0 or more; 0 changes nothing, not even lengths. Every round finds its neighbours anew.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    a round is a product and a half of all by all; memory: ``most`` neighbours an image, two copies of the
             features and one 16 MB tile a thread.
    Differs: there is no ``most`` in the paper; rounds and the distance are those of the graph's source.

    >>> x = np.array([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0], [0.0, -1.0]], np.float32)
    >>> cheb_gr(x, deviations=0.5)[:2].round(2)  # the first two take of each other
    array([[0.99, 0.17],
           [0.89, 0.46]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = checks.sides_or_one(query, gallery)
    if rounds == 0:
        return query if one_set else (query, gallery)
    images = l2_normalize(query if one_set else arrays.joined(query, gallery))
    for _ in range(rounds):
        tiles = PairwiseTiles(sqeuclidean(images))
        layout = tiles.layout
        lists = _nearer_than_usual(tiles, float(deviations), most)
        graph = propagation(layout, lists, lists.rows.shape[1], float(beta), symmetric=False)
        images = l2_normalize(propagated(images[layout.first], graph))[layout.inverse]
    nq = len(query)
    return images if one_set else (images[:nq], images[nq:])


def _nearer_than_usual(tiles: PairwiseTiles, deviations: float, most: int) -> Lists:
    """The nearest of everybody; -1 where they are not near enough."""
    means, spreads = moments.of_gallery(tiles, False)
    limit = np.maximum(means - deviations * spreads, 0)
    lists = nearest.of_all(tiles, most)
    return replace(lists, rows=np.where(lists.values <= limit[:, None], lists.rows, -1))
