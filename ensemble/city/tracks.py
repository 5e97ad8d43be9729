"""What trackers at the cameras of a made-up city would have found: boxes frame by frame, and the truth.

Cameras stand along a road; who drives one way crosses a picture from left to right, who drives the other way from
right to left. What makes real tracks hard is planted: tracks that break, boxes that are lost, boxes that are not
quite where they should be, tracks of nobody, clocks that differ, one camera that is slower than the others.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from ensemble.boxes.tables import Clocks, Window, Zone
from ensemble.boxes.value import Boxes, ordered
from ensemble.city import surroundings, traffic
from ensemble.city.times import road
from ensemble.city.traffic import Size
from ensemble.city.value import City

FPS, SLOW = 10.0, 8.0  # frames a second, of most cameras and of the last one
LATE = 3.0  # seconds by which a camera's first frame may be late
HEAD = 10.0  # seconds before the first that anybody sees
PICTURE = (1280, 960)
EDGE = 360  # pixels left and right that are zones
LEFT, RIGHT = "left", "right"
SIGHT_METRES, ROAD_METRES = 40.0, 10_000.0  # what a camera sees of the road, and the road
BREAKS, GAP = 0.15, (3, 9)  # share of tracks that break once, and frames that are lost then
LOST, SHAKE, SWELL = 0.04, 2.0, 0.03  # share of boxes; pixels; share of the size
NOBODY = 1  # tracks of nobody a camera, and their boxes
NOBODY_BOXES = (10, 25)
SPREAD = (0.6, 1.7)  # of the usual time from camera to camera: all but a few in a thousand are between
NEAR = 2  # cameras along the road between which a window is known
SIZES = {
    "small": Size(vehicles=40, cameras=6, tracks=210, gallery=4800, queries=30, width=128),
    "large": Size(vehicles=160, cameras=8, tracks=1100, gallery=25000, queries=120, width=256),
}
TRACKS = 21  # the generator, beside those of surroundings


@dataclass(frozen=True, eq=False)
class Tracked:
    """Boxes as trackers found them, true boxes with identities for tracks, and true boxes of earlier traffic.

    features[model]: (n, d) float32 of single boxes, ``names`` (n,) as cCAM_TRACK_FRAME.jpg.
    windows, zones:  what is known of the place.
    """

    boxes: Boxes
    truth: Boxes
    earlier: Boxes
    names: list[str]
    features: dict[str, np.ndarray]
    clocks: Clocks
    windows: list[Window]
    zones: list[Zone]


def tracked(made: City, scale: Size, seed: int) -> Tracked:
    """Boxes of a city of vehicles in one scene, from its seed.

    Every passage that the gallery shows has boxes in all frames from its first image to its last; images are shots
    of some of them.
    """
    random = np.random.Generator(np.random.PCG64([seed, TRACKS]))
    place = road((1, scale.cameras), traffic.CLOCK, _generator(seed)).place
    cams = scale.numbers()
    clocks = _clocks(cams, random)
    images = _images(made.gallery, clocks)
    paths = _paths(images, random)
    forwards = _forwards(images, dict(zip(cams.tolist(), place.tolist(), strict=True)))
    where = {
        cam: ROAD_METRES * at / traffic.CLOCK.way for cam, at in zip(cams.tolist(), place.tolist(), strict=True)
    }
    whole = {key: _boxes(path, forwards[path.who], where[path.cam]) for key, path in paths.items()}
    truth = _with_identity(whole, {key: path.who for key, path in paths.items()})
    parts, called = _pieces(whole, random)
    nobody = [_nobody(cam, where[cam], images, random) for cam in np.repeat(cams, NOBODY).tolist()]
    numbers = _numbered(parts, nobody, random)
    boxes = _joined([*parts, *nobody], numbers)
    rows, names = _shots(images, parts, called, numbers)
    spare, spare_names = _shots_of_nobody(nobody, numbers[len(parts) :], random)
    features = {
        model: np.vstack([sides[1][rows], _noise(len(spare), sides[1].shape[1], number, seed)]).astype(np.float32)
        for number, (model, sides) in enumerate(made.features.items())
    }
    earlier = _earlier(made.train, clocks, place, cams, random)
    return Tracked(
        boxes, truth, earlier, names + spare_names, features, clocks, _windows(cams, place), _zones(cams)
    )


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, surroundings.TIMES]))


def _clocks(cams: np.ndarray, random: np.random.Generator) -> Clocks:
    late = np.round(random.uniform(0, LATE, len(cams)), 1)
    rates = [FPS] * (len(cams) - 1) + [SLOW]
    return Clocks(
        dict(zip(cams.tolist(), late.tolist(), strict=True)), dict(zip(cams.tolist(), rates, strict=True)), FPS, 1
    )


def _local(table: pd.DataFrame, clocks: Clocks) -> np.ndarray:
    """(n,) the frame of every image as its camera counts."""
    late = table["cam"].map(clocks.offset).to_numpy()
    rate = table["cam"].map(clocks.fps).to_numpy()
    seconds = HEAD + table["frame"].to_numpy() / FPS
    found: np.ndarray = clocks.first + np.rint((seconds - late) * rate).astype(np.int64)
    return found


def _images(table: pd.DataFrame, clocks: Clocks) -> pd.DataFrame:
    """Images with their row, and their frame as the camera counts; one an image where several fall on one."""
    found = table.assign(row=np.arange(len(table)), local=_local(table, clocks))
    found = found.sort_values(["track", "local", "row"])
    return found.drop_duplicates(["track", "local"])[["row", "pid", "cam", "track", "local", "frame", "quality"]]


@dataclass(frozen=True, eq=False)
class Path:
    """Somebody's passage: frames from first to last, and how large the box is in the middle."""

    who: int
    cam: int
    frames: np.ndarray
    area: float
    shape: float
    lane: float


