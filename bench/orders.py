"""Do drawn cities put methods in the order of real sets? Rank correlation of eighteen, none of them learned.

    python -m bench.orders DIR [--sets NAME ...] [--kinds KIND ...] [--seeds N ...] [--even KIND ...] [--keep FILE]

DIR holds the real sets. One image of every identity and camera asks, the others are the gallery; where an identity
has two images camera asks camera, where nobody tells cameras one image of every identity asks. Cities as they are
drawn. Each set is tried with its best network alone and, where there are more, with all side by side; gains in mAP
over the cosine, in points, are means over these and over seeds. Below them Spearman's correlation of a set's order
with the mean ranks on the real sets, of a real one with those of the others, and the worst with any single one.
``--even``: these kinds (of people) too with four images of everybody, two in each of two cameras, nobody else, and
a query of each person and camera, as CUHK01 is: what is left are the features. ``--keep``: gains in a JSON file;
what is there is not computed again.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

import postproc
from bench.wholes import Whole, drawn, real
from ensemble.city import KINDS, city, people
from ensemble.scores import score

Cut = tuple[np.ndarray, np.ndarray]  # rows of the queries, of the gallery
Gains = dict[str, dict[str, float]]  # of a set, of a method


def _by_features(step: Callable, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    return postproc.distances(*step(query, gallery))


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cosine": postproc.distances,
    "rerank 20/6/.3": postproc.rerank,
    "rerank 10/3/.7": partial(postproc.rerank, k1=10, k2=3, lambda_value=0.7),
    "multiscale": postproc.rerank_multiscale,
    "gnn 26/7": postproc.gnn_rerank,
    "gnn 10/4": partial(postproc.gnn_rerank, k1=10, k2=4),
    "ecn": postproc.ecn,
    "cas": postproc.cas,
    "csls": postproc.csls,
    "local scaling": postproc.local_scaling,
    "mutual proximity": postproc.mutual_proximity,
    "dis_sim": postproc.dis_sim,
    "sinkhorn": postproc.sinkhorn,
    "query expansion": partial(_by_features, postproc.query_expansion),
    "superglobal": postproc.superglobal,
    "diffusion": postproc.diffusion,
    "lbr": postproc.lbr,
    "whitening": partial(_by_features, postproc.whiten),
}
PLAIN = "cosine"
EVEN = 300  # people
AS_CUHK01: dict[str, Any] = {
    "seen": (2, 2), "images": (2, 2), "again": 0.0, "tail": 0.0, "junk": 0.0, "distractors": 0.0,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--sets", nargs="*", metavar="NAME", help="of the real ones (default: all)")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), metavar="KIND")
    parser.add_argument("--seeds", nargs="+", type=int, default=[101, 102])
    parser.add_argument("--even", nargs="*", default=[], choices=list(people.KINDS), metavar="KIND")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    options = parser.parse_args()
    kept: dict[str, Gains] = {"real": {}, "drawn": {}}
    if options.keep and options.keep.exists():
        kept = json.loads(options.keep.read_text())
    for whole in real(options.folder):
        if whole.models and whole.name not in kept["real"] and whole.name in (options.sets or [whole.name]):
            kept["real"][whole.name] = gains(whole, cut(whole))
            _save(kept, options.keep)
    cities = dict.fromkeys(options.kinds, _of_city) | {f"even {kind}": _of_even for kind in options.even}
    for kind, of_seed in cities.items():
        if kind not in kept["drawn"]:
            found = [of_seed(kind, seed) for seed in options.seeds]
            kept["drawn"][kind] = {name: float(np.mean([one[name] for one in found])) for name in METHODS}
            _save(kept, options.keep)
    show(kept)


def _save(kept: dict[str, Gains], path: Path | None) -> None:
    if path:
        path.write_text(json.dumps(kept, indent=1))


def _of_city(kind: str, seed: int) -> dict[str, float]:
    made = city("small", seed, kind=kind)
    whole = drawn(made, kind)
    rows = np.arange(len(whole.pid))
    return gains(whole, (rows[: len(made.query)], rows[len(made.query) :]))  # no query is a spoilt image


def _of_even(title: str, seed: int) -> dict[str, float]:
    kind = people.KINDS[title.removeprefix("even ")]
    scale = replace(kind.sizes["small"], people=EVEN, **AS_CUHK01)
    whole = drawn(people.people(replace(kind, blind=()), scale, seed, 0, 0), title)
    return gains(whole, cut(whole))


def cut(whole: Whole, seed: int = 0) -> Cut:
    """Who asks, and who is found."""
    rows = np.random.default_rng(seed).permutation(len(whole.pid))
    by = [whole.pid, whole.cam] if whole.has_cameras else [whole.pid]
    _, first = np.unique(np.stack(by)[:, rows], axis=1, return_index=True)
    query = np.sort(rows[first])
    if len(query) == len(rows):  # nothing would be left to find
        query = np.flatnonzero(whole.cam == whole.cam.min())
    return query, np.setdiff1d(rows, query)


def gains(whole: Whole, rows: Cut) -> dict[str, float]:
    """What every method gains in mAP, and what the cosine reaches; the mean over one network and all."""
    found = [_precisions(x, whole, rows) for x in whole.models.values()]
    best = max(whole.models, key=lambda model: found[list(whole.models).index(model)])
    features = [whole.models[best], *([whole.joined()] if len(whole.models) > 1 else [])]
    changes = []
    for x in features:
        plain = _precisions(x, whole, rows)
        changes.append(
            {
                name: plain if name == PLAIN else _precisions(x, whole, rows, METHODS[name]) - plain
                for name in METHODS
            }
        )
    return {name: float(np.mean([change[name] for change in changes])) for name in METHODS}


def _precisions(x: np.ndarray, whole: Whole, rows: Cut, method: Callable = postproc.distances) -> float:
    query, gallery = rows
    labels = (labels[side] for labels in (whole.pid, whole.cam) for side in rows)
    return 100 * float(score(method(x[query], x[gallery]), *labels).mAP or np.nan)


def ranks(gained: dict[str, float]) -> np.ndarray:
    """Of every method, 1 for the one that gains most; the cosine gains nothing."""
    return rankdata([-gained[name] if name != PLAIN else 0.0 for name in METHODS])


def agreement(gained: dict[str, float], others: Sequence[dict[str, float]]) -> float:
    """Spearman's correlation of an order with the mean ranks of others."""
    mean = rankdata(np.mean([ranks(other) for other in others], axis=0))
    return float(np.corrcoef(ranks(gained), mean)[0, 1])


