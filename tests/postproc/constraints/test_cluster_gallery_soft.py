"""A gallery drawn together: by hand, against the definition, against the released rounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import cluster_gallery_soft
from postproc.kernels import reference
from tests.support import golden


def test_by_hand():
    x = np.array([[0.0], [1.0], [9.0]], np.float32)
    # of 0: itself and 1 at a distance of 1, scale 2: weights 1 and exp(-1/2); of 9: 1 at 64, scale 65
    a, b = np.exp(-0.5), np.exp(-64 / 65)
    wanted = [[0.5 * a / (1 + a)], [0.5 + 0.5 / (1 + a)], [4.5 + 0.5 * (9 + b) / (1 + b)]]
    assert_allclose(cluster_gallery_soft(x, k=1, rounds=1), wanted, rtol=1e-6)
    # of two kinds the first and the second are 1 + 81 and 1 + 64 apart; the first and the last stay at 81
    kinds = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    a = np.exp(-81 / 82)
    moved = cluster_gallery_soft(x, kinds, k=1, rounds=1)
    assert_allclose(moved[0], 0.5 * 9 * a / (1 + a), rtol=1e-6)


def test_images_of_a_track_are_one():
    x = np.array([[0.0], [2.0], [4.0], [9.0]], np.float32)
    track = np.array([3, -1, 3, -1])  # the mean of the first and the third is the second
    one = cluster_gallery_soft(np.array([[2.0], [2.0], [9.0]]), k=1, rounds=2, rate=0.25)
    found = cluster_gallery_soft(x, None, track, k=1, rounds=2, rate=0.25, level="track")
    assert_array_equal(found, one[[0, 1, 0, 2]])


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 25), k=st.integers(1, 4), kinds=st.integers(1, 3), seed=st.integers(0, 99))
def test_equals_the_definition(n, k, kinds, seed):
    random = np.random.default_rng(seed)
    x, aux = random.normal(size=(n, 5)).astype(np.float32), random.random((n, 4)).astype(np.float32)
    aux[:, kinds:] = 0
    kind = np.unique(aux.argmax(axis=1), return_inverse=True)[1]
    wanted = reference.constraints.cluster_gallery_soft(x, kind, k, 0.25, 3)
    assert_allclose(cluster_gallery_soft(x, aux, k=k, rate=0.25, rounds=3), wanted, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 25), k=st.integers(1, 6), kinds=st.integers(1, 12), seed=st.integers(0, 99))
def test_copies_ties_and_kinds_of_few_images(n, k, kinds, seed):
    random = np.random.default_rng(seed)
    x = random.integers(0, 3, (n, 2)).astype(np.float32)
    kind = random.permutation(np.arange(n) % kinds)
    kind[: n // 3] = 0  # so that sometimes few lack a neighbour of their kind, sometimes many
    found = cluster_gallery_soft(x, np.eye(12, dtype=np.float32)[kind], k=k, rounds=1)
    assert_allclose(found, reference.constraints.cluster_gallery_soft(x, kind, k, 0.5, 1), atol=1e-5)


def test_kinds_among_tracks():
    random = np.random.default_rng(0)
    track = np.array([0, 0, 1, 1, 2, -1, 3, 4, 4])
    x, aux = random.normal(size=(9, 4)).astype(np.float32), random.random((9, 3)).astype(np.float32)
    means = np.array([[part[track == t].mean(axis=0) for part in (x, aux)] for t in (0, 1, 2, 3, 4)], object)
    one, two = (np.stack([*means[:, i], part[5]]).astype(np.float32) for i, part in enumerate((x, aux)))
    found = cluster_gallery_soft(x, aux, track, k=2, level="track")
    wanted = reference.constraints.cluster_gallery_soft(one, two.argmax(axis=1), 2, 0.5, 9)
    assert_allclose(found, wanted[[0, 0, 1, 1, 2, 5, 3, 4, 4]], atol=1e-5)


def test_what_it_refuses():
    x = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match=r'^level: "track" needs gallery_track, or use "image"$'):
        cluster_gallery_soft(x, level="track")
    with pytest.raises(ValueError, match=r"^gallery_aux: wanted 5 columns, one a class, got shape \(3, 3\)$"):
        cluster_gallery_soft(x, x, classes=[2, 3])
    with pytest.raises(
        ValueError, match=r"^classes: wanted whole numbers, 2 or more, one an attribute, got \[1\]$"
    ):
        cluster_gallery_soft(x, x, classes=[1])


def test_released_rounds(shared):
    released = golden.load(shared, "uwipl2019")
    classes = np.diff(released["ranges"], axis=1).ravel().tolist()
    found = cluster_gallery_soft(released["g_track_feat"], released["g_meta"], classes=classes)
    assert_allclose(found, released["cluster_gallery_soft_k5_lr0.5_it9_v32"], rtol=0, atol=1e-6)