def _paths(images: pd.DataFrame, random: np.random.Generator) -> "dict[int, Path]":
    """Every passage by the number of its track."""
    return {
        key: _path(images[images["track"] == key], random)
        for key in np.unique(images["track"].to_numpy()).tolist()
    }


def _path(part: pd.DataFrame, random: np.random.Generator) -> Path:
    frames = np.arange(int(part["local"].min()), int(part["local"].max()) + 1)
    return Path(
        int(part["pid"].iloc[0]), int(part["cam"].iloc[0]), frames, float(part["quality"].median()),
        random.uniform(1.1, 1.7), random.uniform(0.4, 0.75),
    )  # fmt: skip


def _forwards(images: pd.DataFrame, place: dict[int, float]) -> dict[int, bool]:
    """Who drives up the road, by where they are seen first and last; who is seen once does."""
    ordered_images = images.sort_values("frame")
    seen: dict[int, list[int]] = {}
    for pid, cam in zip(ordered_images["pid"].tolist(), ordered_images["cam"].tolist(), strict=True):
        seen.setdefault(pid, []).append(cam)
    return {pid: place[cams[-1]] >= place[cams[0]] for pid, cams in seen.items()}


def _boxes(path: Path, forwards: bool, start: float) -> Boxes:
    """The true boxes of a passage: across the picture, largest in the middle."""
    count = len(path.frames)
    moment = (np.arange(count) + 0.5) / count
    across = moment if forwards else 1 - moment
    size = np.sqrt(path.area) * (0.7 + 0.3 * np.sin(np.pi * moment))
    wide, high = size * np.sqrt(path.shape), size / np.sqrt(path.shape)
    x = 60 + across * (PICTURE[0] - 120) - wide / 2
    y = np.full(count, path.lane * PICTURE[1]) - high / 2
    world = np.column_stack([start + SIGHT_METRES * across, 8 * path.lane + np.zeros(count)])
    box = np.column_stack([x, y, wide, high])
    return Boxes(
        np.full(count, path.cam), np.zeros(count, np.int64), path.frames, np.round(box, 1), np.ones(count),
        np.round(world, 3),
    )  # fmt: skip


def _with_identity(whole: dict[int, Boxes], who: dict[int, int]) -> Boxes:
    return _joined(list(whole.values()), np.array([who[key] for key in whole]))


def _pieces(whole: dict[int, Boxes], random: np.random.Generator) -> tuple[list[Boxes], list[int]]:
    """What a tracker finds of each passage, in one piece or in two, and which passage each is of."""
    parts, called = [], []
    for key, boxes in whole.items():
        kept = np.ones(len(boxes), bool)
        middle = slice(1, -1)
        kept[middle] = random.random(max(len(boxes) - 2, 0)) >= LOST
        cuts = [0, len(boxes)]
        if len(boxes) > 30 and random.random() < BREAKS:
            at, gap = int(random.integers(10, len(boxes) - 20)), int(random.integers(*GAP))
            kept[at : at + gap] = False
            cuts = [0, at, len(boxes)]
        for start, stop in pairwise(cuts):
            rows = np.flatnonzero(kept[start:stop]) + start
            parts.append(_shaken(boxes.take(rows), random))
            called.append(key)
    return parts, called


def _shaken(boxes: Boxes, random: np.random.Generator) -> Boxes:
    count = len(boxes)
    box = boxes.box.copy()
    box[:, :2] += random.normal(0, SHAKE, (count, 2))
    box[:, 2:] *= np.exp(random.normal(0, SWELL, (count, 2)))
    world = boxes.world + random.normal(0, 0.2, (count, 2))
    sure = np.round(random.uniform(0.5, 1.0, count), 2)
    return Boxes(boxes.cam, boxes.track, boxes.frame, np.round(box, 1), sure, np.round(world, 3))


