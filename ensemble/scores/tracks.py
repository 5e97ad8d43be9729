"""Distances and labels with one row a track, for protocols that rank tracks."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ensemble.base.errors import examples
from ensemble.base.kinds import Ints
from ensemble.scores.labels import Labels
from ensemble.scores.protocol import Protocol
from postproc import kernels
from postproc.base import arrays
from postproc.tracks.track_lists import Tracks


def by_tracks(
    distances: NDArray[np.float32], labels: Labels, protocol: Protocol
) -> tuple[NDArray[np.float32], Labels, Ints | None]:
    """Distances and labels with one row a track where tracks are given, and the new row of every old query.

    A track has the identity, the camera and the other labels of its images, and the least of their distances.
    """
    queries = None
    if labels.gallery_track is not None:
        tracks = Tracks.by(labels.gallery_track)
        first = _first("gallery", tracks, labels, protocol)
        distances = _least(distances, tracks)
        own = labels.own
        labels = replace(
            labels,
            gallery_pid=labels.gallery_pid[first],
            gallery_cam=None if labels.gallery_cam is None else labels.gallery_cam[first],
            own=None if own is None else np.where(own < 0, -1, tracks.of[own]).astype(np.int64),
            beside={name: (query, gallery[first]) for name, (query, gallery) in labels.beside.items()},
        )
    if labels.query_track is not None and protocol.rows == "tracks":
        tracks = Tracks.by(labels.query_track)
        first = _first("query", tracks, labels, protocol)
        distances = arrays.contiguous(_least(arrays.contiguous(distances.T), tracks).T)
        labels = replace(
            labels,
            query_pid=labels.query_pid[first],
            query_cam=None if labels.query_cam is None else labels.query_cam[first],
            own=None if labels.own is None else labels.own[first],
            beside={name: (query[first], gallery) for name, (query, gallery) in labels.beside.items()},
        )
        queries = tracks.of.astype(np.int64)
    return distances, labels, queries


def _first(side: str, tracks: Tracks, labels: Labels, protocol: Protocol) -> NDArray[np.integer]:
    """The first image of each track; refuses a track whose images do not agree in what the protocol looks at."""
    first = tracks.members[tracks.offsets[:-1]]
    columns = dict.fromkeys(("pid", "cam", *protocol.removes.columns))
    for column in columns:
        if column == "cam" and labels.query_cam is None:
            continue
        name, values = f"{side}_{column}", labels.numbers(column)[0 if side == "query" else 1]
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
