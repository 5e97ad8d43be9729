"""Which gallery images a trial draws."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.scores.labels import Labels, apart
from ensemble.scores.protocol import Draw
from postproc.base import checks


def galleries(draw: Draw, labels: Labels, permutations: ArrayLike | None) -> Iterator[Bools]:
    """For every trial the (ng,) mask of the gallery images that are drawn.

    Each image has a key: random, its place in the ``permutations`` of its group, or that in the draws that came
    with the labels. A group gives its least ones.
    An image of unknown identity or camera is a group of its own.
    """
    groups = [apart(labels.gallery_pid)]
    if draw.each == "camera":
        if labels.gallery_cam is None:
            raise ValueError("draw: wanted query_cam and gallery_cam to draw from each camera, got none")
        groups.append(apart(labels.gallery_cam))
    group = _numbered(groups)
    ng = len(group)
    random = np.random.Generator(np.random.PCG64(draw.seed))
    given = labels.places if are_given(draw, labels) else None
    if permutations is not None:
        given = _permutations(permutations, draw.trials, group)
    elif given is not None and len(given) < draw.trials:
        raise ValueError(f"draw: wanted {draw.trials} trials, found {len(given)} in the draws that are given")
    for trial in range(draw.trials):
        keys = random.random(ng) if given is None else given[trial]
        order = np.lexsort((keys, group))
        start = np.searchsorted(group[order], group[order])  # where the group of each begins
        kept = np.zeros(ng, bool)
        kept[order[np.arange(ng) - start < draw.shots]] = True
        yield kept


def are_given(draw: Draw | None, labels: Labels) -> bool:
    """Whether a protocol draws what the draws of a data set's own are about: of each identity and camera."""
    return labels.places is not None and draw is not None and draw.each == "camera"


def keys_of_query(draw: Draw, trial: int, query: int, ng: int) -> Floats:
    """The random keys of one query's own draw: the same whoever asks, in whatever order."""
    return np.random.Generator(np.random.PCG64([draw.seed, trial, query])).random(ng)


def _numbered(columns: list[Ints]) -> Ints:
    """One number for each combination of labels."""
    number = np.unique(np.stack(columns), axis=1, return_inverse=True)[1]
    return number.reshape(-1).astype(np.int64)


def _permutations(value: ArrayLike, trials: int, group: Ints) -> Ints:
    """(trials, ng) 1-based permutations inside each group -> (trials, ng) the place of each image in its own."""
    array = np.asarray(value)
    if array.shape != (trials, len(group)):
        raise ValueError(f"permutations: wanted ({trials}, {len(group)}), trials by gallery, got {array.shape}")
    array = np.stack([checks.labels("permutations", row, len(group)) for row in array])
    keys = np.empty_like(array)
    for number in range(group.max() + 1):
        rows = np.flatnonzero(group == number)
        inside = array[:, rows]
        if not np.array_equal(np.sort(inside, axis=1), np.tile(np.arange(1, len(rows) + 1), (trials, 1))):
            raise ValueError(
                f"permutations: wanted each of 1 to {len(rows)} once in the group of gallery row {rows[0]}, "
                f"got {inside[0].tolist()}"
            )
        np.put_along_axis(keys, rows[inside - 1], np.arange(len(rows))[None], axis=1)
    return keys
