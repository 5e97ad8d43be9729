import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tests.cuda.twice import twice
from tests.support.each import each

RNG = np.random.default_rng(0)
ROWS, COLUMNS = RNG.integers(-1, 3, 6), RNG.integers(-1, 3, 11)
DISTANCES = RNG.normal(size=(6, 11)).astype(np.float32)
DISTANCES[2, 3] = DISTANCES[4, 4] = np.inf
OTHERS = RNG.random((4, 11)).astype(np.float32)
QUERIES = np.array([5, 0, 4, 2])


@each("equal", [True, False])
@each("penalty", [np.float32(2), np.float32(np.inf)])
def test_add_by_label(on_device, equal, penalty):
    arguments = (DISTANCES, ROWS, COLUMNS, equal, penalty, 1, 5)
    ((cuda, cpu),) = twice(on_device, "constraints.add_by_label", *arguments, written=(0,))
    assert_array_equal(cuda, cpu)
    assert_array_equal(cpu[[0, 5]], DISTANCES[[0, 5]])


def test_scale_by_table(on_device):
    table = RNG.random((4, 4)).astype(np.float32)
    table[1] = 0  # nothing times infinity is no number
    arguments = (DISTANCES, ROWS + 1, COLUMNS + 1, table, 0, 6)
    ((cuda, cpu),) = twice(on_device, "constraints.scale_by_table", *arguments, written=(0,))
    assert_array_equal(cuda, cpu)


def test_add_combinations(on_device):
    left, right = RNG.random((6, 5)).astype(np.float32), RNG.random((5, 11)).astype(np.float32)
    left[1, 2] = 0
    ((cuda, cpu),) = twice(on_device, "constraints.add_combinations", DISTANCES, left, right, 1, 6, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)


@each("weight", [0.1, 3e38, -3e38])
def test_subtract_from(on_device, weight):
    arguments = (3 * OTHERS, DISTANCES, QUERIES, weight, 0, 4)
    ((cuda, cpu),) = twice(on_device, "constraints.subtract_from", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)


def test_add_where_alike(on_device):
    tracks = RNG.integers(0, 4, 11)
    arguments = (OTHERS, DISTANCES, QUERIES, tracks, 4, 0.2, 0.1, np.float32(0.5), 0, 4)
    ((cuda, cpu),) = twice(on_device, "constraints.add_where_alike", *arguments, written=(0,))
    assert_array_equal(cuda, cpu)
    assert (cpu != DISTANCES[QUERIES]).any()


def test_add_where_near(on_device):
    looked_at = np.array([True, True, False, True, True, False])
    arguments = (OTHERS, DISTANCES, QUERIES, looked_at, np.float32(0.4), np.float32(0.5), 1, 4)
    ((cuda, cpu),) = twice(on_device, "constraints.add_where_near", *arguments, written=(0,))
    assert_array_equal(cuda, cpu)
    assert (cpu[1:] != DISTANCES[QUERIES[1:]]).any()