def _nobody(cam: int, start: float, images: pd.DataFrame, random: np.random.Generator) -> Boxes:
    """A track of a shadow or a sign, which stands still."""
    there = images.loc[images["cam"] == cam, "local"]
    low, high = (int(there.min()), int(there.max())) if len(there) else (1, 1000)
    count = int(random.integers(*NOBODY_BOXES))
    frames = int(random.integers(low, max(high - count, low + 1))) + np.arange(count)
    box = np.array([random.uniform(100, 1100), random.uniform(100, 800), *random.uniform(40, 120, 2)])
    world = np.array([start + random.uniform(0, SIGHT_METRES), random.uniform(3, 6)])
    still = Boxes(
        np.full(count, cam), np.zeros(count, np.int64), frames, np.tile(box, (count, 1)), np.ones(count),
        np.tile(world, (count, 1)),
    )  # fmt: skip
    return _shaken(still, random)


def _numbered(parts: list[Boxes], nobody: list[Boxes], random: np.random.Generator) -> np.ndarray:
    """A number for every track, from 1 in each camera, in no order."""
    cams = np.array([int(boxes.cam[0]) for boxes in (*parts, *nobody)])
    found = np.zeros(len(cams), np.int64)
    for cam in np.unique(cams):
        here = np.flatnonzero(cams == cam)
        found[here] = 1 + random.permutation(len(here))
    return found


def _joined(parts: list[Boxes], numbers: np.ndarray) -> Boxes:
    columns = [np.concatenate(column) for column in zip(*(vars(part).values() for part in parts), strict=True)]
    track = np.repeat(numbers, [len(part) for part in parts]).astype(np.int64)
    return ordered(Boxes(columns[0], track, *columns[2:]))


def _name(cam: int, track: int, frame: int) -> str:
    return f"c{cam:03d}_{track:04d}_{frame:06d}.jpg"


def _shots(
    images: pd.DataFrame, parts: list[Boxes], called: list[int], numbers: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """The gallery rows of images whose box a tracker has found, and what they are called there."""
    owner = {
        (key, int(frame)): (int(boxes.cam[0]), int(number))
        for boxes, key, number in zip(parts, called, numbers[: len(parts)], strict=True)
        for frame in boxes.frame.tolist()
    }
    rows, names = [], []
    for row, track, local in images[["row", "track", "local"]].to_numpy().tolist():
        if (track, local) in owner:
            rows.append(row)
            names.append(_name(*owner[track, local], local))
    return np.array(rows, np.int64), names


def _shots_of_nobody(
    nobody: list[Boxes], numbers: np.ndarray, random: np.random.Generator
) -> tuple[list[int], list[str]]:
    names = [
        _name(int(boxes.cam[0]), int(number), int(frame))
        for boxes, number in zip(nobody, numbers, strict=True)
        for frame in np.sort(random.choice(boxes.frame, 5, replace=False)).tolist()
    ]
    return list(range(len(names))), names


def _noise(count: int, width: int, model: int, seed: int) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64([seed, TRACKS, model]))
    of_track = np.repeat(random.normal(size=(-(-count // 5), width)), 5, axis=0)[:count]
    rows = of_track + 0.5 * random.normal(size=(count, width))
    found: np.ndarray = 0.9 * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def _earlier(
    table: pd.DataFrame, clocks: Clocks, place: np.ndarray, cams: np.ndarray, random: np.random.Generator
) -> Boxes:
    """True boxes of the training set's vehicles, whose identities are known."""
    images = _images(table, clocks)
    forwards = _forwards(images, dict(zip(cams.tolist(), place.tolist(), strict=True)))
    paths = _paths(images, random)
    return _with_identity(
        {key: _boxes(path, forwards[path.who], 0.0) for key, path in paths.items()},
        {key: path.who for key, path in paths.items()},
    )


def _windows(cams: np.ndarray, place: np.ndarray) -> list[Window]:
    """From every camera to the next along the road: how long that takes, by which side one leaves and comes."""
    found, order = [], np.argsort(np.argsort(place))
    for one, (start, here) in enumerate(zip(cams.tolist(), place.tolist(), strict=True)):
        for other, (end, there) in enumerate(zip(cams.tolist(), place.tolist(), strict=True)):
            steps = abs(int(order[one]) - int(order[other]))
            if not 1 <= steps <= NEAR:
                continue
            usual = abs(there - here) / FPS
            least, most = (usual * share for share in SPREAD)
            doubt = 3 * traffic.CLOCK.way / 100 / FPS + 1.5 * traffic.CLOCK.sight / FPS
            sides = (RIGHT, LEFT) if there > here else (LEFT, RIGHT)
            found.append(Window(start, end, round(max(least - doubt, 0.0), 1), round(most + doubt, 1), *sides))
    return found


def _zones(cams: np.ndarray) -> list[Zone]:
    wide, high = map(float, PICTURE)
    return [
        zone
        for cam in cams.tolist()
        for zone in (
            Zone(cam, LEFT, (-wide, 0.0, float(EDGE), high)),
            Zone(cam, RIGHT, (wide - EDGE, 0.0, 2 * wide, high)),
        )
    ]
