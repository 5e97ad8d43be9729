"""What is known about images beside their looks: times, crops, told cameras, and side models.

All of it is drawn from generators of its own, one a subject, so that nothing here changes what images look like.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ensemble.city import side
from ensemble.city.images import Shown
from ensemble.city.times import Clock, frames
from ensemble.city.value import City

AREA_OF_CAMERA, AREA_OF_IMAGE = 0.5, 0.35  # how much crops vary, as deviations of the logarithm of their area
COLUMNS = ("name", "pid", "cam", "cam_predicted", "track", "order", "frame", "scene", "quality", *side.CLASSES)
TIMES, AREAS, CAMERAS, ORIENTATION, ATTRIBUTES, PARTS = range(3, 9)  # the generators


@dataclass(frozen=True)
class Scene:
    """What a kind of city has: the number of every camera, the usual crop of each in pixels, a clock or no times,
    how many cameras are told wrongly, and whether there are attributes and parts."""

    cameras: np.ndarray
    area: np.ndarray
    clock: Clock | None
    unknown: float
    wrong: float
    vehicles: bool


def joined(parts: list[tuple[pd.DataFrame, Shown]]) -> tuple[pd.DataFrame, Shown]:
    """Images of several sets in one table with the column ``angle``, identities and passages numbered through."""
    tables, people, passages, families, before = [], 0, 0, 0, 0
    family = []
    for images, shown in parts:
        tables.append(
            images.assign(
                who=images["who"] + people,
                passage=images["passage"] + passages,
                original=images["original"] + before,
                angle=shown.angle,
            )
        )
        family.append(shown.family + families)
        people, passages = people + len(shown.look), passages + 1 + images["passage"].max()
        families, before = families + 1 + shown.family.max(), before + len(images)
    looks = [shown for _, shown in parts]
    everybody = Shown(
        image=np.empty((0, 0), np.float32),
        angle=np.concatenate([one.angle for one in looks]),
        look=np.vstack([one.look for one in looks]),
        family=np.concatenate(family),
    )
    return pd.concat(tables, ignore_index=True), everybody


def surrounded(
    made: City, images: pd.DataFrame, everybody: Shown, rows: dict[str, np.ndarray], scene: Scene, seed: int
) -> City:
    """The city with the columns ``cam_predicted frame quality``, side models and what goes with them.

    ``rows[name]`` are the images of the rows of a table. A repeated image is told as the one it repeats, but has a
    time of its own.
    """
    random = {tag: np.random.Generator(np.random.PCG64([seed, tag])) for tag in range(TIMES, PARTS + 1)}
    original = images["original"].to_numpy()
    same = {name: original[of] for name, of in rows.items()}
    people, cameras = len(everybody.look), len(scene.cameras)
    told = side.told(images, cameras, scene.unknown, scene.wrong, random[CAMERAS])
    said = np.where(told.camera == -1, -1, scene.cameras[told.camera])
    when = frames(images, (people, cameras), scene.clock, random[TIMES]) if scene.clock else None
    area = crops(images, scene.area, random[AREAS])
    tables = {name: getattr(made, name).copy() for name in rows}
    for name, table in tables.items():
        if name != "train":
            table["cam_predicted"] = said[same[name]]
        if when is not None:
            table["frame"] = when[rows[name]]
        table["quality"] = area[same[name]]

    models = {
        model: side.camera_features(images, told, cameras, error, random[CAMERAS])
        for model, error in side.CAMERA_MODELS.items()
    }
    models["orientation"] = side.orientation_features(images, random[ORIENTATION])
    confusions: dict[str, np.ndarray] = {}
    if scene.vehicles:
        truth = side.true_attributes(everybody.family, random[ATTRIBUTES])
        models["attributes"] = side.attribute_probabilities(images, truth, random[ATTRIBUTES])
        for part in side.PARTS:
            models[f"parts_{part}"] = side.part_features(images, everybody.look, part, random[PARTS])
        learnt = images["who"].to_numpy()[rows["train"]]
        for attribute, of_attribute in truth.items():
            tables["train"][attribute] = of_attribute[learnt]
        confusions = side.confusions(tables["train"], models["attributes"][rows["train"]])
    tables = {name: table[[column for column in COLUMNS if column in table]] for name, table in tables.items()}
    sides = {
        model: (found[same["query"]], found[same["gallery"]], found[same["train"]])
        for model, found in models.items()
    }
    return replace(made, **tables, side=sides, confusions=confusions)


def crops(images: pd.DataFrame, usual: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(n,) int64 area in pixels: half the side, twice the blur, and what a camera and an image add to it."""
    of_camera = usual * np.exp(random.normal(0, AREA_OF_CAMERA, len(usual)))
    area = of_camera[images["camera"].to_numpy()] / images["blur"].to_numpy(np.float64) ** 2
    return np.maximum(area * np.exp(random.normal(0, AREA_OF_IMAGE, len(images))), 300).astype(np.int64)
