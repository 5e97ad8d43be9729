"""Intervals and tests on the average precision: by hand, by enumeration, and by how often they are right."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.scores.statistics import difference, groups, holm, interval, p_value
from tests.support.each import each

nan = float("nan")
changes = st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=12)


def test_difference_by_hand():
    found = difference([0.5, 0.5, 1.0, 0.0], [1.0, 0.25, 1.0, 0.5])
    #                                          +.5  -.25   0    +.5
    assert (found.first, found.second, found.difference) == (0.5, 0.6875, 0.1875)
    assert (found.better, found.worse, found.equal, found.queries, found.groups) == (2, 1, 1, 4, 4)
    # signs of (.5, -.25, .5): .75 itself, 1.25, .25, .25, and the same four negated
    assert found.p == 4 / 8


def test_a_query_without_a_match_counts_as_the_protocol_says():
    first, second = [0.5, nan, nan, 1.0], [1.0, nan, 0.5, 1.0]
    valid = difference(first, second, denominator="valid")
    assert (valid.queries, valid.first, valid.second) == (2, 0.75, 1.0)
    every = difference(first, second, denominator="all")
    assert (every.queries, every.first, every.second) == (4, 1.5 / 4, 2.5 / 4)


def test_identical_rankings_do_not_differ():
    ap = np.linspace(0, 1, 40)
    found = difference(ap, ap, np.arange(40) // 4)
    assert (found.difference, found.low, found.high, found.p, found.equal) == (0, 0, 0, 1, 40)


def test_an_identity_is_drawn_whole():
    """Ten queries that all gain tell nothing more than one does where they are of one identity."""
    first, second = np.zeros(10), np.full(10, 0.5)
    apart, one = difference(first, second), difference(first, second, np.zeros(10, int))
    assert apart.p == 2 / 2**10
    assert one.p == 1
    assert np.isnan([one.low, one.high]).all()
    assert one.groups == 1
    assert_array_equal(groups([5, -1, 5, -1], 4) == groups([5, -1, 5, -1], 4)[0], [True, False, True, False])
    assert len(set(groups([5, -1, 5, -1], 4))) == 3  # who an unknown one is, is not known to be the same


def test_clusters_widen_the_interval():
    random = np.random.default_rng(0)
    shared = np.repeat(random.normal(size=30), 10) * 0.1
    alone = interval(shared)
    together = interval(shared, np.arange(300) // 10)
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


@given(values=changes)
def test_permutation_test_enumerates(values):
    sums = np.array(values)
    flipped = [abs(np.dot(signs, sums)) for signs in product((1, -1), repeat=len(sums))]
    wanted = np.mean(np.array(flipped) >= abs(sums.sum()) - 1e-11)
    assert_allclose(p_value(values), wanted, atol=1e-12)


def test_drawn_signs_agree_with_all_of_them():
    values = np.random.default_rng(1).normal(0.2, 0.5, 16)
    exact = p_value(values, resamples=2**16)
    drawn = p_value(values, resamples=20_000)
    assert drawn == pytest.approx(exact, abs=0.015)
    assert drawn == p_value(values, resamples=20_000)
    assert drawn != p_value(values, resamples=20_000, seed=1)


def test_exact_up_to_the_draws_and_random_beyond():
    assert p_value(np.ones(6), resamples=100) == 2 / 64
    assert p_value(np.ones(7), resamples=128) == 2 / 128
    assert p_value(np.ones(7), resamples=127) == pytest.approx(2 / 128, abs=0.04)
    assert p_value(np.ones(3000), resamples=100) == 1 / 101


def test_p_is_uniform_where_there_is_no_difference():
    random = np.random.default_rng(2)
    found = [p_value(random.normal(size=30), np.arange(30) // 2, resamples=500, seed=i) for i in range(400)]
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.09
    assert 0.42 <= np.mean(found) <= 0.58


@each("kind", ["even", "skewed"])
def test_intervals_hold_the_truth_as_often_as_they_say(kind):
    random, held = np.random.default_rng(3), 0
    for trial in range(300):
        group = random.integers(0, 40, 120)
        shared = random.normal(size=40) if kind == "even" else random.exponential(size=40) - 1
        low, high = interval(
            0.05 + 0.1 * shared[group] + 0.05 * random.normal(size=120), group, seed=trial, resamples=800
        )
        held += low <= 0.05 <= high
    assert 0.88 <= held / 300 <= 0.985


@given(values=changes, seed=st.integers(0, 5))
def test_intervals_stay_within_what_was_seen(values, seed):
    low, high = interval(values, seed=seed, resamples=100)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_a_higher_level_is_wider():
    values = np.random.default_rng(4).normal(size=50)
    ends = [interval(values, level=level) for level in (0.5, 0.9, 0.99)]
    assert ends[2][0] < ends[1][0] < ends[0][0] < ends[0][1] < ends[1][1] < ends[2][1]


def test_the_same_in_another_order_and_again():
    random = np.random.default_rng(5)
    first, second, pid = random.random(60), random.random(60), random.integers(0, 9, 60)
    order = random.permutation(60)
    found = difference(first, second, pid, resamples=200)
    assert found == difference(first, second, pid, resamples=200)
    assert found.difference == -difference(second, first, pid, resamples=200).difference
    moved = difference(first[order], second[order], pid[order], resamples=200)
    assert_allclose(
        [found.difference, found.low, found.high, found.p], [moved.difference, moved.low, moved.high, moved.p]
    )


def test_holm_by_hand():
    #   sorted: .01 .02 .03 .5  times 4 3 2 1: .04 .06 .06 .5
    assert_allclose(holm([0.02, 0.5, 0.01, 0.03]), [0.06, 0.5, 0.04, 0.06])
    assert_allclose(holm([0.9, 0.8]), [1, 1])
    assert_allclose(holm([nan, 0.01, nan, 0.02]), [nan, 0.02, nan, 0.02])
    assert holm([]).shape == (0,)


@each(
    ("settings", "message"),
    [
        ({"level": 1.0}, "level: wanted 0.5 to 0.999"),
        ({"resamples": 10}, "resamples: wanted a whole number, 100 or more, got 10"),
        ({"seed": -1}, "seed: wanted a whole number, 0 or more"),
        ({"denominator": "some"}, "denominator: wanted one of all, valid, got 'some'"),
        ({"pid": [1, 2]}, "pid: wanted 3 values"),
    ],
)
def test_refuses_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        difference([0.1, 0.2, 0.3], [0.1, 0.2, 0.4], **settings)


def test_refuses_what_is_no_precision():
    with pytest.raises(ValueError, match="first and second: wanted the same queries, got 1 and 2"):
        difference([0.5], [0.5, 0.5])
    with pytest.raises(ValueError, match="second: wanted a list of numbers of 0 to 1"):
        difference([0.5], [1.5])
    with pytest.raises(ValueError, match="wanted a query with a match in both, got none"):
        difference([nan], [0.5])
    with pytest.raises(ValueError, match="p: wanted a list of numbers of 0 to 1"):
        holm([0.5, 2])
    with pytest.raises(ValueError, match="values: wanted a list of finite numbers"):
        interval([nan, 1])