def lines(kept: dict[str, Gains]) -> Iterator[tuple[str, float, float, dict[str, float]]]:
    """Name, agreement with (other) real sets, its worst with any single one, and gains."""
    for group, sets in kept.items():
        for name, gained in sets.items():
            others = [other for title, other in kept["real"].items() if group == "drawn" or title != name]
            single = [agreement(gained, [other]) for other in others]
            yield f"{name}" if group == "real" else f"drawn {name}", agreement(gained, others), min(single), gained


def show(kept: dict[str, Gains]) -> None:
    found = list(lines(kept))
    titles = [name.removeprefix("drawn ") for name, *_ in found]
    print(f"{'':<18}{'real':>11}{'':>{11 * (len(kept['real']) - 1)}}{'drawn':>11}")
    print(f"{'':<18}" + "".join(f"{title:>11}"[-11:] for title in titles))
    for method in METHODS:
        mean = np.mean([ranks(gained)[list(METHODS).index(method)] for gained in kept["real"].values()])
        cells = "".join(f"{gained[method]:11.1f}" for *_, gained in found)
        print(f"{method:<18}{cells}  mean rank on real sets {mean:4.1f}")
    for title, column in (("with all real", 1), ("with one, worst", 2)):
        print(f"{title:<18}" + "".join(f"{line[column]:11.2f}" for line in found))


if __name__ == "__main__":
    main()
