"""Quantile transform: by hand, against the definition and scikit-learn."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import QuantileTransformer

from postproc import quantile_transform
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=20, ng=200)
END = NormalDist().inv_cdf(1e-7)  # where ranks 0 and 1 are cut


def test_by_hand():
    gallery = np.array([[0], [1], [2], [3], [9]], np.float32)  # ranks 0, 1/4, 1/2, 3/4, 1
    query = np.array([[-1], [0], [0.5], [1], [6], [9], [10]], np.float32)
    # 0.5 is half way from rank 0 to 1/4, and 6 half way from 3/4 to 1
    ranks = [1e-7, 1e-7, 1 / 8, 1 / 4, 7 / 8, 1 - 1e-7, 1 - 1e-7]
    found, _ = quantile_transform(query, gallery)
    assert_allclose(found.ravel(), [NormalDist().inv_cdf(rank) for rank in ranks], rtol=1e-6)


def test_shared_values_have_their_mean_rank_but_at_the_ends():
    gallery = np.array([[0, 0], [0, 1], [0, 1], [1, 1], [2, 2]], np.float32)
    _, found = quantile_transform(gallery, gallery)
    #                        1 has rank 3/4;  ranks 1/4, 1/2, 3/4: their mean
    assert_allclose(found[:, 0], [END, END, END, NormalDist().inv_cdf(0.75), -END], rtol=1e-6)
    assert_allclose(found[:, 1], [END, 0, 0, 0, -END], rtol=1e-6, atol=1e-7)


def test_a_constant_dimension_is_constant():
    query, gallery = quantile_transform(np.full((2, 3), 4.0), np.full((5, 3), 4.0))
    assert_allclose(query, END, rtol=1e-6)
    assert_allclose(gallery, END, rtol=1e-6)


@settings(max_examples=20)
@given(
    fitted=st.lists(st.integers(-99, 99), min_size=2, max_size=25, unique=True),
    values=st.lists(st.integers(-110, 110), min_size=1, max_size=6),
)
def test_equals_the_definition(fitted, values):
    """Different values: among equal ones scikit-learn lets the rounding of its quantiles say which ranks count."""
    query, gallery = np.array(values, np.float32)[:, None] / 2, np.array(fitted, np.float32)[:, None] / 2
    for side, found in zip((query, gallery), quantile_transform(query, gallery), strict=True):
        wanted = reference.whitening.quantile_transform(side[:, 0], gallery[:, 0])
        assert_allclose(found[:, 0], wanted, rtol=1e-5, atol=1e-5)


@each("quantiles", [2, 7, 200])
def test_equals_scikit_learn(quantiles):
    theirs = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal", subsample=None)
    theirs.fit(DATA["gallery"].astype(np.float64))
    found = quantile_transform(DATA["query"], DATA["gallery"], quantiles=quantiles)
    for ours, side in zip(found, ("query", "gallery"), strict=True):
        assert_array_equal(ours, theirs.transform(DATA[side].astype(np.float64)).astype(np.float32))


def test_fits_the_training_set_or_the_gallery():
    query, gallery, train = DATA["query"], DATA["gallery"], DATA["train"]
    for fitted in (train, gallery):
        found, _ = quantile_transform(query, gallery, fitted)
        assert_array_equal(found, quantile_transform(query, fitted)[0])
    assert (quantile_transform(query, gallery)[0] != quantile_transform(query, gallery, train)[0]).any()


def test_the_gallery_becomes_normal():
    gallery = np.random.default_rng(0).exponential(size=(201, 3))
    _, found = quantile_transform(gallery, gallery)
    wanted = [NormalDist().inv_cdf(rank / 200) for rank in range(1, 200)]
    for column in found.T:
        assert_allclose(np.sort(column)[1:-1], wanted, atol=1e-5)


def test_more_quantiles_than_images_are_cut():
    found = quantile_transform(DATA["query"], DATA["gallery"], quantiles=10**6)
    for ours, wanted in zip(found, quantile_transform(DATA["query"], DATA["gallery"], quantiles=200), strict=True):
        assert_array_equal(ours, wanted)


def test_refuses_other_widths():
    with pytest.raises(ValueError, match=r"^gallery and train: wanted the same width, got 2 and 3 numbers"):
        quantile_transform(np.eye(2), np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match=r"^train: wanted at least one image"):
        quantile_transform(np.eye(2), np.eye(2), np.empty((0, 2)))


def test_only_what_equals_an_end_is_at_it():
    """Ranks 0, 1/4, 1/2, 3/4, 1 at any scale; scikit-learn takes all of the smallest features for an end."""
    gallery = np.array([[0], [1], [2], [3], [9]], np.float32)
    for scale in (1e-30, 1e-8, 1e6):
        found, _ = quantile_transform(gallery * scale, gallery * scale)
        assert_allclose(found.ravel(), quantile_transform(gallery, gallery)[0].ravel(), rtol=1e-4, atol=1e-4)
    found, _ = quantile_transform([[-1e-9], [0], [1e-9]], np.zeros((5, 1)))
    assert_allclose(found.ravel(), [END, END, -END], rtol=1e-6)
