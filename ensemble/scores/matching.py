"""Who is whose match under a protocol: labels made ready for the counting."""

from typing import TYPE_CHECKING

import numpy as np

from ensemble.base.kinds import Bools, Ints
from ensemble.scores.labels import Labels
from ensemble.scores.protocols import Junk

if TYPE_CHECKING:
    from ensemble.scores.counting.cpu import Matches

SIGHTLESS = -2  # what a query sees whose camera shares its view with none: equal to no gallery image's
UNSEEN = -3  # the view of a gallery image of unknown camera: equal to no query's


def matches(junk: Junk, labels: Labels, drawn: Bools | None = None) -> "Matches":
    """The gallery by identity, the junk rule as data; only ``drawn`` gallery rows count (None: all).

    Unknown identities match nobody: such a query has no members, such an image is in nobody's.
    """
    from ensemble.scores.counting import cpu as counting

    nq, ng = len(labels.query_pid), len(labels.gallery_pid)
    left = np.ones(ng, bool) if drawn is None else drawn
    if junk.unknown:
        left = left & (labels.gallery_pid >= 0)
    rows = np.flatnonzero(left)
    members = rows[np.argsort(labels.gallery_pid[rows], kind="stable")]
    of_members = labels.gallery_pid[members]
    starts = np.searchsorted(of_members, labels.query_pid, "left")
    rule, query_view, gallery_view = _views(junk, labels)
    return counting.Matches(
        starts=starts,
        stops=np.where(labels.unknown, starts, np.searchsorted(of_members, labels.query_pid, "right")),
        members=members,
        query_view=query_view,
        gallery_view=gallery_view,
        rule=rule,
        everybody=rule != counting.NO_VIEW and junk.everybody,
        own=labels.own if labels.own is not None and junk.own else np.full(nq, -1, np.int64),
        removed=np.flatnonzero(~left),
        identity=np.unique(labels.gallery_pid, return_inverse=True)[1].astype(np.int64),
    )


def _views(junk: Junk, labels: Labels) -> tuple[int, Ints, Ints]:
    """The rule of the views, and what the queries (nq,) and the gallery images (ng,) see, as numbers from 0.

    An unknown camera is the same as no other: such a query or image has a view that nobody shares.
    """
    from ensemble.scores.counting import cpu as counting

    query, gallery = labels.query_cam, labels.gallery_cam
    if query is None or gallery is None or not junk.needs_cameras:
        nothing = np.zeros(len(labels.query_pid), np.int64), np.zeros(len(labels.gallery_pid), np.int64)
        return counting.NO_VIEW, *nothing
    cameras, numbered = np.unique(np.concatenate([query, gallery]), return_inverse=True)
    query_view, gallery_view = np.split(numbered.reshape(-1).astype(np.int64), [len(query)])
    if not isinstance(junk.cameras, str):
        number = {camera: view for view, camera in enumerate(cameras.tolist())}
        shared = {camera: number.get(other, SIGHTLESS) for camera, other in (junk.cameras or {}).items()}
        query_view = np.array([shared.get(camera, SIGHTLESS) for camera in query.tolist()], np.int64)
    query_view = np.where(query < 0, SIGHTLESS, query_view)
    gallery_view = np.where(gallery < 0, UNSEEN, gallery_view)
    if junk.searched is not None:
        gallery_view = np.where(np.isin(gallery, junk.searched), gallery_view, counting.UNSEARCHED)
    return counting.OTHER_VIEWS if junk.cameras == "other" else counting.SAME_VIEW, query_view, gallery_view
