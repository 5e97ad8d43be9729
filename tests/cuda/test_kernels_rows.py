"""Rows are compared some at a time, fewer where they are long."""

import numpy as np
from numpy.testing import assert_array_equal

from postproc import sqeuclidean
from postproc.pairs.layout import copies
from postproc.pairs.tiles import PairwiseTiles
from tests.support.each import each

ROWS = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
QUERY, GALLERY = ROWS[[0, 1, 0, 2]], ROWS[[2, 3, 0, 4, 5, 4, 6, 7, 8]]


@each("entries", [1, 11, 1 << 24])
def test_copies_are_found(on_device, monkeypatch, entries):
    monkeypatch.setattr("postproc.kernels.cuda.rows.ENTRIES", entries)
    given = sqeuclidean(QUERY, GALLERY)
    found = copies(sqeuclidean(on_device.up(QUERY), on_device.up(GALLERY)))
    assert_array_equal(found.inverse, copies(given).inverse)
    norms = PairwiseTiles(sqeuclidean(on_device.up(QUERY), on_device.up(GALLERY))).norms
    assert_array_equal(on_device.down(norms), PairwiseTiles(given).norms)
