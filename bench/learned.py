"""Learned metrics on real person features.

    python bench/learned.py DIR

DIR holds ``viper_feats.npz`` and ``cuhk01_feats.npz``. VIPeR: ten random halves of the 632 people, one to learn
from, the other camera 0 against camera 1, one image each; LOMO is a descriptor made by hand, the others are CNNs.
CUHK01: its ten published single-shot splits, 486 people to learn from, 485 to find, two queries a person against
one image. Means over the first splits, as many as the column says: fewer for what iterates.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ensemble.scores import score
from postproc import distances, learned_distances

SETS = (("viper", "lomo_isometric"), ("viper", "omz0288"), ("cuhk01", "omz0288"), ("cuhk01", "omz0277"))
PLAIN = ("sqeuclidean", "cosine")
SPLITS = {
    **dict.fromkeys((*PLAIN, "xqda", "kissme", "nfst", "nfst_rbf", "lfda", "sdml", "covariance", "rca"), 10),
    **dict.fromkeys(("itml", "lsml", "mmc", "lmnn", "nca", "mlkr"), 2),
    "scml": 1,
}
Split = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]  # inputs of learned_metric, query pids, gallery pids


def viper(folder: Path, feature: str, splits: int = 10) -> Iterator[Split]:
    """Random halves of the people."""
    data = np.load(folder / "viper_feats.npz")
    features, pid, cam = data[feature], data["id"], data["cam"]
    for seed in range(splits):
        known = np.random.default_rng(seed).permutation(np.unique(pid))[:316]
        train = np.isin(pid, known)
        rows = (train, ~train & (cam == 0), ~train & (cam == 1))
        yield _split(features, pid, cam, *map(np.flatnonzero, rows))


def cuhk01(folder: Path, feature: str, splits: int = 10) -> Iterator[Split]:
    """The single-shot splits; rows are counted from 0, and a test image of camera -1 takes no part."""
    data = np.load(folder / "cuhk01_feats.npz")
    features, pid, cam = data[feature], data["id"], data["cam"]
    for i in range(splits):
        train, test = data["CUHK01M1_train_index"][i], data["CUHK01M1_test_index"][i]
        side = data["CUHK01M1_test_cam"][i]
        yield _split(features, pid, cam, train, test[side == 1], test[side == 2])


def _split(x: np.ndarray, pid: np.ndarray, cam: np.ndarray, *rows: np.ndarray) -> Split:
    train, query, gallery = rows
    data = {
        "query": x[query],
        "gallery": x[gallery],
        "train": x[train],
        "train_pid": pid[train],
        "train_cam": cam[train],
    }
    return data, pid[query], pid[gallery]


def evaluate(splits: Iterator[Split], method: str) -> tuple[float, float]:
    """Mean rank-1 and mAP in per cent."""
    found = []
    for data, query_pid, gallery_pid in splits:
        if method in PLAIN:
            answer = distances(data["query"], data["gallery"], metric=method)
        else:
            answer = learned_distances(**data, method=method)
        scores = score(answer, query_pid, gallery_pid)
        found.append((scores.rank1, scores.mAP))
    rank1, precision = 100 * np.mean(found, axis=0)
    return float(rank1), float(precision)


def main(folder: Path) -> None:
    print("rank-1 / mAP in per cent, and seconds a split")
    print(f"{'':<12}{'splits':>6}" + "".join(f"{name + ' ' + feature:>24}" for name, feature in SETS))
    for method, count in SPLITS.items():
        line = f"{method:<12}{count:>6}"
        for name, feature in SETS:
            start = time.perf_counter()
            try:
                rank1, precision = evaluate(
                    {"viper": viper, "cuhk01": cuhk01}[name](folder, feature, count), method
                )
            except ValueError as error:
                print(f"{method}: {error}", file=sys.stderr)
                line += f"{'-':>24}"
                continue
            seconds = (time.perf_counter() - start) / count
            line += f"{f'{rank1:.1f} / {precision:.1f} {seconds:6.2f}':>24}"
        print(line, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
