"""Side models: what networks tell that were trained on something else than identity.

Camera networks know the background, an orientation network the angle, an attribute classifier mixes up classes
that look alike, and part networks give a feature of each part that can be seen. Cameras are told with errors: as
one passes in front of one background, half of them come passage by passage.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import hadamard

from ensemble.city.images import LATENT, exact, normal, signs, unit

CAMERA_MODELS, CAMERA_WIDTH = {"camera_a": 0.15, "camera_b": 0.25}, 32  # each network's errors
HARMONICS, TURNED, ORIENTATION_ERROR = 4, 0.4, 0.06  # radians that a passage is told wrongly; of an image
CLASSES = {"type": 7, "brand": 30, "colour": 9}
FROM_FAMILY = {"type": 0.97, "brand": 0.92, "colour": 0.85}  # how often look-alikes share a class
MIXED_UP = {"type": 0.08, "brand": 0.2, "colour": 0.12}  # how often a classifier says another class
PARTS = {"front": 0.0, "back": np.pi, "side": np.pi / 2}  # the angle from which a part is seen best
PART_WIDTH, PART_OWN, PART_ERROR = 32, 0.6, 1.5


@dataclass(frozen=True)
class Told:
    """Cameras as they are told, numbers from 0 and -1 unknown, and the camera that each is mixed up with."""

    camera: np.ndarray
    instead: np.ndarray


def told(images: pd.DataFrame, cameras: int, unknown: float, wrong: float, random: np.random.Generator) -> Told:
    """Of the images a share ``unknown`` has no camera and a share ``wrong`` another one."""
    camera, passage = images["camera"].to_numpy(), images["passage"].to_numpy()
    like = (np.arange(cameras) + random.integers(1, max(cameras, 2), cameras)) % cameras  # mixed up most often
    other = (camera + random.integers(1, max(cameras, 2), passage.max() + 1)[passage]) % cameras
    instead = np.where(random.random(passage.max() + 1)[passage] < 0.6, like[camera], other)
    by_passage = random.random(len(images)) < 0.5
    drawn = np.where(by_passage, random.random(passage.max() + 1)[passage], random.random(len(images)))
    said = np.where(drawn < unknown, -1, np.where(drawn < unknown + wrong, instead, camera))
    return Told(said, instead)


def camera_features(
    images: pd.DataFrame, found: Told, cameras: int, error: float, random: np.random.Generator
) -> np.ndarray:
    """(n, CAMERA_WIDTH): the background, half way to another camera's where the camera was not recognised."""
    camera = images["camera"].to_numpy()
    apart = hadamard(CAMERA_WIDTH, np.float32)  # orthogonal rows
    background = apart[random.permutation(CAMERA_WIDTH)[:cameras]] + 0.3 * normal(random, cameras, CAMERA_WIDTH)
    mixed = np.select([found.camera == -1, found.camera != camera], [0.5, 0.7], 0.0).astype(np.float32)[:, None]
    rows = (1 - mixed) * background[camera] + mixed * background[found.instead]
    return unit(rows + error * normal(random, len(images), CAMERA_WIDTH))


def orientation_features(images: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
    """(n, 2 HARMONICS): cosines and sines of the angle and its multiples, the higher the weaker."""
    passage = images["passage"].to_numpy()
    angle = images["angle"].to_numpy() + random.normal(0, TURNED, 1 + passage.max())[passage]
    turned = angle[:, None] * np.arange(1, HARMONICS + 1)
    rows = np.hstack([np.cos(turned), np.sin(turned)]) / np.tile(2.0 ** np.arange(HARMONICS), 2)
    return unit(rows + ORIENTATION_ERROR * normal(random, len(angle), 2 * HARMONICS))


def true_attributes(family: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
    """The class of every vehicle, for each attribute."""
    truth = {}
    for attribute, classes in CLASSES.items():
        common = random.dirichlet(np.full(classes, 0.6))
        shared = random.choice(classes, family.max() + 1, p=common)[family]
        own = random.choice(classes, len(family), p=common)
        truth[attribute] = np.where(random.random(len(family)) < FROM_FAMILY[attribute], shared, own)
    return truth


def attribute_probabilities(
    images: pd.DataFrame, truth: dict[str, np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """(n, classes of all attributes) float32, the attributes side by side, each summing to 1."""
    who, passage, blur = (images[column].to_numpy() for column in ("who", "passage", "blur"))
    blocks = []
    for attribute, classes in CLASSES.items():
        true, rows = truth[attribute][who], np.arange(len(images))
        # the class that each is mixed up with most
        like = (np.arange(classes) + random.integers(1, classes, classes)) % classes
        other = np.where(random.random(len(rows)) < 0.9, like[true], random.integers(classes, size=len(rows)))
        drawn = np.where(
            random.random(len(rows)) < 0.2, random.random(1 + passage.max())[passage], random.random(len(rows))
        )
        said = np.where(drawn < MIXED_UP[attribute] * np.minimum(blur, 2), other, true)
        logits = random.normal(0, 0.7, (len(rows), classes))
        logits[rows, like[true]] += 1.5
        logits[rows, said] += 4
        logits = np.exp(logits)
        blocks.append((logits / logits.sum(axis=1, keepdims=True)).astype(np.float32))
    return np.hstack(blocks)


def confusions(learnt: pd.DataFrame, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Counts (classes, classes) of every attribute: true classes down, most probable classes across."""
    found, start = {}, 0
    for attribute, classes in CLASSES.items():
        said = probabilities[:, start : start + classes].argmax(axis=1)
        found[attribute] = np.zeros((classes, classes), np.int64)
        np.add.at(found[attribute], (learnt[attribute].to_numpy(), said), 1)
        start += classes
    return found


def part_features(images: pd.DataFrame, look: np.ndarray, part: str, random: np.random.Generator) -> np.ndarray:
    """(n, PART_WIDTH): what a part looks like, zeros where the angle hides it."""
    who = images["who"].to_numpy()
    rows = np.sqrt(1 - PART_OWN) * look[who] + np.sqrt(PART_OWN) * normal(random, len(look))[who]
    rows += PART_ERROR * images["blur"].to_numpy()[:, None] * normal(random, len(images))
    features = unit(exact(rows, signs(random, LATENT, PART_WIDTH)))
    turned = np.cos(images["angle"].to_numpy() - PARTS[part])
    visible = np.abs(turned) > 0.4 if part == "side" else turned > 0.2
    return np.where(visible[:, None], features, np.float32(0))
