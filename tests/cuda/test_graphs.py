"""Methods on the graph of all images, or on lists of neighbours, give on a device what they give in NumPy."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    Nearest,
    build_gallery,
    cas,
    ecn,
    gcr,
    gnn_rerank,
    kwf,
    lbr,
    merge_set_features,
    neighbours,
    rerank,
    rerank_multiscale,
    same_camera,
    sqeuclidean,
)
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=5, ng=30, d=8, people=6, cameras=3)
Q, G = DATA["query"], DATA["gallery"]
CAMERAS = DATA["query_cam"], DATA["gallery_cam"]


def same(on_device, found, wanted, atol=2e-6):
    """Up to rounding, part by part; rows exactly."""
    if isinstance(wanted, Nearest):
        assert (on_device.down(found.rows) == wanted.rows).all()
        found, wanted = found.distances, wanted.distances
    found = on_device.down(found)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert_allclose(found, wanted, rtol=2e-6, atol=atol)


@each("setting", [{"k1": 6, "k2": 3}, {"k1": 100, "k2": 2}, {"k1": 4, "k2": 1}, {"k1": 6, "k2": 3, "top_k": 4}])
def test_gnn_rerank(on_device, setting):
    same(on_device, gnn_rerank(on_device.up(Q), on_device.up(G), **setting), gnn_rerank(Q, G, **setting))


@each("setting", [{}, {"top_k": 4}])
def test_lists_beside_features_on_a_device(on_device, setting):
    sides, lists = (on_device.up(Q), on_device.up(G)), neighbours(Q, G, k=20)
    found = rerank(*sides, neighbours=lists, **setting)
    same(on_device, found, rerank(Q, G, **setting))
    same(on_device, found, rerank(Q, G, neighbours=neighbours(*sides, k=20), **setting))


@each("setting", [{"k": 5}, {"k": 0, "scales": [(5, 2)]}, {"scales": [(3, 1), (6, 3)], "top_k": 4}])
def test_rerank_multiscale(on_device, setting):
    same(
        on_device,
        rerank_multiscale(on_device.up(Q), on_device.up(G), **setting),
        rerank_multiscale(Q, G, **setting),
    )


@each(
    "setting",
    [
        {"k": 6, "t": 2, "q": 3},
        {"k": 6, "t": 2, "q": 0},
        {"k": 6, "t": 2, "q": 3, "measure": "cosine"},
        {"k": 6, "t": 2, "q": 3, "top_k": 4},
    ],
)
def test_ecn(on_device, setting):
    same(on_device, ecn(on_device.up(Q), on_device.up(G), **setting), ecn(Q, G, **setting))


@each(
    "setting",
    [
        {"k1": 3, "k2": 5, "k3": 5, "k4": 3, "k5": 4},
        {"k1": 4, "k2": 6, "k3": 1, "k4": 1, "k5": 6, "beta": 0.2, "keep": 6, "top_k": 4},
        {"k1": 1, "level": 0.0, "lambda_value": 0.0},
    ],
)
def test_cas(on_device, setting):
    same(on_device, cas(on_device.up(Q), on_device.up(G), **setting), cas(Q, G, **setting), 2e-5)


@each("setting", [{"k": 5}, {"k": 1}, {"k": 9, "temperature": 1.0, "top_k": 4}])
def test_lbr(on_device, setting):
    same(on_device, lbr(on_device.up(Q), on_device.up(G), **setting), lbr(Q, G, **setting))


@each(
    "setting",
    [
        {"k": 3, "shortlist": 9},
        {"k": 3, "shortlist": None, "weighting": "uniform", "own": 0.5, "camera_penalty": 0.2},
        {"k": 100, "weighting": "exponential", "mean": 2.0, "top_k": 4},
    ],
)
def test_kwf(on_device, setting):
    found = kwf(on_device.up(Q), on_device.up(G), *CAMERAS, **setting)
    same(on_device, found, kwf(Q, G, *CAMERAS, **setting))


def test_kwf_where_most_neighbours_are_of_one_camera(on_device):
    cameras = CAMERAS[0], np.where(np.arange(len(G)) % 5, 0, 1)
    there = on_device.up(Q), on_device.up(G)
    same(on_device, kwf(*there, *cameras, k=2), kwf(Q, G, *cameras, k=2))


@each("setting", [{"k": 4, "rounds": 2}, {"k": 40}, {"k": 3, "repel": False, "beta": 1.0}])
def test_merge_set_features(on_device, setting):
    gallery = np.concatenate([np.zeros((1, 8), np.float32), G])  # zeros are similar to nobody
    found = merge_set_features(on_device.up(Q), on_device.up(gallery), **setting)
    for there, here in zip(found, merge_set_features(Q, gallery, **setting), strict=True):
        same(on_device, there, here)


@each("graph", ["directed", "symmetric", "local"])
@each("setting", [{"k1": 5, "k2": 3, "rounds": 2}, {"k1": 1, "k2": 1, "rounds": 1}])
def test_gcr(on_device, graph, setting):
    found = gcr(on_device.up(Q), on_device.up(G), *CAMERAS, graph=graph, **setting)
    for there, here in zip(found, gcr(Q, G, *CAMERAS, graph=graph, **setting), strict=True):
        same(on_device, there, here)


@each("step", [ecn, lbr, merge_set_features])
@each("side", [0, 1])
def test_one_side_on_the_host(on_device, step, side):
    given = [Q, G]
    given[side] = on_device.up(given[side])
    found, wanted = step(*given), step(Q, G)
    if not isinstance(wanted, tuple):
        found, wanted = (found,), (wanted,)
    for there, here in zip(found, wanted, strict=True):
        same(on_device, there, here)


@each("threshold", [-1, 0.5, 1])
def test_build_gallery(on_device, threshold):
    images = np.concatenate([G, np.zeros((1, 8), np.float32), Q])
    found = build_gallery(on_device.up(images), threshold=threshold)
    assert_array_equal(found, build_gallery(images, threshold=threshold))  # labels stay in NumPy


@each("step", [gnn_rerank, ecn, lbr, cas])
def test_a_pairwise(on_device, step):
    there = sqeuclidean(on_device.up(Q), on_device.up(G)) + 0.2 * same_camera(*CAMERAS)
    same(on_device, step(there), step(sqeuclidean(Q, G) + 0.2 * same_camera(*CAMERAS)))
