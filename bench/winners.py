"""What the newer steps of winners gain on real sets: EGT, labelled training images, clusters with some cosine.

``python -m bench.winners walks DIR``     EGT at several settings, beside k-reciprocal re-ranking
``python -m bench.winners labels DIR``    sort and insert, votes: training images of others, of the same identities
``python -m bench.winners clusters DIR``  DBSCAN on Jaccard distances and .1 of the cosine distance

All networks of a set side by side, half of its identities. Queries as ``bench/orders.py`` cuts them. mAP of the
cosine, mAP after the step, and the difference with an interval of 95 per cent (BCa, paired, identities drawn). Of
the same identities: a third of the gallery is labelled and asked, two thirds are ranked. Clusters: adjusted Rand
index of all images, those in no cluster alone. DIR: see ``bench/wholes.py``.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import postproc
from bench.orders import cut
from bench.wholes import Whole, real
from ensemble.scores import score, statistics
from ensemble.scores.protocols import PROTOCOLS

SETS = ("VIPeR", "CUHK03", "Omniglot 1", "lions")
WALKS = ((250, 0.42), (250, 0.6), (250, 0.8), (10, 0.6), (10, 1.0), (3, 1.0))  # k, threshold
EPS = (0.4, 0.45, 0.5, 0.55, 0.6)
LEAST, SEED = 4, 101
Sides = tuple[np.ndarray, np.ndarray]  # rows of queries, of the gallery


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("what", choices=("walks", "labels", "clusters"))
    p.add_argument("folder", type=Path, metavar="DIR")
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME")
    options = p.parse_args()
    for whole in real(options.folder):
        if whole.name in options.sets:
            with postproc.using(progress=False):
                {"walks": walks, "labels": labels, "clusters": clusters}[options.what](whole)


def halves(whole: Whole) -> Sides:
    """Rows of one half of the identities, and of the other half."""
    people = np.random.default_rng(SEED).permutation(np.unique(whole.pid[whole.pid > 0]))
    test = np.isin(whole.pid, people[::2])
    return np.flatnonzero(test), np.flatnonzero(~test & (whole.pid > 0))


def walks(whole: Whole) -> None:
    part = whole.of(halves(whole)[0])
    x, (q, g) = part.joined(), cut(part)
    print(f"{whole.name}: {len(q)} queries, {len(g)} images")
    plain = precisions(postproc.distances(x[q], x[g]), part, (q, g))
    for k, threshold in WALKS:
        far = postproc.explore_exploit(x[q], x[g], k=k, threshold=threshold)
        say(f"EGT, k {k}, threshold {threshold}", plain, precisions(far, part, (q, g)), part.pid[q])
    for k1, k2, share in ((10, 3, 0.7), (20, 6, 0.3)):
        far = postproc.rerank(x[q], x[g], k1=k1, k2=k2, lambda_value=share)
        say(f"rerank {k1} / {k2} / {share}", plain, precisions(far, part, (q, g)), part.pid[q])


def labels(whole: Whole) -> None:
    test, other = halves(whole)
    part, x = whole.of(test), whole.joined()
    y, (q, g) = x[test], cut(part)
    known = np.random.default_rng(SEED).random(len(g)) < 1 / 3
    bank = {
        "of other identities": (g, x[other], whole.pid[other]),
        "of the same identities": (g[~known], y[g[known]], part.pid[g[known]]),
    }
    for whose, (asked, train, pid) in bank.items():
        print(f"{whole.name}: {len(q)} queries, {len(asked)} images, {len(train)} training images {whose}")
        far = postproc.distances(y[q], y[asked], metric="cosine")
        plain = precisions(far, part, (q, asked))
        for name, found in told(far, y[q], y[asked], train, pid):
            say(name, plain, precisions(found, part, (q, asked)), part.pid[q])


def told(
    far: np.ndarray, query: np.ndarray, gallery: np.ndarray, train: np.ndarray, pid: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    for k in (3, 1):
        yield f"sort_and_insert, k {k}", postproc.sort_and_insert(far, query, gallery, train, pid, k=k)
    for weight in (1.0, 0.2):
        yield f"label_votes, weight {weight}", postproc.label_votes(far, query, gallery, train, pid, weight=weight)


def clusters(whole: Whole) -> None:
    from sklearn.cluster import DBSCAN
    from sklearn.metrics import adjusted_rand_score

    x, pid = whole.joined()[whole.pid > 0], whole.pid[whole.pid > 0]
    jaccard = postproc.rerank(x, k1=30, k2=6, lambda_value=0.0, count_self=True, normalize=False)
    print(f"{whole.name}: {len(x)} images; eps {', '.join(map(str, EPS))}")
    for share in (0.0, 0.1):
        far = np.maximum((1 - share) * jaccard + share * (1 - x @ x.T), 0)
        found = [DBSCAN(eps=eps, min_samples=LEAST, metric="precomputed").fit_predict(far) for eps in EPS]
        alone = [np.where(one < 0, one.max() + 1 + np.arange(len(one)), one) for one in found]
        print(
            f"  cosine {share}: " + "  ".join(f"{adjusted_rand_score(pid, one):.3f}" for one in alone), flush=True
        )


def precisions(far: np.ndarray, part: Whole, rows: Sides) -> np.ndarray:
    """AP of every query."""
    q, g = rows
    rules = PROTOCOLS["market1501" if part.has_cameras else "naic"]
    return score(far, part.pid[q], part.pid[g], part.cam[q], part.cam[g], protocol=rules).ap


def say(name: str, plain: np.ndarray, found: np.ndarray, pid: np.ndarray) -> None:
    of = ~np.isnan(plain)
    gain = statistics.difference(plain[of], found[of], pid[of])
    spread = f"{100 * gain.difference:+6.2f} ({100 * gain.low:+.2f} .. {100 * gain.high:+.2f})"
    print(f"  {name:<28}{100 * gain.first:7.2f}{100 * gain.second:7.2f}{spread:>28}", flush=True)


if __name__ == "__main__":
    main()
