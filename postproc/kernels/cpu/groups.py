"""Groups among the images of a list, on a sparse graph of all."""

from math import log

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def entropy_of_groups(near, offsets, members, start, stop, out):
    """``out[i]``: the entropy of the sizes of the connected components among ``near[i]``, rows of a symmetric
    graph; -1 is nobody."""
    place = np.full(offsets.size - 1, -1, np.int64)
    waiting = np.empty(near.shape[1], np.int64)
    for i in range(start, stop):
        count = 0
        for at in range(near.shape[1]):
            if near[i, at] >= 0:
                place[near[i, at]] = i
                count += 1
        total = 0.0
        for at in range(count):
            if place[near[i, at]] != i:
                continue  # in a group already
            place[near[i, at]] = -1
            waiting[0] = near[i, at]
            size, done = 1, 0
            while done < size:
                image = waiting[done]
                done += 1
                for edge in range(offsets[image], offsets[image + 1]):
                    other = members[edge]
                    if place[other] == i:
                        place[other] = -1
                        waiting[size] = other
                        size += 1
            share = size / count
            total -= share * log(share)
        out[i] = max(total, 0.0)
