"""Every model's distances as probabilities, learned from a labelled training set, then their mean.

Source: WildFusion: Cermak et al., "WildFusion: Individual animal identification with calibrated similarity
fusion", 2024, and WildlifeDatasets/wildlife-tools.
Differs: weights; a sample of pairs where there are too many; a small share of the plain distances keeps images of
equal probability in order, which in float64 the original's 2.2e-16 does.
"""

from typing import Annotated

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import Weights
from ensemble.fusion.probabilities import UNIT, Calibration, Method, calibration, improbable
from postproc import distances as measure
from postproc import l2_normalize
from postproc.base import checks, runtime
from postproc.base.settings import Count, Number, Within
from postproc.base.vocabulary import Floats
from postproc.pairs import answering, held
from postproc.pairs.distances import Metric

PAIRS = 1 << 12  # whose features are looked at together


@join(
    unit=UNIT,
    host_only=True,
    memory=held.together(held.walk, lambda sizes, chosen: 100 * chosen["pairs"]),
    loads=("sklearn",),
)
def calibrated(
    query: Parts,
    gallery: Parts | None,
    train: Parts,
    train_pid: np.ndarray,
    *,
    method: Method = "isotonic",
    weights: Weights = None,
    metric: Metric = "cosine",
    pairs: Annotated[Count, Within(2)] = 1_000_000,
    seed: Count = 0,
    order: Annotated[Number, Within(0, 0.01)] = 1e-4,
) -> Floats:
    """Join by probabilities: ``1 - sum_m w_m P_m(same | D_m) / sum(w)``, every P learned from the training set.

    Takes:   query (nq, d_m), gallery (ng, d_m) or None for one set, train (n, d_m) float32, one of each a model;
             train_pid (n,) int, -1 for an image of unknown identity, which is left out.
    Returns: (nq, ng) float32, 0 to 1 + ``order``.
    method:  "isotonic", "isotonic-steps" or "logistic", see :func:`~ensemble.fusion.calibration`.
    weights: one number of 0 or more a model, 0 leaves it out; not all 0. None: 1 each.
    metric:  of :func:`postproc.distances`.
    pairs:   2 or more training pairs: all where there are no more, otherwise all of one identity (at most half of
             ``pairs``) and a sample of the others, each standing for as many as were left out.
    seed:    of the sample.
    order:   0 to 0.01: how much of the mean distance, min-max by query, is added, so that images of one
             probability keep an order; 0: they tie.
    Raises:  ValueError for a wrong setting, or where the training set has no pair of one identity or of two.
    Cost:    ``pairs`` distances and an isotonic fit a model, one model's distances at a time; memory: two to three
             matrices of the answer's size.
    """
    parts.one_each("train", train, query)
    numbers = parts.weights(weights, len(query))
    left, right, hits, counts = training_pairs(train_pid, pairs=pairs, seed=seed)
    out = np.zeros(parts.shape(query, gallery), np.float32)
    sides = parts.galleries(query, gallery)
    for share, q, g, t in zip(numbers / numbers.sum(), query, sides, train, strict=True):
        if share:
            scores = -between(t, left, right, metric)
            _add(
                out,
                measure(q, g, metric=metric),
                calibration(scores, hits, method=method, weights=counts),
                share,
                order,
            )
    if gallery is None:
        answering.set_own(out, np.arange(len(out)))
    return out


def training_pairs(
    train_pid: np.ndarray, *, pairs: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of training images to learn from: (left, right, hits, how many pairs each stands for)."""
    pid = checks.labels("train_pid", train_pid, len(train_pid))
    known = np.flatnonzero(pid >= 0)
    order = known[np.argsort(pid[known], kind="stable")]
    _, sizes = np.unique(pid[known], return_counts=True)
    n, same_count = len(known), int((sizes * (sizes - 1) // 2).sum())
    other_count = n * (n - 1) // 2 - same_count
    if not same_count or not other_count:
        raise ValueError(
            f"train_pid: wanted pairs of one identity and of two, found {same_count} and {other_count} "
            f"among {n} images of known identity"
        )
    if same_count + other_count <= pairs:
        left, right = np.triu_indices(n, 1)
        left, right = known[left], known[right]
        return left, right, pid[left] == pid[right], np.ones(len(left))
    random = np.random.Generator(np.random.PCG64(seed))
    left, right = _within(order, sizes, same_count, max(pairs // 2, 1), random)
    left2, right2 = _across(known, pid, max(min(pairs - len(left), other_count), 1), random)
    hits = np.repeat([True, False], [len(left), len(left2)])
    counts = np.where(hits, same_count / len(left), other_count / len(left2))
    return np.concatenate([left, left2]), np.concatenate([right, right2]), hits, counts


def _within(
    order: np.ndarray, sizes: np.ndarray, count: int, most: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of one identity: all, or ``most`` of them drawn. ``order`` holds one identity after the other."""
    numbers = np.arange(count) if count <= most else np.sort(random.integers(0, count, most))
    ends = np.cumsum(sizes * (sizes - 1) // 2)
    group = np.searchsorted(ends, numbers, side="right")
    rest = numbers - (ends - sizes * (sizes - 1) // 2)[group]  # pairs (a, b), a < b: number b (b - 1) / 2 + a
    b = np.floor((1 + np.sqrt(1 + 8 * rest.astype(np.float64))) / 2).astype(np.int64)
    b -= b * (b - 1) // 2 > rest  # rounding
    b += b * (b + 1) // 2 <= rest
    a = rest - b * (b - 1) // 2
    first = (np.cumsum(sizes) - sizes)[group]
    return order[first + a], order[first + b]


def _across(
    known: np.ndarray, pid: np.ndarray, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` pairs of two identities, drawn with replacement."""
    left, right = np.empty(0, np.int64), np.empty(0, np.int64)
    while len(left) < count:
        a, b = known[random.integers(0, len(known), (2, 2 * count))]
        two = pid[a] != pid[b]
        left, right = np.concatenate([left, a[two]]), np.concatenate([right, b[two]])
    return left[:count], right[:count]


def between(features: np.ndarray, left: np.ndarray, right: np.ndarray, metric: str) -> np.ndarray:
    """(m,) float64 distances of pairs of images, in the metric."""
    x = checks.features("train", features)
    x = l2_normalize(x) if metric == "cosine" else x
    out = np.empty(len(left))

    def fill(start: int, stop: int) -> None:
        away = x[left[start:stop]] - x[right[start:stop]]
        out[start:stop] = np.einsum("ij,ij->i", away, away, dtype=np.float64)

    runtime.over_rows(fill, len(left), what="training pairs", block=PAIRS)
    if metric == "cosine":
        return out / 2
    return np.sqrt(out) if metric == "euclidean" else out


def _add(out: np.ndarray, distances: np.ndarray, likely: Calibration, share: float, order: float) -> None:
    """``out += share (1 - P + order * min-max distance)``, some rows at a time."""

    def add(start: int, stop: int) -> None:
        block = distances[start:stop]
        out[start:stop] += (share * improbable(block, likely, order)).astype(np.float32)

    runtime.over_rows(add, len(out), what="calibration", block=parts.rows_at_a_time([out]))
