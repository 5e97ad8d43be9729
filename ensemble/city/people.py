"""Cities of people on foot, without tracks: streets, a campus, infrared at night, another domain, a huge crowd.

A person passes some cameras, once or twice each, and every passage gives a few images. In every camera one image
of a person who is seen elsewhere too is a query; the rest is the gallery, where images of the query's own camera,
hardly different from it, are what the junk rule of Market-1501 is for. Detectors leave traces: ``junk`` are spoilt
images of people of the gallery (identity -1), ``distractors`` strangers (identity 0).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ensemble.city.images import LATENT, Kept, Strength, normal, seen, shown
from ensemble.city.surroundings import Scene, joined, surrounded
from ensemble.city.times import Clock
from ensemble.city.value import City

MODELS = {"resnet50": 0.6, "agw": 0.45, "mgn": 0.5}  # each network's own errors
AREA = 8_192  # 128 x 64, the usual crop in pixels
JUNK_BLUR = 3.0
HEAT = 0.5, 0.5  # how much of half of what there is to see infrared leaves, and what it adds of its own


@dataclass(frozen=True)
class Size:
    """How many of everything; ``width`` is the number of values an image and model.

    ``people`` are tested on, ``learners`` others are the training set. A person passes between ``seen[0]`` and
    ``seen[1]`` cameras, a camera again with the chance ``again``, and leaves between ``images[0]`` and
    ``images[1]`` images a passage, times a number of the person's own: ``tail`` is the deviation of its logarithm.
    ``junk`` and ``distractors``: how many for each image of the gallery. ``queries``: the most that are asked.
    """

    people: int
    learners: int
    width: int = 128
    seen: tuple[int, int] = (2, 6)
    images: tuple[int, int] = (2, 6)
    again: float = 0.3
    tail: float = 0.0
    junk: float = 0.0
    distractors: float = 0.0
    queries: int = 1_000_000


@dataclass(frozen=True)
class Kind:
    """What a kind of city of people is like.

    ``cameras`` are their numbers, ``told`` says whether anybody knows them. ``routes`` are sets of cameras that
    one person may pass, none: any. ``asking`` are cameras, infrared ones, all of whose images are queries; none:
    every camera asks. ``blind`` cameras see strangers and the people of the training set. ``unknown`` and
    ``wrong``: shares of the cameras that a classifier does not tell, or tells wrongly.
    """

    name: Callable[[pd.DataFrame, Clock | None], pd.Series]
    sizes: dict[str, Size]
    cameras: tuple[int, ...] = (1,)
    told: bool = True
    strength: Strength = field(default_factory=lambda: Strength(image_error=0.6))
    clock: Clock | None = None
    routes: tuple[tuple[int, ...], ...] = ()
    asking: tuple[int, ...] = ()
    blind: tuple[int, ...] = ()
    unknown: float = 0.1
    wrong: float = 0.05


def people(kind: Kind, scale: Size, seed: int, unknown: float, wrong: float) -> City:
    """A city of people of one kind and size."""
    random = np.random.Generator(np.random.PCG64(seed))
    images, asked = _tested(kind, scale, random)
    learnt = _images(kind, scale, scale.learners, kind.cameras, random)
    place = _place(kind, random)
    sets = []
    features: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    networks: dict[str, Kept] = {model: {} for model in MODELS}
    for table in (images, learnt):
        counts = 1 + table["who"].max(), len(kind.cameras), 1 + table["passage"].max()
        sets.append((table, shown(table, counts, kind.strength, random, place)))
        for model, error in MODELS.items():
            found = seen(
                table,
                sets[-1][1].image,
                kind.strength.own * error,
                counts[2],
                scale.width,
                random,
                networks[model],
            )
            features[model].append(found)

    query, gallery = random.permutation(np.flatnonzero(asked)), random.permutation(np.flatnonzero(~asked))
    pid = 1 + random.permutation(scale.people + scale.learners)
    learnt["pid"] = pid[scale.people + learnt["who"]]
    known = images["pid"] > 0
    images.loc[known, "pid"] = pid[images["who"][known]]
    numbers = np.array(kind.cameras)
    tables = {
        side: pd.DataFrame({"pid": table["pid"].to_numpy()[of], "cam": numbers[table["camera"].to_numpy()[of]]})
        for side, table, of in (
            ("query", images, query),
            ("gallery", images, gallery),
            ("train", learnt, np.arange(len(learnt))),
        )
    }
    made = City(
        **tables,
        features={model: (found[0][query], found[0][gallery]) for model, found in features.items()},
        train_features={model: found[1] for model, found in features.items()},
        side={},
        confusions={},
    )
    rows = {"query": query, "gallery": gallery, "train": len(images) + np.arange(len(learnt))}
    scene = Scene(numbers, np.full(len(numbers), AREA), kind.clock, unknown, wrong, vehicles=False)
    made = surrounded(made, *joined(sets), rows, scene, seed)
    return _named(made, kind, random)


def _tested(kind: Kind, scale: Size, random: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Images of the people who are looked for, of strangers and spoilt ones, and which of them are queries."""
    eyes = tuple(number for number in kind.cameras if number not in kind.blind)
    images = _images(kind, scale, scale.people, eyes, random)
    who, camera = images["who"].to_numpy(), images["camera"].to_numpy()
    asking = np.isin(camera, [kind.cameras.index(number) for number in kind.asking])
    if kind.asking:
        asked = asking & np.isin(who, who[~asking])
    else:
        # The first image, in a random order, of everybody in every camera.
        order = random.permutation(len(images))
        _, first, images_of = np.unique(
            (who * len(kind.cameras) + camera)[order], return_index=True, return_counts=True
        )
        chosen = order[first]
        cameras = np.bincount(who[chosen])
        left = images_of - 1
        elsewhere = np.bincount(who[chosen], left)[who[chosen]] - left  # what other cameras have, should all ask
        asked = np.zeros(len(images), bool)
        asked[chosen[(cameras[who[chosen]] > 1) & (elsewhere > 0) | (len(kind.cameras) == 1)]] = True
    more = random.permutation(np.flatnonzero(asked))[scale.queries :]
    asked[more] = False
    if kind.asking:
        images, asked = images[asked | ~asking].reset_index(drop=True), asked[asked | ~asking]
    gallery = np.flatnonzero(~asked)

    spoilt = images.iloc[random.choice(gallery, round(scale.junk * len(gallery)))]
    spoilt = spoilt.assign(pid=-1, blur=(JUNK_BLUR * spoilt["blur"]).astype(np.float32))
    strangers = images.iloc[random.choice(gallery, round(scale.distractors * len(gallery)))]
    new = np.arange(len(strangers))
    strangers = strangers.assign(pid=0, who=scale.people + new, passage=1 + images["passage"].max() + new)
    if kind.blind:
        strangers["camera"] = random.integers(len(kind.cameras), size=len(strangers))
    images = pd.concat([images, spoilt, strangers], ignore_index=True)
    images["original"] = np.arange(len(images))
    return images, np.append(asked, np.zeros(len(spoilt) + len(strangers), bool))


