"""What looks at single feature rows: fingerprints, norms, products of chosen pairs."""

from functools import cache

import numpy as np
from numba import cuda, float32, float64

from postproc.base.arrays import beside, empty, host, on_cuda
from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch
from postproc.kernels.cuda.launch import THREADS

ENTRIES = 1 << 24  # that are widened to eight bytes at a time; a row may be as long as a gallery
ODD = -0x61C8864680B583EB  # what two columns of labels are told apart by


@cache
def _multipliers(width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-(2**63), 2**63 - 1, width, np.int64) | 1


def _step(width: int) -> int:
    """How many rows of this width are looked at together."""
    return max(1, ENTRIES // max(1, width))


def hash_rows(bits: Array, keys: Array, start: int, stop: int) -> None:
    """Fold the bits of every row of (n, d) int32 into its 64-bit key; equal rows get equal keys.

    ``bits`` may be a NumPy array, which goes to the device by and by. The key is a sum of products with fixed odd
    numbers modulo 2^64, so two rows that differ share one with a chance of some 2^-60.
    """
    multipliers = beside(_multipliers(bits.shape[1]), keys)
    step = _step(bits.shape[1])
    for at in range(start, stop, step):
        part = slice(at, min(at + step, stop))
        block = beside(bits[part].view(np.int32) if isinstance(bits, np.ndarray) else bits[part], keys)
        keys[part] = keys[part] * ODD + (block.long() * multipliers).sum(dim=1)


def differ(query_bits: Array, gallery_bits: Array, images: Array, others: Array, out: Array) -> None:
    """``out[i] |= `` whether images ``images[i]`` and ``others[i]`` (queries first) differ in any bit."""
    nq = len(query_bits)
    there = on_cuda(query_bits) and on_cuda(gallery_bits)  # else they meet on the host

    def rows(wanted: np.ndarray) -> Array:
        found = empty((len(wanted), query_bits.shape[1]), np.int32, query_bits if there else wanted)
        for side, chosen, first in ((query_bits, wanted < nq, 0), (gallery_bits, wanted >= nq, nq)):
            taken = side[wanted[chosen] - first]
            found[beside(chosen, found)] = taken if there else host(taken).view(np.int32)
        return found

    step = _step(query_bits.shape[1])
    for at in range(0, len(images), step):
        part = slice(at, at + step)
        out[part] |= host((rows(images[part]) != rows(others[part])).any(1))


def square_norms(rows: Array, signs: Array, start: int, stop: int, out: Array, sums: Array | None = None) -> None:
    """``out[i] = sum_j signs[j] rows[i, j]^2``, summed in float64; ``sums`` (d,) float64 += the rows."""
    step = _step(rows.shape[1])
    for at in range(start, stop, step):
        part = slice(at, min(at + step, stop))
        block = rows[part].double()
        out[part] = (block * block * signs.double()).sum(dim=1)
        if sums is not None:
            sums += block.sum(dim=0)


@cuda.jit(cache=True)
def _products_of_pairs(first, second, border, signs, left, right, start, out):
    sums = cuda.shared.array(THREADS, float32)
    i = start + cuda.blockIdx.x
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    a, b = left[i], right[i]
    total = float32(0.0)
    for j in range(thread, first.shape[1], threads):
        x = first[a, j] if a < border else second[a - border, j]
        y = first[b, j] if b < border else second[b - border, j]
        total += x * signs[j] * y
    sums[thread] = total
    cuda.syncthreads()
    if thread == 0:
        whole = 0.0
        for other in range(threads):
            whole += sums[other]
        out[i] = whole


def products_of_pairs(
    first: Array,
    second: Array,
    border: int,
    signs: Array,
    left: Array,
    right: Array,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """``out[i] = sum_j signs[j] x[left[i], j] x[right[i], j]``; rows from ``border`` on stand in ``second``."""
    launch.blocks(_products_of_pairs, stop - start, first, second, border, signs, left, right, start, out)


@cuda.jit(cache=True)
def _finish_near_pairs(count, first, second, border, signs, left, right, limits, start, out):
    at = cuda.grid(1)
    if at >= count:
        return
    i = start + at
    a, b, limit = left[i], right[i], limits[i]
    if abs(out[i]) < limit + limit:
        total, apart = 0.0, 0.0
        for j in range(first.shape[1]):
            x = first[a, j] if a < border else second[a - border, j]
            y = first[b, j] if b < border else second[b - border, j]
            away = float64(x) - float64(y)
            total += signs[j] * (away * away)
            apart += away * away
            if apart >= limit:
                break
        if apart < limit:
            out[i] = total


def finish_near(
    first: Array, second: Array, border: int, signs: Array, left: Array, right: Array, limits: Array,
    start: int, stop: int, out: Array,
) -> None:  # fmt: skip
    """Distances ``out[i]`` of near pairs from their differences; rows from ``border`` on stand in ``second``.

    Near is a pair whose sum of squared differences, without signs, is less than ``limits[i]``.
    """
    launch.rows(_finish_near_pairs, stop - start, first, second, border, signs, left, right, limits, start, out)
