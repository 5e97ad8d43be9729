"""Checked labels, and what a protocol makes of them."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.base.errors import examples
from ensemble.scores.protocols import REMOVES_OWN, REMOVES_UNKNOWN, Protocol
from postproc import kernels
from postproc.base import arrays, checks
from postproc.tracks.track_lists import Tracks

if TYPE_CHECKING:
    from ensemble.base.features import FeatureSet
    from ensemble.scores.counting.cpu import Labels

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Given:
    """Labels of both sides, int64, None where nobody gave them; ``own``: the query's own gallery row, -1 none."""

    query_pid: Whole
    gallery_pid: Whole
    query_cam: Whole | None
    gallery_cam: Whole | None
    query_track: Whole | None
    gallery_track: Whole | None
    own: Whole | None

    def known(self, protocol: Protocol) -> dict[str, Any]:
        """What the rules of the protocol had to go by."""
        needed = [self.gallery_track, *([self.query_track] if protocol.rows == "tracks" else [])]
        return {
            "cameras": self.query_cam is not None,
            "tracks": all(track is not None for track in needed),
            "own": self.own is not None,
        }


def labels_of(images: "FeatureSet") -> dict[str, Any]:
    """What the scores may want to know of these images, by parameter; empty without identities on both sides.

    ``query_image`` says which gallery image has the name of a query, for protocols that remove that one.
    """
    data = images.data()
    if "query_pid" not in data or "gallery_pid" not in data:
        return {}
    found = {name: data[name] for name in ("query_pid", "gallery_pid")}
    if "query_cam" in data and "gallery_cam" in data:
        found |= {name: data[name] for name in ("query_cam", "gallery_cam")}
    found |= {name: data[name] for name in ("query_track", "gallery_track") if name in data}
    at = {name: row for row, name in enumerate(images.gallery_table["name"])}
    found["query_image"] = np.array([at.get(name, -1) for name in images.query_table["name"]], np.int64)
    found["gallery_image"] = np.arange(len(at))
    return found


def given(
    shape: tuple[int, ...],
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None,
    gallery_cam: ArrayLike | None,
    query_track: ArrayLike | None = None,
    gallery_track: ArrayLike | None = None,
    query_image: ArrayLike | None = None,
    gallery_image: ArrayLike | None = None,
) -> Given:
    """Check everything against (nq, ng)."""
    nq, ng = shape
    for name, (query, gallery) in {"cam": (query_cam, gallery_cam), "image": (query_image, gallery_image)}.items():
        if (query is None) != (gallery is None):
            present = f"gallery_{name}" if query is None else f"query_{name}"
            raise ValueError(f"query_{name} and gallery_{name}: wanted both or neither, got only {present}")

    def labels(name: str, value: ArrayLike | None, count: int) -> Whole | None:
        return None if value is None else checks.labels(name, value, count)

    return Given(
        checks.labels("query_pid", query_pid, nq),
        checks.labels("gallery_pid", gallery_pid, ng),
        labels("query_cam", query_cam, nq),
        labels("gallery_cam", gallery_cam, ng),
        labels("query_track", query_track, nq),
        labels("gallery_track", gallery_track, ng),
        _own(labels("query_image", query_image, nq), labels("gallery_image", gallery_image, ng)),
    )


def _own(query: Whole | None, gallery: Whole | None) -> Whole | None:
    """The gallery row that is the query itself, -1 where there is none."""
    if query is None or gallery is None:
        return None
    rows = {int(number): row for row, number in enumerate(gallery) if number != -1}
    if len(rows) < np.count_nonzero(gallery != -1):
        raise ValueError("gallery_image: wanted every number but -1 once, got one twice")
    return np.array([rows.get(int(number), -1) for number in query], np.int64)


