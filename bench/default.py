"""What a re-ranking gains and loses on real sets, cut in many ways, against the plain cosine distance.

    python -m bench.default DIR [--models 5] [--methods NAME ...]

DIR holds the real sets (``viper_feats.npz``, ``cuhk01_feats.npz``, ``cuhk03_train_feats.npz``,
``omniglot_small*.npz``, ``sketchreid_osnet512.npz``). A line a method and family: mean gain in mAP, the worst,
the share of variants that lose more than .3. Variants of one set are not independent; they say how a method bears
what a set is like.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import postproc
from bench.variants import of_real_sets
from ensemble.scores import score

METHODS: dict[str, Callable[..., np.ndarray]] = {
    "rerank 20/6/.3": postproc.rerank,
    "rerank 10/3/.7": partial(postproc.rerank, k1=10, k2=3, lambda_value=0.7),
    "csls 10": postproc.csls,
    "gnn 10/4": partial(postproc.gnn_rerank, k1=10, k2=4),
    "multiscale, half": postproc.rerank_multiscale,
    "multiscale, two thirds": partial(postproc.rerank_multiscale, lambda_value=2 / 3),
}
LOSS = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description="gain and loss of re-ranking on real sets cut in many ways")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--each", action="store_true", help="a line a variant too")
    options = parser.parse_args()
    gains: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, float] = defaultdict(float)
    for variant in of_real_sets(options.folder, options.models):
        plain = _map(postproc.distances(variant.query, variant.gallery), variant)
        found = []
        for name in options.methods:
            start = time.process_time()
            far = METHODS[name](variant.query, variant.gallery)
            seconds[name] += time.process_time() - start
            found.append(_map(far, variant) - plain)
            gains[name][variant.family].append(found[-1])
        if options.each:
            print(
                f"{variant.family:<9} {variant.name:<38} {plain:6.2f}", *(f"{x:+6.2f}" for x in found), flush=True
            )
    for name, families in gains.items():
        for family, values in {"all": [x for part in families.values() for x in part], **families}.items():
            x = np.array(values)
            print(
                f"{name:<24} {family:<9} {len(x):4d} variants: mean {x.mean():+6.2f}, worst {x.min():+7.2f}, "
                f"lose {100 * (x < -LOSS).mean():3.0f} %"
                + (f", {seconds[name]:.0f} CPU s" if family == "all" else "")
            )


def _map(far: np.ndarray, variant: object) -> float:
    query, gallery, query_cam, gallery_cam = variant.labels  # type: ignore[attr-defined]
    return 100 * score(far, query, gallery, query_cam, gallery_cam).mAP


if __name__ == "__main__":
    main()
