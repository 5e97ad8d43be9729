"""Real sets and drawn cities, each as one set: every model's features, who it is, which camera.

What the folder of real sets holds: VIPeR, CUHK01, CUHK03 (persons, five trained CNNs), Omniglot (handwriting,
blurred pixels), sketches (one CNN), lions (four descriptors that nobody trained on lions; no cameras), VisDA-2020
(labels alone).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.variants import CNNS, blurred
from ensemble.city import City
from postproc import l2_normalize

PERSONS = {"VIPeR": "viper_feats", "CUHK01": "cuhk01_feats", "CUHK03": "cuhk03_train_feats"}
LIONS = ("efficientnet_lite0", "osnet_x0_25_msmt17", "hog16", "colour8")


@dataclass(frozen=True, eq=False)
class Whole:
    """A set: ``models`` hold features of unit length by name, ``pid`` and ``cam`` go with their rows.

    ``pid`` below 1 is nobody, each image another nobody. Where nobody tells cameras every image has its own.
    """

    name: str
    models: dict[str, np.ndarray]
    pid: np.ndarray
    cam: np.ndarray

    @property
    def has_cameras(self) -> bool:
        """Whether anybody tells cameras."""
        return len(np.unique(self.cam)) < len(self.cam)

    def of(self, rows: np.ndarray) -> "Whole":
        """Some of its images."""
        models = {model: x[rows] for model, x in self.models.items()}
        return Whole(self.name, models, self.pid[rows], self.cam[rows])

    def joined(self) -> np.ndarray:
        """All models side by side, of unit length."""
        return l2_normalize(np.concatenate(list(self.models.values()), axis=1))


def real(folder: Path) -> Iterator[Whole]:
    """The real sets of a folder, persons first."""
    for name, file in PERSONS.items():
        data = np.load(folder / f"{file}.npz")
        yield _whole(name, {model: data[model] for model in CNNS}, data["id"], data["cam"])
    for number in (1, 2):
        data = np.load(folder / f"omniglot_small{number}.npz")
        ink = np.unpackbits(data["img"])[: np.prod(data["shape"])].reshape(data["shape"]).astype(np.float32)
        pixels = {"pixels": blurred(ink).reshape(len(ink), -1)}
        yield _whole(f"Omniglot {number}", pixels, data["label"], data["drawer"])
    data = np.load(folder / "sketchreid_osnet512.npz")
    both = (
        np.concatenate([data[f"{side}_{of}"] for side in ("query", "gallery")]) for of in ("feat", "id", "cam")
    )
    features, pid, cam = both
    yield _whole("sketches", {"osnet": features}, pid, cam)
    data = np.load(folder / "lion_feats.npz")
    models = {model: data[model] for model in LIONS}
    yield _whole("lions", models, np.unique(data["id"], return_inverse=True)[1], np.arange(len(data["id"])))
    data = np.load(folder / "visda2020_val.npz")
    pid, cam = (np.concatenate([data[f"{side}_{of}"] for side in ("query", "gallery")]) for of in ("id", "cam"))
    yield _whole("VisDA-2020", {}, pid, cam)


def drawn(made: City, name: str) -> Whole:
    """Queries and gallery of a city as one set; without spoilt images, which real sets here do not have."""
    sides = made.query, made.gallery
    pid = np.concatenate([side["pid"] for side in sides])
    cam = np.concatenate([side["cam"] for side in sides]) if "cam" in made.query else np.arange(len(pid))
    shown = pid >= 0
    models = {model: l2_normalize(np.concatenate(both)[shown]) for model, both in made.features.items()}
    return Whole(name, models, pid[shown].astype(np.int64), cam[shown].astype(np.int64))


def _whole(name: str, models: dict[str, np.ndarray], pid: np.ndarray, cam: np.ndarray) -> Whole:
    """Labels of real sets start at 0, which is somebody."""
    unit = {model: l2_normalize(np.asarray(x, np.float32)) for model, x in models.items()}
    return Whole(name, unit, 1 + pid.astype(np.int64), cam.astype(np.int64))
