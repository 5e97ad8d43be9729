"""A synthetic city as a folder for ``ensemble.track``: tracks of every camera, features of boxes, truth."""

import os
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError
from ensemble.boxes.value import Boxes
from ensemble.city import readme, tracks, traffic
from ensemble.city.folder import PARTIAL, README, refuse_foreign, take_over
from ensemble.city.tracks import SIZES, Tracked
from postproc.base.checks import one_of, whole

FEATURES, TRACKS = "features", "tracks"
TRUTH, EARLIER = "truth.txt", "earlier.txt"
UNTIL = 10  # kinds of generators that a seed has


@dataclass(frozen=True)
class Written:
    """What a folder holds, in numbers."""

    tracks: int
    boxes: int
    identities: int
    cameras: int


def make(folder: Path, *, size: str = "small", seed: int = 0) -> Written:
    """Write a tracked city into ``folder``; an earlier demo is replaced when this one is complete.

    Files:   features/images_MODEL.pkl (cCAM_TRACK_FRAME.jpg -> (d,) float32), tracks/c001.txt, … (MOT, with points
             on the ground), truth.txt and earlier.txt (cam id frame x y w h xw yw, ids are identities; the latter
             of other vehicles, to learn travel times from), cameras.csv, windows.csv, zones.csv, README.txt.
    Raises:  InputError if the folder holds anything but an earlier demo or cannot be written to, ValueError for
             another size or a seed below 0.
    Cost:    1 s and 12 MB of files (small).
    """
    one_of("size", size, tuple(SIZES))
    whole("seed", seed, 0)
    folder = Path(folder)
    scale = SIZES[size]
    try:
        refuse_foreign(folder)
        made = traffic.traffic(scale, seed, traffic.UNKNOWN, traffic.WRONG)
        found = tracks.tracked(made, scale, seed)
        counted = _counted(found)
        partial = folder / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        for inner in (FEATURES, TRACKS):
            (partial / inner).mkdir(parents=True)
        try:
            _write(partial, found, seed)
            text = readme.of_tracks(vars(counted), list(found.features), size, seed)
            (partial / README).write_text(text, encoding="ascii", newline="\n")
            os.replace(partial / README, folder / README)  # first: it marks the rest as a demo
            take_over(partial, folder)
        finally:
            shutil.rmtree(partial)
    except OSError as error:
        problem = f"{folder}: wanted a folder to write to, found: {error.strerror}; name another one"
        raise InputError([problem]) from error
    return counted


def _counted(found: Tracked) -> Written:
    keys = np.stack([found.boxes.cam, found.boxes.track])
    return Written(
        np.unique(keys, axis=1).shape[1],
        len(found.boxes),
        len(np.unique(found.truth.track)),
        len(np.unique(found.boxes.cam)),
    )


def _write(folder: Path, found: Tracked, seed: int) -> None:
    random = np.random.Generator(np.random.PCG64([seed, tracks.TRACKS, UNTIL]))
    for model, rows in found.features.items():
        shuffled = {found.names[row]: rows[row] for row in random.permutation(len(rows)).tolist()}
        with open(folder / FEATURES / f"images_{model}.pkl", "wb") as stream:
            pickle.dump(shuffled, stream, protocol=4)
    for cam in np.unique(found.boxes.cam).tolist():
        _lines(folder / TRACKS / f"c{cam:03d}.txt", _mot(found.boxes.take(found.boxes.cam == cam)))
    _lines(folder / TRUTH, _city(found.truth))
    _lines(folder / EARLIER, _city(found.earlier))
    clocks = found.clocks
    rates = [f"{cam},{late:g},{clocks.fps[cam]:g}" for cam, late in clocks.offset.items()]
    _lines(folder / "cameras.csv", ["cam,offset,fps", *rates])
    ways = [f"{w.start},{w.end},{w.out},{w.into},{w.low:g},{w.high:g}" for w in found.windows]
    _lines(folder / "windows.csv", ["from,to,out,in,min,max", *ways])
    parts = [",".join([str(zone.cam), zone.name, *(f"{x:g}" for x in zone.box)]) for zone in found.zones]
    _lines(folder / "zones.csv", ["cam,zone,x1,y1,x2,y2", *parts])


def _mot(boxes: Boxes) -> list[str]:
    """frame,id,x,y,w,h,conf,xw,yw,0; -1 where there is no point on the ground."""
    world = np.where(np.isnan(boxes.world), -1, boxes.world)
    rows = zip(
        boxes.frame.tolist(),
        boxes.track.tolist(),
        boxes.box.tolist(),
        boxes.conf.tolist(),
        world.tolist(),
        strict=True,
    )
    return [
        ",".join(
            [str(frame), str(track), *(f"{x:g}" for x in box), f"{conf:g}", *(f"{x:.3f}" for x in point), "0"]
        )
        for frame, track, box, conf, point in rows
    ]


def _city(boxes: Boxes) -> list[str]:
    rows = zip(
        boxes.cam.tolist(), boxes.track.tolist(), boxes.frame.tolist(), boxes.box.tolist(), boxes.world.tolist(),
        strict=True,
    )  # fmt: skip
    return [
        " ".join([str(cam), str(who), str(frame), *(f"{x:g}" for x in box), *(f"{x:.3f}" for x in point)])
        for cam, who, frame, box, point in rows
    ]


def _lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", newline="\n")
