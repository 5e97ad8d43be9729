"""What images show and what networks make of it, the same for every kind of city.

Images are a table with one row an image: ``who`` (identity), ``camera`` and ``passage`` (numbers from 0),
``moment`` (0 to 1 while somebody passes), ``blur`` (around 1) and ``original`` (the row whose features an image
has: its own, or an earlier one that it repeats). What belongs to the place and to its networks is drawn once and
kept in a dictionary, so that a training set is taken by the same cameras and seen by the same networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

LATENT = 128  # values that describe an image before a network sees it, unless a kind has more
DECAY = 8  # the first so many of them stand out
ATTENTION = 0.3  # of what there is to see, a network disregards up to this share
GRAIN = 3  # noise of a network's output
GRID = 64  # one unit, as a whole number
Kept = dict[str, np.ndarray]


@dataclass(frozen=True)
class Strength:
    """How strong each thing is that makes features hard."""

    resemblance: tuple[float, float] = (0.3, 0.9)  # share of its looks that somebody has from look-alikes
    view_of_all: float = 0.4  # what a viewpoint does to everybody alike
    view_of_one: float = 0.35  # and to this one
    turn: float = 1.2  # radians that somebody may turn while passing
    shift: float = 0.3  # of a camera: added to an image
    gain: float = 0.25  # and multiplied with it
    passage_error: float = 0.3  # light and background
    image_error: float = 0.7  # pose and occlusion
    uneven: float = 0.0  # deviation of the logarithm of a passage's error: some are easy, some hopeless
    common: float = 0.0  # what all images have in common; who shows little else is near everybody, a hub
    contrast: float = 0.0  # deviation of the logarithm of how much an image shows beside it
    own: float = 1.0  # how much of its errors a network shares with no other
    latent: int = LATENT
    family: int = 3  # look-alikes, on average


@dataclass(frozen=True)
class Shown:
    """What images show: ``image`` (n, LATENT), ``angle`` (n,) from which they are taken, and, one row an identity,
    ``look`` (people, LATENT) and ``family`` (people,) of look-alikes."""

    image: np.ndarray
    angle: np.ndarray
    look: np.ndarray
    family: np.ndarray


def shown(
    images: pd.DataFrame,
    counts: tuple[int, int, int],
    strength: Strength,
    random: np.random.Generator,
    kept: Kept,
) -> Shown:
    """What every image shows, before a network sees it; ``counts`` of identities, cameras, passages."""
    people, cameras, passages = counts
    who, camera, passage = (images[column].to_numpy() for column in ("who", "camera", "passage"))

    families = people // strength.family
    family = random.integers(families, size=people)
    shared = random.uniform(*strength.resemblance, families).astype(np.float32)[family, None]
    drawn = partial(normal, random, width=strength.latent)
    look = np.sqrt(shared) * drawn(families)[family]
    look += np.sqrt(1 - shared) * drawn(people)
    if strength.contrast:
        look *= np.exp(strength.contrast * normal(random, people, 1))
    image = look[who]

    away = keep(kept, "angle", lambda: random.uniform(0, 2 * np.pi, cameras))
    angle = away[camera] + random.normal(0, 0.3, passages)[passage]
    angle += strength.turn * random.uniform(-1, 1, passages)[passage] * (images["moment"].to_numpy() - 0.5)
    for name, turned in (("cos", np.cos(angle)), ("sin", np.sin(angle))):
        of_all = keep(kept, name, lambda: drawn(1))
        view = strength.view_of_all * of_all + strength.view_of_one * drawn(people)
        image += turned.astype(np.float32)[:, None] * view[who]

    image *= keep(kept, "gain", lambda: 1 + strength.gain * drawn(cameras))[camera]
    image += keep(kept, "shift", lambda: strength.shift * drawn(cameras))[camera]
    error = strength.passage_error * drawn(passages)
    if strength.uneven:
        error *= np.exp(strength.uneven * normal(random, passages, 1))
    image += error[passage]
    image += strength.image_error * images["blur"].to_numpy()[:, None] * drawn(len(image))
    if strength.common:
        image += strength.common * keep(kept, "common", lambda: drawn(1))
    return Shown(image, angle, look, family)


def seen(
    images: pd.DataFrame,
    looks: np.ndarray,
    error: float,
    passages: int,
    width: int,
    random: np.random.Generator,
    kept: Kept,
) -> np.ndarray:
    """(n, latent) looks -> (n, width) float32 features of one network with errors of its own."""
    passage, blur, latent = images["passage"].to_numpy(), images["blur"].to_numpy(), looks.shape[1]
    image = looks * keep(kept, "attention", lambda: _attention(random, latent))
    image += (0.6 * error * normal(random, passages, latent))[passage]
    image += error * blur[:, None] * normal(random, len(image), latent)
    image *= (1 + np.arange(latent, dtype=np.float32) / DECAY) ** -0.5
    output = exact(image, keep(kept, "signs", lambda: signs(random, latent, width)))
    output += random.integers(-GRAIN * GRID, GRAIN * GRID + 1, output.shape, np.int32)
    return output / (lengths(output) * (1 + 0.15 * blur)).astype(np.float32)[:, None]


def _attention(random: np.random.Generator, latent: int) -> np.ndarray:
    return random.uniform(1 - ATTENTION, 1, latent).astype(np.float32)


def signs(random: np.random.Generator, rows: int, width: int) -> np.ndarray:
    """(rows, width) of -1 and 1."""
    return random.choice(np.array([-1, 1], np.float32), (rows, width))


def exact(rows: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Product of whole numbers and signs: every sum is exact, so neither BLAS nor the number of threads shows."""
    return np.rint(GRID * rows) @ directions


def lengths(rows: np.ndarray) -> np.ndarray:
    """(n,) float64 Euclidean lengths."""
    return np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32."""
    return (rows / lengths(rows)[:, None]).astype(np.float32)


def normal(random: np.random.Generator, rows: int, width: int = LATENT) -> np.ndarray:
    """(rows, width) float32, standard normal."""
    return random.standard_normal((rows, width), np.float32)


def keep(kept: Kept, name: str, draw: Callable[[], np.ndarray]) -> np.ndarray:
    """What is kept under a name, drawn when it is first asked for."""
    if name not in kept:
        kept[name] = draw()
    return kept[name]
