"""Features of one set: every image once in every statistic, its neighbours among the others."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    camera_whitening,
    discriminative_expansion,
    gcr,
    l2_normalize,
    learned_distances,
    learned_metric,
    learned_whitening,
    merge_set_features,
    quantile_transform,
    query_expansion,
    subtract_negatives,
    whiten,
)
from postproc.kernels import reference
from postproc.kernels.reference.basic import unit
from tests.support.alone import CAM, INSIDE, WORLD, N, X
from tests.support.each import each

TRAIN = {"train": WORLD["train"], "train_pid": WORLD["train_pid"]}
NONE, NOWHERE = X[:0], CAM[:0]


def others_of(i):
    return np.delete(X, i, axis=0)


def test_camera_whitening_counts_each_image_in_its_own_camera():
    cam = np.where(np.arange(N) % 7, CAM, -1)
    found = camera_whitening(X, query_cam=cam)
    _, wanted = reference.whitening.camera_whitening(X[:1], X, cam[:1], cam, ridge=0.18)
    assert_allclose(found, wanted, atol=1e-5)
    assert_array_equal(found, camera_whitening(X, gallery_cam=cam))


@each("expand", ["query", "gallery"])
def test_discriminative_expansion_is_of_each_image_from_the_others(expand):
    found = discriminative_expansion(X, k=3, negatives=10, expand=expand)
    wanted = [discriminative_expansion(X[[i]], others_of(i), k=3, negatives=10)[0][0] for i in range(N)]
    assert_allclose(found, wanted, atol=2e-5)
    assert_array_equal(discriminative_expansion(X, negatives=0), X)


@each("graph", ["directed", "symmetric", "local"])
def test_gcr_has_each_image_in_its_graphs_once(graph):
    settings = {"k1": 5, "k2": 3, "beta1": 0.2, "beta2": 0.3, "scale": 0.3}
    found = gcr(X, query_cam=CAM, rounds=1, graph=graph, **settings)
    if graph == "local":
        _, wanted = reference.propagation.gcr_local(NONE, X, NOWHERE, CAM, **settings, in_order=False)
    else:
        _, wanted = reference.propagation.gcr(
            NONE, X, NOWHERE, CAM, **settings, rounds=1, symmetric=graph == "symmetric"
        )
    assert_allclose(found, wanted, atol=1e-5)
    assert_array_equal(gcr(X, query_cam=CAM, rounds=0), X)


def test_merge_set_features_moves_the_set_as_a_gallery():
    settings = {"k": 6, "beta": 0.1, "step": 0.2, "rounds": 2}
    _, wanted = reference.expansion.merge_set_features(X[:1], X, **settings)
    assert_allclose(merge_set_features(X, **settings), wanted, atol=1e-5)
    assert_array_equal(merge_set_features(X, step=0), X)


def expanded(images, bank, k):
    """Each image and its k nearest of the others in the bank, by the cosine, at one weight."""
    s = unit(images) @ unit(bank).T
    np.fill_diagonal(s, -np.inf)
    near = np.argsort(-s.round(6), axis=1, kind="stable")[:, :k]
    return unit(images + bank[near].sum(axis=1))


@each("expand", ["query", "gallery", "both"])
def test_query_expansion_is_of_each_image_from_the_others(expand):
    once = expanded(X, X, 4)
    assert_allclose(query_expansion(X, k=4, expand=expand), once, atol=1e-5)
    twice = expanded(once, X if expand == "query" else once, 4)
    assert_allclose(query_expansion(X, k=4, expand=expand, rounds=2), twice, atol=1e-5)
    assert_array_equal(query_expansion(X, k=0, expand=expand), X)
    assert_array_equal(query_expansion(X[:1], k=4, expand=expand, renormalize=False), X[:1])  # nobody else


@each("settings", [{}, {"alpha": 3.0}, {"decay": True}, {"metric": "sqeuclidean"}, {"metric": "dot"}])
def test_query_expansion_is_that_of_a_query_before_the_others(settings):
    settings = {"k": 4, "renormalize": False, **settings}
    wanted = [query_expansion(X[[i]], others_of(i), **settings)[0][0] for i in range(N)]
    assert_allclose(query_expansion(X, **settings), wanted, rtol=1e-4, atol=1e-5)


def test_by_hand_nobody_is_its_own_neighbour():
    line = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    # the nearest other of (1, 0) is (0.8, 0.6), of that (1, 0) too (0.8 against 0.6), of (0, 1) the second
    found = query_expansion(line, k=1, renormalize=False)
    assert_allclose(found, [[0.9, 0.3], [0.9, 0.3], [0.4, 0.8]], atol=1e-6)


@each("rounds", [1, 2])
def test_subtract_negatives(rounds):
    train = WORLD["train"]
    wanted = reference.expansion.subtract_negatives(X, train, 10, 0.35, rounds)
    assert_allclose(subtract_negatives(X, train=train, rounds=rounds), wanted, atol=1e-5)
    assert_array_equal(subtract_negatives(X, None, train, k=0), X)


@each("train", [None, WORLD["train"]])
def test_whiten_and_quantiles_are_fitted_on_each_image_once(train):
    fitted = X if train is None else train
    mean, rows = reference.whitening.principal_components(fitted, 1.0)
    assert_allclose(whiten(X, train=train), unit((X - mean) @ rows.T), atol=1e-4)
    wanted = [reference.whitening.quantile_transform(X[:, j], fitted[:, j]) for j in range(X.shape[1])]
    found = quantile_transform(X, train=train)
    once = ~np.isin(np.arange(N), [5, 17, 60])  # copies have a mean rank, which the definition does not know
    assert_allclose(found[once], np.transpose(wanted)[once], atol=1e-4)


def test_learned_maps_are_those_of_the_training_images():
    mean, rows = reference.whitening.learned_whitening(**TRAIN)
    assert_allclose(learned_whitening(X, **TRAIN), unit((X - mean) @ rows.T), atol=1e-3)
    mapped = learned_metric(X, **TRAIN)
    _, wanted = learned_metric(X[:7], X, **TRAIN)
    assert_array_equal(mapped, wanted)


def test_learned_distances_are_those_of_the_metric():
    """KISSME on features as they are: M = S^-1 - D^-1, the means of (a - b)(a - b)ᵀ within and across."""
    train, pid = WORLD["train"][:, :4].astype(np.float64), WORLD["train_pid"]
    differences = train[:, None] - train
    same, different = pid[:, None] == pid, pid[:, None] != pid
    np.fill_diagonal(same, False)
    within, across = ((d := differences[pairs]).T @ d / len(d) for pairs in (same, different))
    metric = np.linalg.inv(within) - np.linalg.inv(across)
    between = X[:, None, :4].astype(np.float64) - X[:, :4]
    wanted = np.einsum("ijk,kl,ijl->ij", between, metric, between)
    found = learned_distances(X[:, :4], train=WORLD["train"][:, :4], train_pid=pid, method="kissme")
    assert_allclose(found[INSIDE], wanted[INSIDE], rtol=1e-4, atol=1e-4)
    assert_array_equal(np.diagonal(found), np.inf)
    assert_array_equal(found, found.T)
    lists = learned_distances(X[:, :4], train=WORLD["train"][:, :4], train_pid=pid, method="kissme", top_k=5)
    assert_array_equal(lists.rows, np.argsort(found, axis=1, kind="stable")[:, :5])


@each("step", [camera_whitening, gcr])
def test_columns_are_given_once(step):
    with pytest.raises(ValueError, match=r"^gallery_cam: one set has its columns once, give query_cam alone"):
        step(X, None, CAM, CAM.copy())
    with pytest.raises(ValueError, match=r"^query_cam: wanted 90 values, one an image, got shape \(89,\)"):
        step(X, query_cam=CAM[1:])


def test_what_is_learned_from_has_the_width_of_the_set():
    with pytest.raises(ValueError, match=r"^query and train: wanted the same width, got 16 and 15"):
        whiten(X, train=WORLD["train"][:, 1:])
    with pytest.raises(ValueError, match=r"^query: wanted at least one image"):
        whiten(X[:0])


def test_copies_stay_copies():
    """Images 5, 17 and 60 are one."""
    for found in (query_expansion(X), merge_set_features(X), whiten(X), gcr(l2_normalize(X), query_cam=CAM)):
        assert_array_equal(found[5], found[17])
        assert_array_equal(found[5], found[60])
