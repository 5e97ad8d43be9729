import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc.kernels import cpu, cuda
from tests.cuda.test_kernels_diffusion import graph
from tests.support.each import each

N = 17


def sparse(rng, n: int = N, most: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a few members, ascending, some of them empty."""
    rows = [np.sort(rng.permutation(n)[: rng.integers(0, most)]) for _ in range(n)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    members = np.concatenate(rows).astype(np.int32)
    return offsets, members, rng.random(len(members)).astype(np.float32)


def up(on_device, arguments):
    return [on_device.up(each) if isinstance(each, np.ndarray) else each for each in arguments]


def ascending(sizes, members, weights):
    """Sparse rows with their members in order."""
    order = np.lexsort((members, np.repeat(np.arange(len(sizes)), sizes)))
    return sizes, members[order], weights[order]


@each("keep", [N, 7, 1])
def test_walks(on_device, keep):
    rng = np.random.default_rng(keep)
    wanted_offsets, wanted, short = sparse(rng)
    arguments = (*graph(N), rng.random(N).astype(np.float32), 0.8, keep, wanted_offsets, wanted)
    there, here = on_device.up(short), short.copy()
    found = [on_device.down(part) for part in cuda.cas.walk_halves(*up(on_device, arguments), 2, N, there)]
    kept = cpu.cas.walk_halves(*arguments, 2, N, here)
    for one, other in zip(found, ascending(*kept), strict=True):
        assert one.dtype == other.dtype
        assert_allclose(one, other, rtol=1e-5, atol=1e-9)
    assert_allclose(on_device.down(there), here, rtol=1e-6)

    offsets = np.concatenate([[0, 0, 0], np.cumsum(found[0])])
    met = (offsets, *found[1:], wanted_offsets, wanted)
    cuda.cas.meet_halves(*up(on_device, met), 3, 11, there)
    cpu.cas.meet_halves(*met, 3, 11, here)
    assert_allclose(on_device.down(there), here, rtol=1e-6)


@each("beta", [0.0, 0.3])
def test_smooth_candidates(on_device, beta):
    rng = np.random.default_rng(4)
    (offsets, members, values), (confident_offsets, confident, _) = sparse(rng, most=9), sparse(rng, most=4)
    steps, back_of = sparse(rng), np.zeros((N, N), np.float32)
    for i in range(N):
        part = slice(steps[0][i], steps[0][i + 1])
        back_of[steps[1][part], i] = steps[2][part]
    there = back_of > 0
    back = (
        np.concatenate([[0], np.cumsum(there.sum(axis=1))]),
        np.nonzero(there)[1].astype(np.int32),
        back_of[there],
    )
    returning = rng.random(N).astype(np.float32)
    arguments = (offsets, members, confident_offsets, confident, *steps, *back, returning, beta, 1, 15)
    found, wanted = on_device.up(values), values.copy()
    cuda.cas.smooth_candidates(*up(on_device, arguments), found)
    cpu.cas.smooth_candidates(*arguments, wanted)
    assert_allclose(on_device.down(found), wanted, rtol=1e-5)
    assert not np.allclose(wanted, values)


@each("keep", [N, 3, 1])
def test_product_of_rows(on_device, keep):
    rng = np.random.default_rng(1)
    arguments = (*sparse(rng), *sparse(rng), keep, 1, 15)
    found = [on_device.down(part) for part in cuda.cas.product_of_rows(*up(on_device, arguments))]
    for one, other in zip(found, cpu.cas.product_of_rows(*arguments), strict=True):
        assert one.dtype == other.dtype
        assert_allclose(one, other, rtol=1e-6)


def test_of_equals_the_first_are_kept(on_device):
    left = np.array([0, 1, 1]), np.array([0], np.int32), np.array([2], np.float32)
    right = np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([3, 3], np.float32)
    for keep, members in ((1, [0]), (2, [0, 1])):
        sizes, found, weights = cuda.cas.product_of_rows(*up(on_device, (*left, *right, keep, 0, 2)))
        assert_array_equal(on_device.down(found), members)
        assert_array_equal(on_device.down(sizes), [keep, 0])
        assert_allclose(on_device.down(weights), 1 / keep)


def test_paths(on_device):
    rng = np.random.default_rng(6)
    offsets, members, weights = sparse(rng)
    lists = rng.integers(0, N, (N, 5)).astype(np.int32)
    lists[:, 0] = np.arange(N)
    found, wanted = np.zeros((N, 5), np.float32), np.zeros((N, 5), np.float32)
    there = on_device.up(found)
    cuda.geodesic.divergences(*up(on_device, (offsets, members, weights, lists)), 2, 16, there)
    cpu.geodesic.divergences(offsets, members, weights, lists, 2, 16, wanted)
    assert_allclose(on_device.down(there), wanted, rtol=1e-6, atol=1e-7)

    lengths = np.full((N, N), np.inf)  # of edges both ways, some as long as two others
    lengths[lists.ravel(), np.repeat(np.arange(N), 5)] = rng.integers(0, 5, 5 * N) / 4
    lengths = np.minimum(lengths, lengths.T)
    np.fill_diagonal(lengths, np.inf)
    near = np.isfinite(lengths)
    offsets, members = np.concatenate([[0], np.cumsum(near.sum(axis=1))]), np.nonzero(near)[1].astype(np.int32)
    edges = offsets, members, lengths[near].astype(np.float32)
    needed, there = np.zeros(len(members), bool), on_device.up(np.zeros(len(members), bool))
    cuda.geodesic.needed_edges(*up(on_device, edges), 2, 16, there)
    cpu.geodesic.needed_edges(*edges, 2, 16, needed)
    assert_array_equal(on_device.down(there), needed)
    assert needed.any()

    order = np.lexsort((edges[2], np.repeat(np.arange(N), np.diff(offsets))))  # shortest first
    edges = offsets, members[order], edges[2][order]
    strip, sources = rng.random((6, 9)).astype(np.float32), np.array([3, 0, 16, 5, 5, 2], np.int32)
    columns, largest = rng.integers(0, N, 9).astype(np.int32), rng.integers(0, 2, N).astype(np.float32)
    there = on_device.up(strip)
    cuda.geodesic.blend_geodesics(there, *up(on_device, (sources, columns, *edges, 50, largest, 0.3, 6)), 1, 6)
    cpu.geodesic.blend_geodesics(strip, sources, columns, *edges, 50, largest, 0.3, len(columns), 1, 6)
    assert_allclose(on_device.down(there), strip, rtol=1e-6)
