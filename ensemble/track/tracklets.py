"""Tracklets out of boxes, and features joined to them by what their images are called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.kinds import Array, Bools, Ints
from ensemble.boxes.reading import camera_number
from ensemble.boxes.tables import Clocks, Zone, zones_of
from ensemble.boxes.value import Boxes
from ensemble.track.value import Shots, Tracklets
from postproc.base.settings import Weight, Within
from postproc.pairs.l2_normalize import l2_normalize
from postproc.tracks.quality_track_mean import quality_track_mean

if TYPE_CHECKING:
    import pandas as pd

NAME = re.compile(r"c(?:am(?:era)?)?_?(?P<cam>[0-9]+)_(?P<track>[0-9]+)(?:_(?P<frame>[0-9]+))?", re.IGNORECASE)
RULE = "cCAM_TRACK or cCAM_TRACK_FRAME (c041_17, c041_17_000123.jpg)"


@dataclass(frozen=True, eq=False)
class Named:
    """Which camera, track and frame every image is of; frame -1: the whole tracklet."""

    cam: Ints
    track: Ints
    frame: Ints

    @property
    def of_boxes(self) -> bool:
        """Whether these are single boxes."""
        return bool((self.frame >= 0).any())


def made(boxes: Boxes, clocks: Clocks, zones: Sequence[Zone] = ()) -> Tracklets:
    """The tracklets of boxes."""
    keys, of = np.unique(np.stack([boxes.cam, boxes.track], axis=1), axis=0, return_inverse=True)
    of = of.reshape(-1).astype(np.int64)
    order = np.lexsort((boxes.frame, of))
    ends = np.searchsorted(of[order], np.arange(len(keys) + 1))
    first, last = order[ends[:-1]], order[ends[1:] - 1]
    seconds = clocks.seconds(boxes)
    return Tracklets(
        cam=keys[:, 0],
        track=keys[:, 1],
        first=boxes.frame[first],
        last=boxes.frame[last],
        start=seconds[first],
        end=seconds[last],
        entry=zones_of(boxes.cam[first], boxes.centre[first], zones),
        exit=zones_of(boxes.cam[last], boxes.centre[last], zones),
        boxes=boxes,
        of=of,
        seconds=seconds,
    )


def named(table: "pd.DataFrame", where: str) -> Named:
    """What images are of: by the columns cam, track and frame of a table, or by their names.

    The naming rule is ``cCAM_TRACK`` for a tracklet, ``cCAM_TRACK_FRAME`` for a box, with any folder and suffix.
    Raises: InputError with examples of what fits neither.
    """
    if {"cam", "track"} <= set(table.columns):
        cams = [camera_number(str(value)) for value in table["cam"].tolist()]
        tracks = [_whole(value) for value in table["track"].tolist()]
        frames = [_whole(value) for value in table["frame"].tolist()] if "frame" in table else [-1] * len(cams)
        rows = list(zip(cams, tracks, frames, strict=True))
        bad = [row for row, (cam, track, _) in enumerate(rows) if cam is None or track is None or track < 0]
        wanted = "a camera and a track of every image in the columns cam and track"
    else:
        found = [NAME.fullmatch(PurePath(name).stem) for name in table["name"].tolist()]
        rows = [
            (int(one["cam"]), int(one["track"]), int(one["frame"] or -1)) if one else (None, None, None)
            for one in found
        ]
        bad = [row for row, one in enumerate(found) if one is None]
        wanted = f"names that tell camera and track, {RULE}, or a table with columns cam, track and frame"
    if bad:
        said = examples([table["name"].iloc[row] for row in bad])
        raise InputError([f"{where}: wanted {wanted}, found another for {len(bad)} images ({said}); rename them"])
    columns = [
        np.array([-1 if value is None else value for value in column]) for column in zip(*rows, strict=True)
    ]
    found_names = Named(*(column.astype(np.int64) for column in columns))
    if found_names.of_boxes and (found_names.frame < 0).any():
        shown = examples(table["name"][found_names.frame < 0].tolist())
        raise InputError(
            [f"{where}: wanted features of boxes or of tracklets, found both (no frame: {shown}); keep one kind"]
        )
    return found_names


def _whole(value: object) -> int | None:
    text = str(value)
    return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else None


def rows_of(images: Named, tracklets: Tracklets) -> Ints:
    """(m,) the row of the tracklet of every image, -1 where there is none."""
    place = {
        key: row for row, key in enumerate(zip(tracklets.cam.tolist(), tracklets.track.tolist(), strict=True))
    }
    keys = zip(images.cam.tolist(), images.track.tolist(), strict=True)
    return np.array([place.get(key, -1) for key in keys], np.int64)


def joined(images: Named, tracklets: Tracklets, where: str, notes: list[str]) -> Ints:
    """(m,) the row of the tracklet of every image, with notes on what has no partner.

    Raises: InputError where no image is of any tracklet, or two features are of one tracklet or box.
    """
    import pandas as pd

    of = rows_of(images, tracklets)
    problems = []
    if not (of >= 0).any():
        theirs = [
            f"camera {c} id {t}" for c, t in zip(images.cam[:2].tolist(), images.track[:2].tolist(), strict=True)
        ]
        ours = tracklets.called(np.arange(min(2, len(tracklets))))
        problems.append(
            f"{where}: wanted features of the tracks, found none of them: features of {examples(theirs)}, tracks "
            f"such as {examples(ours)}; are these the same cameras and track numbers?"
        )
    keys = pd.DataFrame({"cam": images.cam, "track": images.track, "frame": images.frame})
    again = keys[keys.duplicated()]
    if len(again):
        doubles = [
            f"camera {c} id {t}" + (f" frame {f}" if f >= 0 else "") for c, t, f in again.to_numpy()[:4].tolist()
        ]
        problems.append(
            f"{where}: wanted one feature a tracklet or box, found again {examples(doubles)}; leave one"
        )
    refuse_if_any(problems)
    strangers = int((of < 0).sum())
    if strangers:
        notes.append(f"{where}: {strangers} features of no track are not used")
    lacking = np.setdiff1d(np.arange(len(tracklets)), of)
    if len(lacking):
        shown = examples(tracklets.called(lacking))
        notes.append(f"{where}: {len(lacking)} tracks without features are matched with nobody ({shown})")
    return of


def looks_of(
    tracklets: Tracklets,
    images: Named,
    of: Ints,
    rows: Array,
    *,
    kind: Literal["mean", "quality"] = "mean",
    min_area: Annotated[Weight, Within(0, 1e9)] = 2000.0,
    normalize: bool = True,
) -> Array:
    """(t, d) float32 features of tracklets out of those of their images; NaN where a tracklet has none.

    kind:      "mean" of all images; "quality": of those whose box has ``min_area`` pixels or more, of all where
               none has (LCFractal/AIC21-MTMC).
    normalize: images are brought to unit length first, and means afterwards.
    Features that are of tracklets already stay as they are, but for their length.
    """
    there = of >= 0
    chosen, whose = l2_normalize(rows[there]) if normalize else rows[there], of[there]
    by_area = kind == "quality" and images.of_boxes
    quality = _areas(tracklets, images)[there] if by_area else np.ones(len(chosen), np.float32)
    least = float(min_area) if by_area else 1.0
    means = quality_track_mean(chosen, whose, quality, threshold=least, keep=0.0, add=1.0, renormalize=normalize)
    found = np.full((len(tracklets), rows.shape[1]), np.nan, np.float32)
    found[whose] = means
    return found


def _areas(tracklets: Tracklets, images: Named) -> Array:
    """(m,) float32 pixels of the box of every image, 0 where a track has no box in its frame."""
    import pandas as pd

    boxes = tracklets.boxes
    keys = pd.MultiIndex.from_arrays([boxes.cam, boxes.track, boxes.frame])
    wanted = pd.MultiIndex.from_arrays([images.cam, images.track, images.frame])
    place = keys.get_indexer(wanted)
    return np.where(place >= 0, boxes.area[place], 0).astype(np.float32)


def shots(of: Ints, models: Sequence[Array]) -> Shots:
    """Features of boxes, every model at unit length, side by side and at unit length again."""
    order = np.argsort(of, kind="stable")
    order = order[of[order] >= 0]
    side = np.concatenate([l2_normalize(rows[order]) for rows in models], axis=1)
    return Shots(of[order], l2_normalize(side))


def known(models: Sequence[Array]) -> Bools:
    """(t,) which tracklets have features in every model."""
    found: Bools = np.all([~np.isnan(rows).any(axis=1) for rows in models], axis=0)
    return found
