"""How unsure a list is: whether its head hangs together or falls into many groups.

Source: the uncertainty that chooses where to look closer in An et al., "Hypergraph Propagation and Community
Selection for Objects Retrieval", NeurIPS 2021.
"""

import numpy as np

from postproc import kernels
from postproc.base import checks
from postproc.base.settings import Neighbours
from postproc.base.step import checked
from postproc.base.vocabulary import Floats, Gallery, Query
from postproc.context.sparse import Sparse
from postproc.pairs import nearest, pairwise
from postproc.pairs.known import tiles_of_gallery
from postproc.pairs.tiles import PairwiseTiles


@checked
def list_uncertainty(query: Query, gallery: Gallery, *, depth: Neighbours = 100, k: Neighbours = 5) -> Floats:
    """The entropy of the sizes of the groups into which the nearest images of a query fall.

    ``out = - sum_c n_c / n log(n_c / n)``, n_c the images of connected component c of the graph of the ``depth``
    gallery images nearest to the query, in which two are joined where one is among the ``k`` gallery images
    nearest to the other (itself counted).

    Takes:   query (nq, d), gallery (ng, d) float32, of any length.
    Returns: (nq,) float32: 0 where all hang together, log(depth) where nobody does. Queries of low values are
             those whose list can be believed; it says nothing about which image is right.
    depth:   1 or more, cut to the gallery.
    k:       1 or more, cut to the gallery. 1: nobody is joined; many: all are. About the images of an identity.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery and half of one of gallery by gallery; memory: both kinds of lists,
             one strip of 128 MiB.

    >>> g = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], np.float32)
    >>> list_uncertainty(g[:1], g, depth=4, k=2).round(3)  # two groups of two: log 2
    array([0.693], dtype=float32)
    """
    query, gallery = checks.sides(query, gallery)
    pairs = pairwise.of(query, gallery, unit=True)
    near = nearest.of_queries(PairwiseTiles(pairs), depth).rows
    lists = nearest.of_all(tiles_of_gallery(pairs), k)
    graph = Sparse.of_lists(lists.rows, np.ones_like(lists.values)).plus_transposed()
    kernel, out = kernels.of(near), np.empty(len(near), np.float32)
    kernel.walk.over_rows(
        lambda start, stop: kernel.groups.entropy_of_groups(near, graph.offsets, graph.members, start, stop, out),
        len(near),
        what="groups",
    )
    return out
