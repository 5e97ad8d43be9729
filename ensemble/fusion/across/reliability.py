"""How far to trust each model, from its neighbour lists alone: no labels.

Sources: Valem and Pedronette, "Unsupervised selective rank fusion for image retrieval tasks", Neurocomputing 2020
(USRF: pairs of rankers scored ``e1 e2 / (1 + cor)^beta``); Pedronette and Torres, "Unsupervised Rank Diffusion for
Content-Based Image Retrieval", 2017 and before (authority score and reciprocal density); Webber et al., "A
similarity measure for indefinite rankings", TOIS 2010 (rank-biased overlap).
Differs: USRF selects one tuple of rankers; here every model also gets a weight of its own, its effectiveness times
its mean agreement with the others, so that two models need not weigh the same. The overlap of lists of k images is
divided by its largest value, so that equal lists have 1.
"""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np

from ensemble.fusion import neighbours, parts
from ensemble.fusion.join import Parts, checked
from ensemble.fusion.join import join as declared
from ensemble.fusion.kinds import Inside, NotNegative
from ensemble.fusion.ranks import places
from ensemble.fusion.scaling import Scaling, scaler
from postproc import distances as measure
from postproc.base import runtime
from postproc.base.settings import Count, Neighbours, Weight, Within
from postproc.base.vocabulary import Floats
from postproc.pairs import answering, held

Change = Callable[[np.ndarray], np.ndarray]
Effectiveness = Literal["reciprocal", "authority"]
Beta = Annotated[Weight, Within(-10, 10)]
Selected = Annotated[Count | None, Within(1)]


@checked(host_only=True)
def reliability_weights(
    query: Parts,
    gallery: Parts | None,
    *,
    k: Neighbours = 20,
    effectiveness: Effectiveness = "reciprocal",
    p: Inside = 0.9,
    beta: Beta = -1.0,
    select: Selected = None,
    metric: neighbours.Metric = "cosine",
) -> np.ndarray:
    """Weigh models by how dense their neighbourhoods are and how far they agree.

    ``w_m`` in proportion to ``e_m * mean over others j of (1 + cor_mj)^-beta``. e is the mean over all images of
    "authority" ``sum_(j in N_i) |N_j and N_i| / k^2`` or "reciprocal" density, the same with every neighbour
    counted by its places, ``sum_j sum_(l in N_j and N_i) (k - place_ij) (k - place_jl) / k^4``. cor is the mean
    rank-biased overlap of two models' lists.

    Takes:   query (nq, d_m), gallery (ng, d_m) float32 or None for one set, one of each a model: any unlabelled
             images.
    Returns: (models,) float64 of sum 1, 0 for models that are not selected.
    k:       1 or more entries of a list, the image itself the first; cut to what there is.
    effectiveness: "reciprocal" or "authority".
    p:       above 0, below 1: how far down lists are compared; 0.9 looks at the first ten or so.
    beta:    -10 to 10. Below 0 models that agree with others gain, above 0 those that differ; 0: no agreement.
    select:  1 or more: only the models of the best tuple of that size, by the mean of ``e_i e_j / (1 +
             cor_ij)^beta`` over its pairs (of size 1: by e). None: all.
    metric:  "cosine" or "sqeuclidean".
    Raises:  ValueError for a wrong setting, different widths, NaN or infinity.
    Cost:    per model all pairs of images and N k^3 comparisons, N = nq + ng; per two models N k^2.
    """
    sides = parts.galleries(query, gallery)
    rows = [neighbours.lists(q, g, k, metric) for q, g in zip(query, sides, strict=True)]
    own = np.array([_effectiveness(lists, effectiveness) for lists in rows])
    count = len(rows)
    agreement = np.eye(count)
    for a, b in combinations(range(count), 2):
        agreement[a, b] = agreement[b, a] = _overlap(rows[a], rows[b], p)
    factor = (1 + agreement) ** -beta
    chosen: tuple[int, ...] = tuple(range(count))
    if select is not None and select < count:
        pairs = own[:, None] * own * factor
        chosen = max(
            combinations(range(count), select),
            key=lambda models: np.mean([pairs[a, b] for a, b in combinations(models, 2)] or own[models[0]]),
        )
    weights = np.zeros(count)
    for m in chosen:
        others = [factor[m, j] for j in chosen if j != m]
        weights[m] = own[m] * (np.mean(others) if others else 1)
    return weights / weights.sum()


