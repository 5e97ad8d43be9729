"""A matcher's pairs joined with a model's distances: calibrated on labelled pairs, and joined without labels.

    python bench/calibration.py ../shared/data/viper_feats.npz

Half of VIPeR's people are asked about, the other half is labelled. The model is OSNet (omz0277), whole; the
matcher is made up and knows the 50 nearest of every query: its inliers are a Poisson number, whose mean is drawn
from a gamma distribution of mean 14.4 for one person and of mean 3 for two (shapes 1.2 and 1.5). mAP, a row a draw
of both, and their mean.
"""

import argparse
from pathlib import Path

import numpy as np

import postproc
from ensemble import fusion
from ensemble.scores import score

DRAWS, SHORTLIST = 3, 50


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("viper", type=Path)
    with np.load(p.parse_args().viper) as real:
        features, pid, cam = postproc.l2_normalize(real["omz0277"].astype(np.float32)), real["id"], real["cam"]
    rows = [maps(features, pid, cam, seed) for seed in range(DRAWS)]
    print(" ".join(f"{name:>22}" for name in rows[0]))
    for row in [*rows, {name: np.mean([each[name] for each in rows]) for name in rows[0]}]:
        print(" ".join(f"{value:22.4f}" for value in row.values()))


def maps(features: np.ndarray, pid: np.ndarray, cam: np.ndarray, seed: int) -> dict[str, float]:
    """mAP of every way of one draw."""
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.unique(pid))
    half = len(people) // 2
    (far, light, same), (known, known_light, known_same) = (
        seen(features, pid, cam, chosen, rng) for chosen in (people[:half], people[half:])
    )
    there = np.isfinite(known_light)
    learned = [known.ravel(), known_light[there]], [known_same.ravel(), known_same[there]]
    parts = [far, light]
    found = {
        "model": far,
        "matcher": np.where(np.isnan(light), np.inf, light),
        "min-max": fusion.weighted_sum(parts, scaling="min-max", missing="mean"),
        "reciprocal ranks": fusion.reciprocal_rank_fusion(parts),
        "calibrated, isotonic": fusion.calibrated_distances(parts, *learned),
        "calibrated, logistic": fusion.calibrated_distances(parts, *learned, method="logistic"),
        "local evidence": fusion.local_evidence(parts, weight=0.5, full=60),
    }
    asked, gallery = np.arange(len(same)), same.argmax(axis=0)
    return {name: score(of, asked, gallery).mAP for name, of in found.items()}


def seen(
    features: np.ndarray, pid: np.ndarray, cam: np.ndarray, people: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances by the model, by the matcher (NaN for pairs that it has not seen), and which pairs are one."""
    query, gallery = (np.flatnonzero(np.isin(pid, people) & (cam == of)) for of in (0, 1))
    far = postproc.distances(features[query], features[gallery], metric="cosine")
    same = pid[query][:, None] == pid[gallery]
    rate = np.where(same, rng.gamma(1.2, 12, same.shape), rng.gamma(1.5, 2, same.shape))
    inliers = rng.poisson(rate)
    light = np.full(far.shape, np.nan, np.float32)
    rows = np.arange(len(far))[:, None], postproc.rank(far, top_k=SHORTLIST)
    light[rows] = -inliers[rows]
    return far, light, same


if __name__ == "__main__":
    main()
