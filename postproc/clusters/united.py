"""Sets that pairs unite, nearest first, unless somebody in one is forbidden beside somebody in the other."""

import numpy as np
from numpy.typing import NDArray

from postproc import kernels
from postproc.base.vocabulary import Ints
from postproc.clusters.known_pairs import Pairs


def unite(
    pairs: Pairs, must: Ints | None = None, cannot: Ints | None = None, sets: int = 1
) -> tuple[Ints, NDArray[np.bool_]]:
    """Go down the pairs and unite the sets of each; stop at ``sets`` sets.

    must, cannot: (m, 2) rows. What must be united is united first; what cannot never is. They do not conflict
                  (:func:`postproc.clusters.links.refuse_conflicts`).
    Returns: (images,) int64 numbers, equal inside a set, and which pairs have united two.
    """
    count = pairs.images
    first = np.empty((0, 2), np.int64) if must is None else np.asarray(must, np.int64).reshape(-1, 2)
    apart = np.empty((0, 2), np.int64) if cannot is None else np.asarray(cannot, np.int64).reshape(-1, 2)
    both = np.concatenate([apart, apart[:, ::-1]])
    order = np.argsort(both[:, 0], kind="stable")
    offsets = np.searchsorted(both[order, 0], np.arange(count + 1)).astype(np.int64)
    left = np.concatenate([first[:, 0], pairs.left.astype(np.int64)])
    right = np.concatenate([first[:, 1], pairs.right.astype(np.int64)])
    uniting = kernels.of(left).uniting
    roots, kept = uniting.unite(left, right, len(first), offsets, np.ascontiguousarray(both[order, 1]), sets)
    return roots, kept[len(first) :]
