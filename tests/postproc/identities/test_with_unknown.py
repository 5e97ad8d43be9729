"""The unknown in its place."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from postproc import Identities, with_unknown
from tests.support.each import each


def identities(*rows):
    width = max(map(len, rows))
    pids = np.array([[*range(len(row)), *[-2] * (width - len(row))] for row in rows])
    far = np.array([[*row, *[np.inf] * (width - len(row))] for row in rows], float)
    return Identities(pids, far, np.zeros(len(rows), bool))


@each(
    ("threshold", "wanted"),
    [
        (0.05, [-1, 0, 1]),
        (0.1, [0, -1, 1]),  # as far as the threshold is near enough
        (0.25, [0, -1, 1]),
        (0.3, [0, 1, -1]),  # the second is at .3
        (np.inf, [0, 1, -1]),
    ],
)
def test_worked_by_hand(threshold, wanted):
    assert with_unknown(identities([0.1, 0.3]), threshold, top_k=3).tolist() == [wanted]
    assert with_unknown(identities([0.1, 0.3]), threshold).tolist() == [wanted[:2]]


def test_a_threshold_for_each_and_short_answers():
    found = identities([0.1, 0.2, 0.3], [], [0.1])
    assert with_unknown(found, [0.25, 9, 9], top_k=3).tolist() == [[0, 1, -1], [-1, -2, -2], [0, -1, -2]]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(-1, 5), st.integers(1, 7))
def test_it_stands_before_the_first_that_is_too_far(far, threshold, top_k):
    """Also where distances do not rise, as after a vote."""
    told = with_unknown(identities(far), threshold, top_k=top_k)[0].tolist()
    place = next((at for at, value in enumerate(far) if value > threshold), len(far))
    whole = [*range(place), -1, *range(place, len(far))]
    assert told == (whole + [-2] * top_k)[:top_k]


@each("threshold", [np.nan, [0.1, 0.2], [[0.1]]])
def test_refusals(threshold):
    with pytest.raises(ValueError, match="threshold: wanted one number, or 1"):
        with_unknown(identities([0.1]), threshold)
