"""Whole rows in order, as in :mod:`postproc.kernels.cpu.ranking`."""

import torch

ENTRIES = 1 << 27  # sorted at a time, of some 24 bytes each


def order_rows(values, start, stop, out):
    """torch sorts; 0 is added because it may order -0 before 0, which are equal."""
    tall = max(1, ENTRIES // max(values.shape[1], 1))
    for at in range(start, stop, tall):
        part = slice(at, min(at + tall, stop))
        ordered, columns = torch.sort(values[part] + 0.0, dim=1, stable=True)
        out[part] = columns[:, : out.shape[1]].masked_fill(ordered[:, : out.shape[1]].isinf(), -1)
