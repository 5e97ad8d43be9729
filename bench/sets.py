"""The sets on which techniques are compared: a made-up city, its cameras true or partly wrong, and real features.

The streets are made up too and have what the city lacks: times, scenes, orientation, quality, a training set.
DIR holds ``viper_feats.npz`` and ``cuhk01_feats.npz`` (CNN features, ``id``, ``cam``; published splits of CUHK01,
0-based) and ``sketchreid_osnet512.npz`` (``query_feat``, ``gallery_feat`` and their labels).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import postproc

State = dict[str, Any]
LABELS = ("query_pid", "gallery_pid", "query_cam", "gallery_cam")
WRONG = (0.0, 0.1, 0.3)  # shares of the cameras that a technique is told wrongly; scores know the true ones


def labels(data: State) -> Iterator[np.ndarray]:
    """What scores are computed from."""
    return (data.get(f"true_{name}", data[name]) for name in LABELS)


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


def worlds(folder: Path | None) -> Iterator[tuple[str, State]]:
    """The city, and the real sets of a folder: camera against camera, half of the people to learn from."""
    from ensemble.city import city

    made = city("small")
    models = list(made.features.values())
    sides = {
        side: np.concatenate([postproc.l2_normalize(model[i]) / 2 for model in models], axis=1)  # four: length 1
        for i, side in enumerate(("query", "gallery"))
    }
    state = sides | labelled(made.query, "query") | labelled(made.gallery, "gallery")
    state["gallery_track"] = made.gallery["track"].to_numpy(np.int64)
    for wrong in WRONG:
        yield f"city, {wrong:.0%} wrong" if wrong else "city", state | told(state, wrong)
    yield "streets", streets()
    if folder is None:
        return
    viper = np.load(folder / "viper_feats.npz")
    people = np.random.default_rng(0).permutation(np.unique(viper["id"]))
    learn = np.isin(viper["id"], people[: len(people) // 2])
    yield "VIPeR", between_cameras(viper, "omz0277", np.flatnonzero(learn), np.flatnonzero(~learn))
    cuhk = np.load(folder / "cuhk01_feats.npz")
    learn, test = (cuhk[f"CUHK01M2_{part}_index"][0] for part in ("train", "test"))  # 0-based
    yield "CUHK01", between_cameras(cuhk, "omz0288", learn, test)
    sketch = np.load(folder / "sketchreid_osnet512.npz")
    state = {side: postproc.l2_normalize(sketch[f"{side}_feat"]) for side in ("query", "gallery")}
    for side in ("query", "gallery"):
        state |= {f"{side}_pid": sketch[f"{side}_id"], f"{side}_cam": sketch[f"{side}_cam"]}
    yield "SketchReID", state


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
