"""Hubness reduction and score normalisation, pair by pair. Distances d are matrices in the method's own unit."""

from math import erf, exp, log, sqrt

import numpy as np

from postproc.kernels.reference.basic import Array, sqeuclidean


def csls(distances: Array, k: int) -> Array:
    """Twice the distance, less the means of the k smallest finite ones of its row and of its column."""
    d = np.asarray(distances, np.float64)
    rows, columns = [_mean_smallest(row, k) for row in d], [_mean_smallest(column, k) for column in d.T]
    return np.array([[2 * d[i, j] - rows[i] - columns[j] for j in range(d.shape[1])] for i in range(len(d))])


def local_scaling(across: Array, gallery: Array, k: int, query_k: int, method: str) -> Array:
    """Distances by the k-th (or mean) nearest of both ends; ``gallery`` (ng, ng) has the images' own 0."""
    nq, ng = across.shape
    own = [np.sort(row) for row in gallery]
    near = [row[1 : k + 1] if ng > 1 else row for row in own]
    scales = [float(x.mean() if method == "nicdm" else x[-1]) for x in near]
    smallest = min((scale for scale in scales if scale > 0), default=1.0)
    of_gallery = [scale or smallest for scale in scales]
    out = np.empty((nq, ng))
    for i in range(nq):
        nearest = np.sort(across[i])[:query_k]
        of_query = float(nearest.mean() if method == "nicdm" else nearest[-1]) or smallest
        for j in range(ng):
            other = of_gallery[j] if method == "inv_dakr" else of_query
            ratio = across[i, j] ** 2 / (other * of_gallery[j])
            out[i, j] = {"ls": 1 - exp(-ratio), "nicdm": sqrt(ratio)}.get(method, ratio)
    return out


def mutual_proximity(across: Array, gallery: Array, method: str) -> Array:
    """1 - P(farther from both), from normal distributions or by counting gallery images."""
    nq, ng = across.shape
    out = np.empty((nq, ng))
    for i in range(nq):
        for j in range(ng):
            d = across[i, j]
            if method == "empirical":
                out[i, j] = 1 - sum(across[i, x] > d and gallery[j, x] > d for x in range(ng)) / ng
            else:
                out[i, j] = 1 - (1 - _share_below(d, across[i])) * (1 - _share_below(d, gallery[j]))
    return out


def dis_sim(query: Array, gallery: Array, k: int) -> Array:
    """Squared distances less those to local centres; ties among neighbours by row."""
    query, gallery = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    across, among = sqeuclidean(query, gallery), sqeuclidean(gallery, gallery)
    centres = np.stack([gallery[np.argsort(row, kind="stable")[:k]].mean(axis=0) for row in among])
    of_queries = np.stack([centres[np.argsort(row, kind="stable")[:k]].mean(axis=0) for row in across])
    rows = ((query - of_queries) ** 2).sum(axis=1)
    columns = ((gallery - centres) ** 2).sum(axis=1)
    return across - rows[:, None] - columns


def sinkhorn(distances: Array, temperature: float, half_rounds: int) -> Array:
    """-temperature log of the matrix exp(-d / temperature), columns and rows scaled to sum one in turn."""
    d = np.asarray(distances, np.float64)
    a, b = np.zeros(len(d)), np.zeros(d.shape[1])
    for turn in range(half_rounds):
        logarithms = -d / temperature + a[:, None] + b
        if turn % 2 == 0:
            b = b + [_factor(column) for column in logarithms.T]
        else:
            a = a + [_factor(row) for row in logarithms]
    return d - temperature * (a[:, None] + b)


def nnn(similar: Array, to_bank: Array, k: int, alpha: float) -> Array:
    """1 - (s - alpha b), b the mean of the k largest entries of the gallery image's row of ``to_bank``."""
    bias = np.array([np.sort(row)[::-1][:k].mean() for row in np.asarray(to_bank, np.float64)])
    return 1 - (np.asarray(similar, np.float64) - alpha * bias)


def qb_norm(
    similar: Array, to_bank: Array, among: Array, betas: tuple[float, float], k: int, dynamic: bool
) -> Array:
    """c + the weighted mean of two soft means of similarities, to the bank and to other gallery images.

    Images of the bank are rows of ``to_bank``; ``among`` has -inf on its diagonal. Each counts where the query's
    nearest is one of its hubs.
    """
    s = np.asarray(similar, np.float64)
    first, out = np.argmax(s, axis=1), 1 - s
    for table, beta in zip((to_bank, among), betas, strict=True):
        if beta:
            named = {int(j) for row in table for j in np.argsort(-row, kind="stable")[:k] if row[j] > -np.inf}
            count = np.isfinite(table).sum(axis=0)
            bias = np.array([log(sum(exp(beta * x) for x in column)) for column in table.T]) - np.log(count)
            for i, nearest in enumerate(first):
                if not dynamic or nearest in named:
                    out[i] += bias / sum(betas)
    return out


def _mean_smallest(values: Array, k: int) -> float:
    smallest = [value for value in np.sort(values)[:k] if value < np.inf]
    return sum(smallest) / len(smallest) if smallest else 0.0


def _share_below(value: float, population: Array) -> float:
    width = population.std()
    return 0.5 if width < 1e-12 else 0.5 * (1 + erf((value - population.mean()) / (width * sqrt(2))))


def _factor(logarithms: Array) -> float:
    peak = max(logarithms)
    return 0.0 if peak == -np.inf else -peak - log(sum(exp(value - peak) for value in logarithms))
