"""Distances to an image by way of its neighbours."""

import numpy as np

from postproc.kernels.compiled import compiled

NONE = np.float32(0)


@compiled
def by_way_of_neighbours(strip, near, ways, count, start, stop):
    """Rows ``start:stop`` of a strip, in place: ``strip[i, j]`` becomes a mean over neighbours n of j.

    It is the mean of the ``count`` smallest of ``strip[i, n] + ways[j, n]``, as they were; ``near`` (columns, k)
    are the neighbours, -1 none, ``ways`` what is added for each. Without a neighbour an entry stays.
    """
    row = np.empty(strip.shape[1], np.float32)
    best = np.empty(count, np.float32)
    for i in range(start, stop):
        row[:] = strip[i]
        for j in range(row.size):
            best[:] = np.inf
            for at in range(near.shape[1]):
                n = near[j, at]
                if n < 0:
                    continue
                value = row[n] + ways[j, at]
                place = count - 1
                if value >= best[place]:
                    continue
                while place > 0 and value < best[place - 1]:
                    best[place] = best[place - 1]
                    place -= 1
                best[place] = value
            total, found = NONE, 0
            for place in range(count):
                if best[place] < np.inf:
                    total += best[place]
                    found += 1
            if found:
                strip[i, j] = total / np.float32(found)
