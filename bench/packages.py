"""Steps as other packages have them, or as people put them together from their lists.

Each takes features of unit length and gives what the step of that name gives at its defaults, and imports what it
needs; ``bench/peers.py`` says which package has to be there.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

TEMPERATURE, HALF_ROUNDS = 0.05, 20  # the defaults of sinkhorn
Sides = tuple[np.ndarray, np.ndarray]


def lists(images: np.ndarray, bank: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """faiss's exact lists: (n, k) cosines, the largest first, and rows of the bank."""
    import faiss

    index = faiss.IndexFlatIP(bank.shape[1])
    index.add(bank)
    return index.search(images, min(k, len(bank)))


def query_expansion(query: np.ndarray, gallery: np.ndarray, k: int = 10) -> Sides:
    """faiss's lists, then a mean."""
    _, near = lists(query, gallery, k)
    out = query + gallery[near].sum(axis=1)
    return out / np.linalg.norm(out, axis=1, keepdims=True), gallery


def csls(query: np.ndarray, gallery: np.ndarray, k: int = 10) -> np.ndarray:
    """As in MUSE: mean similarities from faiss's lists of both sides, then the matrix."""
    means = [lists(*sides, k)[0].mean(axis=1) for sides in ((query, gallery), (gallery, query))]
    out = query @ gallery.T
    out *= -2
    out += means[0][:, None]
    out += means[1]
    return out


def nnn(query: np.ndarray, gallery: np.ndarray, train: np.ndarray, k: int = 16, alpha: float = 0.75) -> np.ndarray:
    """As released: the bias from faiss's lists of gallery images in the bank."""
    bias = alpha * lists(gallery, train, k)[0].mean(axis=1)
    out = query @ gallery.T
    np.subtract(1, out, out=out)
    out += bias
    return out


def dis_sim(query: np.ndarray, gallery: np.ndarray, k: int = 5) -> np.ndarray:
    """The formula on faiss's lists; scikit-hubness 0.21.2 has distances and columns in two different orders."""
    centres = gallery[lists(gallery, gallery, k)[1]].mean(axis=1)
    of_queries = centres[lists(query, gallery, k)[1]].mean(axis=1)
    out = query @ gallery.T
    out *= -2
    out += 2 - ((query - of_queries) ** 2).sum(axis=1)[:, None]
    out -= ((gallery - centres) ** 2).sum(axis=1)
    return out


def offline_diffusion(
    query: np.ndarray, gallery: np.ndarray, truncate: int = 1000, k: int = 50, alpha: float = 0.99
) -> np.ndarray:
    """As released: faiss's lists, SciPy's conjugate gradients image by image, a product of sparse rows."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import cg

    images, nq = np.concatenate([query, gallery]), len(query)
    similar, near = lists(images, images, truncate)
    graph = laplacian(similar[:, :k], near[:, :k], alpha)
    start = np.eye(1, near.shape[1])[0]
    solved = [cg(graph[rows][:, rows], start, rtol=1e-6, maxiter=20)[0] for rows in near]
    values = np.stack(solved) / np.linalg.norm(solved, axis=1, keepdims=True)
    starts = np.arange(0, values.size + 1, values.shape[1])
    rows = csr_matrix((values.ravel(), near.ravel(), starts), shape=(len(images), len(images)))
    shared = (rows[:nq] @ rows[nq:].T).toarray()
    return np.where(shared > 0, -shared, 2 - 2 * query @ gallery.T)


def diffusion(query: np.ndarray, gallery: np.ndarray, k: int = 50, k_query: int = 10, alpha: float = 0.99) -> Any:
    """As released: faiss's lists, SciPy's conjugate gradients query by query."""
    from scipy.sparse.linalg import cg

    graph = laplacian(*lists(gallery, gallery, k), alpha)
    entries = np.zeros((len(query), len(gallery)))
    similar, near = lists(query, gallery, k_query)
    np.put_along_axis(entries, near, np.maximum(similar, 0) ** 3.0, axis=1)
    reached = np.stack([cg(graph, entry, rtol=1e-6, maxiter=20)[0] for entry in entries])
    return np.where(reached > 0, -reached, 2 - 2 * query @ gallery.T)


def laplacian(similar: np.ndarray, near: np.ndarray, alpha: float, gamma: float = 3.0) -> Any:
    """``I - alpha D^-1/2 W D^-1/2`` of images that are in each other's lists."""
    from scipy.sparse import csr_matrix, diags, identity

    count, k = near.shape
    weights = np.maximum(similar, 0).astype(np.float64) ** gamma
    weights[near == np.arange(count)[:, None]] = 0
    graph = csr_matrix((weights.ravel(), near.ravel(), np.arange(0, count * k + 1, k)), shape=(count, count))
    graph = graph.minimum(graph.T)
    sums = np.asarray(graph.sum(axis=1)).ravel()
    scale = diags(1 / np.sqrt(np.where(sums > 0, sums, 1)))
    return (identity(count) - alpha * scale @ graph @ scale).tocsr()


