"""One probability from the distances of all models together, learned from labelled pairs (stacking).

Source: Wolpert, "Stacked Generalization", Neural Networks 1992; boosted trees as Friedman, "Greedy Function
Approximation", Annals of Statistics 2001, in histograms as LightGBM has them, by scikit-learn.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.across.calibrated import between, training_pairs
from ensemble.fusion.join import Parts, join
from ensemble.fusion.probabilities import UNIT
from ensemble.fusion.scaling import scaler
from postproc import distances as measure
from postproc.base import runtime
from postproc.base.settings import Count, Number, Within
from postproc.base.sizes import SINGLE, Sizes
from postproc.base.step import Chosen
from postproc.base.vocabulary import Floats
from postproc.pairs import answering, held
from postproc.pairs.distances import Metric

ROUNDS, LEAVES = 100, 15  # of boosting: shallow, since there are few columns
PAIR_BYTES = 100  # of a pair that is learned from
Likely = Callable[[np.ndarray], np.ndarray]


def _memory(sizes: Sizes, chosen: Chosen) -> int:
    return PAIR_BYTES * chosen["pairs"] + SINGLE * sizes.parts * sizes.nq * sizes.ng


@join(
    unit=UNIT,
    host_only=True,
    memory=held.together(held.walk, _memory),
    loads=("sklearn",),
)
def stacked(
    query: Parts,
    gallery: Parts | None,
    train: Parts,
    train_pid: np.ndarray,
    *,
    method: Literal["trees", "logistic"] = "trees",
    metric: Metric = "cosine",
    pairs: Annotated[Count, Within(2)] = 200_000,
    seed: Count = 0,
    order: Annotated[Number, Within(0, 0.01)] = 1e-4,
) -> Floats:
    """Join by one model over all distances of a pair: ``1 - P(same | D_1, …, D_m)``, learned from training pairs.

    ``calibrated`` asks every model alone and takes the mean; here what one says may depend on the others. Trees
    never find a pair likelier for a larger distance.

    Takes:   query (nq, d_m), gallery (ng, d_m) or None for one set, train (n, d_m) float32, one of each a model;
             train_pid (n,) int, -1 for an image of unknown identity, which is left out.
    Returns: (nq, ng) float32, 0 to 1 + ``order``.
    method:  "trees": boosted trees, falling in every distance; "logistic": ``1 / (1 + exp(a · D + b))``, whose
             penalty is that of distances less their mean, over their deviation.
    metric:  of :func:`postproc.distances`.
    pairs:   2 or more training pairs, drawn as for ``calibrated``.
    seed:    of the sample.
    order:   0 to 0.01: how much of the mean distance, min-max by query, is added, so that images of one
             probability, as trees give, keep an order; 0: they tie.
    Raises:  ValueError for a wrong setting, or where the training set has no pair of one identity or of two.
    Cost:    the distances of all models, and 100 trees of 15 leaves over ``pairs`` and over nq ng pairs. Memory:
             the distances of all models at once.
    """
    parts.one_each("train", train, query)
    left, right, hits, counts = training_pairs(train_pid, pairs=pairs, seed=seed)
    known = np.stack([between(t, left, right, metric) for t in train], axis=1)
    likely = _learned(known, hits, counts, method)
    sides = parts.galleries(query, gallery)
    found = [measure(q, g, metric=metric) for q, g in zip(query, sides, strict=True)]
    out = np.empty(parts.shape(query, gallery), np.float32)

    def fill(start: int, stop: int) -> None:
        blocks = [one[start:stop] for one in found]
        if gallery is None:  # an image and itself are no pair
            blocks = [np.where(np.isfinite(block), block, 0) for block in blocks]
        columns = np.stack([block.ravel() for block in blocks], axis=1).astype(np.float64)
        chance = likely(columns).reshape(blocks[0].shape)
        mean = sum(scaler(block, "min-max")(block) for block in blocks) / len(blocks)
        out[start:stop] = (1 - chance + order * mean).astype(np.float32)

    runtime.over_rows(fill, len(out), what="stacking", block=parts.rows_at_a_time(found))
    if gallery is None:
        answering.set_own(out, np.arange(len(out)))
    return out


def _learned(known: np.ndarray, hits: np.ndarray, counts: np.ndarray, method: str) -> Likely:
    """(n, m) distances of pairs of training images -> a function from distances to probabilities."""
    if method == "logistic":
        from sklearn.linear_model import LogisticRegression

        centre, spread = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-12)
        line = LogisticRegression().fit((known - centre) / spread, hits, sample_weight=counts)
        slope = line.coef_[0] / spread
        return partial(_logistic, slope, float(line.intercept_[0] - centre @ slope))
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import ThreadpoolController

    trees = HistGradientBoostingClassifier(
        max_iter=ROUNDS,
        max_leaf_nodes=LEAVES,
        monotonic_cst=[-1] * known.shape[1],
        early_stopping=False,
        random_state=0,
    )
    alone = ThreadpoolController().select(
        user_api="openmp"
    )  # several threads of several threads wait for each other
    with alone.limit(limits=1):
        trees.fit(known, hits, sample_weight=counts)
    return partial(_trees, trees, alone)


def _logistic(slope: np.ndarray, intercept: float, columns: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    found: np.ndarray = expit(columns @ slope + intercept)
    return found


def _trees(trees: Any, alone: Any, columns: np.ndarray) -> np.ndarray:
    with alone.limit(limits=1):
        found: np.ndarray = trees.predict_proba(columns)[:, 1]
    return found
