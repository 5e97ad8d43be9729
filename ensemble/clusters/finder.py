"""The clusters of one set at any threshold: what does not depend on the threshold is computed once."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples
from ensemble.clusters.how import How
from ensemble.clusters.one_set import OneSet
from postproc import hdbscan, refine_clusters
from postproc.base.vocabulary import Floats, Ints
from postproc.clusters.components import among_nearest
from postproc.clusters.constrained_union import all_links
from postproc.clusters.dbscan import dense
from postproc.clusters.known_pairs import Given, Pairs
from postproc.clusters.links import NONE, Conflict, Items, kept_apart
from postproc.clusters.numbering import by_appearance
from postproc.clusters.trees import at_distance, in_number, spanning, tree
from postproc.clusters.united import unite

RULES = ("one_track_per_camera", "windows")


class Finder:
    """Clusters of a set by a step: ``at`` a threshold, ``number`` of them; ``heights`` where they change.

    Nobody asks for a threshold beyond ``at_most``.
    """

    def __init__(self, images: OneSet, how: How, at_most: float = np.inf) -> None:
        self.images, self.how, self.at_most = images, how, at_most
        self.settings: Mapping[str, Any] = how.settings

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs that are known, nearest first."""
        return self.images.known.pairs(self.at_most)

    @cached_property
    def links(self) -> tuple[Ints, Ints]:
        """Who must be one and who cannot, (m, 2) rows each: by people, tracks, cameras and times."""
        columns = self.images.columns
        items = Items.of(self.images.images, columns.get("cam"), columns.get("track"), columns.get("frame"))
        rules = {name: self.settings[name] for name in RULES if name in self.settings}
        try:
            return all_links(self.pairs, items, self.images.must, self.images.cannot, **rules)
        except Conflict as conflict:
            names = self.images.names
            shown = [f"{names[one]} and {names[other]}" for one, other in conflict.pairs.tolist()]
            raise InputError(
                [
                    f"links: wanted some that can all hold, found {len(shown)} pairs that must be one, by links "
                    f"or tracks, and cannot: {examples(shown)}; take one of them back"
                ]
            ) from None
        except ValueError as error:
            raise InputError([str(error)]) from None

    @property
    def linked(self) -> bool:
        """Whether anything is known of pairs."""
        columns = self.images.columns
        return bool(len(self.images.must) or len(self.images.cannot) or "track" in columns)

    @cached_property
    def known(self) -> Given:
        """The distances, those that must be one and cannot at distances that make it so."""
        if self.how.step != "linkage" or not self.linked or self.images.known.matrix is None:
            return self.images.known
        must, cannot = self.links if self.how.links else (self.images.must, NONE)
        return kept_apart(self.images.known, must, cannot)

    @cached_property
    def merges(self) -> Pairs:
        """The tree of a linkage, or the spanning tree of the pairs that count."""
        if self.how.step == "linkage":
            far = self.settings.get("far")
            return tree(self.known, self.settings.get("method", "average"), self.at_most, far)
        k = self.settings.get("k")
        pairs = self.pairs if k is None else among_nearest(self.pairs, k, self.settings.get("mutual", True))
        return spanning(pairs)

    @property
    def heights(self) -> Floats:
        """(m,) float32 ascending: distances at which clusters may change."""
        return self.merges.distances

    def at(self, threshold: float) -> Ints:
        """The clusters at a threshold, refined; a step without one gives its own."""
        return self._refined(self._at(threshold))

    def number(self, clusters: int) -> tuple[Ints, float]:
        """About so many clusters, those that are alone counted, refined, and the threshold between."""
        heights = np.unique(self.heights)
        if self.how.step in ("linkage", "connected_components"):
            merges = max(0, min(len(self.merges.left), self.images.images - clusters))
            return self._refined(in_number(self.merges, clusters)), middle(self.heights, merges)
        low, high = 0, len(heights)
        while low < high:  # the least threshold that gives no more
            half = (low + high) // 2
            found = self._at(middle(heights, half))
            if count(found) > clusters:
                low = half + 1
            else:
                high = half
        threshold = middle(heights, low)
        return self.at(threshold), threshold

    def _at(self, threshold: float) -> Ints:
        if self.how.step in ("linkage", "connected_components"):
            return at_distance(self.merges, threshold)
        if self.how.step == "hdbscan":
            known = self.images.known
            value = known.matrix if known.matrix is not None else _as_lists(known)
            return hdbscan(value, **self.settings)
        near = int(np.searchsorted(self.pairs.distances, np.float32(threshold), side="right"))
        pairs = self.pairs.only(slice(near))
        if self.how.step == "dbscan":
            return dense(pairs, self.settings.get("min_samples", 4))
        return by_appearance(unite(pairs, *self.links, sets=self.settings.get("count", 1))[0])

    def _refined(self, clusters: Ints) -> Ints:
        if not self.how.refine:
            return clusters
        known = self.images.known
        links: dict[str, Any] = {}
        if self.linked and self.how.links:
            links = dict(zip(("must", "cannot"), self.links, strict=True))
        value = known.matrix if known.matrix is not None else _as_lists(known)
        try:
            cam = self.images.columns.get("cam")
            return refine_clusters(value, clusters, cam, **links, **self.how.refine)
        except ValueError as error:
            raise InputError([f"refine, {error}"]) from None


def count(clusters: Ints) -> int:
    """How many clusters there are, each image that is alone counted as one."""
    return int(clusters.max(initial=-1)) + 1 + int(np.count_nonzero(clusters < 0))


def middle(heights: Floats, merges: int) -> float:
    """A threshold that lets so many heights pass, in the middle between two."""
    if not len(heights):
        return 0.0
    if merges <= 0:
        return float(heights[0]) - max(1e-6, abs(float(heights[0])) * 1e-3)
    if merges >= len(heights):
        return float(heights[-1])
    return float(np.float32((float(heights[merges - 1]) + float(heights[merges])) / 2))


def _as_lists(known: Given) -> Any:
    """Pairs as lists, an image a row."""
    from postproc import Nearest

    pairs = known.listed
    assert pairs is not None
    ends = np.concatenate([pairs.left, pairs.right]), np.concatenate([pairs.right, pairs.left])
    far = np.tile(pairs.distances, 2)
    order = np.lexsort((ends[1], far, ends[0]))
    owner, place = ends[0][order], np.arange(len(order))
    place = place - np.searchsorted(owner, np.arange(known.images))[owner]
    width = int(place.max(initial=0)) + 1
    distances = np.full((known.images, width), np.inf, np.float32)
    rows = np.full((known.images, width), -1, np.int32)
    distances[owner, place], rows[owner, place] = far[order], ends[1][order]
    return Nearest(distances, rows)