def _images(
    kind: Kind, scale: Size, count: int, eyes: tuple[int, ...], random: np.random.Generator
) -> pd.DataFrame:
    """Passage after passage of so many people, by cameras ``eyes``; ``pid`` is 1 for everybody."""
    routes = [[kind.cameras.index(number) for number in route] for route in kind.routes or (eyes,)]
    who: list[int] = []
    camera: list[int] = []
    for person in range(count):
        route = routes[random.integers(len(routes))]
        least, most = (min(number, len(route)) for number in scale.seen)
        passed = random.permutation(route)[: random.integers(least, most + 1)]
        passed = np.append(passed, passed[random.random(len(passed)) < scale.again])
        who += [person] * len(passed)
        camera += passed.tolist()
    lengths = random.integers(scale.images[0], scale.images[1] + 1, len(who))
    if scale.tail:
        often = np.exp(random.normal(0, scale.tail, count))[who]
        lengths = np.maximum(np.rint(lengths * often), 1).astype(int)
    passage = np.repeat(np.arange(len(who)), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    return pd.DataFrame(
        {
            "passage": passage,
            "who": np.array(who)[passage],
            "camera": np.array(camera)[passage],
            "moment": (place + 0.5) / np.repeat(lengths, lengths),
            "blur": np.exp(random.normal(0, 0.35, len(passage))).astype(np.float32),
            "original": np.arange(len(passage)),
            "pid": 1,
        }
    )


def _place(kind: Kind, random: np.random.Generator) -> Kept:
    """Infrared cameras do not see half of what there is, and all of them add the same; others are as drawn."""
    if not kind.asking:
        return {}
    count, dark = len(kind.cameras), np.isin(kind.cameras, kind.asking)
    gain = 1 + kind.strength.gain * normal(random, count)
    shift = kind.strength.shift * normal(random, count)
    left, added = HEAT
    gain[dark] *= np.where(random.random(LATENT) < 0.5, left, 1).astype(np.float32)
    shift[dark] += added * normal(random, 1)
    return {"gain": gain, "shift": shift}


def _named(made: City, kind: Kind, random: np.random.Generator) -> City:
    """With names, which no two images share; without cameras and side models where nobody tells cameras."""
    both = pd.concat([made.query, made.gallery, made.train], ignore_index=True)
    both["number"] = random.permutation(len(both))
    names = kind.name(both, kind.clock).to_numpy()
    tables, start = {}, 0
    for side in ("query", "gallery", "train"):
        table = getattr(made, side)
        table.insert(0, "name", names[start : start + len(table)])
        start += len(table)
        tables[side] = table if kind.told else table.drop(columns=["cam", "cam_predicted"], errors="ignore")
    return replace(made, **tables, side=made.side if kind.told else {})


def market(table: pd.DataFrame, clock: Clock | None) -> pd.Series:
    """``0002_c1s1_000451_03.jpg``: person, camera, sequence, frame, box; without times a number for the frame."""
    period = clock.period if clock else 1_000_000
    frame = table["frame"] if clock else table["number"]
    stem = table["pid"].map(lambda pid: "-1" if pid < 0 else f"{pid:04d}") + table["cam"].map("_c{}s".format)
    stem += (1 + frame // period).map(str) + (frame % period).map("_{:06d}".format)
    return stem + (1 + stem.groupby(stem).cumcount()).map("_{:02d}.jpg".format)


def duke(table: pd.DataFrame, _: Clock | None) -> pd.Series:
    """``0002_c2_f0060540.jpg``: person, camera, frame; a later frame where one is taken."""
    ordered = table.sort_values(["pid", "cam", "frame"], kind="stable")
    who = ordered.groupby(["pid", "cam"])
    place = who.cumcount()
    frame = (ordered["frame"] - place).groupby([ordered["pid"], ordered["cam"]]).cummax() + place
    stem = table["pid"].map("{:04d}".format) + table["cam"].map("_c{}".format)
    return stem + frame.map("_f{:07d}.jpg".format)  # aligned by row


def sysu(table: pd.DataFrame, _: Clock | None) -> pd.Series:
    """``cam1/0002/0003.jpg``: camera, person, number."""
    number = 1 + table.groupby(["pid", "cam"]).cumcount()
    return table["cam"].map("cam{}/".format) + table["pid"].map("{:04d}/".format) + number.map("{:04d}.jpg".format)


def hexadecimal(table: pd.DataFrame, _: Clock | None) -> pd.Series:
    """``9e3779b1.png``: tells nothing."""
    return (table["number"] * 2654435761 % 2**32).map("{:08x}.png".format)


KINDS = {
    "people": Kind(
        name=market,
        cameras=(1, 2, 3, 4, 5, 6),
        clock=Clock(way=20_000, period=75_000, sight=120, sequences=2),
        sizes={
            "small": Size(people=80, learners=80, junk=0.12, distractors=0.15),
            "market1501": Size(people=750, learners=751, width=512, junk=0.14, distractors=0.2),
        },
    ),
    "campus": Kind(
        name=duke,
        cameras=(1, 2, 3, 4, 5, 6, 7, 8),
        clock=Clock(way=40_000, period=180_000, sight=200),
        sizes={
            "small": Size(people=80, learners=80, seen=(2, 5), images=(3, 8)),
            "duke": Size(people=702, learners=702, width=512, seen=(2, 5), images=(3, 8)),
        },
    ),
    "infrared": Kind(
        name=sysu,
        cameras=(1, 2, 3, 4, 5, 6),
        asking=(3, 6),
        sizes={
            "small": Size(people=48, learners=60, seen=(4, 6), images=(6, 10), again=0.0, queries=200),
            "sysu": Size(
                people=96, learners=395, width=512, seen=(4, 6), images=(10, 20), again=0.0, queries=3803
            ),
        },
    ),
    "domain": Kind(
        name=market,
        cameras=(1, 2, 3, 4, 5),
        strength=Strength(shift=0.4, image_error=0.9, view_of_all=0.2),
        routes=((1, 2), (3, 4, 5)),
        unknown=0.0,
        wrong=0.02,
        sizes={
            "small": Size(people=110, learners=60, seen=(2, 3), images=(4, 10)),
            "visda2020": Size(people=500, learners=400, width=512, seen=(2, 3), images=(6, 16)),
        },
    ),
    "crowd": Kind(
        name=hexadecimal,
        told=False,
        strength=Strength(image_error=1.0),
        sizes={
            "small": Size(people=1500, learners=100, seen=(1, 1), images=(2, 5), again=0.0, queries=200),
            "naic": Size(people=20_000, learners=1000, seen=(1, 1), images=(2, 5), again=0.2, queries=2900),
        },
    ),
    "station": Kind(  # fitted to real sets: bench/likeness.py
        name=market,
        cameras=(1, 2, 3, 4, 5, 6),
        blind=(6,),
        strength=Strength(
            resemblance=(0.5, 0.9),
            family=6,
            view_of_all=0.0,
            view_of_one=0.15,
            shift=0.42,
            gain=0.0,
            passage_error=1.3,
            uneven=0.6,
            image_error=0.7,
            common=0.45,
            contrast=0.4,
            own=0.5,
            latent=768,
        ),
        clock=Clock(),
        sizes={
            "small": Size(
                people=280,
                learners=150,
                width=256,
                seen=(2, 3),
                images=(1, 4),
                again=0.2,
                tail=0.7,
                junk=0.05,
                distractors=0.4,
                queries=300,
            ),
        },
    ),
}
