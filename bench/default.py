"""What a re-ranking gains and loses on real sets, cut in many ways, against the plain cosine distance.

    python -m bench.default DIR [--models 5] [--cities | --whole] [--methods NAME ...] [--against NAME] [--every 1]
        [--each]

DIR holds the real sets (``viper_feats.npz``, ``cuhk01_feats.npz``, ``cuhk03_train_feats.npz``,
``omniglot_small*.npz``, ``sketchreid_osnet512.npz``). A line a method and family: mean gain in mAP with its
interval of 95 per cent, the worst variant, the share of variants that lose more than .3, and how many lose
beyond their own interval. Identities are drawn with replacement, the same ones in all variants of a family:
variants of one set are not independent; they say how a method bears what a set is like. ``--cities``: drawn ones
too, which nobody should mistake for real. ``--whole``: in their place small sets as one, each image
against all others, one model each. ``--against``: gains over another method, not over the plain cosine.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np

import postproc
from bench.variants import CNNS, Variant, of_cities, of_real_sets
from bench.wholes import real
from ensemble.scores import score

BY_PLACES: tuple[Callable[..., np.ndarray], ...] = (
    postproc.rdpac, postproc.lhrr, postproc.rfe, postproc.bfs_tree, postproc.cprr, postproc.recknn,
    postproc.knn_rank,
)  # fmt: skip
METHODS: dict[str, Callable[..., np.ndarray]] = {
    "rerank 20/6/.3": postproc.rerank,
    "rerank 10/3/.7": partial(postproc.rerank, k1=10, k2=3, lambda_value=0.7),
    "csls 10": postproc.csls,
    "gnn 10/4": partial(postproc.gnn_rerank, k1=10, k2=4),
    "multiscale": postproc.rerank_multiscale,
    "multiscale, two thirds": partial(postproc.rerank_multiscale, lambda_value=2 / 3),
    "multiscale, four as are": partial(
        postproc.rerank_multiscale, scales=((3, 1), (6, 2), (10, 3), (20, 6)), adapt=0
    ),
    **{step.__name__: step for step in BY_PLACES},
    **{f"{step.__name__} k=5": partial(step, k=5) for step in BY_PLACES},
}
LOSS, DRAWS = 0.3, 1000


@dataclass(frozen=True)
class Gain:
    """What every query of a variant gains in AP, in points, and its identity."""

    ap: np.ndarray
    pid: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.ap.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="gain and loss of re-ranking on real sets cut in many ways")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--whole", action="store_true", help="small sets as one")
    parser.add_argument("--against", choices=list(METHODS), metavar="NAME")
    parser.add_argument("--every", type=int, default=1, help="of so many variants one")
    parser.add_argument("--each", action="store_true", help="a line a variant too")
    parser.add_argument("--cities", action="store_true", help="drawn cities too")
    options = parser.parse_args()
    gains: dict[str, dict[str, list[Gain]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, float] = defaultdict(float)
    variants: Iterator[Variant] = of_real_sets(options.folder, options.models)
    if options.whole:
        variants = _whole_sets(options.folder)
    if options.cities:
        variants = chain(variants, of_cities())
    usual = METHODS[options.against] if options.against else postproc.distances
    for variant in islice(variants, 0, None, options.every):
        plain = _precisions(usual(variant.query, variant.gallery), variant)
        found = []
        for name in options.methods:
            start = time.process_time()
            far = METHODS[name](variant.query, variant.gallery)
            seconds[name] += time.process_time() - start
            change, known = _precisions(far, variant) - plain, ~np.isnan(plain)
            found.append(Gain(change[known], variant.labels[0][known]))
            gains[name][variant.family].append(found[-1])
        if options.each:
            shown = (
                f"{one.mean:+6.2f} ({low:+.2f} .. {high:+.2f})"
                for one in found
                for low, high in [_interval([one])]
            )
            print(f"{variant.family:<9} {variant.name:<38} {np.nanmean(plain):6.2f}", *shown, flush=True)
    for name, families in gains.items():
        real = [one for family, part in families.items() if not family.startswith("drawn") for one in part]
        for family, part in {"all real": real, **families}.items():
            print(f"{name:<24} {family:<13} {_line(part)}", end="")
            print(f", {seconds[name]:.0f} CPU s" if family == "all real" else "", flush=True)


def _whole_sets(folder: Path) -> Iterator[Variant]:
    """Sets of up to 3,000 images with the last of their person models, or the first of others."""
    for whole in real(folder):
        if not 0 < len(whole.pid) <= 3000 or not whole.models:
            continue
        model = CNNS[-1] if CNNS[-1] in whole.models else next(iter(whole.models))
        own = np.arange(len(whole.pid))
        yield Variant(whole.name, model, whole.models[model], None, (whole.pid, whole.pid, own, own))


def _line(part: list[Gain]) -> str:
    x, (low, high) = np.array([one.mean for one in part]), _interval(part)
    beyond = sum(_interval([one])[1] < 0 for one in part)
    return (
        f"{len(x):4d} variants: mean {x.mean():+6.2f} ({low:+6.2f} .. {high:+6.2f}), worst {x.min():+7.2f}, "
        f"lose {100 * (x < -LOSS).mean():3.0f} %, beyond their interval {beyond:2d}"
    )


def _interval(part: list[Gain]) -> tuple[float, float]:
    """Of the mean over variants, identities drawn."""
    random = np.random.default_rng(0)
    people, of = np.unique(np.concatenate([one.pid for one in part]), return_inverse=True)
    often = random.multinomial(len(people), np.full(len(people), 1 / len(people)), size=DRAWS).astype(np.float32)
    drawn, start = np.zeros(DRAWS), 0
    for one in part:
        rows = of[start : start + len(one.pid)]
        start += len(one.pid)
        total = np.bincount(rows, one.ap, minlength=len(people)), np.bincount(rows, minlength=len(people))
        sums, counts = (often @ each.astype(np.float32) for each in total)
        drawn += sums / np.maximum(counts, 1) / len(part)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _precisions(far: np.ndarray, variant: Variant) -> np.ndarray:
    query, gallery, query_cam, gallery_cam = variant.labels
    return 100 * np.asarray(score(far, query, gallery, query_cam, gallery_cam).ap)


if __name__ == "__main__":
    main()
