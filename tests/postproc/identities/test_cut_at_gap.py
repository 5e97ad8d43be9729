"""Lists that end at a wide gap: by hand, and what no cut may do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from postproc import Nearest, cut_at_gap


def lists(*distances):
    far = np.array(distances, np.float32)
    rows = np.where(np.isfinite(far), np.arange(far.shape[1], dtype=np.int32), -1).astype(np.int32)
    return Nearest(far, rows)


def test_by_hand():
    """Gaps 1, 6, 1 and 2, 1, 1: their mean is 2."""
    found = cut_at_gap(lists([0, 1, 7, 8], [0, 2, 3, 4]), times=1.5)
    assert_array_equal(found.rows, [[0, 1, -1, -1], [0, 1, 2, 3]])
    assert_array_equal(found.distances, [[0, 1, np.inf, np.inf], [0, 2, 3, 4]])
    assert_array_equal(cut_at_gap(lists([0, 1, 7, 8], [0, 2, 3, 4]), times=1).rows[1], [0, 1, 2, 3])  # not wider
    assert_array_equal(cut_at_gap(lists([0, 1, 7, 8], [0, 2, 3, 4]), times=0.9).rows[1], [0, -1, -1, -1])


def test_lists_that_end_early_have_no_gap_there():
    """The mean is that of three gaps, and what is behind the last image is none."""
    found = cut_at_gap(lists([0, 1, np.inf], [0, 1, 2]), times=1)
    assert_array_equal(found.rows, [[0, 1, -1], [0, 1, 2]])
    for short in (lists([np.inf, np.inf]), lists([0.5]), lists([1, 1, 1])):
        assert_array_equal(cut_at_gap(short, times=0).rows, short.rows)


@given(st.integers(0, 10**6), st.floats(0, 20), st.floats(0, 20))
def test_a_larger_gap_cuts_less_and_the_nearest_stays(seed, one, other):
    rng = np.random.default_rng(seed)
    whole = lists(*np.sort(rng.random((5, 8)).astype(np.float32), axis=1))
    small, large = (cut_at_gap(whole, times=times).rows >= 0 for times in sorted((one, other)))
    assert (small <= large).all()
    assert small[:, 0].all()
    assert (np.diff(small.astype(int), axis=1) <= 0).all()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (lists([1, 0]), "ascend"),
        (Nearest(np.array([[0, np.nan]], np.float32), np.zeros((1, 2), np.int32)), "NaN"),
        (Nearest(np.zeros((1, 3), np.float32), np.zeros((1, 2), np.int32)), "one shape"),
    ],
)
def test_bad_lists(bad, said):
    with pytest.raises(ValueError, match=said):
        cut_at_gap(bad, times=1)


def test_a_matrix_is_no_lists():
    with pytest.raises(TypeError, match="wanted a Nearest"):
        cut_at_gap(np.zeros((2, 3), np.float32), times=1)


def test_a_setting_out_of_range():
    with pytest.raises(ValueError, match="times"):
        cut_at_gap(lists([0, 1]), times=-1)
