"""Agreement of models: the measures by hand, the matrices of a city."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import io
from ensemble.scores.agreement import cosine_distance, matrices, overlap, rank_biased_overlap
from postproc import distances, rank
from tests.support import cities


def test_overlap_by_hand():
    first, second = np.array([[0, 1, 2], [3, 4, 5]]), np.array([[0, 2, 9], [5, 4, 3]])
    assert overlap(first, second, k=1) == 0.5  # 0 and 0; 3 and 5
    assert overlap(first, second, k=2) == 0.5  # {0}; {4}
    assert overlap(first, second, k=3) == pytest.approx((2 / 3 + 1) / 2)
    assert overlap(first, second, k=50) == overlap(first, second, k=3)


def test_rank_biased_overlap_by_hand():
    #  X: 1 1 2; (1-p) sum p^(d-1) X_d/d = .2 (1 + .8/2 + .64 * 2/3); and .8^3 * 2/3 for what follows
    wanted = 0.2 * (1 + 0.8 / 2 + 0.64 * 2 / 3) + 0.8**3 * 2 / 3
    found = rank_biased_overlap(np.array([[0, 1, 2]]), np.array([[0, 2, 9]]), p=0.8)
    assert found == pytest.approx(wanted)


@given(seed=st.integers(0, 1000), p=st.floats(0.05, 0.95))
def test_rank_biased_overlap_equals_the_definition(seed, p):
    random = np.random.default_rng(seed)
    first, second = (np.stack([random.permutation(15)[:8] for _ in range(3)]) for _ in range(2))
    wanted = []
    for a, b in zip(first, second, strict=True):
        shared = [len(set(a[:d]) & set(b[:d])) for d in range(1, 9)]
        total = sum((1 - p) / p * p**d * x / d for d, x in enumerate(shared, 1))
        wanted.append(total + p**8 * shared[-1] / 8)
    assert_allclose(rank_biased_overlap(first, second, p=p), np.mean(wanted), rtol=1e-12)
    assert rank_biased_overlap(first, first, p=p) == pytest.approx(1)
    assert rank_biased_overlap(first, first + 100, p=p) == 0


def test_cosine_distance_is_the_probe_of_two_versions():
    random = np.random.default_rng(0)
    one, two = random.normal(size=(2, 50, 8))
    wanted = np.mean([1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(one, two, strict=True)])
    assert cosine_distance(one, two) == pytest.approx(wanted)
    assert cosine_distance(one, 3 * one) == pytest.approx(0)
    assert cosine_distance(one, -one) == pytest.approx(2)
    assert np.isnan(cosine_distance(one, two[:, :5]))


def test_matrices_of_the_demo(tmp_path: Path):
    cities.few(tmp_path / "city")
    sets = io.read_folder(tmp_path / "city")
    found = matrices(sets, k=5)
    assert list(found) == ["top1", "overlap", "rbo", "cosine", "ap"]
    for name, matrix in found.items():
        assert_array_equal(matrix, matrix.T)
        assert_allclose(np.diag(matrix), 0 if name == "cosine" else 1, atol=1e-6)
    lists = [rank(distances(one.query, one.gallery, metric="cosine"), top_k=5) for one in sets]
    assert found["top1"][0, 1] == pytest.approx(np.mean(lists[0][:, 0] == lists[1][:, 0]))
    shared = [len(set(a) & set(b)) / 5 for a, b in zip(lists[1], lists[3], strict=True)]
    assert found["overlap"][1, 3] == pytest.approx(np.mean(shared))
    assert 0.2 < found["ap"][0, 1] < 0.95


def test_refuses_p():
    with pytest.raises(ValueError, match="p: wanted a number above 0 and below 1"):
        rank_biased_overlap(np.array([[1]]), np.array([[1]]), p=1)
