"""Mutual exclusion in a ranking, place by place."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array
from postproc.kernels.reference.rewriting import walk_down


def exclude(distances: Array, track: NDArray, kind: NDArray, weights: Array, depth: int, level: str) -> Array:
    """Each place of the ranking in turn, which is sorted anew every time."""
    out = np.array(distances, np.float64)
    for row in out:
        start, raised = row.copy(), np.zeros(len(row))
        for j in range(depth):
            now = start + raised
            walk = walk_down(now, track, kind)
            if level == "track":
                seen: set[tuple[int, int]] = set()
                heads = []
                for image in walk:
                    name = (int(track[image]), int(kind[image])) if track[image] >= 0 else (-1, int(image))
                    if name not in seen:
                        heads.append(image)
                    seen.add(name)
                walk = heads
            if j >= len(walk):
                break
            chosen = walk[j]
            for image in range(len(row)):
                if kind[image] < 0 or kind[chosen] < 0 or image == chosen:
                    continue
                if track[image] == track[chosen] and track[image] >= 0:
                    continue
                copies = track[image] < 0 and track[chosen] < 0 and kind[image] == kind[chosen]
                if copies and now[image] == now[chosen]:
                    continue
                raised[image] += weights[kind[chosen], kind[image]] / (1 + j)
        row[:] = start + raised
    return out