def ready(protocol: Protocol, known: Given, kept: NDArray[np.bool_] | None = None) -> "Labels":
    """Labels for the kernels: the gallery by identity, the junk rule as data; only ``kept`` gallery rows count."""
    from ensemble.scores.counting import cpu as counting

    nq, ng = len(known.query_pid), len(known.gallery_pid)
    left = np.ones(ng, bool) if kept is None else kept
    if protocol.junk in REMOVES_UNKNOWN:
        left = left & (known.gallery_pid != -1)
    rows = np.flatnonzero(left)
    members = rows[np.argsort(known.gallery_pid[rows], kind="stable")]
    starts = np.searchsorted(known.gallery_pid[members], known.query_pid, "left")
    stops = np.searchsorted(known.gallery_pid[members], known.query_pid, "right")
    rule = {
        "market": counting.SAME_CAMERA,
        "bot": counting.SAME_CAMERA,
        "cuhk03": counting.SAME_CAMERA,
        "intra": counting.OTHER_CAMERAS,
        "sysu": counting.SYSU,
        "sysu_indoor": counting.SYSU_INDOOR,
    }.get(protocol.junk, counting.NO_CAMERA)
    if known.query_cam is None or known.gallery_cam is None:
        rule, cams = counting.NO_CAMERA, (np.zeros(nq, np.int64), np.zeros(ng, np.int64))
    else:
        cams = known.query_cam, known.gallery_cam
    own = known.own if known.own is not None and protocol.junk in REMOVES_OWN else np.full(nq, -1, np.int64)
    return counting.Labels(
        starts=starts,
        stops=stops,
        members=members,
        query_cam=cams[0],
        gallery_cam=cams[1],
        rule=rule,
        everybody=rule != counting.NO_CAMERA and protocol.junk not in ("market", "bot"),
        own=own,
        removed=np.flatnonzero(~left),
        identity=np.unique(known.gallery_pid, return_inverse=True)[1].astype(np.int64),
    )


def by_tracks(
    distances: NDArray[np.float32], known: Given, protocol: Protocol
) -> tuple[NDArray[np.float32], Given, Whole | None]:
    """Distances and labels with one row a track where tracks are given, and the new row of every old query.

    A track has the identity and the camera of its images, and the least of their distances.
    """
    queries = None
    if known.gallery_track is not None:
        tracks = Tracks.by(known.gallery_track)
        first = _first("gallery", tracks, known.gallery_pid, known.gallery_cam)
        distances = _least(distances, tracks)
        own = known.own
        known = replace(
            known,
            gallery_pid=known.gallery_pid[first],
            gallery_cam=None if known.gallery_cam is None else known.gallery_cam[first],
            own=None if own is None else np.where(own < 0, -1, tracks.of[own]).astype(np.int64),
        )
    if known.query_track is not None and protocol.rows == "tracks":
        tracks = Tracks.by(known.query_track)
        first = _first("query", tracks, known.query_pid, known.query_cam)
        distances = arrays.contiguous(_least(arrays.contiguous(distances.T), tracks).T)
        known = replace(
            known,
            query_pid=known.query_pid[first],
            query_cam=None if known.query_cam is None else known.query_cam[first],
            own=None if known.own is None else known.own[first],
        )
        queries = tracks.of.astype(np.int64)
    return distances, known, queries


def _first(side: str, tracks: Tracks, pid: Whole, cam: Whole | None) -> NDArray[np.integer]:
    """The first image of each track; refuses a track whose images do not agree."""
    first = tracks.members[tracks.offsets[:-1]]
    for name, values in ((f"{side}_pid", pid), (f"{side}_cam", cam)):
        if values is None:
            continue
        mixed = np.flatnonzero(values != values[first][tracks.of])
        if len(mixed):
            raise ValueError(
                f"{name}: wanted one for all images of a track, found others in rows {examples(mixed.tolist())}"
            )
    return first


def _least(distances: NDArray[np.float32], tracks: Tracks) -> NDArray[np.float32]:
    kernel = kernels.of(distances)
    out: NDArray[np.float32] = arrays.empty((len(distances), tracks.count), np.float32, distances)

    def fill(start: int, stop: int) -> None:
        kernel.tracks.reduce_tracks(
            distances, tracks.offsets, tracks.members, kernel.tracks.LEAST, 0, start, stop, out
        )

    kernel.walk.over_rows(fill, len(distances), what="distances to tracks")
    return out
