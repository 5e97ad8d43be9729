"""Binary codes and the order of a coarse-to-fine search, bit by bit and image by image."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array


def hamming(query_codes: NDArray[np.uint8], gallery_codes: NDArray[np.uint8]) -> Array:
    """Differing bits of packed codes."""
    query, gallery = np.unpackbits(query_codes, axis=1), np.unpackbits(gallery_codes, axis=1)
    return (query[:, None] != gallery).sum(axis=2).astype(np.float64)


def coarse_to_fine(distances: list[Array], thresholds: list[int]) -> tuple[list[list[int]], Array]:
    """The ranking of every query, and how many images are before each, from the distances of every length.

    The ranking is sorted anew, head by head. Two images have one place if all distances that were looked at agree.
    """
    nq, ng = distances[0].shape
    rankings, places = [], np.zeros((nq, ng))
    for q in range(nq):
        ranking, head = list(range(ng)), ng
        seen: list[list[float]] = [[] for _ in range(ng)]
        for distance, threshold in zip(distances, thresholds, strict=True):
            for image in ranking[:head]:
                seen[image].append(distance[q, image])
            ranking[:head] = sorted(ranking[:head], key=distance[q].__getitem__)
            head = sum(distance[q, image] <= threshold for image in ranking[:head])
        for at, image in enumerate(ranking):
            tied = at > 0 and seen[image] == seen[ranking[at - 1]]
            places[q, image] = places[q, ranking[at - 1]] if tied else at
        rankings.append(ranking)
    return rankings, places
