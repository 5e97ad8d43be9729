"""Binary codes as 32-bit words, as in :mod:`postproc.kernels.cpu.codes`: packing and differing bits."""

import numpy as np
import torch
from numba import cuda

from postproc.kernels.cuda import launch


def pack_bits(rows, cut):
    """A thread a byte."""
    out = rows.new_empty((len(rows), -(-rows.shape[1] // 8)), dtype=torch.uint8)
    launch.entries(_pack_bits, out.shape, rows, np.float32(cut), out)
    return out


@cuda.jit(cache=True)
def _pack_bits(rows, cut, out):
    i = cuda.blockIdx.x
    byte = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if byte >= out.shape[1]:
        return
    bits = 0
    for j in range(8 * byte, 8 * byte + 8):
        bits *= 2
        if j < rows.shape[1] and rows[i, j] > cut:
            bits += 1
    out[i, byte] = np.uint8(bits)


def to_words(codes):
    """(n, bytes) uint8 -> (n, words) int32 with as many differing bits between any two."""
    out = codes.new_zeros((len(codes), -(-codes.shape[1] // 4) * 4))
    out[:, : codes.shape[1]] = codes
    return out.view(torch.int32)


def differing_bits(query, gallery, start, stop, out):
    """A thread an entry."""
    launch.entries(_differing_bits, (stop - start, len(gallery)), query, gallery, start, out)


@cuda.jit(cache=True)
def _differing_bits(query, gallery, start, out):
    i = start + cuda.blockIdx.x
    j = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= gallery.shape[0]:
        return
    total = 0
    for word in range(query.shape[1]):
        total += cuda.popc(np.uint32(query[i, word] ^ gallery[j, word]))
    out[i, j] = np.float32(total)
