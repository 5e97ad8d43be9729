"""Real sets cut in many ways: how many images an identity has, who is asked for, from which side.

Neighbourhood methods live on matches. So each real set is tried as it is, with 1, 2, 3 and 5 gallery images of an
identity, with strangers in the gallery, with few queries, and from one camera to another only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.city import KINDS, city
from postproc import l2_normalize

CNNS = ("osnet_x0_25", "omz0288", "omz0287", "omz0286", "omz0277")
IMAGES = (1, 2, 3, 5)
FEW = (40, 120)  # identities that are asked for


@dataclass(frozen=True)
class Variant:
    """Features of unit length and labels; ``family`` is the set. Without a gallery, each against all others."""

    family: str
    name: str
    query: np.ndarray
    gallery: np.ndarray | None
    labels: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # query pid, gallery pid, query cam, gallery cam


def of_real_sets(folder: Path, models: int = 5) -> Iterator[Variant]:
    """All variants of the sets in ``folder``; of ``models`` CNNs each, and of all five side by side."""
    for family, file in (("VIPeR", "viper_feats"), ("CUHK01", "cuhk01_feats"), ("CUHK03", "cuhk03_train_feats")):
        data = np.load(folder / f"{file}.npz")
        features = {model: l2_normalize(data[model].astype(np.float32)) for model in CNNS}
        joined = np.concatenate([features[model] for model in CNNS], axis=1) / np.sqrt(len(CNNS))
        for model in (*CNNS[-models:], "all five"):
            for name, query, gallery in _cuts(data["id"], data["cam"]):
                x = features.get(model, joined)
                yield _variant(family, f"{model}, {name}", x, data["id"], data["cam"], query, gallery)
    for number in (1, 2):
        data = np.load(folder / f"omniglot_small{number}.npz")
        ink = np.unpackbits(data["img"])[: np.prod(data["shape"])].reshape(data["shape"]).astype(np.float32)
        x = l2_normalize(blurred(ink).reshape(len(ink), -1))
        for name, query, gallery in _cuts(data["label"], data["drawer"], queries=3):
            yield _variant("Omniglot", f"{number}, {name}", x, data["label"], data["drawer"], query, gallery)
    data = np.load(folder / "sketchreid_osnet512.npz")
    query, gallery = (l2_normalize(data[f"{side}_feat"].astype(np.float32)) for side in ("query", "gallery"))
    labels = tuple(data[f"{side}_{what}"] for what in ("id", "cam") for side in ("query", "gallery"))
    yield Variant("sketches", "osnet", query, gallery, labels)  # type: ignore[arg-type]


def of_cities(seeds: Sequence[int] = (0,)) -> Iterator[Variant]:
    """Small drawn cities of every kind: the first model, and all side by side."""
    for kind in KINDS:
        for seed in seeds:
            made = city("small", seed, kind=kind)
            models = [tuple(map(l2_normalize, sides[:2])) for sides in made.features.values()]
            joined = tuple(l2_normalize(np.concatenate(side, axis=1)) for side in zip(*models, strict=True))
            tables = made.query, made.gallery
            pid = [table.pid.to_numpy() for table in tables]
            cam = [  # a kind without cameras: all of them may be answers
                table.cam.to_numpy() if "cam" in table else np.full(len(table), side)
                for side, table in enumerate(tables)
            ]
            for name, (query, gallery) in (("one model", models[0]), ("all models", joined)):
                yield Variant(f"drawn {kind}"[:13], f"{name}, seed {seed}", query, gallery, (*pid, *cam))  # type: ignore[arg-type]


def _variant(
    family: str, name: str, x: np.ndarray, pid: np.ndarray, cam: np.ndarray, query: np.ndarray, gallery: np.ndarray
) -> Variant:
    return Variant(family, name, x[query], x[gallery], (pid[query], pid[gallery], cam[query], cam[gallery]))


def _cuts(
    pid: np.ndarray, cam: np.ndarray, *, queries: int = 1, seed: int = 0
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, query rows, gallery rows). A query is the first image of an identity by one camera.

    queries: how many cameras of an identity ask, in "both ways" all but where that would leave no gallery.
    """
    random = np.random.default_rng(seed)
    cameras = np.unique(cam)
    asks = cameras[: max(queries, len(cameras) // 2)]
    rows = random.permutation(len(pid))
    _, first = np.unique(np.stack([pid[rows], cam[rows]]), axis=1, return_index=True)
    one_each = np.sort(rows[first])  # of every identity and camera
    several = len(pid) > 2.5 * len(np.unique(pid))
    one_way = one_each[np.isin(cam[one_each], asks)]
    others = np.flatnonzero(~np.isin(cam, asks))
    yield "one way", one_way, others
    turned = one_each[~np.isin(cam[one_each], asks)]
    if len(cameras) == 2:
        yield "the other way", turned, np.flatnonzero(np.isin(cam, asks))
    people = random.permutation(np.unique(pid))
    for count in FEW:
        if count < len(people):
            yield f"{count} asked for, one way", one_way[np.isin(pid[one_way], people[:count])], others
    half = np.isin(pid[one_way], people[: len(people) // 2])
    yield "half asked for", one_way[half], others
    if not several:
        return
    both = one_each if len(cameras) == 2 else one_way
    gallery = np.setdiff1d(np.arange(len(pid)), both)
    yield "both ways", both, gallery
    yield "both ways, half asked for", both[np.isin(pid[both], people[: len(people) // 2])], gallery
    for count in IMAGES:
        for way, ask, among in (("one way", one_way, others), ("both ways", both, gallery)):
            kept = _some_of_each(random, among, pid[among], count)
            if len(kept) < 0.95 * len(among):
                yield f"{count} images, {way}", ask, kept


def _some_of_each(random: np.random.Generator, rows: np.ndarray, pid: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` rows of every identity."""
    order = random.permutation(len(rows))
    ranked = order[np.argsort(pid[order], kind="stable")]
    starts = np.r_[0, np.flatnonzero(np.diff(pid[ranked])) + 1]
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    return np.sort(rows[ranked[place < count]])


def blurred(ink: np.ndarray, side: int = 16) -> np.ndarray:
    """Characters on a coarse grid of (side, side) means, around their centre of mass."""
    count, height, width = ink.shape
    rows, columns = (np.arange(size, dtype=np.float32) for size in (height, width))
    total = np.maximum(ink.sum(axis=(1, 2)), 1)
    y = (ink.sum(axis=2) @ rows / total).round().astype(int) - height // 2
    x = (ink.sum(axis=1) @ columns / total).round().astype(int) - width // 2
    moved = np.stack([np.roll(one, (-dy, -dx), (0, 1)) for one, dy, dx in zip(ink, y, x, strict=True)])
    step = height // side
    cut = moved[:, : side * step, : side * step].reshape(count, side, step, side, step)
    return cut.mean(axis=(2, 4))
