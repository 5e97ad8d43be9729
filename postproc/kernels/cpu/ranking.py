"""Whole rows in order."""

import numpy as np


def order_rows(values, start, stop, out):
    """``out[i]``: columns of row i by their values, as many as there is room for, ties by column; -1 for +inf."""
    for i in range(start, stop):
        row = np.argsort(values[i], kind="stable")[: out.shape[1]]
        out[i] = np.where(np.isinf(values[i, row]), -1, row)
