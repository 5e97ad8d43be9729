"""What a tile says of images whose features others have too: bits that depend on the two rows alone."""

from numba import cuda, float32, float64

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch


@cuda.jit(cache=True)
def _differences(tile, left, right, signs, row_alike, column_alike):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1] and (row_alike[i] >= 0 or column_alike[j] >= 0):
        total = 0.0
        for k in range(left.shape[1]):
            away = float64(left[i, k]) - float64(right[j, k])
            total += signs[k] * (away * away)
        tile[i, j] = float32(total)


def differences(
    tile: Array, left: Array, right: Array, signs: Array, row_alike: Array, column_alike: Array
) -> None:
    """``tile[i, j] <- sum_k signs[k] (left[i, k] - right[j, k])^2`` where either image is alike another, >= 0."""
    launch.entries(_differences, tile.shape, tile, left, right, signs, row_alike, column_alike)


@cuda.jit(cache=True)
def _products(tile, left, right, row_alike, column_alike):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1] and (row_alike[i] >= 0 or column_alike[j] >= 0):
        total = 0.0
        for k in range(left.shape[1]):
            total += float64(left[i, k]) * float64(right[j, k])
        tile[i, j] = float32(total)


def products(tile: Array, left: Array, right: Array, row_alike: Array, column_alike: Array) -> None:
    """``tile[i, j] <- left[i] . right[j]`` where either image is alike another: its number is 0 or more."""
    launch.entries(_products, tile.shape, tile, left, right, row_alike, column_alike)
