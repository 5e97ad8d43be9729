"""A graph of neighbours walked from every query. Features are brought to unit length here; copies count once."""

import numpy as np

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


def explore_exploit(query: Array, gallery: Array, k: int, threshold: float, depth: int) -> Array:
    """Places on the walk, and behind them the squared distances."""
    _, first, of = np.unique(gallery, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    images = unit(gallery)[first[order]]  # each once, in the order of the gallery
    among, limit = sqeuclidean(images, images), 2 - 2 * threshold
    np.fill_diagonal(among, np.inf)
    out = sqeuclidean(unit(query), images)
    for row in out:
        known = {int(g): row[g] for g in np.argsort(row, kind="stable")[:k]}
        walk: list[int] = []
        while known and len(walk) < depth:
            new: list[int] = []
            while known and len(walk) < depth:
                g = min(known, key=lambda one: (known[one], one))
                if new and known[g] >= limit:
                    break
                del known[g]
                walk.append(g)
                new.append(g)
            for v in new:
                for g in np.argsort(among[v], kind="stable")[:k].tolist():
                    if g not in walk and g != v:
                        known[g] = min(known.get(g, np.inf), among[v, g])
        row += min(depth, len(gallery))
        row[walk] = np.arange(len(walk))
    return out[:, np.argsort(order)[of.reshape(-1)]]
