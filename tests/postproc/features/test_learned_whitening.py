"""Learned whitening: by hand, against the definition, against the released function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import learned_whitening
from postproc.features.learned_whitening import whitening_of_pairs
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import world

DATA = world()


def test_by_hand():
    # one identity around (0, 0), one around (6, 0); images of one differ by (0, 4)
    train = np.array([[0, 2], [0, -2], [6, 2], [6, -2], [3, 9]], np.float32)
    pid = np.array([0, 0, 1, 1, 2])
    # the mean over pairs is (3, 0); the mean of (a - b)(a - b)ᵀ is diag(0, 16), so that 1e-10 is added to it:
    # L^-1 = diag(1e5, 1 / 4), and x varies most
    query, gallery = np.array([[4, 0], [3, 1]], np.float32), np.array([[2, 0]], np.float32)
    found, found_gallery = learned_whitening(query, gallery, train, pid)
    assert_allclose(found, [[1, 0], [0, 1]], atol=1e-6)
    assert_allclose(found_gallery, [[-1, 0]], atol=1e-6)
    train[:, 0] += [1, -1, 1, -1, 0]
    # (a - b) is (2, 4): the mean of products is [[4, 8], [8, 16]], and of these no inverse either
    found, _ = learned_whitening(query, gallery, train, pid)
    assert np.isfinite(found).all()
    train[:, 0] += [0, 0, -2, 2, 0]
    # (2, 4) and (-2, 4): diag(4, 16), L^-1 = diag(1 / 2, 1 / 4); z of the query - mean: (1 / 2, 0) and (0, 1 / 4)
    # the images less the mean: (-2, 2), (-4, -2), (2, 2), (4, -2), (0, 9)
    # sum of z zᵀ: (4 + 16 + 4 + 16) / 4 = 10, (4 * 4 + 81) / 16 = 6.06, and (-4 + 8 + 4 - 8) / 8 = 0 across
    found, _ = learned_whitening(
        query + np.array([0, 4]), gallery, train, pid
    )  # (1, 4) -> (1 / 2, 1); (0, 5) -> (0, 5 / 4)
    assert_allclose(found, reference.basic.unit([[0.5, 1], [0, 1]]), atol=1e-6)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(1, 6),
    components=st.one_of(st.none(), st.integers(1, 6)),
)
def test_equals_the_definition(seed, people, components):
    rng = np.random.default_rng(seed)
    pid = np.concatenate([rng.integers(-1, people, 30), [0] * 6])
    train = (rng.normal(size=(36, 5)) * [1, 2, 3, 4, 5] + rng.normal(size=(people + 1, 5))[pid]).astype(np.float32)
    sides = [rng.normal(size=(size, 5)).astype(np.float32) for size in (4, 7)]
    found = learned_whitening(*sides, train, pid, components=components)
    mean, rows = reference.whitening.learned_whitening(train, pid)
    for ours, side in zip(found, sides, strict=True):
        assert ours.dtype == np.float32
        assert_allclose(ours, reference.basic.unit((side - mean) @ rows[:components].T), rtol=0, atol=1e-4)


def test_sums_by_identity_equal_all_pairs():
    query, gallery, train, pid = (DATA[name] for name in ("query", "gallery", "train", "train_pid"))
    first, second = np.nonzero((pid[:, None] == pid) & ~np.eye(len(pid), dtype=bool))
    wanted = whitening_of_pairs(query, gallery, train, first, second)
    for ours, side in zip(learned_whitening(query, gallery, train, pid), wanted, strict=True):
        assert_allclose(ours, side, rtol=0, atol=1e-5)


def test_images_of_unknown_identity_are_in_no_pair():
    query, gallery, train, pid = (DATA[name] for name in ("query", "gallery", "train", "train_pid"))
    alone = 1000 + np.arange(len(pid))
    unknown = np.arange(len(pid)) % 4 == 0
    found = learned_whitening(query, gallery, train, np.where(unknown, -1, pid))
    wanted = learned_whitening(query, gallery, train, np.where(unknown, alone, pid))
    for ours, side in zip(found, wanted, strict=True):
        assert_allclose(ours, side, rtol=0, atol=1e-6)


def test_it_forgets_what_identities_do_not_tell():
    """A direction that varies more than anything else, but inside identities, is not what images are told by."""
    rng = np.random.default_rng(0)
    pid = np.repeat(np.arange(20), 10)
    who, noise = rng.normal(size=(20, 4))[pid], 30 * rng.normal(size=(200, 1))
    train = np.hstack([who + 0.1 * rng.normal(size=(200, 4)), noise])
    _, found = learned_whitening(train[:1], train, train, pid, components=4)
    similar = found @ found.T
    same = pid[:, None] == pid
    assert similar[same].mean() > 0.9
    assert similar[~same].mean() < 0.1


def test_too_few_pairs_for_a_factor():
    """Six pairs in 16 dimensions: the added diagonal makes a factor, and the same one for any order of images."""
    train, pid = DATA["train"][:12], np.arange(12) // 2
    wanted = learned_whitening(DATA["query"], DATA["gallery"], train, pid)
    order = np.random.default_rng(0).permutation(12)
    found = learned_whitening(DATA["query"], DATA["gallery"], train[order], pid[order])
    for ours, side in zip(found, wanted, strict=True):
        assert_allclose(np.linalg.norm(side, axis=1), 1, rtol=1e-5)
        assert_allclose(ours @ ours.T, side @ side.T, rtol=0, atol=1e-4)


def test_refuses_a_training_set_without_pairs():
    eye = np.eye(3)
    with pytest.raises(
        ValueError, match=r"^train_pid: wanted an identity with two images, got 3 of one image each"
    ):
        learned_whitening(eye, eye, eye, np.arange(3))
    with pytest.raises(
        ValueError, match=r"^train_pid: wanted an identity with two images, got 0 of one image each"
    ):
        learned_whitening(eye, eye, eye, np.full(3, -1))
    with pytest.raises(ValueError, match=r"^gallery and train: wanted the same width, got 3 and 2 numbers"):
        learned_whitening(eye, eye, np.eye(2), np.zeros(2, int))


def test_more_components_than_dimensions_are_cut():
    data = [DATA[name] for name in ("query", "gallery", "train", "train_pid")]
    for ours, wanted in zip(learned_whitening(*data, components=99), learned_whitening(*data), strict=True):
        assert_array_equal(ours, wanted)


@each("dims", [0, 16])
def test_cnnimageretrieval(shared, dims):
    golden = np.load(shared / "golden" / "whitening.npz")
    pairs = golden["aux__qidxs"], golden["aux__pidxs"]
    query, gallery = whitening_of_pairs(golden["q"], golden["g"], golden["train"], *pairs, components=dims or None)
    assert_allclose(query, golden[f"fq__cir_lw__dims={dims}"], rtol=0, atol=3e-6)
    assert_allclose(gallery, golden[f"fg__cir_lw__dims={dims}"], rtol=0, atol=3e-6)
    assert_allclose(query @ gallery.T, golden[f"sim__cir_lw__dims={dims}"], rtol=0, atol=3e-6)
