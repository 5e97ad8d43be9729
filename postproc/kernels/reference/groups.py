"""Groups among the images of a list."""

from math import log

import numpy as np

from postproc.kernels.reference.basic import Array, unit


def list_uncertainty(query: Array, gallery: Array, depth: int, k: int) -> Array:
    """The entropy of the sizes of connected components among the nearest; ties by row."""
    query, gallery = unit(query), unit(gallery)
    near, lists = (
        np.argsort(-s.round(9), axis=1, kind="stable") for s in (query @ gallery.T, gallery @ gallery.T)
    )
    joined = [set(row[:k].tolist()) for row in lists]
    out = []
    for row in near[:, :depth].tolist():
        left, sizes = set(row), []
        while left:
            group, open_ = set(), {left.pop()}
            while open_:
                one = open_.pop()
                group.add(one)
                found = {other for other in left if other in joined[one] or one in joined[other]}
                left -= found
                open_ |= found
            sizes.append(len(group))
        shares = [size / len(row) for size in sizes]
        out.append(-sum(share * log(share) for share in shares))
    return np.array(out)
