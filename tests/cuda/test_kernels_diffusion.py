import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import random as random_matrix

from postproc.kernels import cpu, cuda
from tests.cuda.twice import twice
from tests.support.each import each


def graph(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A symmetric matrix whose rows have a sum of 1 at most; the last node has no links."""
    matrix = random_matrix(n, n, density=0.3, random_state=np.random.default_rng(seed), dtype=np.float32)
    matrix = (matrix + matrix.T).tolil()
    matrix[n - 1, :] = matrix[:, n - 1] = 0
    matrix = matrix.tocsr()
    matrix.data /= matrix.sum(axis=1).max()
    matrix.eliminate_zeros()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)


def both(on_device, name, *arguments, room=()):
    """What a kernel gives, (CUDA, CPU), with all arrays on the device for the one, in a ``room`` the other."""
    up = [on_device.up(each) if isinstance(each, np.ndarray) else each for each in arguments]
    found, wanted = getattr(cuda.diffusion, name)(*up), getattr(cpu.diffusion, name)(*arguments, *room)
    if isinstance(wanted, tuple):
        return [(on_device.down(a), b) for a, b in zip(found, wanted, strict=True)]
    return on_device.down(found), wanted


@each("smooth", [False, True])
@each(("iterations", "tolerance"), [(0, 1e-6), (4, 1e-6), (12, 0.05), (40, 1e-9)])
def test_conjugate_gradients(on_device, smooth, iterations, tolerance):
    rng = np.random.default_rng(1)
    offsets, members, weights = graph(37)
    sums = np.add.reduceat(weights.astype(np.float64), offsets[:-1].clip(max=len(weights) - 1))
    masses = np.where(np.diff(offsets) > 0, sums, 1)
    shares = weights / np.repeat(masses, np.diff(offsets))
    nodes, values = rng.integers(0, 36, (5, 3)), rng.random((5, 3))
    values[3] = 0  # a column without a query
    nodes[4] = 36  # a query without links, done after one step
    room = cpu.diffusion.room_of(37, values)
    room[:] = np.nan  # nothing may be expected of it
    found, wanted = both(
        on_device, "conjugate_gradients", offsets, members, shares, masses, 0.99, nodes.astype(np.int32), values,
        iterations, tolerance, smooth, room=(room,),
    )  # fmt: skip
    assert found.dtype == np.float64
    assert found[:, :3].any() == (iterations > 0)
    assert_allclose(found, wanted[:, :5], rtol=1e-9, atol=1e-12)
    assert not wanted[:, 5:].any()


@each("iterations", [0, 1, 6])
def test_regularized_powers(on_device, iterations):
    nodes, scales = np.array([3, 0, 19, 7, 3], np.int32), np.linspace(0.5, 1, 5, dtype=np.float32)
    alpha = np.float32(0.75)
    room = cpu.diffusion.room_of(20, scales, 2)
    room[:] = np.nan  # nothing may be expected of it
    found, wanted = both(
        on_device, "regularized_powers", *graph(20), alpha, nodes, scales, iterations, room=(room,)
    )
    assert found.dtype == np.float32
    assert_allclose(found, wanted[:, :5], rtol=1e-5, atol=1e-7)
    assert not wanted[:, 5:].any()


def lists(n: int, k: int) -> np.ndarray:
    """Everybody, itself first as a rule; with places for nobody, and full lists without the image itself."""
    rng = np.random.default_rng(n)
    found = np.stack([rng.permutation(n)[:k] for _ in range(n)]).astype(np.int32)
    for i in range(0, n, 2):
        found[i] = [i, *(j for j in found[i] if j != i)][:k]
    found[3, k // 2 :] = -1
    found[::4, -1] = -1
    return found


@each("unit", [False, True])
@each(("k", "iterations", "room"), [(1, 5, 1 << 20), (9, 0, 1 << 20), (9, 6, 300), (14, 30, 1 << 20)])
def test_truncated_solutions(on_device, monkeypatch, unit, k, iterations, room):
    monkeypatch.setattr("postproc.kernels.cuda.diffusion.ROOM", room)  # 300: two or three images at a time
    arguments = (lists(14, k), *graph(14, seed=k), 0.9, iterations, 1e-8, unit)
    for start, stop in ((0, 14), (5, 9)):
        (sizes, wanted_sizes), *parts = both(on_device, "truncated_solutions", *arguments, start, stop)
        assert_array_equal(sizes, wanted_sizes)
        (members, wanted_members), (weights, wanted_weights) = parts
        assert members.dtype == np.int32
        assert weights.dtype == np.float32
        owners = np.repeat(np.arange(stop - start), sizes)
        order = np.lexsort((wanted_members, owners))  # on the device they ascend
        assert_array_equal(members, wanted_members[order])
        assert_allclose(weights, wanted_weights[order], rtol=1e-6)


@each("dtype", [np.float32, np.float64])
def test_reached_first(on_device, dtype):
    rng = np.random.default_rng(2)
    scores = np.maximum(rng.normal(size=(9, 4)), 0).astype(dtype)
    strip = rng.normal(size=(6, 13)).astype(np.float32)
    classes, scales = rng.integers(0, 9, 13).astype(np.int32), rng.random(9)
    for start in (0, 3):  # at 3 a column is one too many
        ((found, wanted),) = twice(
            on_device, "diffusion.reached_first", scores, classes, scales, start, strip, written=(4,)
        )
        assert_array_equal(found, wanted)
    standing = scores.T.copy().T  # columns one after the other
    ((found, wanted),) = twice(
        on_device, "diffusion.reached_first", standing, classes, scales, 2, strip, written=(4,)
    )
    assert_array_equal(found, wanted)


def test_drop_repeats(on_device):
    rows = np.random.default_rng(3).integers(0, 6, (8, 9)).astype(np.int32)
    ((found, wanted),) = twice(on_device, "diffusion.drop_repeats", rows, 6, 2, 7, written=(0,))
    assert_array_equal(found, wanted)
    assert (found == -1).any()
