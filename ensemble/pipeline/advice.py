"""Will re-ranking help? It looks for mutual neighbours: there have to be some.

Neighbours say something as long as most of the k1 nearest can be of the identity itself. Where an identity has two
images (CUHK01) or one (VIPeR), 20 neighbours are eighteen strangers, and re-ranking at its defaults loses.
Winners of AI City 2020 took k1 at 0.26 to 1.2 times the images that an identity has; k1 of tracks at 2.5 to 2.9
times its tracks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.pipeline import steps
from ensemble.pipeline.recipe import Recipe
from postproc.base.settings import Setting

TOO_MANY = 3  # k1 over the images of an identity
TRACKS_TOO_MANY = 9  # k1 over its tracks, where winners are at 2.7


@dataclass(frozen=True)
class Positives:
    """What the median query finds of its identity in the gallery: images, and tracks where they are known."""

    images: float
    tracks: float | None = None


def positives(labels: Mapping[str, Any]) -> Positives | None:
    """From ``query_pid``, ``gallery_pid`` and, where there is one, ``gallery_track``; None without a match.

    All images of the identity count, those of the query's own camera too: neighbourhoods hold them.
    """
    if not {"query_pid", "gallery_pid"} <= set(labels):
        return None
    query, gallery = np.asarray(labels["query_pid"]), np.asarray(labels["gallery_pid"])
    images = _median(query, gallery)
    if images is None:
        return None
    tracks = None
    if "gallery_track" in labels:
        track = np.asarray(labels["gallery_track"])
        alone = np.where(track < 0, -1 - np.arange(len(track)), track)
        tracks = _median(query, np.unique(np.stack([gallery, alone]), axis=1)[0])
    return Positives(images, tracks)


@dataclass(frozen=True)
class Excess:
    """A step that looks at ``k1`` neighbours where half of the queries have no more than ``count`` of theirs."""

    step: str
    setting: str
    k1: int
    count: float
    what: str  # image or track
    better: int

    @property
    def counted(self) -> str:
        """The count with its word."""
        return f"{self.count:g} {self.what}{'' if self.count == 1 else 's'}"


def warnings(recipe: Recipe, found: Positives | None) -> list[str]:
    """One line for every step whose k1 is far above what an identity has; none where all is well."""
    return [
        f"warning: {one.step} looks at {one.setting} = {one.k1} neighbours, but half of the queries find "
        f"{one.counted} of theirs in the gallery, or fewer: most neighbours are "
        "strangers, and re-ranking may well lose; compare with the recipe baseline, or try "
        f"--set {one.step}.{one.setting}={one.better}"
        for one in excesses(recipe, found)
    ]


def excesses(recipe: Recipe, found: Positives | None) -> list[Excess]:
    """Every step whose k1 is far above what an identity has, each once."""
    if found is None:
        return []
    excesses = []
    for use in recipe.uses():
        counted = mutual(use.name)
        if counted is None:
            continue
        k1 = use.settings.get(counted.name, counted.default)
        by_track = counted.mutual is not None and counted.mutual.of == "track"
        count, most = (found.tracks, TRACKS_TOO_MANY) if by_track else (found.images, TOO_MANY)
        if count is None or not isinstance(k1, int) or k1 <= most * count:
            continue
        better = max(1, round((most if by_track else 1) * count))
        what = "track" if by_track else "image"
        excesses.append(Excess(use.name, counted.name, k1, count, what, better))
    return list(dict.fromkeys(excesses))


def mutual(name: str) -> Setting | None:
    """The setting of a step that counts neighbours which must be neighbours of each other; None: it has none."""
    step = steps.catalogue().get(name)
    return step.counts_mutual if step else None


def _median(query: np.ndarray, gallery: np.ndarray) -> float | None:
    """Gallery entries of the median query that has any."""
    pids, counts = np.unique(gallery[gallery >= 0], return_counts=True)
    known = np.isin(query, pids)
    if not known.any():
        return None
    return float(np.median(counts[np.searchsorted(pids, query[known])]))
