"""Clusters get numbers by the first image in them, so that the same clusters are the same numbers."""

import numpy as np

from postproc.base.vocabulary import Ints


def by_appearance(group: Ints) -> Ints:
    """(n,) any numbers, equal inside a cluster, negative: alone -> (n,) int64, 0, 1, … by first image, -1 alone.

    A cluster of one image is alone as well.

    >>> by_appearance(np.array([7, 3, 7, -5, 9, 3]))
    array([ 0,  1,  0, -1, -1,  1])
    """
    values, first, number, count = np.unique(group, return_index=True, return_inverse=True, return_counts=True)
    together = (count > 1) & (values >= 0)
    names = np.full(len(values), -1)
    kept = np.flatnonzero(together)
    names[kept[np.argsort(first[kept])]] = np.arange(len(kept))
    return names[number.reshape(-1)].astype(np.int64)


def apart(clusters: Ints) -> Ints:
    """(n,) int64 numbers by first image where every image that is alone (-1) has a number of its own.

    >>> apart(np.array([5, -1, 5, -1]))
    array([0, 1, 0, 2])
    """
    found = np.asarray(clusters, np.int64).copy()
    alone = np.flatnonzero(found < 0)
    found[alone] = int(found.max(initial=-1)) + 1 + np.arange(len(alone))
    _, first, number = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number.reshape(-1)]
