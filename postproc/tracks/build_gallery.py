"""An open-set gallery: identities are made as images come in.

Source: ``inference_buildgallery`` of femalegeekinsv/Pytorch-Person-REID-Baseline-Bag-of-Tricks.
"""

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.vocabulary import Ints, Unchecked
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import among
from postproc.pairs.tiles import Buffers, PairwiseTiles


def build_gallery(features: Unchecked, *, threshold: float = 0.6) -> Ints:
    """Give each image, in the order of the rows, the identity of the most similar image before it, or a new one.

    ``label_i = label_j``, j the first with the largest ``cos(x_i, x_j)`` among 0 .. i - 1, where that cosine is
    above ``threshold``; else ``label_i = i``.

    Takes:   features (n, d) float32, in the order in which images came. Another order, other identities: an image
             joins what is there, and nothing is ever joined later. A row of zeros is similar to nobody.
    Returns: (n,) int64, the row of the first image of the same identity.
    threshold: -1 to 1. 1: every image is alone, its copies too. 0.6 is the released code's.
    Raises:  ValueError for a setting out of range, NaN or infinity.
    Cost:    half a product of all by all, n^2 d / 2 multiply-adds; memory: the features once more and one 16 MB
             tile a thread.

    >>> build_gallery(np.array([[1, 0], [0, 1], [0.8, 0.6], [-1, 0.2], [0.1, 1]]))
    array([0, 1, 0, 3, 1])
    """
    rows = checks.features("features", features, cuda=True)
    checks.not_empty("features", rows)
    checks.between("threshold", threshold, -1, 1)
    labels = np.arange(len(rows))
    some = np.flatnonzero(arrays.host(arrays.namespace(rows).any(rows, axis=1)))
    if threshold < 1 and len(some):
        labels[some] = some[_first_of_identity(l2_normalize(rows[some]), np.float32(2 - 2 * threshold))]
    return labels


def _first_of_identity(rows: np.ndarray, radius: np.float32) -> Ints:
    """(n,) for rows of unit length, whose squared distance is 2 - 2 cosine; copies are of one class."""
    tiles = PairwiseTiles(among(rows))
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    values = arrays.full(layout.classes, np.inf, np.float32, rows)
    before = arrays.full(layout.classes, -1, np.int32, rows)
    kernel = kernels.of(values)

    def visit(i: int) -> None:
        block = layout.blocks[i]
        with buffers.lend() as buffer:
            for columns in layout.blocks[: i + 1]:
                tile = tiles.tile(block, columns, buffer)
                kernel.gallery.nearest_before(tile, block.start, columns.start, values, before)

    latest_first = range(len(layout.blocks))[::-1]  # they have the most before them
    kernel.walk.run(visit, latest_first, what="gallery", bytes_each=buffers.bytes)
    values, before = arrays.host(values), arrays.host(before)
    labels = layout.first.astype(np.int64)
    for at in np.flatnonzero(values < radius):
        labels[at] = labels[before[at]]
    return labels[layout.inverse]
