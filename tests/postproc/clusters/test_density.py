"""DBSCAN by its definition and beside scikit-learn, HDBSCAN as scikit-learn gives it, components of neighbours."""

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, HDBSCAN

from postproc import Nearest, connected_components, dbscan, hdbscan
from postproc.kernels.reference.clusters import dbscan as defined
from tests.support.each import each
from tests.support.herds import cosine, herd, same

FAR = cosine(herd(1, noise=0.6)["features"])
FLAT = FAR.copy()
np.fill_diagonal(FLAT, 0)


@each(("eps", "least"), [(0.1, 2), (0.25, 3), (0.3, 5), (0.5, 9), (2.0, 4), (0.0001, 1)])
def test_dbscan_is_as_defined(eps, least):
    found = dbscan(FAR, eps=eps, min_samples=least)
    assert same(found, defined(FLAT, eps, least))
    beside = DBSCAN(eps=eps, min_samples=least, metric="precomputed").fit(FLAT)
    core = np.zeros(len(FLAT), bool)
    core[beside.core_sample_indices_] = True
    assert same(found[core], beside.labels_[core])
    alone = np.bincount(beside.labels_[beside.labels_ >= 0], minlength=1) < 2  # of one image: alone here
    noise = (beside.labels_ < 0) | np.isin(beside.labels_, np.flatnonzero(alone))
    assert ((found < 0) == noise).all()


def test_lists_with_all_near_pairs_give_the_same():
    k = int((FAR <= 0.3).sum(axis=1).max())
    rows = np.argsort(FAR, axis=1, kind="stable")[:, :k].astype(np.int32)
    lists = Nearest(np.take_along_axis(FAR, rows.astype(np.int64), axis=1), rows)
    assert (dbscan(lists, eps=0.3) == dbscan(FAR, eps=0.3)).all()


@each(("size", "least", "select"), [(3, None, "eom"), (2, 2, "leaf"), (5, 3, "eom")])
def test_hdbscan_is_scikit_learns(size, least, select):
    wanted = HDBSCAN(
        min_cluster_size=size, min_samples=least, cluster_selection_method=select, metric="precomputed", copy=True
    ).fit_predict(FLAT.astype(np.float64))
    assert same(hdbscan(FAR, min_cluster_size=size, min_samples=least, select=select), wanted)


def test_hdbscan_looks_at_what_is_connected_by_itself():
    half = np.abs(np.array([0, 0.1, 0.2, 5, 5.1, 5.2])[:, None] - [0, 0.1, 0.2, 5, 5.1, 5.2])
    far = np.full((12, 12), np.inf)
    far[:6, :6] = far[6:, 6:] = half
    assert hdbscan(far, min_samples=2).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    with pytest.raises(ValueError, match="query_distances: wanted distances of 0 or more, found -1"):
        hdbscan([[0, -1], [-1, 0]])


def test_components_of_mutual_neighbours():
    far = np.abs(np.array([0, 1, 3, 4, 6])[:, None] - np.array([0, 1, 3, 4, 6])).astype(np.float32)
    assert connected_components(far, threshold=2).tolist() == [0, 0, 0, 0, 0]
    # nearest of each: 1, 0, 3, 2, 3; of 6 it is 4, whose nearest is 3
    assert connected_components(far, threshold=2, k=1).tolist() == [0, 0, 1, 1, -1]
    assert connected_components(far, threshold=2, k=1, mutual=False).tolist() == [0, 0, 1, 1, 1]


def test_who_is_no_core_joins_the_nearest():
    far = np.full((9, 9), 9.0)  # four images, one between, four images
    far[:4, :4] = far[5:, 5:] = 0.1
    far[4, 0] = far[0, 4] = 0.9
    far[4, 8] = far[8, 4] = 0.8
    assert dbscan(far, eps=1.0, min_samples=4).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    far[4, 0] = far[0, 4] = 0.8  # as near: the first
    assert dbscan(far, eps=1.0, min_samples=4).tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert dbscan(far, eps=1.0, min_samples=3).tolist() == [0] * 9  # a core that joins both
