"""The nearest of those that came before."""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def nearest_before(tile, first_row, first_column, values, rows):
    """Take a tile (n, m) in: ``values`` and ``rows`` hold, for every row, the nearest column of a lower number so
    far. Tiles of one row come in the order of their columns, so that the first of equal ones stays.
    """
    n, m = tile.shape
    for i in range(n):
        row = first_row + i
        nearest, at = values[row], rows[row]
        for j in range(min(m, row - first_column)):
            if tile[i, j] < nearest:
                nearest, at = tile[i, j], np.int32(first_column + j)
        values[row], rows[row] = nearest, at
