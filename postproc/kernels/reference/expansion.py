"""Query expansion."""

import numpy as np

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


def query_expansion(query: Array, gallery: Array, k: int, alpha: float) -> Array:
    """One round from the gallery by cosine, brought to unit length."""

    query, gallery = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    cosine = unit(query) @ unit(gallery).T
    order = np.argsort(sqeuclidean(unit(query), unit(gallery)), axis=1, kind="stable")[:, :k]
    out = [
        x + sum(max(s[j], 0) ** alpha * gallery[j] for j in near)
        for x, s, near in zip(query, cosine, order, strict=True)
    ]
    return unit(np.stack(out))
