"""Linkage against SciPy's whole tree, cut there."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from postproc import Nearest, connected_components, linkage
from tests.support.each import each
from tests.support.herds import cosine, herd, same

FAR = cosine(herd(3)["features"])
FLAT = FAR.astype(np.float64)
np.fill_diagonal(FLAT, 0)


@each("method", ["average", "complete", "single"])
def test_as_scipy_cuts_its_tree(method):
    tree = hierarchy.linkage(squareform(FLAT), method)
    for threshold in (0.05, 0.2, 0.5, 0.8, 1.5):
        wanted = hierarchy.fcluster(tree, threshold, "distance")
        assert same(linkage(FAR, method=method, threshold=threshold), wanted), threshold
    for count in (1, 2, 30, len(FAR) - 1, len(FAR)):
        wanted = hierarchy.fcluster(tree, count, "maxclust")
        found = linkage(FAR, method=method, count=count)
        assert same(found, wanted), count


def test_by_hand():
    far = [[0, 2, 5, 9], [2, 0, 4, 9], [5, 4, 0, 9], [9, 9, 9, 0]]
    assert linkage(far, threshold=4.5).tolist() == [0, 0, 0, -1]  # (5 + 4) / 2
    assert linkage(far, threshold=4.4).tolist() == [0, 0, -1, -1]
    assert linkage(far, threshold=4.5, method="complete").tolist() == [0, 0, -1, -1]  # 5
    assert linkage(far, threshold=4.0, method="single").tolist() == [0, 0, 0, -1]
    assert linkage(far, count=99).tolist() == [-1, -1, -1, -1]


@each("method", ["average", "complete"])
def test_infinity_keeps_apart(method):
    far = np.array([[0, 1, np.inf], [1, 0, 1], [np.inf, 1, 0]])
    assert linkage(far, method=method, threshold=1e6).tolist() == [0, 0, -1]
    assert linkage(far, method=method, count=1).tolist() == [0, 0, -1]


def test_single_linkage_is_what_near_pairs_connect():
    for threshold in (0.1, 0.3, 0.6):
        found = linkage(FAR, method="single", threshold=threshold)
        assert (found == connected_components(FAR, threshold=threshold)).all()


def lists(k):
    rows = np.argsort(FAR, axis=1, kind="stable")[:, :k].astype(np.int32)
    return Nearest(np.take_along_axis(FAR, rows.astype(np.int64), axis=1), rows)


def test_a_missing_pair_is_far():
    chain = Nearest(np.array([[1], [1], [1]], np.float32), np.array([[1], [2], [1]], np.int32))
    assert linkage(chain, method="complete", threshold=1.0).tolist() == [0, 0, -1]  # nobody knows 0 and 2
    assert linkage(chain, threshold=2.0, far=3.0).tolist() == [0, 0, 0]  # (1 + 3) / 2
    assert linkage(chain, threshold=1.9, far=3.0).tolist() == [0, 0, -1]
    long = linkage(lists(len(FAR) - 1), threshold=0.4)
    assert (long == linkage(FAR, threshold=0.4)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1), st.sampled_from(["average", "complete", "single"]))
def test_a_larger_threshold_only_joins(count, seed, method):
    rng = np.random.default_rng(seed)
    far = np.round(rng.random((count, count)), 1)
    far = np.maximum(far, far.T)
    before = np.arange(count)
    for threshold in (0.0, 0.2, 0.4, 0.7, 1.0):
        after = linkage(far, method=method, threshold=threshold)
        assert (after == linkage(far, method=method, threshold=threshold)).all()
        for label in np.unique(before[before >= 0]):
            inside = after[before == label]
            assert len(inside) == 1 or (len(set(inside.tolist())) == 1 and inside[0] >= 0)
        before = after


def test_numbers_go_by_the_first_image():
    found = linkage(FAR, threshold=0.4)
    firsts = [int(np.flatnonzero(found == label)[0]) for label in range(found.max() + 1)]
    assert firsts == sorted(firsts)
    assert (np.bincount(found[found >= 0]) > 1).all()


def test_lists_that_connect_too_many_are_refused_before_a_matrix_is_made():
    count = 30_000
    rows = ((np.arange(count) + 1) % count)[:, None].astype(np.int32)
    chain = Nearest(np.full((count, 1), 0.1, np.float32), rows)
    with pytest.raises(
        ValueError, match="near pairs connect 30000 images, whose distances take 18 GB; take a smaller"
    ):
        linkage(chain, threshold=0.2)
    assert (linkage(chain, method="single", threshold=0.2) == 0).all()
