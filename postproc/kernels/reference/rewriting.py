"""Rankings rewritten by tracks and cameras, walked image by image.

Ties: tracks by their number, no track last, then by row. A label of -1 is unknown.
"""

from itertools import permutations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array

NONE = 2**62  # in the place of the number of no track: behind all


def rewrite_tracks(
    distances: Array, track: NDArray, place: NDArray, by: str, inside: str, depth: int, offset: float
) -> list[list[int]]:
    """The gallery rows of every query by whole tracks."""
    out = []
    for row in np.asarray(distances, np.float64):
        walk = walk_down(row, track)
        own = {
            image: [image] if track[image] < 0 else [x for x in walk if track[x] == track[image]] for image in walk
        }
        heads = [image for image in walk if own[image][0] == image]
        if by == "vote":
            ahead = {image: sum(row[x] < row[image] for x in walk) for image in walk}
            size = {image: 1 if track[image] < 0 else (track == track[image]).sum() for image in walk}
            votes = {
                head: sum(sorted(1 / (offset + ahead[x]) for x in own[head] if ahead[x] < depth)[::-1])
                / sqrt(size[head])
                for head in heads
            }
            heads.sort(key=lambda head: -votes[head])
        ranking = []
        for head in heads:
            ranking += sorted(own[head], key=lambda x: place[x]) if inside == "listed" else own[head]
        out.append(ranking)
    return out


def one_track_per_camera(ranking: list[int], cam: NDArray, track: NDArray) -> tuple[list[int], list[int]]:
    """What stays and what goes to the tail."""
    owner: dict[int, int] = {}
    kept: list[int] = []
    moved: list[int] = []
    for image in ranking:
        if image < 0:
            continue
        first = owner.setdefault(cam[image], image)
        own = first == image or (track[image] >= 0 and track[image] == track[first])
        (kept if cam[image] < 0 or own else moved).append(image)
    return kept, moved


def best_assignment(means: Array, threshold: float) -> float:
    """The most that ``sum threshold - means`` can be over pairs of which no two share a row or a column."""
    gain = np.maximum(threshold - np.asarray(means, np.float64), 0)
    if gain.shape[0] > gain.shape[1]:
        gain = gain.T
    rows = range(gain.shape[0])
    return max(float(gain[rows, columns].sum()) for columns in permutations(range(gain.shape[1]), gain.shape[0]))


def walk_down(row: Array, track: NDArray, kind: NDArray | None = None) -> list[int]:
    """Gallery rows by distance, without those at +inf."""
    names = np.where(track < 0, NONE, track)
    kinds = np.zeros(len(row)) if kind is None else kind
    order = sorted(range(len(row)), key=lambda x: (row[x], names[x], kinds[x], x))
    return [x for x in order if row[x] < np.inf]
