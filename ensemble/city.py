"""A made-up city with known answers: what a camera network would see, from a seed.

Vehicles drive past cameras; each vehicle gives one tracklet in each camera that it passes. A query shows a
vehicle in a camera where the gallery does not have it, as in the AI City challenge, so its matches are in
other cameras and hardly ever in its own. What makes real features hard is planted, one number each (below):
look-alikes, viewpoint, a shift of every camera, errors of a tracklet and of an image, and four networks that
share most of these errors but not all. The numbers were chosen so that one network, concatenation, the track
mean and re-ranking stand about where they stood in that challenge: mAP 0.3 to 0.5, 0.5, 0.65 and more.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from postproc.checks import one_of, whole

SHORTEST, USUAL, SPREAD, LONGEST = 2, 23.0, 8.2, 58  # images a tracklet, as in AI City 2020
SAME_CAMERA = 0.01  # share of queries whose own tracklet is in the gallery after all
COPIES = 0.02  # share of gallery images that repeat the image before them

LATENT = 128  # values that describe an image before a network sees it
DECAY = 8  # the first so many of them stand out
RESEMBLANCE = (0.3, 0.9)  # share of its looks that a vehicle has from its family of look-alikes
VIEW_OF_ALL, VIEW_OF_ONE = 0.4, 0.35  # what a viewpoint does to every vehicle alike, and to this one
TURN = 1.2  # radians that a vehicle may turn while it passes
SHIFT, GAIN = 0.3, 0.25  # of a camera: added to an image, and multiplied with it
TRACKLET_ERROR, IMAGE_ERROR = 0.3, 0.7  # light and background; pose and occlusion

MODELS = {"densenet": 0.6, "densenet_ALL": 0.45, "mgn": 0.75, "senet152": 0.7}  # each network's own errors
ATTENTION = 0.3  # of what there is to see, a network disregards up to this share
GRAIN = 3  # noise of a network's output
GRID = 64  # one unit, as a whole number


@dataclass(frozen=True)
class Size:
    """How many of everything; ``width`` is the number of values an image and model."""

    vehicles: int
    cameras: int
    tracks: int
    gallery: int
    queries: int
    width: int


SIZES = {
    "small": Size(vehicles=46, cameras=12, tracks=110, gallery=2500, queries=150, width=128),
    "aicity2020": Size(vehicles=333, cameras=20, tracks=798, gallery=18290, queries=1052, width=512),
}


@dataclass(frozen=True)
class City:
    """A labelled city. Row ``i`` of a table is row ``i`` of every model's array of that side.

    ``query`` has the columns ``name pid cam``; ``gallery`` also ``track`` (from 0) and ``order`` (place in
    the line of the track list, which is not the order of time). ``features[model]`` is ``query (nq, d),
    gallery (ng, d)``, float32, of a length just below 1: the more blurred an image, the shorter, as the
    mean over an image and its mirror image is.
    """

    query: pd.DataFrame
    gallery: pd.DataFrame
    features: dict[str, tuple[np.ndarray, np.ndarray]]


def city(size: str = "small", seed: int = 0) -> City:
    """Make a city from a seed; no file is touched.

    size:    a key of ``SIZES``; ``aicity2020`` has the counts of AI City 2020 Track 2.
    seed:    0 or more; the same seed gives the same bits with any number of threads.
    Raises:  ValueError for another size or seed.
    Cost:    0.1 s and 10 MB (small), 1 s and 300 MB (aicity2020).
    """
    one_of("size", size, tuple(SIZES))
    whole("seed", seed, 0)
    scale = SIZES[size]
    random = np.random.Generator(np.random.PCG64(seed))
    images = _images(scale, random)
    looks = _looks(scale, images, random)
    query = np.arange(scale.queries)
    gallery = scale.queries + random.permutation(scale.gallery)  # a name does not tell the track
    original = images["original"].to_numpy()
    features = {}
    for model, error in MODELS.items():
        seen = _seen(scale, images, looks, error, random)
        features[model] = (seen[original[query]], seen[original[gallery]])
    pid = 1 + random.permutation(scale.vehicles)
    return City(
        query=_table(images.iloc[query], pid).drop(columns="passage"),
        gallery=_with_tracks(_table(images.iloc[gallery], pid), random),
        features=features,
    )


def _images(scale: Size, random: np.random.Generator) -> pd.DataFrame:
    """One row an image: the queries, then tracklet after tracklet, each in the order of time.

    ``moment`` runs from 0 to 1 while the vehicle passes, ``blur`` is around 1, ``original`` is the row whose
    features an image has: its own, or an earlier one that it repeats.
    """
    vehicle, camera, taken, asked = _passages(scale, random)
    lengths = _lengths(scale, random)
    passage = np.concatenate([asked, np.repeat(taken, lengths)])
    place = np.concatenate([np.arange(length) for length in lengths])
    moment = np.concatenate([random.random(scale.queries), (place + 0.5) / np.repeat(lengths, lengths)])
    repeats = np.zeros(len(passage), bool)
    repeats[scale.queries :] = (place > 0) & (random.random(scale.gallery) < COPIES)
    return pd.DataFrame(
        {
            "passage": passage,
            "vehicle": vehicle[passage],
            "camera": camera[passage],
            "moment": moment,
            "blur": np.exp(random.normal(0, 0.35, len(passage))).astype(np.float32),
            "original": np.maximum.accumulate(np.where(repeats, 0, np.arange(len(passage)))),
        }
    )


def _passages(scale: Size, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Vehicle and camera of every possible passage, which of them the gallery has, and which queries show."""
    vehicle = np.repeat(np.arange(scale.vehicles), scale.cameras)
    camera = random.permuted(np.tile(np.arange(scale.cameras), (scale.vehicles, 1)), axis=1).ravel()
    first = np.arange(scale.vehicles) * scale.cameras  # so that every query has a match
    others = random.permutation(np.setdiff1d(np.arange(len(vehicle)), first))
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


