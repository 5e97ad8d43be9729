"""Principal components and whitening: by hand, against the definition, against the released functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, whiten
from postproc.features import linear
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import lattices, world

DATA = world()
CROSS = np.array([[3, 0], [-3, 0], [0, 1], [0, -1]], np.float32)  # variances 18 / 4 and 2 / 4, mean 0
SEEDS = st.integers(0, 2**32 - 1)


def test_by_hand():
    query = np.array([[4, 1]], np.float32)
    for power, wanted in ((0, [4, 1]), (1, [4 / np.sqrt(4.5), 1 / np.sqrt(0.5)]), (2, [4 / 4.5, 1 / 0.5])):
        found, _ = whiten(query, CROSS, power=power, renormalize=False)
        assert_allclose(found, [wanted], rtol=1e-6)
        found, _ = whiten(query, CROSS + 7, power=power)  # minus the mean, 7, both components are negative
        assert_allclose(found, reference.basic.unit((query - 7) * wanted / query), rtol=1e-6)
    found, gallery = whiten(query, CROSS, components=1, power=0, renormalize=False)
    assert_allclose(found, [[4]], rtol=1e-6)
    assert_allclose(gallery, [[3], [-3], [0], [0]], rtol=1e-6, atol=1e-12)


def test_the_largest_entry_of_a_component_is_positive():
    turned = CROSS @ np.array([[-0.8, 0.6], [0.6, 0.8]], np.float32)  # components (-0.8, 0.6) and (0.6, 0.8)
    found, _ = whiten(np.array([[0.8, -0.6], [0.6, 0.8]]), turned, power=0, renormalize=False)
    assert_allclose(found, np.eye(2), atol=1e-6)


def test_the_whitened_gallery_has_variance_one():
    _, found = whiten(DATA["query"], DATA["gallery"], renormalize=False)
    assert_allclose(np.cov(found.T, bias=True), np.eye(found.shape[1]), atol=1e-5)
    assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    _, root = whiten(DATA["query"], DATA["gallery"], power=0.5, renormalize=False)
    _, plain = whiten(DATA["query"], DATA["gallery"], power=0, renormalize=False)
    assert_allclose(np.var(root, axis=0) ** 2, np.var(plain, axis=0), rtol=1e-4)


def test_a_rotation_keeps_distances():
    found = whiten(DATA["query"], DATA["gallery"], power=0, renormalize=False)
    assert_allclose(distances(*found), distances(DATA["query"], DATA["gallery"]), rtol=1e-4)


@settings(max_examples=40)
@given(
    seed=SEEDS,
    count=st.integers(2, 40),
    components=st.one_of(st.none(), st.integers(1, 12)),
    power=st.sampled_from([0.0, 0.5, 1.0, 1.5]),
    renormalize=st.booleans(),
)
def test_equals_the_definition(seed, count, components, power, renormalize):
    """Fitted on fewer and on more images than there are dimensions."""
    rng = np.random.default_rng(seed)
    train = (rng.normal(size=(count, 10)) * np.linspace(1, 3, 10) + 1).astype(np.float32)
    sides = [rng.normal(size=(size, 10)).astype(np.float32) for size in (5, 8)]
    found = whiten(*sides, train, components=components, power=power, renormalize=renormalize)
    mean, rows = reference.whitening.principal_components(train, power)
    for ours, side in zip(found, sides, strict=True):
        wanted = (side - mean) @ rows[:components].T
        assert ours.dtype == np.float32
        assert_allclose(ours, reference.basic.unit(wanted) if renormalize else wanted, rtol=1e-4, atol=1e-4)


@settings(max_examples=40)
@given(query=lattices(st.integers(1, 5)), gallery=lattices(st.integers(1, 12)))
def test_dimensions_that_do_not_vary_are_nothing(query, gallery):
    """Products between images know no signs and no order of equal components."""
    q, g = whiten(query, gallery, renormalize=False)
    mean, rows = reference.whitening.principal_components(gallery, 1)
    wanted = (query - mean) @ rows.T @ rows @ (gallery - mean).T
    assert_allclose(q @ g.T, wanted, rtol=1e-4, atol=1e-4)
    for side in (q, g):
        assert not side[:, (rows != 0).any(axis=1).sum() :].any()


def test_a_gallery_without_variance_says_nothing():
    one = np.tile(np.float32([[0.1, 0.7, 0.3]]), (7, 1))  # their mean is not exactly any of them
    for setting in ({}, {"power": 0, "renormalize": False}):
        for side in whiten(np.eye(3), one, **setting):
            assert not side.any()


def test_wide_features_in_several_tiles(monkeypatch):
    wanted = whiten(DATA["query"], DATA["gallery"])
    monkeypatch.setattr(linear, "EDGE", 5)
    monkeypatch.setattr(linear, "BLOCK", 7)
    monkeypatch.setattr(linear, "ROWS", 3)
    for ours, side in zip(whiten(DATA["query"], DATA["gallery"]), wanted, strict=True):
        assert_allclose(ours, side, rtol=0, atol=1e-6)


def test_fits_the_training_set_or_the_gallery():
    query, gallery, train = DATA["query"], DATA["gallery"], DATA["train"]
    assert_array_equal(whiten(query, gallery)[0], whiten(query, gallery, gallery)[0])
    assert_array_equal(whiten(query, gallery, train)[0], whiten(query, train)[0])


def test_more_components_than_dimensions_are_cut():
    assert whiten(DATA["query"], DATA["gallery"], components=10**6)[0].shape == DATA["query"].shape


def test_refuses_other_widths_and_nobody():
    with pytest.raises(ValueError, match=r"^query and gallery: wanted the same width, got 2 and 3 numbers"):
        whiten(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match=r"^gallery and train: wanted the same width, got 2 and 3 numbers"):
        whiten(np.eye(2), np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match=r"^train: wanted at least one image"):
        whiten(np.eye(2), np.eye(2), np.empty((0, 2)))


@each("dims", [0, 16])
def test_cnnimageretrieval(shared, dims):
    golden = np.load(shared / "golden" / "whitening.npz")
    query, gallery = whiten(golden["q"], golden["g"], golden["train"], components=dims or None)
    assert_allclose(query, golden[f"fq__cir_pca__dims={dims}"], rtol=0, atol=2e-6)
    assert_allclose(gallery, golden[f"fg__cir_pca__dims={dims}"], rtol=0, atol=2e-6)
    assert_allclose(query @ gallery.T, golden[f"sim__cir_pca__dims={dims}"], rtol=0, atol=2e-6)


@each(("p", "v", "m"), [(0.25, None, 1.0), (0.5, 16, 0.8)])
def test_naver(shared, p, v, m):
    """m divides everything, which the length takes back; so does n - 1 in the place of n."""
    golden = np.load(shared / "golden" / "whitening.npz")
    key = f"naver_pca__fit=32_p={p}_v={v}_m={m}"
    found = whiten(golden["q"], golden["g"], golden["train"], components=v, power=2 * p)
    for side, ours in zip("qg", found, strict=True):
        assert_allclose(ours, golden[f"f{side}__{key}"] * golden[f"aux__signs__{key}"], rtol=0, atol=2e-6)


def test_voc(shared):
    golden = np.load(shared / "golden" / "voc_helpers.npz")
    query, gallery = whiten(golden["q"], golden["g"], components=16, power=0, renormalize=False)
    assert_allclose(query @ gallery.T, golden["aux__gram_qg__voc_pca__dim=16"], rtol=0, atol=1e-5)
