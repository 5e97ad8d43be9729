"""Neighbours within kinds: against sorting all distances, ties and copies too."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc.base import runtime
from postproc.base.vocabulary import NOBODY
from postproc.pairs import of_kind as module
from postproc.pairs.of_kind import of_kind


def by_sorting(rows, kinds, k):
    far = ((rows[:, None].astype(np.float64) - rows) ** 2).sum(axis=2)
    own = kinds[:, None] == kinds
    order = np.argsort(np.where(own, far, np.inf), axis=1, kind="stable")[:, :k]
    there = np.take_along_axis(own, order, axis=1)
    values = np.where(there, np.take_along_axis(far, order, axis=1), np.inf)
    return np.where(there, order, NOBODY), values, np.where(own, far, -1).max(axis=1)


@pytest.mark.parametrize("fewest", [10, 10**6], ids=["some kinds alone", "all in blocks"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 400, 1, 90, 120, 200), (60,), (2, 7, 3, 150, 1, 2)], ids=str)
def test_finds_who_is_near(sizes, fewest, monkeypatch):
    monkeypatch.setattr(module, "FEWEST", fewest)
    random = np.random.default_rng(len(sizes))
    kinds = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = random.integers(-3, 4, (len(kinds), 3)).astype(np.float32)  # ties, copies in a kind and across
    for k in (1, 5, 100):
        found = of_kind(rows, kinds, k)
        names, values, largest = by_sorting(rows, kinds, min(k, len(rows)))
        assert_array_equal(found.rows, names)
        assert_array_equal(found.values, values)
        assert_array_equal(found.largest, largest)


def test_any_threads_give_the_same_bits(monkeypatch):
    monkeypatch.setattr(module, "TOGETHER", 20)
    random = np.random.default_rng(0)
    rows, kinds = random.normal(size=(300, 24)).astype(np.float32), random.integers(0, 30, 300)
    kinds[:150] = 0
    lists = []
    for threads in (1, 3):
        with runtime.using(threads=threads):
            lists.append(of_kind(rows, kinds, 6))
    for name in ("rows", "values", "largest"):
        assert_array_equal(getattr(lists[0], name), getattr(lists[1], name))
    assert_allclose(lists[0].values, by_sorting(rows, kinds, 6)[1], rtol=1e-5)
