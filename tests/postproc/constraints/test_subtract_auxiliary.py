"""Distances of side models taken off, after re-ranking and before: by hand, definition, released matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, rerank, rerank_distances, same_camera, sqeuclidean, subtract_auxiliary
from postproc.kernels import reference
from tests.support import golden
from tests.support.each import each
from tests.support.worlds import cubes, world

SIDES = st.tuples(cubes(st.integers(1, 5), (0.0, 1.0, 2.0)), cubes(st.integers(1, 12), (0.0, 1.0, 0.5)))


def test_by_hand():
    d = np.array([[5, 5, np.inf]], np.float32)
    query, gallery = [[3, 0]], [[0, 4], [0, 0], [3, 0]]
    assert_array_equal(subtract_auxiliary(d, query, gallery, weight=0.5), [[5 - 12.5, 5 - 4.5, np.inf]])
    assert_array_equal(subtract_auxiliary(d, query, gallery, weight=2.0, metric="euclidean"), [[-5, -1, np.inf]])
    # at a right angle; no direction
    assert_array_equal(subtract_auxiliary(d, query, gallery, weight=-2.0, metric="cosine"), [[7, 7, np.inf]])


@settings(max_examples=60)
@given(
    sides=SIDES,
    weight=st.sampled_from([0.0, 0.25, -1.0, 3.0]),
    metric=st.sampled_from(["sqeuclidean", "euclidean", "cosine"]),
)
def test_equals_the_definition(sides, weight, metric):
    d = np.random.default_rng(0).choice([-1, 0.5, 3, np.inf], [len(side) for side in sides]).astype(np.float32)
    found = subtract_auxiliary(d, *sides, weight=weight, metric=metric)
    assert_allclose(
        found, reference.constraints.subtract_auxiliary(d, *sides, weight, metric), rtol=1e-5, atol=1e-5
    )


@settings(max_examples=40)
@given(sides=SIDES, weight=st.sampled_from([0.25, -4.0]), top_k=st.none() | st.integers(1, 12))
def test_before_reranking_it_holds_between_all_images(sides, weight, top_k):  # roots of the weights are exact
    query, gallery = sides
    aux = [np.roll(side[:, :2], 1, axis=0) for side in sides]
    setting = {"k1": 4, "k2": 2, "top_k": top_k}
    found = rerank(query, gallery, query_aux=aux[0], gallery_aux=aux[1], auxiliary_weight=weight, **setting)
    wanted = rerank(sqeuclidean(query, gallery) - weight * sqeuclidean(*aux), **setting)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_array_equal(ours, theirs)
    if top_k is None:
        x, y = np.concatenate(sides), np.concatenate(aux)
        every = reference.basic.sqeuclidean(x, x) - weight * reference.basic.sqeuclidean(y, y)
        assert_allclose(found, reference.reciprocal.rerank_matrix(every, len(query), 4, 2, 0.3), atol=3e-6)


def test_with_cameras_and_a_pairwise_too():
    data = world()
    cams, aux = (data["query_cam"], data["gallery_cam"]), (data["query_aux"], data["gallery_aux"])
    features = sqeuclidean(data["query"], data["gallery"])
    wanted = rerank(features + 2.0 * same_camera(*cams) - 0.5 * sqeuclidean(*aux))
    found = rerank(features, None, *cams, None, None, *aux, camera_penalty=2.0, auxiliary_weight=0.5)
    assert_array_equal(found, wanted)


def test_the_largest_numbers_stay_finite():
    far = np.full((1, 2), 3e38)
    for weight in (1e30, -1e30):
        found = subtract_auxiliary(far, [[0.0]], [[1e15], [0.0]], weight=weight)
        assert np.isfinite(found).all()
        assert found[0, 1] == np.float32(3e38)


def test_refuses():
    d = np.ones((1, 2))
    with pytest.raises(ValueError, match=r"^metric: wanted one of sqeuclidean, euclidean, cosine, got 'l2'$"):
        subtract_auxiliary(d, [[1]], [[1], [2]], metric="l2")
    with pytest.raises(ValueError, match=r"^gallery_aux: wanted 2 rows, one an image, got shape \(1, 1\)$"):
        subtract_auxiliary(d, [[1]], [[1]])
    with pytest.raises(
        ValueError, match=r"^query_aux and gallery_aux: wanted the same width, got 1 and 2 numbers"
    ):
        subtract_auxiliary(d, [[1]], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"^auxiliary_weight: needs query_aux and gallery_aux, or 0"):
        rerank([[1]], [[1]], query_aux=[[1]], auxiliary_weight=0.1)
    with pytest.raises(ValueError, match=r"^query_aux: wanted 1 rows, one an image, got shape \(2, 1\)$"):
        rerank([[1]], [[1]], query_aux=[[1], [2]], gallery_aux=[[1]], auxiliary_weight=0.1)


def test_released_before_reranking(shared):
    """VOC-ReID: orientation and camera, 0.1 each, side by side or as two terms, and the mean of three models."""
    released, exact = golden.load(shared, "voc"), golden.load(shared, "voc_v32")
    nq = len(released["q"])
    parts = [(released[name][:nq], released[name][nq:]) for name in ("ori_feat", "cam_feat")]
    aux = [np.concatenate(sides, axis=1) for sides in zip(*parts, strict=True)]
    setting = {"k1": 50, "k2": 15, "lambda_value": 0.5}
    total = 0
    for model, suffix in ((1, ""), (2, "2"), (3, "3")):
        features = released["q" + suffix], released["g" + suffix]
        found = rerank(*features, query_aux=aux[0], gallery_aux=aux[1], auxiliary_weight=0.1, **setting)
        key = f"voc_rerank_m{model}_k50_15_0.5_aux0.1_0.1"
        assert_allclose(found, exact[f"{key}_v32"], rtol=0, atol=1e-6)
        assert_allclose(found, released[key], rtol=0, atol=1e-2)  # there V is kept in float16
        pairs = sqeuclidean(*features) - 0.1 * sqeuclidean(*parts[0]) - 0.1 * sqeuclidean(*parts[1])
        assert_allclose(rerank(pairs, **setting), found, rtol=0, atol=1e-6)
        total = total + found / 3
    assert_allclose(total, exact["voc_mean3_v32"], rtol=0, atol=1e-6)
    assert_allclose(total, released["voc_mean3"], rtol=0, atol=1e-2)


@each("name", ["noaux", "local", "onlylocal"])
def test_released_matrices(shared, name):
    """VOC-ReID: another matrix in the place of features, or added to their squared distances."""
    released, exact = golden.load(shared, "voc"), golden.load(shared, "voc_v32")
    nq, images = len(released["q"]), np.concatenate([released["q"], released["g"]])
    every = {
        "noaux": distances(images, images),
        "local": distances(images, images) + released["local_distmat"],
        "onlylocal": released["local_distmat"],
    }[name]
    parts = every[:nq, nq:], every[:nq, :nq], every[nq:, nq:]
    found = rerank_distances(*parts, k1=20, k2=6, lambda_value=0.3, power=1)
    assert_allclose(found, exact[f"voc_rerank_m1_k20_6_0.3_{name}_v32"], rtol=0, atol=1e-6)
    assert_allclose(found, released[f"voc_rerank_m1_k20_6_0.3_{name}"], rtol=0, atol=1e-2)
