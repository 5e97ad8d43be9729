"""Cities of vehicles: tracks, tables and names as in the AI City challenge, in one scene or in two.

Vehicles drive past cameras; each vehicle gives one tracklet in each camera that it passes. A query shows a vehicle
in a camera where the gallery does not have it, so its matches are in other cameras and hardly ever in its own.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.city.images import Kept, Strength, seen, shown
from ensemble.city.surroundings import Scene, joined, surrounded
from ensemble.city.times import Clock
from ensemble.city.value import City

SHORTEST, USUAL, SPREAD, LONGEST = 2, 23.0, 8.2, 58  # images a tracklet, as in AI City 2020
SAME_CAMERA = 0.01  # share of queries whose own tracklet is in the gallery after all
COPIES = 0.02  # share of gallery images that repeat the image before them
LEARNT_TRACK = 6  # images a tracklet of the training set
MODELS = {"densenet": 0.6, "densenet_ALL": 0.45, "mgn": 0.75, "senet152": 0.7}  # each network's own errors
AREA = 44_000  # the usual crop in pixels
SMALLER, MORE_BLURRED = 6.5, 1.3  # crops of the second scene
CLOCK, STRENGTH = Clock(), Strength()
UNKNOWN, WRONG = 0.1, 0.05  # of the cameras, what a classifier does not tell, tells wrongly


@dataclass(frozen=True)
class Size:
    """How many of everything; ``width`` is the number of values an image and model.

    ``learners`` are the vehicles of the training set, each in ``passes`` cameras. ``scenes`` holds the numbers of
    the cameras of every scene; none: one scene, cameras 1, 2, ….
    """

    vehicles: int
    cameras: int
    tracks: int
    gallery: int
    queries: int
    width: int
    learners: int = 30
    passes: int = 6
    scenes: tuple[tuple[int, ...], ...] = ()

    def numbers(self) -> np.ndarray:
        """The number of every camera."""
        return np.array([number for scene in self.scenes for number in scene] or range(1, self.cameras + 1))

    def scene(self) -> np.ndarray:
        """The scene of every camera, from 1."""
        lengths = [len(scene) for scene in self.scenes] or [self.cameras]
        return np.repeat(np.arange(len(lengths)) + 1, lengths)


SIZES = {
    "small": Size(vehicles=46, cameras=12, tracks=110, gallery=2500, queries=150, width=128),
    "aicity2020": Size(vehicles=333, cameras=20, tracks=798, gallery=18290, queries=1052, width=512, learners=100),
}
TWO_SCENES = {
    "small": Size(
        vehicles=56, cameras=12, tracks=120, gallery=2600, queries=150, width=128,
        scenes=((22, 23, 24, 25, 26, 27, 28, 29), (41, 42, 43, 44)),
    ),
    "aicity2021": Size(
        vehicles=440, cameras=18, tracks=991, gallery=31238, queries=1103, width=256, learners=100,
        scenes=((22, 23, 24, 25, 26, 27, 28, 29, 33, 34, 35, 36), (41, 42, 43, 44, 45, 46)),
    ),
}  # fmt: skip


def traffic(scale: Size, seed: int, unknown: float, wrong: float) -> City:
    """A city of vehicles. What is drawn for appearance comes from one generator, in an order that stays;
    everything else from generators of its own."""
    random, learning = (np.random.Generator(np.random.PCG64(key)) for key in (seed, [seed, 2]))
    images = _images(scale, random)
    place: Kept = {}
    counts = scale.vehicles, scale.cameras, scale.vehicles * scale.cameras
    looks = shown(images, counts, STRENGTH, random, place)
    query = np.arange(scale.queries)
    gallery = scale.queries + random.permutation(scale.gallery)  # a name does not tell the track
    original = images["original"].to_numpy()
    networks: dict[str, Kept] = {model: {} for model in MODELS}
    features = {}
    for model, error in MODELS.items():
        found = seen(images, looks.image, error, counts[2], scale.width, random, networks[model])
        features[model] = (found[original[query]], found[original[gallery]])
        del found
    pid = 1 + random.permutation(scale.vehicles)
    tables = {
        "query": _table(images.iloc[query], pid, scale).drop(columns="passage"),
        "gallery": _with_tracks(_table(images.iloc[gallery], pid, scale), random),
    }

    learnt = _learnt(scale, learning)
    counts = scale.learners, scale.cameras, scale.learners * scale.cameras
    others = shown(learnt, counts, STRENGTH, learning, place)
    train_features = {
        model: seen(learnt, others.image, error, counts[2], scale.width, learning, networks[model])
        for model, error in MODELS.items()
    }
    tables["train"] = _table(learnt, 1 + scale.vehicles + np.arange(scale.learners), scale)
    tables["train"]["track"] = np.unique(tables["train"].pop("passage"), return_inverse=True)[1]

    rows = {"query": query, "gallery": gallery, "train": len(images) + np.arange(len(learnt))}
    for table, of in ((tables["query"], query), (tables["gallery"], gallery)):
        table["scene"] = scale.scene()[images["camera"].to_numpy()[of]]
    tables["train"]["scene"] = scale.scene()[learnt["camera"].to_numpy()]
    made = City(**tables, features=features, train_features=train_features, side={}, confusions={})
    area = np.where(scale.scene() == 1, AREA, AREA / SMALLER)
    scene = Scene(scale.numbers(), area, CLOCK, unknown, wrong, vehicles=True)
    return surrounded(made, *joined([(images, looks), (learnt, others)]), rows, scene, seed)


def _images(scale: Size, random: np.random.Generator) -> pd.DataFrame:
    """One row an image: the queries, then tracklet after tracklet, each in the order of time."""
    vehicle, camera, taken, asked = _passages(scale, random)
    lengths = _lengths(scale, random)
    passage = np.concatenate([asked, np.repeat(taken, lengths)])
    place = np.concatenate([np.arange(length) for length in lengths])
    moment = np.concatenate([random.random(scale.queries), (place + 0.5) / np.repeat(lengths, lengths)])
    repeats = np.zeros(len(passage), bool)
    repeats[scale.queries :] = (place > 0) & (random.random(scale.gallery) < COPIES)
    original = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(passage))))
    return _table_of_images(scale, vehicle, camera, passage, moment, original, random)


def _learnt(scale: Size, random: np.random.Generator) -> pd.DataFrame:
    """The images of the training set: every vehicle in ``passes`` cameras of its scene, or all there are."""
    vehicle, camera, possible = _possible(scale, scale.learners, random)
    place = pd.Series(vehicle[possible]).groupby(vehicle[possible]).cumcount().to_numpy()
    passage = np.repeat(possible[place < scale.passes], LEARNT_TRACK)
    moment = (np.arange(len(passage)) % LEARNT_TRACK + 0.5) / LEARNT_TRACK
    return _table_of_images(scale, vehicle, camera, passage, moment, np.arange(len(passage)), random)


def _table_of_images(
    scale: Size,
    vehicle: np.ndarray,
    camera: np.ndarray,
    passage: np.ndarray,
    moment: np.ndarray,
    original: np.ndarray,
    random: np.random.Generator,
) -> pd.DataFrame:
    blur = np.exp(random.normal(0, 0.35, len(passage)))
    blur *= np.where(scale.scene() == 1, 1, MORE_BLURRED)[camera[passage]]
    return pd.DataFrame(
        {
            "passage": passage,
            "who": vehicle[passage],
            "camera": camera[passage],
            "moment": moment,
            "blur": blur.astype(np.float32),
            "original": original,
        }
    )


def _possible(scale: Size, vehicles: int, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Vehicle and camera of every pair of them, in a random order of cameras, and which pairs are in one scene."""
    vehicle = np.repeat(np.arange(vehicles), scale.cameras)
    camera = random.permuted(np.tile(np.arange(scale.cameras), (vehicles, 1)), axis=1).ravel()
    home = 1 + vehicle % scale.scene().max()
    return vehicle, camera, np.flatnonzero(scale.scene()[camera] == home)


