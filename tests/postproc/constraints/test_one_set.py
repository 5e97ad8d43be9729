"""Re-ranking with cameras, tracks, attributes and times inside one set."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, rerank_attributes, rerank_constrained
from postproc.kernels import reference
from postproc.testing import world
from tests.support.each import each

DATA = world(ng=60)
CAM, TRACK, GROUP = (DATA[f"gallery_{name}"] for name in ("cam", "track", "cam_group"))
X = reference.basic.unit(DATA["gallery"]).astype(np.float32)
COUNT = len(X)
OWN = np.eye(COUNT, dtype=bool)
SCORES = (distances(X, metric="cosine") * np.linspace(1, 1.2, COUNT, dtype=np.float32)).astype(np.float32)


@each("clip", [False, True])
def test_neighbourhoods_by_features_and_rules_and_the_distances_in_the_mix(clip):
    one = (TRACK[:, None] == TRACK) & (TRACK >= 0)
    copies = (X[:, None] == X).all(axis=2) & (CAM[:, None] == CAM) & (GROUP[:, None] == GROUP)
    copies &= TRACK[:, None] == TRACK
    penalty = 0.6 * (CAM[:, None] == CAM) + 0.2 * ((GROUP[:, None] == GROUP) & (GROUP >= 0))
    s = np.where(one | copies | OWN, 1, X.astype(np.float64) @ X.T - penalty)
    s = np.clip(s, -1, 1) if clip else s
    shared = reference.reciprocal.rerank_matrix((2 - 2 * s) ** 2, None, 7, 3, 0)
    p = (2 * np.where(OWN, 0, np.minimum(SCORES, 2) if clip else SCORES).astype(np.float64)) ** 2
    wanted = 0.6 * shared + 0.4 * p / p.max(axis=1, keepdims=True)
    setting = {"k1": 7, "k2": 3, "lambda_value": 0.4, "camera": 0.6, "group": 0.2, "clip": clip}
    columns = {"query_cam": CAM, "query_track": TRACK, "query_cam_group": GROUP}
    found = rerank_constrained(SCORES, X, **columns, **setting)
    assert_allclose(found[~OWN], wanted[~OWN], atol=3e-6)
    assert (found[OWN] == np.inf).all()
    lists = rerank_constrained(SCORES, X, **columns, **setting, top_k=5)
    assert_array_equal(lists.rows, np.argsort(found, axis=1, kind="stable")[:, :5])


def test_distances_of_one_set_are_a_square_without_the_own():
    with pytest.raises(
        ValueError, match=r"^distances: wanted one set against itself, a square, got shape \(9, 60\)"
    ):
        rerank_constrained(SCORES[:9], X)
    with pytest.raises(ValueError, match=r"^distances: wanted shape \(59, 59\) to match"):
        rerank_constrained(SCORES, X[1:])


def test_tracks_of_one_set_stand_on_both_sides():
    setting = {"confusions": [np.eye(4) + 0.1], "k1": 5, "k2": 3}
    aux = DATA["gallery_aux"]
    found = rerank_attributes(X, query_aux=aux, gallery_track=TRACK, level="track", **setting)
    labels = np.where(TRACK >= 0, TRACK, TRACK.max() + 1 + np.arange(COUNT))
    names, of = np.unique(labels, return_inverse=True)
    means, mean_aux = (np.stack([part[of == t].mean(axis=0) for t in range(len(names))]) for part in (X, aux))
    by_track = rerank_attributes(means, query_aux=mean_aux, **setting)
    np.fill_diagonal(by_track, 0)
    wanted = by_track[np.ix_(of, of)]
    assert_allclose(found[~OWN], wanted[~OWN], atol=2e-6)
    assert (found[OWN] == np.inf).all()
