"""Whole tracks in the ranking: where one image of a track is returned, all of it is.

Sources: VOC-ReID, second of AI City 2020 Track 2, whose submissions are written so with ``by="first_hit"`` and
``inside="listed"`` (Xiangyu-CAS/AICity2020-VOC-ReID, ``tools/aicity20/submit.py``, ``write_result_with_track``;
Cybercore did the same in 2021). Votes, so that one lucky image does not pull its whole track ahead, are ours.
"""

from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.one_set import is_one_set
from postproc.base.settings import Count, Number, TopK, Within
from postproc.base.step import PLACES, checked, step
from postproc.base.vocabulary import Distances, Ranking, Unchecked
from postproc.pairs import held, spent
from postproc.pairs.pairwise import read_only
from postproc.tracks.grouping import Groups, compact, group_by_track


@step(
    unit=PLACES,
    memory=held.images(64),
    work=spent.matrix(62),
)
def rewrite_tracks(
    distances: Distances,
    gallery_track: np.ndarray,
    gallery_order: np.ndarray | None = None,
    *,
    by: Literal["first_hit", "vote"] = "first_hit",
    inside: Literal["nearest", "listed"] = "nearest",
    depth: Annotated[Count, Within(1)] = 100,
    offset: Annotated[Number, Within(0.001, 1e6)] = 5.0,
) -> Distances:
    """Order the gallery by whole tracks, and return every image's place in that order.

    ``by="first_hit"``: tracks in the order of their nearest image.
    ``by="vote"``: tracks by falling ``sum 1 / (offset + r) / sqrt(n)`` over those of their n images that are among
    the first ``depth``, r being how many gallery images are nearer; then by their nearest image.

    Takes:   distances (nq, ng) float32, any unit; +inf stays +inf, such an image neither hits nor votes.
             gallery_track (ng,) int; an image of no track, -1, is a track of one.
             gallery_order (ng,) int, its place in the track, as the track file lists it. Without it, gallery rows
             are the order (it matters only for ``inside="listed"``).
             Of one set (n, n) with +inf on the diagonal, each image has its ranking of the others: its own track
             has one image less, in n too.
    Returns: (nq, ng) float32, the place in the rewritten ranking from 0 on, no unit; its ranking is that ranking.
             Images of one track at one distance (or of one place in it, if listed) share the first of their
             places, and so do images of no track at one distance. Of tracks that are level the lowest number is
             first.
    by:      "first_hit" or "vote".
    inside:  "nearest": a track's images by distance; "listed": in the order of the track.
    depth:   1 or more, how many images vote, more where the last are as near as each other. Lists that are handed
             in hold 100.
    offset:  0.001 to 1,000,000. Small: the first hit decides; large: every voting image counts the same.
    Raises:  ValueError for NaN, -inf, no image, lengths that do not fit or a setting out of range.
    Cost:    O(nq ng log n) time for tracks of n images; memory: the answer.

    >>> rewrite_tracks(np.array([[0.1, 0.2, 0.9, 0.3]], np.float32), np.array([7, -1, 7, 4]))
    array([[0., 2., 1., 3.]], dtype=float32)
    """
    given = read_only(checks.distances("distances", distances, cuda=True))
    checks.not_empty("distances", given)
    groups, track, place = _groups(gallery_track, gallery_order, given.shape[1])
    own = is_one_set(given)
    kernel, out = kernels.of(given), arrays.empty(given.shape, np.float32, given)

    def fill(start: int, stop: int) -> None:
        kernel.rewriting.rewrite_distances(
            given, groups.offsets, groups.members, track, place, own,
            by == "vote", inside == "listed", int(depth), float(offset), start, stop, out,
        )  # fmt: skip

    kernel.walk.over_rows(fill, len(given), what="tracks")
    return out


@checked
def rewrite_ranking(
    ranking: Ranking,
    gallery_track: np.ndarray,
    gallery_order: np.ndarray | None = None,
    *,
    by: Literal["first_hit", "vote"] = "first_hit",
    inside: Literal["nearest", "listed"] = "nearest",
    depth: Annotated[Count, Within(1)] = 100,
    offset: Annotated[Number, Within(0.001, 1e6)] = 5.0,
    top_k: TopK = None,
) -> Ranking:
    """:func:`rewrite_tracks` for rankings, as short as they may be: a submission, the first hundred.

    Takes:   ranking (nq, k) int, gallery rows nearest first, -1 where there is none; an image listed twice counts
             at its first place. Tracks and orders as there. An image of a listed track that is not in the ranking
             follows those that are, in the order of the track; so images that must not return need another way.
    Returns: (nq, top_k) int32 gallery rows, cut in the middle of a track if need be, -1 where tracks are used up.
    top_k:   1 or more, cut to the gallery; None: as many as came in. More than came in fills up with the rest of
             the tracks.
    Everything else as in :func:`rewrite_tracks`. Cost: O(nq (ng + k log k)) time; memory: the answer.

    >>> rewrite_ranking(np.array([[0, 1, 3]]), np.array([7, -1, 7, 4]))
    array([[0, 2, 1]], dtype=int32)
    """
    groups, _, _ = _groups(gallery_track, gallery_order, np.size(gallery_track))
    given = checks.ranking("ranking", ranking, len(groups.members))
    width = given.shape[1] if top_k is None else top_k
    kernel, out = kernels.of(given), np.empty((len(given), min(width, len(groups.members))), np.int32)

    def fill(start: int, stop: int) -> None:
        kernel.rewriting.rewrite_lists(
            given, groups.offsets, groups.members,
            by == "vote", inside == "listed", int(depth), float(offset), start, stop, out,
        )  # fmt: skip

    kernel.walk.over_rows(fill, len(given), what="tracks")
    return out


def _groups(
    gallery_track: Unchecked, gallery_order: Unchecked, count: int
) -> tuple[Groups, np.ndarray, np.ndarray]:
    """The tracks as groups, and the compact track and the place in it of every image."""
    track = checks.labels("gallery_track", gallery_track, count)
    place = np.arange(count)
    if gallery_order is not None:
        place = checks.labels("gallery_order", gallery_order, count)
    return group_by_track(track, place=place), compact(track), place
