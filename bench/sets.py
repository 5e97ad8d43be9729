"""The sets on which techniques are compared: a made-up city, its cameras true or partly wrong, and real features.

The streets are made up too and have what the city lacks: times, scenes, orientation, quality, a training set.
DIR holds ``viper_feats.npz``, ``cuhk01_feats.npz`` and ``cuhk03_train_feats.npz`` (CNN features, ``id``, ``cam``;
published splits of CUHK01, 0-based), ``sketchreid_osnet512.npz`` (``query_feat``, ``gallery_feat`` and their
labels), ``omniglot_small1.npz`` and ``omniglot_small2.npz`` (packed characters, ``label``, ``drawer``) and
``lion_feats.npz`` (CNN features, ``id``, one set).
"""

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import postproc
from bench.variants import blurred

State = dict[str, Any]
LABELS = ("query_pid", "gallery_pid", "query_cam", "gallery_cam")
MADE_UP = ("city", "city, 10% wrong", "city, 30% wrong", "streets")
REAL = ("VIPeR", "CUHK01", "CUHK03", "Omniglot 1", "Omniglot 2", "SketchReID", "lions")
WRONG = (0.0, 0.1, 0.3)  # shares of the cameras that a technique is told wrongly; scores know the true ones


def labels(data: State) -> Iterator[np.ndarray]:
    """What scores are computed from; a set without cameras has -1, unknown, everywhere."""
    for name in LABELS:
        known = data[name.replace("cam", "pid")]
        yield data.get(f"true_{name}", data.get(name, np.full(len(known), -1)))


def streets(seed: int = 0) -> State:
    """Two scenes of four cameras. A person passes three cameras of one scene, with the travel times of each pair,
    and gives a track of six images in each; one more image of a passage is a query. Half of the people are for
    training.
    """
    random = np.random.default_rng(seed)
    people, cameras, width, images = 300, 8, 64, 6
    looks, shift = random.normal(size=(people, width)), 0.6 * random.normal(size=(cameras, width))
    turned = 0.7 * random.normal(size=(2, width))  # what an orientation does to everybody
    travel = random.uniform(500, 4000, (cameras, cameras))
    rows: list[tuple[float, ...]] = []
    for person in range(people):
        scene, time = person % 2, random.uniform(0, 30_000)
        seen = 4 * scene + random.permutation(4)[:3]
        for place, camera in enumerate(seen):
            time += travel[seen[place - 1], camera] * random.normal(1, 0.1) if place else 0
            angle = random.uniform(0, 2 * np.pi)
            for _ in range(images + 1):
                rows.append((person, camera, 3 * person + place, time, angle, random.uniform(0.5, 2.5)))
    person, camera, track = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    time, angle, blur = (np.array([row[i] for row in rows]) for i in range(3, 6))
    view = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    noise = blur[:, None] * random.normal(size=(len(rows), width))
    features = postproc.l2_normalize((looks[person] + shift[camera] + view @ turned + noise).astype(np.float32))
    aux = postproc.l2_normalize((view + 0.1 * random.normal(size=view.shape)).astype(np.float32))
    asked, learn = np.arange(len(rows)) % (3 * (images + 1)) == images, person >= people // 2
    state: State = {}
    for side, of in (("query", asked & ~learn), ("gallery", ~asked & ~learn), ("train", learn)):
        state |= {side: features[of], f"{side}_pid": person[of], f"{side}_cam": camera[of]}
        state |= {
            f"{side}_frame": time[of].astype(np.int64),
            f"{side}_scene": camera[of] // 4,
            f"{side}_aux": aux[of],
        }
        state |= {f"{side}_quality": (30_000 / blur[of] ** 2).astype(np.float32), f"{side}_track": track[of]}
    return {name: value for name, value in state.items() if name not in ("query_track", "train_track")}


def worlds(folder: Path | None, names: Container[str] = (*MADE_UP, *REAL)) -> Iterator[tuple[str, State]]:
    """The sets of these names, one after the other; those that are real only where there is a folder."""
    if any(name in names for name in MADE_UP[:-1]):
        yield from ((name, state) for name, state in cities() if name in names)
    if "streets" in names:
        yield "streets", streets()
    if folder is not None:
        yield from ((name, real(folder, name)) for name in REAL if name in names)


def cities() -> Iterator[tuple[str, State]]:
    """The small city, all models side by side; its cameras as they are, and told wrongly."""
    from ensemble.city import city

    made = city("small")
    models = list(made.features.values())
    sides = {
        side: np.concatenate([postproc.l2_normalize(model[i]) / 2 for model in models], axis=1)  # four: length 1
        for i, side in enumerate(("query", "gallery"))
    }
    state = sides | labelled(made.query, "query") | labelled(made.gallery, "gallery")
    state["gallery_track"] = made.gallery["track"].to_numpy(np.int64)
    for name, wrong in zip(MADE_UP, WRONG, strict=False):
        yield name, state | told(state, wrong)


