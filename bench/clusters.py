"""Who belongs together on real features: methods, with and without re-ranking, thresholds of other identities.

    python bench/clusters.py DIR [SET ...]

DIR holds the sets as ``../shared/data`` has them. All models of a set side by side, each of unit length, are one.
The identities are dealt out to two halves, each clustered by itself at the threshold that is best, by AMI, on the
other; figures are means of both. ``ari``: average linkage whose threshold is best by ARI in its place. ``seen``:
the threshold that is best on the half itself, which nobody can know. ``union`` knows the cameras where a set shows
everybody once in each.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import postproc
from ensemble.clusters.finder import Finder
from ensemble.clusters.fitting import best
from ensemble.clusters.how import METHODS, How
from ensemble.clusters.one_set import OneSet, nearest_of
from ensemble.scores.clusters import score
from ensemble.scores.folds import split
from postproc.clusters.known_pairs import given

PEOPLE = ("osnet_x0_25", "omz0288", "omz0287", "omz0286", "omz0277")
LION = ("efficientnet_lite0", "osnet_x0_25_msmt17", "hog16", "colour8")
NEIGHBOURS = 50
DISTANCES: dict[str, Any] = {
    "cosine": lambda x: postproc.distances(x, metric="cosine"),
    "k-reciprocal 20/6/.3": lambda x: postproc.rerank(x, k1=20, k2=6, lambda_value=0.3),
    "k-reciprocal 4/2/.3": lambda x: postproc.rerank(x, k1=4, k2=2, lambda_value=0.3),
    "Jaccard 20/6": lambda x: postproc.rerank(x, count_self=True, normalize=False, lambda_value=0),
}
ROWS: dict[str, tuple[str, dict[str, Any], str]] = {  # method, settings, measure
    "average": ("average", {}, "ami"),
    "average, ari": ("average", {}, "ari"),
    "average, seen": ("average", {}, "seen"),
    "complete": ("complete", {}, "ami"),
    "single": ("single", {}, "ami"),
    "mutual k 5": ("components", {"k": 5}, "ami"),
    "union": ("union", {"one_track_per_camera": True}, "ami"),
    "dbscan 2": ("dbscan", {"min_samples": 2}, "ami"),
    "dbscan 4": ("dbscan", {"min_samples": 4}, "ami"),
    "hdbscan 2": ("hdbscan", {"min_cluster_size": 2}, ""),
}
SHORT = ("ami", "ari", "pair_f1", "bcubed_f1")
Columns = dict[str, np.ndarray]


def sets(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, Columns]]:
    """Name, features, identities, and columns of every set."""
    for name, file, models in (
        ("VIPeR", "viper_feats", PEOPLE), ("CUHK01", "cuhk01_feats", PEOPLE),
        ("CUHK03", "cuhk03_train_feats", PEOPLE), ("lions", "lion_feats", LION),
    ):  # fmt: skip
        with np.load(folder / f"{file}.npz") as data:
            once = {"cam": data["cam"], "track": np.arange(len(data["cam"]))} if name == "VIPeR" else {}
            yield name, _joined(data, models), np.unique(data["id"], return_inverse=True)[1], once
    with np.load(folder / "sketchreid_osnet512.npz") as data:
        x = np.concatenate([data["query_feat"], data["gallery_feat"]])
        yield "SketchReID", postproc.l2_normalize(x), np.concatenate([data["query_id"], data["gallery_id"]]), {}
    with np.load(folder / "omniglot_small1.npz") as data:
        shape = tuple(data["shape"])
        ink = np.unpackbits(data["img"])[: np.prod(shape)].reshape(shape)
        yield "Omniglot", _characters(ink), data["label"].astype(np.int64), {}


def _joined(data: Any, models: tuple[str, ...]) -> np.ndarray:
    return np.concatenate([postproc.l2_normalize(data[model].astype(np.float32)) for model in models], axis=1)


def _characters(ink: np.ndarray) -> np.ndarray:
    """HOG at two scales of the centred characters."""
    from skimage.feature import hog

    from bench.characters import _centred

    images = [np.asarray(_centred(character)) for character in ink]
    sides = [
        np.array(
            [hog(image, pixels_per_cell=(cell, cell), cells_per_block=(2, 2)) for image in images], np.float32
        )
        for cell in (4, 8)
    ]
    return np.concatenate([postproc.l2_normalize(side) for side in sides], axis=1)


def judged(halves: list[OneSet], row: str) -> dict[str, float] | None:
    """The mean scores of both halves, each at the threshold of the other."""
    method, settings, measure = ROWS[row]
    how = How(METHODS[method].name, {**METHODS[method].settings, **settings})
    if how.step == "constrained_union" and "cam" not in halves[0].columns:
        return None
    found = []
    for this, other in (halves, halves[::-1]):
        threshold = 0.0
        if measure:
            threshold, _ = best(this if measure == "seen" else other, how, "ami" if measure == "seen" else measure)
        found.append(score(this.pid, Finder(this, how).at(threshold)).values)
    return {name: float(np.mean([one[name] for one in found])) for name in SHORT}


def main(folder: Path, wanted: list[str]) -> None:
    """Print a table a set."""
    for name, x, pid, columns in sets(folder):
        if wanted and name not in wanted:
            continue
        sizes = np.unique(pid, return_counts=True)[1]
        print(f"\n{name}: {len(pid)} images of {len(sizes)} identities, {sizes.min()} to {sizes.max()} each")
        print(f"{'distance':<22}{'method':<16}" + "".join(f"{one:>11}" for one in SHORT) + f"{'seconds':>9}")
        parts = [np.flatnonzero(np.isin(pid, part.pids)) for part in split(pid, pid, folds=2, seed=0)]
        for distance, of in DISTANCES.items():
            whole, lists = [], []
            for rows in parts:
                far = of(x[rows])
                own = {title: values[rows] for title, values in columns.items()}
                names = [str(row) for row in rows]
                whole.append(OneSet(names, given("distances", far, "mean"), pid[rows], own))
                lists.append(
                    OneSet(names, given("distances", nearest_of(far, NEIGHBOURS), "mean"), pid[rows], own)
                )
            for row, (method, *_) in ROWS.items():
                started = time.perf_counter()
                long = method in ("average", "complete", "hdbscan")
                found = judged(whole if long else lists, row)
                if found is not None:
                    cells = "".join(f"{100 * found[one]:>11.1f}" for one in SHORT)
                    print(f"{distance:<22}{row:<16}{cells}{time.perf_counter() - started:>9.1f}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
