"""Diffusion solved beforehand: by hand, against the definition, against the released functions."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import Nearest, diffusion, l2_normalize, offline_diffusion, same_camera, sqeuclidean
from postproc.kernels import reference
from postproc.pairs import answering
from tests.support.each import each
from tests.support.worlds import cubes, world

Q = np.array([[1, 0]], np.float32)
G = np.array([[0.8, 0.6], [0, 1], [-1, 0]], np.float32)
CORNERS = st.tuples(cubes(st.integers(1, 5), (1.0, 2.0)), cubes(st.integers(1, 22), (1.0, 0.5)))


def scores(found):
    return np.maximum(-found, 0)


def joined(sides):
    return np.concatenate(sides).astype(np.float64)


def test_by_hand():
    # s: q - 0: 0.8, q - 1: 0, q - 2: -1, 0 - 1: 0.6. Lists of two: q {q, 0}, 0 {0, q}, 1 {1, 0}, 2 {2, 1}: one
    # link, q - 0, and S = [[0, 1], [1, 0]] between them. R_q = (1, 1/2) / (3/4), R_0 = (1/2, 1) / (3/4).
    # cosine = (1/2 + 1/2) / (1 + 1/4); images 1 and 2 stay at 2 - 2 s.
    assert_allclose(offline_diffusion(Q, G, k=2, alpha=0.5), [[-0.8, 2, 4]], rtol=1e-6)
    # one step from e_q: (1, 0) * 1 / 1; nothing is shared
    assert_allclose(offline_diffusion(Q, G, k=2, alpha=0.5, iterations=1), [[0.4, 2, 4]], rtol=1e-6)
    assert_allclose(offline_diffusion(Q, G, k=2, alpha=0.5, truncate=1), [[0.4, 2, 4]], rtol=1e-6)


def test_gallery_graph_by_hand():
    # Lists: 0 {0, 1}, 1 {1, 0}, 2 {2, 1}: one link, 0 - 1. R_0 = (1, 1/2, 0) / (3/4); q enters at 0 with 0.8^3.
    setting = {"graph": "gallery", "k": 2, "k_query": 1, "alpha": 0.5}
    wanted = [[-(0.8**3) / 0.75, -0.5 * 0.8**3 / 0.75, 4]]
    assert_allclose(offline_diffusion(Q, G, **setting), wanted, rtol=1e-6)
    assert_allclose(offline_diffusion(Q, G, query_gamma=0.0, **setting), np.array(wanted) / [0.8**3, 0.8**3, 1])


@settings(max_examples=50)
@given(
    sides=CORNERS,
    truncate=st.integers(1, 30),
    k=st.integers(1, 12),
    alpha=st.sampled_from([0.0, 0.5, 0.99]),
    gamma=st.sampled_from([3.0, 1.0, 0.0]),
    iterations=st.integers(0, 20),
    k_query=st.integers(1, 6),
)
def test_equals_the_definition(sides, truncate, k, alpha, gamma, iterations, k_query):
    setting = {"truncate": truncate, "k": k, "alpha": alpha, "gamma": gamma, "iterations": iterations}
    far = reference.basic.sqeuclidean(*map(reference.basic.unit, sides))

    rows = reference.diffusion.offline_rows(joined(sides), truncate, k, alpha, gamma, iterations)
    query, gallery = np.split(reference.basic.unit(rows), [len(sides[0])])
    found = offline_diffusion(*sides, **setting)
    assert_allclose(scores(found), np.maximum(query @ gallery.T, 0), rtol=0, atol=1e-5)
    assert_allclose(found[found >= 0], far[found >= 0], rtol=0, atol=1e-6)

    rows = reference.diffusion.offline_rows(sides[1], truncate, k, alpha, gamma, iterations)
    wanted = reference.diffusion.entry(*sides, k_query, 2.0) @ rows
    found = offline_diffusion(*sides, graph="gallery", k_query=k_query, query_gamma=2.0, **setting)
    assert_allclose(scores(found), np.maximum(wanted, 0), rtol=0, atol=1e-5 * max(1, wanted.max()))
    assert_allclose(found[found >= 0], far[found >= 0], rtol=0, atol=1e-6)


def test_without_truncation_it_is_diffusion():
    data = world(nq=30, ng=200)
    setting = {"k": 10, "k_query": 5, "alpha": 0.9, "iterations": 100, "tolerance": 1e-10}
    online = diffusion(data["query"], data["gallery"], **setting)
    offline = offline_diffusion(data["query"], data["gallery"], graph="gallery", **setting)
    assert_allclose(offline, online, rtol=1e-5, atol=1e-6)


def test_lists_longer_than_the_truncation():
    """The graph has k neighbours an image, whatever is cut out of it."""
    data = world(nq=10, ng=60)
    rows = reference.diffusion.offline_rows(joined([data["query"], data["gallery"]]), 8, 20, 0.9, 3, 20)
    query, gallery = np.split(reference.basic.unit(rows), [10])
    found = offline_diffusion(data["query"], data["gallery"], truncate=8, k=20, alpha=0.9)
    assert_allclose(scores(found), query @ gallery.T, rtol=0, atol=1e-5)


@each("graph", ["all", "gallery"])
def test_top_k_is_the_head_of_the_full_answer(graph):
    data = world(nq=30, ng=200)
    setting = {"graph": graph, "truncate": 20, "k": 8, "k_query": 3}
    full = offline_diffusion(data["query"], data["gallery"], **setting)
    assert (full >= 0).any()
    head = offline_diffusion(data["query"], data["gallery"], top_k=150, **setting)
    assert isinstance(head, Nearest)
    assert_array_equal(head.rows, np.argsort(full, axis=1, kind="stable")[:, :150])
    assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


@each("one_set", [False, True])
def test_distances_are_computed_where_too_few_are_reached_alone(one_set):
    data = world(nq=30, ng=200)
    sides = (data["gallery"],) if one_set else (data["query"], data["gallery"])
    full = offline_diffusion(*sides, truncate=60, k=20)
    enough = int((full < 0).sum(axis=1).min())
    assert 0 < enough < 198
    for top_k, computed in ((enough, 0), (enough + 1, 1)):
        with patch.object(answering, "strips", wraps=answering.strips) as strips:
            head = offline_diffusion(*sides, truncate=60, k=20, top_k=top_k)
        assert strips.call_count == computed
        assert_array_equal(head.rows, np.argsort(full, axis=1, kind="stable")[:, :top_k])
        assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


def test_distances_below_nothing_are_behind_who_is_reached():
    """A camera may draw images together until they are nearer than the same: those nothing reaches are at 0."""
    data = world(nq=30, ng=200, cameras=2)
    closer = -1.5 * same_camera(data["query_cam"], data["gallery_cam"])
    pairs = sqeuclidean(l2_normalize(data["query"]), l2_normalize(data["gallery"])) + closer
    full = offline_diffusion(pairs, truncate=8, k=4)
    assert (full == 0).any()
    head = offline_diffusion(pairs, truncate=8, k=4, top_k=199)
    assert_array_equal(head.rows, np.argsort(full, axis=1, kind="stable")[:, :199])
    assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


@each("graph", ["all", "gallery"])
def test_copies_are_equal_however_short_the_lists(graph):
    data = world(ng=120)
    gallery = np.concatenate([data["gallery"]] * 3)
    for k in (1, 2, 4, 7):
        found = offline_diffusion(data["query"], gallery, graph=graph, k=k, truncate=2 * k, k_query=k)
        assert_array_equal(found, np.tile(found[:, :120], 3))


def test_a_query_that_is_in_the_gallery_finds_itself():
    gallery = world(ng=60)["gallery"]
    found = offline_diffusion(gallery[:9], gallery, k=10)
    assert_allclose(found[range(9), range(9)], -1, rtol=1e-6)


@each(
    ("setting", "message"),
    [
        ({"truncate": 0}, "truncate: wanted a whole number, 1 or more, got 0"),
        ({"alpha": 1}, "alpha: wanted 0 to 0.9999, got 1"),
        ({"graph": "queries"}, "graph: wanted one of all, gallery, got 'queries'"),
        ({"tolerance": 2}, "tolerance: wanted 0 to 1, got 2"),
    ],
)
def test_refuses_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        offline_diffusion(Q, G, **setting)


def released(golden, start):
    """Every key of a kind with its settings."""
    found = [
        (key, {name: int(value) for name, value in (part.split("=") for part in key.split("__")[2].split("_"))})
        for key in golden
        if key.startswith(start)
    ]
    assert found
    return found


def test_released_search(shared):
    golden = np.load(shared / "golden" / "diffusion.npz")
    for key, setting in released(golden, "sim__fyang_search__"):
        found = offline_diffusion(golden["q"], golden["g"], truncate=setting["n"], k=setting["kd"])
        assert_allclose(scores(found), np.maximum(golden[key], 0), rtol=0, atol=1e-5, err_msg=key)


def test_released_search_of_the_gallery(shared):
    golden = np.load(shared / "golden" / "diffusion.npz")
    for key, setting in released(golden, "sim__fyang_search_old__"):
        found = offline_diffusion(
            golden["q"], golden["g"], graph="gallery", truncate=setting["n"], k=setting["kd"],
            k_query=setting["kq"], query_gamma=setting["gamma"],
        )  # fmt: skip
        assert_allclose(scores(found), np.maximum(golden[key], 0), rtol=0, atol=1e-5, err_msg=key)


def test_released_rows_and_graph(shared):
    """A row of R is what a query gets that is one gallery image and enters at it alone."""
    golden = np.load(shared / "golden" / "diffusion.npz")
    images = joined([golden["q"], golden["g"]])
    for key, setting in released(golden, "aux__offline_dense"):
        found = offline_diffusion(
            images[:20], images, graph="gallery", k_query=1, truncate=setting["n"], k=setting["kd"]
        )
        assert_allclose(scores(found), np.maximum(golden[key], 0), rtol=0, atol=1e-5, err_msg=key)
    for key, setting in released(golden, "aux__affinity_dense"):
        found = reference.diffusion.affinity(images, setting["kd"], 3)[:20]
        assert_allclose(found, golden[key], rtol=0, atol=1e-6, err_msg=key)
