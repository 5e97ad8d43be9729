"""How alike are these pairs? Similarities of pairs that somebody else has chosen, from a recipe's distances."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from ensemble.base.errors import examples
from ensemble.identities.asking import LISTS, Asker
from ensemble.pipeline.images import read
from ensemble.pipeline.lines import Line
from ensemble.scores.pair_lists import PairScores, score_pairs
from ensemble.submissions.similarities import Pairs


class Similarities(NamedTuple):
    """(pairs,) similarities of 0 to 1, their scores where there are labels, and what there is to say."""

    values: np.ndarray
    scores: PairScores | None
    notes: tuple[str, ...]


def similarities(
    ask: Asker, pairs: Pairs, show: Callable[[Line], None] = lambda line: None, **interval: Any
) -> Similarities:
    """Run a plan whose answers hold the whole gallery, and look the pairs up in it.

    The similarity is ``(far - d) / (far - near)`` with the least and the largest distance of these pairs: 1 for
    the nearest, 0 for the farthest, in the order of the distances; 1 for all where these are equal. A pair that a
    step never returns has 0, one of an image with itself 1. ``interval``: settings of that of the scores.
    """
    images, sets = read(ask.plan, LISTS)
    notes = list(images.notes)
    at = pairs.rows(images.query_names, images.gallery_names, notes)
    lists, _ = ask(None if images.lists is not None else sets, show=show)
    far = np.full(images.shape, np.inf, np.float32)
    query, place = np.nonzero(lists.rows >= 0)
    far[query, lists.rows[query, place]] = lists.distances[query, place]
    found = far[at[:, 0], at[:, 1]]
    own = (at[:, 0] == at[:, 1]) & images.one_set
    never = np.isinf(found) & ~own
    if never.any():
        shown = [f"{pairs.query[i]} and {pairs.gallery[i]}" for i in np.flatnonzero(never)]
        notes.append(f"{len(shown)} pairs are never returned, and have the similarity 0 ({examples(shown)})")
    values = np.where(own, 1.0, _scaled(found.astype(np.float64)))
    scores = None
    if images.labels is not None:
        pids = images.labels.query_pid, images.labels.gallery_pid
        with suppress(ValueError):  # no pair is of one identity
            scores = score_pairs(at[~own, 0], at[~own, 1], found[~own], *pids, **interval)
    return Similarities(values, scores, tuple(notes))


def _scaled(far: np.ndarray) -> np.ndarray:
    there = far[np.isfinite(far)]
    near, end = (there.min(), there.max()) if there.size else (0.0, 0.0)
    if end == near:
        return np.isfinite(far).astype(np.float64)
    return np.where(np.isfinite(far), np.clip((end - far) / (end - near), 0, 1), 0.0)