def _passages(scale: Size, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Vehicle and camera of every passage, which of them the gallery has, and which queries show."""
    vehicle, camera, possible = _possible(scale, scale.vehicles, random)
    first = possible[np.unique(vehicle[possible], return_index=True)[1]]  # so that every query has a match
    others = random.permutation(np.setdiff1d(possible, first))
    more = scale.tracks - scale.vehicles
    taken = random.permutation(np.concatenate([first, others[:more]]))
    again = round(SAME_CAMERA * scale.queries)
    asked = np.concatenate([others[more:][: scale.queries - again], taken[:again]])
    return vehicle, camera, taken, random.permutation(asked)


def _lengths(scale: Size, random: np.random.Generator) -> np.ndarray:
    """Images of each track, normally distributed within the limits, ``scale.gallery`` together."""
    lengths = np.clip(np.rint(random.normal(USUAL, SPREAD, scale.tracks)), SHORTEST, LONGEST).astype(int)
    lengths[:2] = SHORTEST, LONGEST
    while missing := scale.gallery - lengths.sum():
        step = np.sign(missing)
        changed = lengths[2:] + step
        free = 2 + np.flatnonzero((changed >= SHORTEST) & (changed <= LONGEST))
        lengths[random.choice(free, min(abs(missing), len(free)), replace=False)] += step
    return random.permutation(lengths)


def _table(images: pd.DataFrame, pid: np.ndarray, scale: Size) -> pd.DataFrame:
    """Names in the order of the rows; ``passage`` is kept for the tracks of a gallery."""
    table = images.reset_index(drop=True)
    return pd.DataFrame(
        {
            "name": [f"{number:06d}.jpg" for number in range(1, len(table) + 1)],
            "pid": pid[table["who"]],
            "cam": scale.numbers()[table["camera"]],
            "passage": table["passage"],
        }
    )


def _with_tracks(table: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Number the tracks by the first image of their line; which image is first, and next, is arbitrary."""
    passage = table["passage"]
    order = passage.iloc[random.permutation(len(table))].groupby(passage).cumcount().sort_index()
    first = passage[order == 0]
    line = pd.Series(np.arange(len(first)), index=first)
    return table.assign(track=line[passage].to_numpy(), order=order).drop(columns="passage")
