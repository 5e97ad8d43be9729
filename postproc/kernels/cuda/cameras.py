"""Reciprocal sets that look at cameras: one set within the own camera, one across the others."""

import torch
from numba import cuda

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch


@cuda.jit(cache=True)
def _reciprocal(count, rows, start, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    length = rows.shape[1]
    i, s = start + thread // length, thread % length
    other = rows[i, s]
    found = False
    if other >= 0:
        for t in range(length):
            if rows[other, t] == i:
                found = True
    out[i - start, s] = found


def reciprocal_pairs(rows: Array, values: Array, start: int, stop: int) -> tuple[Array, Array, Array]:
    """``{j in rows[i], i in rows[j]}`` of the rows ``start:stop`` as (sizes, members, their values).

    Entries below 0 are nobody. Members come in the order of the list.
    """
    length = rows.shape[1]
    mutual = torch.empty((stop - start, length), dtype=torch.bool, device=rows.device)
    launch.rows(_reciprocal, (stop - start) * length, rows, start, mutual)
    return mutual.sum(dim=1), rows[start:stop][mutual], values[start:stop][mutual]
