"""Away from the nearest negatives: by hand, against the definition, against the released function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import subtract_negatives
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, world

BANK = np.array([[0, 2], [0.6, 0.8], [-1, 0]], np.float32)


def test_by_hand():
    x = np.array([[3, 0]], np.float32)
    # nearest of (1, 0): (0.6, 0.8), then (0, 1); half their mean is (0.15, 0.45)
    found, gallery = subtract_negatives(x, BANK[:1], BANK, k=2, beta=0.5)
    assert_allclose(found, [np.array([0.85, -0.45]) / np.hypot(0.85, 0.45)], rtol=1e-6)
    # the gallery too: (0, 1) - (0.15, 0.45)
    assert_allclose(gallery, [np.array([-0.15, 0.55]) / np.hypot(0.15, 0.55)], rtol=1e-6)
    # another round starts from there and looks again: (0.884, -0.468) is nearest to (0.6, 0.8) at 0.156
    again, _ = subtract_negatives(x, BANK, BANK, k=1, beta=0.5, rounds=2)
    once, _ = subtract_negatives(x, BANK, BANK, k=1, beta=0.5)
    moved = once[0] - 0.5 * BANK[1]
    assert_allclose(again, [moved / np.linalg.norm(moved)], rtol=1e-6)


@settings(max_examples=40)
@given(
    images=cubes(st.integers(1, 8), (0.0, 1.0, 2.0)),
    train=cubes(st.integers(1, 20), (0.0, 1.0)),
    k=st.integers(1, 30),
    beta=st.sampled_from([0.25, 0.5]),
)
def test_equals_the_definition(images, train, k, beta):
    for found in subtract_negatives(images, images[:1], train, k=k, beta=beta):
        assert_allclose(
            found, reference.expansion.subtract_negatives(images, train, k, beta, 1)[: len(found)], atol=1e-6
        )


@each("rounds", [1, 3])
def test_rounds_equal_the_definition(rounds):
    data = world()
    sides = subtract_negatives(data["query"], data["gallery"], data["train"], k=4, rounds=rounds)
    for found, side in zip(sides, ("query", "gallery"), strict=True):
        wanted = reference.expansion.subtract_negatives(data[side], data["train"], 4, 0.35, rounds)
        assert_allclose(found, wanted, atol=1e-6)


def test_what_it_refuses():
    x = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match=r"^query and train: wanted the same width, got 3 and 2 numbers"):
        subtract_negatives(x, x, BANK)
    with pytest.raises(ValueError, match=r"^train: wanted at least one image"):
        subtract_negatives(x, x, x[:0])


def test_a_bank_smaller_than_k_is_taken_whole():
    x = world()["query"]
    for small, large in zip(
        subtract_negatives(x, x, x[:4], k=4), subtract_negatives(x, x, x[:4], k=9), strict=True
    ):
        assert_array_equal(small, large)


@each("rounds", [1, 3])
def test_released(shared, rounds):
    golden = np.load(shared / "golden" / "query_expansion.npz")
    sides = subtract_negatives(golden["q"], golden["g"], golden["train"], k=10, beta=0.35, rounds=rounds)
    for side, found in zip("qg", sides, strict=True):
        wanted = golden[f"f{side}__isc21_negsub__it={rounds}_k=10_beta=0.35"]
        assert_allclose(found, wanted, rtol=0, atol=1e-6)