def sinkhorn(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """POT's, between equal shares; as a distance whose rows sum to one."""
    import ot

    far = 1 - query.astype(np.float64) @ gallery.T.astype(np.float64)
    rows, columns = (np.full(n, 1 / n) for n in far.shape)
    plan = ot.sinkhorn(rows, columns, far, TEMPERATURE, numItermax=HALF_ROUNDS // 2, stopThr=0, warn=False)
    return -TEMPERATURE * np.log(plan * len(query))


def local_scaling(query: np.ndarray, gallery: np.ndarray, k: int = 5) -> np.ndarray:
    """scikit-hubness's, on scikit-learn's neighbours and distances, as it takes them itself."""
    from sklearn.metrics import euclidean_distances
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(gallery).kneighbors(gallery)
    far = euclidean_distances(query, gallery)
    order = np.argpartition(far, range(k + 1), axis=1)  # those that it looks at first, in order
    method = scikit_hubness().LocalScaling(k=k).fit(*near)
    found, order = method.transform(np.take_along_axis(far, order, axis=1), order)
    np.put_along_axis(far, order, found, axis=1)
    return far


def mutual_proximity(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """scikit-hubness's, of all distances."""
    from sklearn.metrics import euclidean_distances

    among, across = euclidean_distances(gallery), euclidean_distances(query, gallery)
    columns = np.arange(len(gallery))
    method = scikit_hubness().MutualProximity().fit(among, np.broadcast_to(columns, among.shape))
    return method.transform(across, np.broadcast_to(columns, across.shape))[0]


def scikit_hubness() -> ModuleType:
    """Its ``reduction`` alone: the rest of the package wants scikit-learn 0.21, which no Python of today runs."""
    if "skhubness" not in sys.modules:
        found = find_spec("skhubness")
        assert found is not None
        package = ModuleType("skhubness")
        package.__path__ = list(found.submodule_search_locations or [])
        sys.modules["skhubness"] = package
    return import_module("skhubness.reduction")


def whiten(query: np.ndarray, gallery: np.ndarray) -> Sides:
    """scikit-learn's, by the solver that is quickest for few dimensions."""
    from sklearn.decomposition import PCA

    found = PCA(whiten=True, svd_solver="covariance_eigh").fit(gallery)
    moved = [found.transform(side) for side in (query, gallery)]
    query, gallery = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in moved)
    return query, gallery


def quantile_transform(query: np.ndarray, gallery: np.ndarray) -> Sides:
    """scikit-learn's."""
    from sklearn.preprocessing import QuantileTransformer

    points = min(1000, len(gallery))
    found = QuantileTransformer(n_quantiles=points, output_distribution="normal", subsample=None).fit(gallery)
    return found.transform(query), found.transform(gallery)


def dbscan(query_distances: np.ndarray) -> np.ndarray:
    """scikit-learn's."""
    from sklearn.cluster import DBSCAN

    far = query_distances.copy()
    np.fill_diagonal(far, 0)
    return numbered(DBSCAN(eps=0.5, min_samples=4, metric="precomputed").fit_predict(far))


def linkage(query_distances: np.ndarray) -> np.ndarray:
    """SciPy's, of all images in one tree."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    tree = hierarchy.linkage(squareform(query_distances, checks=False), "average")
    labels = hierarchy.fcluster(tree, 0.5, "distance")
    return numbered(np.where(np.bincount(labels)[labels] > 1, labels, -1))


def numbered(labels: np.ndarray) -> np.ndarray:
    """Clusters numbered by their first image, -1 nobody's."""
    out = np.full(len(labels), -1)
    there = labels >= 0
    _, first, inverse = np.unique(labels[there], return_index=True, return_inverse=True)
    out[there] = np.argsort(np.argsort(first))[inverse]
    return out
