"""Density-based clusters."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array


def dbscan(distances: Array, eps: float, min_samples: int) -> NDArray[np.int64]:
    """Groups of cores that reach each other, numbered by their first core; others join the nearest core, or -1."""
    within = np.asarray(distances) <= eps
    core = within.sum(axis=1) >= min_samples
    labels = np.full(len(within), -1)
    for start in np.flatnonzero(core):
        if labels[start] >= 0:
            continue
        labels[start], waiting = labels.max() + 1, [start]
        while waiting:
            for j in np.flatnonzero(within[waiting.pop()] & core & (labels < 0)):
                labels[j] = labels[start]
                waiting.append(j)
    grown = labels.copy()
    for i in np.flatnonzero(~core):
        reached = np.where(within[i] & core, distances[i], np.inf)
        if np.isfinite(reached).any():
            grown[i] = labels[reached.argmin()]
    return grown
