"""When somebody passes which camera: cameras lie along a road, and people take their time from one to the next."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Clock:
    """In frames: how long the whole way takes, when people set out, how long somebody is in sight.

    ``pace`` is by how much speeds differ (deviation of the logarithm). Everybody passes within one of
    ``sequences``, each ``period`` frames long.
    """

    way: int = 20_000
    period: int = 60_000
    sight: int = 60
    pace: float = 0.15
    sequences: int = 1


@dataclass(frozen=True, eq=False)
class Road:
    """Where each camera lies along the road, in frames of somebody of the usual speed, and everybody's pace;
    below 0: the other way."""

    place: np.ndarray
    pace: np.ndarray


def road(counts: tuple[int, int], clock: Clock, random: np.random.Generator) -> Road:
    """The road of a city, which :func:`frames` draws first; ``counts`` of identities and cameras."""
    people, cameras = counts
    place = clock.way * random.permutation(cameras) / cameras
    return Road(place, np.exp(random.normal(0, clock.pace, people)) * random.choice([-1, 1], people))


def frames(images: pd.DataFrame, counts: tuple[int, int], clock: Clock, random: np.random.Generator) -> np.ndarray:
    """(n,) int64 frame of every image, 0 or more; ``counts`` of identities and cameras.

    ``arrival = start ± place of the camera * pace``, plus a little; both ways along the road are taken.
    """
    people, _ = counts
    who, camera, passage = (images[column].to_numpy() for column in ("who", "camera", "passage"))
    passages = 1 + passage.max()
    drawn = road(counts, clock, random)
    place, pace = drawn.place, drawn.pace
    span = np.abs(pace) * clock.way  # who comes the other way starts later, to be seen within the sequence
    free = np.maximum(clock.period - span - 2 * clock.sight, 1)
    start = random.random(people) * free + np.where(pace < 0, span, 0)
    sequence = random.integers(clock.sequences, size=people)
    arrival = start[who] + pace[who] * place[camera]
    arrival += (clock.way / 100 * random.standard_normal(passages))[passage]
    sight = (clock.sight * random.uniform(0.5, 1.5, passages))[passage]
    frame = np.rint(arrival + images["moment"].to_numpy() * sight).astype(np.int64)
    return sequence[who] * clock.period + np.clip(frame, 0, clock.period - 1)
