"""Reciprocal sets that look at cameras: one set within the own camera, one across the others."""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def reciprocal_pairs(rows, values, start, stop):
    """``{j in rows[i], i in rows[j]}`` of the rows ``start:stop`` as (sizes, members, their values).

    Entries below 0 are nobody. Members come in the order of the list.
    """
    length = rows.shape[1]
    sizes = np.zeros(stop - start, np.int64)
    members = np.empty((stop - start) * length, np.int32)
    distances = np.empty((stop - start) * length, np.float32)
    end = 0
    for i in range(start, stop):
        for s in range(length):
            j = rows[i, s]
            if j < 0:
                break
            for t in range(length):
                if rows[j, t] == i:
                    members[end] = j
                    distances[end] = values[i, s]
                    end += 1
                    sizes[i - start] += 1
                    break
    return sizes, members[:end].copy(), distances[:end].copy()