def real(folder: Path, name: str) -> State:
    """A real set; half of the identities to learn from, but for CUHK01, which has splits, and small sets."""
    if name == "VIPeR":
        viper = np.load(folder / "viper_feats.npz")
        learn = half(viper["id"])
        return between_cameras(viper, "omz0277", np.flatnonzero(learn), np.flatnonzero(~learn))
    if name == "CUHK01":
        cuhk = np.load(folder / "cuhk01_feats.npz")
        learn, test = (cuhk[f"CUHK01M2_{part}_index"][0] for part in ("train", "test"))  # 0-based
        return between_cameras(cuhk, "omz0288", learn, test)
    if name == "CUHK03":
        cuhk = np.load(folder / "cuhk03_train_feats.npz")
        return both_ways(postproc.l2_normalize(cuhk["omz0277"].astype(np.float32)), cuhk["id"], cuhk["cam"])
    if name.startswith("Omniglot"):
        drawn = np.load(folder / f"omniglot_small{name[-1]}.npz")
        ink = np.unpackbits(drawn["img"])[: np.prod(drawn["shape"])].reshape(drawn["shape"]).astype(np.float32)
        x = postproc.l2_normalize(blurred(ink).reshape(len(ink), -1))
        return both_ways(x, drawn["label"], drawn["drawer"], askers=3)
    if name == "lions":
        lions = np.load(folder / "lion_feats.npz")
        x = postproc.l2_normalize(lions["osnet_x0_25_msmt17"].astype(np.float32))
        pid = np.unique(lions["id"], return_inverse=True)[1]
        return {"query": x, "gallery": x, "query_pid": pid, "gallery_pid": pid, "one_set": True}
    sketch = np.load(folder / "sketchreid_osnet512.npz")
    state: State = {side: postproc.l2_normalize(sketch[f"{side}_feat"]) for side in ("query", "gallery")}
    for side in ("query", "gallery"):
        state |= {f"{side}_pid": sketch[f"{side}_id"], f"{side}_cam": sketch[f"{side}_cam"]}
    return state


def half(pid: np.ndarray) -> np.ndarray:
    """Which images are of the half of the identities that one may learn from."""
    people = np.random.default_rng(0).permutation(np.unique(pid))
    return np.isin(pid, people[: len(people) // 2])


def both_ways(x: np.ndarray, pid: np.ndarray, cam: np.ndarray, askers: int | None = None) -> State:
    """Half of the identities to learn from; of the others the first image by each camera (of the first ``askers``)
    is a query, and the rest is the gallery."""
    cameras = np.unique(cam)[:askers]
    _, first = np.unique(np.stack([pid, cam]), axis=1, return_index=True)
    asks = np.isin(np.arange(len(pid)), first) & np.isin(cam, cameras)
    learn = half(pid)
    state: State = {}
    for side, rows in (("query", asks & ~learn), ("gallery", ~asks & ~learn), ("train", learn)):
        state[side] = x[rows]
        state |= {f"{side}_pid": pid[rows].astype(np.int64), f"{side}_cam": cam[rows].astype(np.int64)}
    return state


def between_cameras(data: Any, model: str, learn: np.ndarray, test: np.ndarray) -> State:
    """The first camera's images as queries, the others' as gallery; ``learn`` are the rows of the training set."""
    first = data["cam"][test] == data["cam"][test].min()
    state: State = {}
    for side, rows in (("query", test[first]), ("gallery", test[~first]), ("train", learn)):
        state[side] = postproc.l2_normalize(data[model][rows].astype(np.float32))
        state |= {
            f"{side}_pid": data["id"][rows].astype(np.int64),
            f"{side}_cam": data["cam"][rows].astype(np.int64),
        }
    return state


def labelled(table: Any, side: str) -> State:
    return {f"{side}_{column}": table[column].to_numpy(np.int64) for column in ("pid", "cam")}


def told(state: State, wrong: float) -> State:
    """Cameras of which a share is another one, and how likely each camera then is."""
    random, found = np.random.default_rng(0), {}
    count = 1 + max(state[f"{side}_cam"].max() for side in ("query", "gallery"))
    for side in ("query", "gallery"):
        true = state[f"{side}_cam"]
        other = (true + random.integers(1, count, len(true))) % count
        cam = np.where(random.random(len(true)) < wrong, other, true)
        likely = np.full((len(true), count), wrong / (count - 1), np.float32)
        likely[np.arange(len(true)), cam] = 1 - wrong
        found |= {f"true_{side}_cam": true, f"{side}_cam": cam, f"{side}_cam_prob": likely}
    return found
