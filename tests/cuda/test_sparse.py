"""Sparse rows on a device, where they are many: positions in them that four bytes cannot hold, sorts in pieces."""

from unittest.mock import patch

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc import rerank
from postproc.base import arrays
from postproc.context.sparse import Sparse
from tests.support.each import each
from tests.support.worlds import world


def both(on_device, rows, weights):
    """The same neighbour lists as sparse rows on the device and on the host."""
    return Sparse.of_lists(on_device.up(rows), on_device.up(weights)), Sparse.of_lists(rows, weights)


def alike(on_device, found, wanted):
    for some, other in zip(found, wanted, strict=True):
        assert_array_equal(on_device.down(some), other)


def test_more_rows_than_four_bytes_can_number_squared(on_device):
    rows = np.full((50_000, 1), -1, np.int32)
    rows[[3, 20_000, 49_998, 49_999], 0] = [49_999, 49_000, 3, 49_998]
    found, wanted = both(on_device, rows, np.ones(rows.shape, np.float32))
    found, wanted = found.plus_transposed(), wanted.plus_transposed()
    alike(on_device, *((each.offsets, each.members, each.weights) for each in (found, wanted)))


@each("entries", [1, 7, 1000])
def test_columns_are_found_in_pieces(on_device, entries):
    random = np.random.default_rng(4)
    rows = np.stack([random.permutation(20)[:5] for _ in range(20)]).astype(np.int32)
    rows[random.random(rows.shape) < 0.2] = -1
    found, wanted = both(on_device, rows, random.random(rows.shape, np.float32))
    with patch("postproc.kernels.cuda.sparse.ENTRIES", entries):
        alike(on_device, found.inverted(6), wanted.inverted(6))


def test_queries_share_with_the_gallery_some_at_a_time(on_device):
    data = world(nq=5, ng=30, d=8, people=6, cameras=2)
    sides = data["query"], data["gallery"]
    with patch("postproc.kernels.cuda.reciprocal.SHARED", 70):
        found = rerank(*map(on_device.up, sides), k1=6, k2=3)
    assert_allclose(on_device.down(found), rerank(*sides, k1=6, k2=3), atol=1e-5)


def test_copies_are_compared_where_both_sides_are(on_device):
    from postproc.kernels import cuda

    query, gallery = np.array([[1, 2], [3, 4]], np.float32), np.array([[1, 2], [3, 5]], np.float32)
    for sides in ((on_device.up(query), on_device.up(gallery)), (on_device.up(query), gallery)):
        wrong = np.zeros(3, bool)
        bits = map(arrays.bits, sides)
        cuda.rows.differ(*bits, np.array([2, 3, 1]), np.array([0, 1, 1]), wrong)
        assert_array_equal(wrong, [False, True, False])
