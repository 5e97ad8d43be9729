"""k1 and k2 without labels, from how many images an identity is thought to have. A heuristic, and a start point.

``k1 = 0.7 images`` and ``k2 = k1 / 3``: winners of AI City 2020 were at 0.26 to 1.2 and 0.14 to 0.5 (one at 1).
Among tracks ``k1 = 2.7 tracks`` and ``k2 = k1 / 3`` (they: 2.5 to 2.9). lambda follows no rule: it is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.pipeline import advice, steps
from ensemble.pipeline.changes import override
from ensemble.pipeline.recipe import Recipe

PER_IMAGE, PER_TRACK, K2 = 0.7, 2.7, 1 / 3
TRACKS = 2.4  # of a vehicle in the gallery of AI City 2020
QUERIES = 3.0  # of an identity: about one a camera


@dataclass(frozen=True)
class Guess:
    """Images and tracks that an identity is expected to have in the gallery, and why, for the eye."""

    images: float
    tracks: float | None
    why: str


def guess(
    data: Mapping[str, Any], queries: int, gallery: int, *, images: float | None, tracks: float | None
) -> Guess:
    """What is given; else track lengths times the tracks of an identity; else gallery over queries.

    ``tracks``: of an identity, 2.4 if nobody says. Without tracks an identity is taken to have three queries.
    """
    length = None
    track = np.asarray(data.get("gallery_track", []))
    if (track >= 0).any():
        length = float(np.median(np.unique(track[track >= 0], return_counts=True)[1]))
        expected = TRACKS if tracks is None else tracks
        if images is None:
            why = f"tracks of {length:g} images (median) times {expected:g} tracks an identity"
            return Guess(length * expected, expected, why)
    if images is not None:
        of_tracks = tracks if tracks is not None else None if length is None else max(1.0, images / length)
        return Guess(images, of_tracks, "as given")
    why = f"{gallery} gallery images over {queries} queries times {QUERIES:g} queries an identity"
    return Guess(max(1.0, gallery / queries * QUERIES), tracks, why)


def propose(found: Guess) -> dict[str, tuple[int, int]]:
    """k1 and k2 among images and, where tracks are known, among tracks.

    >>> propose(Guess(58.5, 2.4, "")), propose(Guess(2, None, ""))
    ({'image': (41, 14), 'track': (6, 2)}, {'image': (1, 1)})
    """
    k1 = {"image": PER_IMAGE * found.images}
    if found.tracks is not None:
        k1["track"] = PER_TRACK * found.tracks
    return {what: (max(1, round(value)), max(1, round(value * K2))) for what, value in k1.items()}


def changed(recipe: Recipe, proposed: Mapping[str, tuple[int, int]]) -> tuple[Recipe, list[str]]:
    """The recipe with the proposal in every step that looks at k1 neighbours, and the changes as for --set."""
    changes = []
    for name in dict.fromkeys(use.name for use in recipe.uses()):
        counted = advice.mutual(name)
        if counted is None or counted.mutual is None:
            continue
        for setting, value in zip((counted.name, "k2"), proposed.get(counted.mutual.of, ()), strict=False):
            if setting in steps.catalogue()[name].settings:
                changes.append(f"{name}.{setting}={value}")
    if not changes:
        those = ", ".join(name for name in steps.catalogue() if advice.mutual(name))
        raise InputError(
            [
                f"{recipe.name}: wanted a step with k1 and k2 ({those}) and what it counts, found "
                "none; give another recipe, or --tracks for re-ranking by tracks"
            ]
        )
    return override(recipe, changes), changes
