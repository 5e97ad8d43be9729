"""Rows in ascending order, against NumPy's stable sort."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.sorting import ascending, at_place, key_of, order


@compiled
def keys_of(row, chosen, keys):
    for at in range(keys.size):
        keys[at] = key_of(row[chosen[at]], np.int64(chosen[at]))


def in_order(row, chosen):
    keys = np.empty(len(chosen), np.int64)
    keys_of(row, chosen, keys)
    return ascending(keys, np.empty_like(keys)) & 0x7FFFFFFF


@given(st.data())
def test_equals_a_stable_sort(data):
    numbers = st.floats(width=32, allow_nan=False)
    row = data.draw(
        arrays(np.float32, st.integers(0, 30), elements=st.one_of(numbers, st.sampled_from([0, -0.0, 1])))
    )
    kept = np.flatnonzero(data.draw(arrays(np.bool_, len(row)))).astype(np.int32)
    assert_array_equal(in_order(row, kept), kept[np.argsort(row[kept], kind="stable")])


def test_takes_as_many_digits_as_there_are():
    spread = np.float32(10.0) ** np.arange(38, -46, -1, dtype=np.float32)
    for row in (spread, -spread, np.concatenate([spread, -spread, spread]), 1 + spread, np.zeros(5, np.float32)):
        whole = np.arange(len(row), dtype=np.int32)
        assert_array_equal(in_order(row, whole), np.argsort(row, kind="stable"))


VALUES = st.lists(
    st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 0.5, 3.0, np.inf]) | st.floats(allow_nan=False), max_size=70
)


@given(values=VALUES)
def test_order_is_a_stable_sort(values):
    values = np.array(values, np.float64)
    assert_array_equal(order(values), np.argsort(values, kind="stable"))


@given(values=VALUES.filter(bool), data=st.data())
def test_at_place_is_that_of_the_sorted_values(values, data):
    values = np.array(values, np.float64)
    before = values.copy()
    place = data.draw(st.integers(0, len(values) - 1))
    assert at_place(values, place) == np.sort(values)[place]
    assert_array_equal(values, before)


def test_at_place_of_many_in_any_order():
    for values in (np.arange(5000.0), np.arange(5000.0)[::-1].copy(), np.zeros(5000), np.arange(5000.0) % 7):
        for place in (0, 17, 2500, 4999):
            assert at_place(values, place) == np.sort(values)[place]
