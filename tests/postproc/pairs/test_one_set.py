"""One set of images, each against all others."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from postproc import distances, rerank
from postproc.base.one_set import TwiceTheSame, completed, is_one_set
from postproc.pairs.pairwise import same_camera, sqeuclidean
from postproc.testing import world
from tests.support import golden
from tests.support.each import each

WORLD = world()
X, CAM, TRACK = WORLD["gallery"], WORLD["gallery_cam"], WORLD["gallery_track"]
INSIDE = ~np.eye(len(X), dtype=bool)


@each("metric", ["sqeuclidean", "euclidean", "cosine"])
def test_distances_are_those_of_the_set_with_itself(metric):
    found = distances(X, metric=metric)
    twice = distances(X, X, metric=metric)
    np.testing.assert_allclose(found[INSIDE], twice[INSIDE], rtol=0, atol=1e-5)
    assert_array_equal(np.diagonal(found), np.inf)
    assert_array_equal(found, found.T)
    assert is_one_set(found)
    assert not is_one_set(twice)


def test_no_list_names_the_own_image_and_copies_are_others():
    found = distances(X, top_k=2)
    assert found.rows[5].tolist() == [17, 60]  # 5, 17 and 60 are copies of one image
    assert found.distances[5].tolist() == [0, 0]
    whole = distances(X, top_k=1000)
    assert whole.rows.shape == (len(X), len(X) - 1)
    assert (np.sort(whole.rows, axis=1) != np.arange(len(X))[:, None]).any()
    for image, row in enumerate(whole.rows):
        assert sorted(row.tolist()) == [other for other in range(len(X)) if other != image]


def test_an_image_alone_has_no_answer():
    assert distances(X[:1]).tolist() == [[np.inf]]
    found = distances(X[:1], top_k=3)
    assert (found.distances.tolist(), found.rows.tolist()) == ([[np.inf]], [[-1]])


def test_rerank_is_the_published_jaccard_distance(shared):
    """That of OpenUnReID, of one set of 300 images of unit length."""
    known = golden.load(shared, "jaccard_faiss")
    images = np.concatenate([known["q"], known["g"]])
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    found = rerank(images, k1=20, k2=6, count_self=True, normalize=False, lambda_value=0)
    np.testing.assert_allclose(found, known["distNxN__openunreid__k1=20_k2=6_fp=32"], rtol=0, atol=1e-6)
    assert_array_equal(found, found.T)
    lists = rerank(images, k1=20, k2=6, count_self=True, normalize=False, lambda_value=0, top_k=7)
    np.fill_diagonal(found, np.inf)
    assert_array_equal(lists.rows, np.argsort(found, axis=1, kind="stable")[:, :7])


@each("settings", [{}, {"k2": 1}, {"lambda_value": 0.3}])
def test_what_two_images_share_has_one_order(settings):
    found = rerank(X, normalize=False, **{"lambda_value": 0.0, **settings})
    assert_array_equal(found, found.T)


def test_a_set_counts_every_image_once():
    """By hand: of 0, 1, 4 and 5 on a line each has one mutual neighbour, at k1 = 1."""
    line = np.array([[0], [1], [4], [5]], np.float32)
    found = rerank(line, k1=1, k2=1, lambda_value=0, normalize=False)
    # V of 0 and of 1: exp(0) and exp(-1) over their sum, .731 and .269; they share 2 x .269
    shared = 2 * np.exp(-1) / (1 + np.exp(-1))
    near = 1 - shared / (2 - shared)
    wanted = [[np.inf, near, 1, 1], [near, np.inf, 1, 1], [1, 1, np.inf, near], [1, 1, near, np.inf]]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_columns_are_given_once():
    found = rerank(X, query_cam=CAM, query_track=TRACK, camera_penalty=0.5)
    others = rerank(X, gallery_cam=CAM, gallery_track=TRACK, camera_penalty=0.5)
    described = rerank(sqeuclidean(X) + 0.5 * same_camera(CAM, query_track=TRACK))
    assert_array_equal(found, others)
    assert_array_equal(found, described)
    with pytest.raises(ValueError, match=r"^gallery_cam: one set has its columns once, give query_cam alone"):
        rerank(X, query_cam=CAM, gallery_cam=CAM[::-1], camera_penalty=0.5)


def test_sums_are_of_one_set_or_of_two():
    mixed = sqeuclidean(X) + 0.5 * same_camera(CAM, CAM)  # the same on both sides, said once
    assert_array_equal(distances(mixed), distances(sqeuclidean(X) + 0.5 * same_camera(CAM)))
    with pytest.raises(ValueError, match=r"^sum of distances: wanted one set in both, or queries and a gallery"):
        sqeuclidean(X) + same_camera(CAM, CAM[::-1])


def test_one_set_handed_over_twice_is_said():
    with pytest.warns(
        TwiceTheSame, match=r"^rerank: query and gallery are the same images.*rerank\(images\) means"
    ):
        rerank(X, X.copy())
    other = X.copy()
    other[-1] += 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", TwiceTheSame)
        rerank(X, other)


def test_any_kind_of_array_may_be_on_both_sides():
    import pandas as pd
    from scipy.sparse import csr_matrix

    other = np.roll(X, 1, axis=1)
    wanted = distances(X, other)
    assert_array_equal(distances(pd.DataFrame(X), pd.DataFrame(other)), wanted)
    with pytest.warns(TwiceTheSame):
        distances(pd.DataFrame(X), X)
    with pytest.raises(TypeError, match=r"^query: wanted a NumPy array, got csr_matrix"):
        distances(csr_matrix(X), csr_matrix(X))


def test_a_call_with_two_sides_is_left_as_it_is():
    given = {"query": X[:3], "gallery": X, "query_cam": CAM[:3]}
    assert completed(rerank.__wrapped__, given) == given