def _looks(scale: Size, images: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
    """(n, LATENT) float32: what every image shows, before a network sees it."""
    vehicle, camera, passage = (images[column].to_numpy() for column in ("vehicle", "camera", "passage"))
    passages = scale.vehicles * scale.cameras

    families = scale.vehicles // 3
    family = random.integers(families, size=scale.vehicles)
    shared = random.uniform(*RESEMBLANCE, families).astype(np.float32)[family, None]
    look = np.sqrt(shared) * _normal(random, families)[family]
    look += np.sqrt(1 - shared) * _normal(random, scale.vehicles)
    image = look[vehicle]

    angle = random.uniform(0, 2 * np.pi, scale.cameras)[camera] + random.normal(0, 0.3, passages)[passage]
    angle += TURN * random.uniform(-1, 1, passages)[passage] * (images["moment"].to_numpy() - 0.5)
    for turned in (np.cos(angle), np.sin(angle)):
        view = VIEW_OF_ALL * _normal(random, 1) + VIEW_OF_ONE * _normal(random, scale.vehicles)
        image += turned.astype(np.float32)[:, None] * view[vehicle]

    image *= (1 + GAIN * _normal(random, scale.cameras))[camera]
    image += (SHIFT * _normal(random, scale.cameras))[camera]
    image += (TRACKLET_ERROR * _normal(random, passages))[passage]
    image += IMAGE_ERROR * images["blur"].to_numpy()[:, None] * _normal(random, len(image))
    return image


def _seen(
    scale: Size, images: pd.DataFrame, looks: np.ndarray, error: float, random: np.random.Generator
) -> np.ndarray:
    """(n, LATENT) looks -> (n, width) float32 features of one network with errors of its own."""
    passage, blur = images["passage"].to_numpy(), images["blur"].to_numpy()
    image = looks * random.uniform(1 - ATTENTION, 1, LATENT).astype(np.float32)
    image += (0.6 * error * _normal(random, scale.vehicles * scale.cameras))[passage]
    image += error * blur[:, None] * _normal(random, len(image))
    image *= (1 + np.arange(LATENT, dtype=np.float32) / DECAY) ** -0.5
    # Whole numbers and signs: every sum is exact, so neither BLAS nor the number of threads shows.
    signs = random.choice(np.array([-1, 1], np.float32), (LATENT, scale.width))
    output = np.rint(GRID * image) @ signs
    output += random.integers(-GRAIN * GRID, GRAIN * GRID + 1, output.shape, np.int32)
    length = np.sqrt(np.square(output, dtype=np.float64).sum(axis=1))
    return output / (length * (1 + 0.15 * blur)).astype(np.float32)[:, None]


def _normal(random: np.random.Generator, rows: int) -> np.ndarray:
    return random.standard_normal((rows, LATENT), np.float32)


def _table(images: pd.DataFrame, pid: np.ndarray) -> pd.DataFrame:
    """Names in the order of the rows; ``passage`` is kept for the tracks of a gallery."""
    table = images.reset_index(drop=True)
    return pd.DataFrame(
        {
            "name": [f"{number:06d}.jpg" for number in range(1, len(table) + 1)],
            "pid": pid[table["vehicle"]],
            "cam": 1 + table["camera"],
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
