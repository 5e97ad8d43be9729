"""What is declared of distances holds where rounding would leave it: one set against itself, strong settings."""

import numpy as np
from numpy.testing import assert_array_equal

import postproc
from postproc.base.step import range_of
from postproc.compat import re_ranking
from postproc.testing import world

DATA = world(nq=1, ng=150, d=12, people=20, seed=3)
X = DATA["gallery"] + np.linspace(0, 0.1, 150, dtype=np.float32)[:, None]  # copies may crowd each other out
CAM, TRACK = DATA["gallery_cam"], np.arange(150) // 3
UNIT = postproc.l2_normalize(X)
SQUARED = postproc.distances(X, X)
CALLS = [
    (postproc.distances, (X, X), {}),
    (postproc.distances, (UNIT, -UNIT), {"metric": "cosine"}),
    (postproc.distances, (UNIT, UNIT), {"metric": "cosine"}),
    (postproc.distances, (X, X), {"metric": "euclidean"}),
    *((postproc.rerank, (X, X), {"k1": k, "lambda_value": s}) for k in (4, 20, 100) for s in (0, 0.3, 1)),
    (postproc.rerank, (X, X), {"normalize": False, "lambda_value": 0.3}),
    (postproc.rerank, (X, X), {"normalize": False, "lambda_value": 0.0}),
    (postproc.rerank_distances, (SQUARED, SQUARED, SQUARED), {"k1": 50}),
    *((postproc.ca_jaccard, (X, X, CAM, CAM), {"k1_inter": k, "k2_inter": k}) for k in (3, 20, 60)),
    *((postproc.gnn_rerank, (X, X), {"k1": k1, "k2": k1 // 3}) for k1 in (6, 26, 100)),
    *((postproc.rerank_tracks, (X, X, TRACK), {"lambda_value": share}) for share in (0, 0.3, 0.6)),
    *((postproc.rerank_tracks, (X, X, TRACK), {"lambda_value": share, "order": "row"}) for share in (0, 0.3)),
    *((postproc.mutual_proximity, (X, X), {"method": method}) for method in ("normal", "empirical")),
]
ITSELF = (postproc.distances, postproc.rerank, postproc.rerank_distances, postproc.ca_jaccard, postproc.gnn_rerank)


def test_nothing_leaves_its_range():
    for step, data, settings in CALLS:
        low, high = range_of(step, settings)
        found, said = step(*data, **settings), f"{step.__name__} {settings}"
        assert low <= found.min(), f"{said}: {found.min()!r}"
        assert found.max() <= high, f"{said}: {found.max()!r}"
        if step in ITSELF and data[0] is data[1]:
            assert found.diagonal().max() <= (2e-6 if step is postproc.gnn_rerank else 0), said  # a sum of squares
            by_row = "rerank" in step.__name__ and settings.get("lambda_value", 0.3)  # the largest of the row
            assert by_row or abs(found - found.T).max() <= 2e-6 * max(1, found.max()), said
    assert re_ranking(SQUARED, SQUARED, SQUARED, k1=50).min() >= 0


def test_what_takes_distances_takes_these():
    from sklearn.cluster import DBSCAN

    from ensemble.fusion.scaling import scaled

    for found in (postproc.rerank(X, X, k1=100), postproc.gnn_rerank(X, X), postproc.ca_jaccard(X, X, CAM, CAM)):
        DBSCAN(eps=0.5, metric="precomputed").fit(found)
        scaled(found, "row-max")


def test_what_a_setting_makes_of_the_range():
    assert range_of(postproc.rerank, {}) == (0, 1)
    assert range_of(postproc.rerank, {"normalize": False}) == (0, np.inf)
    assert range_of(postproc.rerank, {"camera_penalty": -1.0}) == (-np.inf, 1)
    assert range_of(postproc.rerank_tracks, {}) == (0, 1 + 1e-6)  # an image that is not its track's nearest
    assert range_of(postproc.rerank_tracks, {"order": "row"}) == (0, 1)
    assert range_of(postproc.gnn_rerank, {"k2": 1}) == (-26, 2)
    assert range_of(postproc.csls, {}) is None
    assert_array_equal(postproc.rerank(X, X, k1=100) >= 0, True)
