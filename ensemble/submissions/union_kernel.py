"""The loop of :mod:`ensemble.submissions.unions`, apart from it: numba is loaded when it is first wanted."""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def merge(start, stop, first, entries, room, gallery, counts, found, at):
    """Fill what the queries ``start:stop`` name: how many images, which, and each entry's place among them."""
    seen = np.full(gallery, -1, np.int32)
    for query in range(start, stop):
        begin, count = room[query], 0
        for one in range(len(first)):
            for entry in range(first[one, query], first[one, query + 1]):
                row = entries[entry]
                if seen[row] != query:
                    seen[row] = query
                    found[begin + count] = row
                    count += 1
        found[begin : begin + count].sort()
        counts[query] = count
        for place in range(count):
            seen[found[begin + place]] = place
        for one in range(len(first)):
            for entry in range(first[one, query], first[one, query + 1]):
                at[entry] = seen[entries[entry]]
        for place in range(count):
            seen[found[begin + place]] = -1