@declared(host_only=True, memory=held.together(held.features, held.walk, held.matrix, parts.blocks(3)))
def unsupervised_reliability(
    query: Parts,
    gallery: Parts | None,
    train: Parts | None = None,
    train_pid: np.ndarray | None = None,
    *,
    k: Neighbours = 20,
    effectiveness: Effectiveness = "reciprocal",
    p: Inside = 0.9,
    beta: Beta = -1.0,
    select: Selected = None,
    metric: neighbours.Metric = "cosine",
    join: Literal["sum", "ranks"] = "sum",
    scaling: Scaling = "min-max",
    rank_k: NotNegative = 60.0,
) -> Floats:
    """Join distances with :func:`reliability_weights`, as a weighted sum or by reciprocal ranks.

    Takes:   query (nq, d_m), gallery (ng, d_m) float32 or None for one set, one of each a model. The weights look
             at these images, and need no labels; train, train_pid are not used.
    Returns: (nq, ng) float32: ``sum_m w_m scaled(D_m)``, or ``-sum_m w_m / (rank_k + r_m)``.
    join:    "sum" or "ranks".
    scaling: of the sum, see :func:`~ensemble.fusion.scaled`.
    rank_k:  0 or more, of the ranks. Others: see :func:`reliability_weights`.
    Raises:  ValueError for a wrong setting, different widths, NaN or infinity.
    Cost:    that of the weights and one model's distances at a time; two matrices of the answer's size.
    """
    lists: dict[str, Any] = {"k": k, "p": p, "metric": metric}
    weights = reliability_weights(query, gallery, effectiveness=effectiveness, beta=beta, select=select, **lists)
    out = np.zeros(parts.shape(query, gallery), np.float32)
    for weight, q, g in zip(weights, query, parts.galleries(query, gallery), strict=True):
        if not weight:
            continue
        matrix = measure(q, g, metric=metric)

        value = scaler(matrix, scaling) if join == "sum" else partial(_reciprocal, rank_k)

        def add(start: int, stop: int, w: float = weight, d: np.ndarray = matrix, f: Change = value) -> None:
            out[start:stop] += (w * f(d[start:stop])).astype(np.float32)

        runtime.over_rows(add, len(out), what="weighted sum", block=parts.rows_at_a_time([out]))
    if gallery is None:
        answering.set_own(out, np.arange(len(out)))
    return out


def _reciprocal(k: float, block: np.ndarray) -> np.ndarray:
    return -1 / (k + places(block) + 1)


def _effectiveness(rows: np.ndarray, kind: str) -> float:
    """The mean over all images; in whole numbers until the end, so no order of summing shows."""
    n, k = rows.shape
    total = 0
    height = np.arange(k, 0, -1, dtype=np.int64)  # k for the first place
    for place in range(k):
        for _, same in neighbours.matches(rows, rows[rows[:, place]]):
            if kind == "authority":
                total += int(same.sum())
            else:
                total += int(height[place]) * int((same.any(axis=1) * height).sum())
    return total / n / k ** (2 if kind == "authority" else 4)


def _overlap(left: np.ndarray, right: np.ndarray, p: float) -> float:
    """Mean rank-biased overlap of the lists, 0 to 1."""
    k = left.shape[1]
    weight = p ** np.arange(k)
    depths = np.maximum(np.arange(k)[:, None], np.arange(k)).ravel()
    shared = np.zeros(k)  # over all lists: entries that come to be shared at this depth
    for _, same in neighbours.matches(left, right):
        shared += np.bincount(depths, same.sum(axis=0).ravel(), k)
    agreement = np.cumsum(shared) / len(left) / np.arange(1, k + 1)
    return float((weight * agreement).sum() / weight.sum())
