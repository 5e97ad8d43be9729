"""Diffusion over the gallery: by hand, against the definition, against the released functions."""

import importlib
from importlib import import_module
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import Nearest, diffusion, l2_normalize, same_camera, sqeuclidean
from postproc.base import machine
from postproc.kernels import reference
from postproc.pairs import answering, one_sided
from tests.support.each import each
from tests.support.worlds import cubes, world

Q = np.array([[1, 0]], np.float32)
G = np.array([[0.8, 0.6], [0, 1], [-1, 0]], np.float32)
CORNERS = st.tuples(cubes(st.integers(1, 5), (1.0, 2.0)), cubes(st.integers(1, 25), (1.0, 0.5)))


def scores(found):
    """f where it is above 0, and 0 elsewhere."""
    return np.maximum(-found, 0)


def key_settings(key):
    """``sim__dfs__k=50_alpha=0.99`` -> {"k": 50.0, "alpha": 0.99}"""
    return {name: float(value) for name, value in (part.split("=") for part in key.split("__")[2].split("_"))}


def keys(golden, start):
    found = [key for key in golden if key.startswith(start)]
    assert found
    return found


def test_by_hand():
    # s between gallery images: 0.6, -0.8, 0. Lists of two: 0 {0, 1}, 1 {1, 0}, 2 {2, 1}: one link, 0 - 1, at 0.6,
    # the degree of both, so S = [[0, 1], [1, 0]]. The query enters at image 0 with 0.8:
    # f_0 = 0.8 + f_1 / 2, f_1 = f_0 / 2, hence f_0 = 0.8 / (1 - 1/4); image 2 stays at its distance 2 - 2 * -1.
    setting = {"k": 2, "k_query": 1, "alpha": 0.5}
    wanted = [[-0.8 / 0.75, -0.4 / 0.75, 4]]
    assert_allclose(diffusion(Q, G, gamma=1, **setting), wanted, rtol=1e-6)
    #                                             the link weighs 0.6^3 now, and S is the same
    wanted = [[-(0.8**2) / 0.75, -0.5 * 0.8**2 / 0.75, 4]]
    assert_allclose(diffusion(Q, G, gamma=3, query_gamma=2, **setting), wanted, rtol=1e-6)


def test_one_step_by_hand():
    # A = [[1, -1/2], [-1/2, 1]], y = (0.8, 0), and the first iterate is c * y.
    # Conjugate gradients: c = y.y / y.Ay = 1, whose residual (0, 0.4) is shorter than y: f = y.
    # Minimal residual: c = y.Ay / |Ay|^2 = 0.64 / 0.8 = 0.8.
    setting = {"k": 2, "k_query": 1, "alpha": 0.5, "gamma": 1, "iterations": 1}
    assert_allclose(diffusion(Q, G, **setting), [[-0.8, 2, 4]], rtol=1e-6)
    assert_allclose(diffusion(Q, G, solver="minres", **setting), [[-0.64, 2, 4]], rtol=1e-6)


def test_two_eigenpairs_by_hand():
    # S = [[0, 1], [1, 0]] has 1 with (1, 1) / sqrt 2 and -1 with (1, -1) / sqrt 2: as large, so 1 comes
    # first, and alone gives 0.8 / 2 / (1 - 0.5) at image 0.
    setting = {"k": 2, "k_query": 1, "alpha": 0.5, "gamma": 1}
    assert_allclose(diffusion(Q, G, eigenpairs=2, **setting), [[-0.8 / 0.75, -0.4 / 0.75, 4]], rtol=1e-6)
    assert_allclose(scores(diffusion(Q, G, eigenpairs=1, **setting))[0, 0], 0.8, rtol=1e-6)


@settings(max_examples=60)
@given(
    sides=CORNERS,
    k=st.integers(1, 12),
    k_query=st.integers(1, 6),
    alpha=st.sampled_from([0.0, 0.5, 0.99]),
    gammas=st.sampled_from([(3.0, 3.0), (1.0, 2.0), (0.0, 0.5)]),
    iterations=st.integers(0, 20),
    which=st.sampled_from(["best", "minres"]),
)
def test_equals_the_definition(sides, k, k_query, alpha, gammas, iterations, which):
    """Copies abound, so this is also the proof that classes of copies give what images would."""
    found = diffusion(
        *sides, k=k, k_query=k_query, alpha=alpha, gamma=gammas[0], query_gamma=gammas[1],
        iterations=iterations, solver="minres" if which == "minres" else "cg",
    )  # fmt: skip
    wanted = reference.diffusion.diffusion(*sides, k, k_query, alpha, *gammas, iterations, 1e-6, which)
    assert_allclose(scores(found), np.maximum(wanted, 0), rtol=0, atol=1e-5 * max(1, wanted.max()))
    far = reference.basic.sqeuclidean(*map(reference.basic.unit, sides))
    assert_allclose(found[found >= 0], far[found >= 0], rtol=0, atol=1e-6)


@pytest.fixture
def single(monkeypatch):
    """Steps in float32, as in a large gallery."""
    monkeypatch.setattr(importlib.import_module("postproc.context.diffusion"), "FEW", 0)


@each("solver", ["cg", "minres"])
def test_many_queries_equal_the_definition(solver, single):
    data = world(nq=40, ng=300, d=12, people=40)
    setting = {"k": 12, "k_query": 5, "alpha": 0.95, "gamma": 2, "iterations": 6}
    found = diffusion(data["query"], data["gallery"], solver=solver, **setting)
    which = {"cg": "best"}.get(solver, solver)
    wanted = reference.diffusion.diffusion(data["query"], data["gallery"], 12, 5, 0.95, 2, 2, 6, which=which)
    assert_allclose(scores(found), np.maximum(wanted, 0), rtol=0, atol=2e-5)


def test_close_to_one_alpha_takes_no_digits(single):
    """What arrives is up to 10,000 times what comes in: of S in float32 the answer is off by more than this."""
    data = world(nq=10, ng=80, d=12, people=10)
    found = diffusion(data["query"], data["gallery"], k=30, k_query=5, alpha=0.9999, iterations=300)
    wanted = reference.diffusion.diffusion(
        data["query"], data["gallery"], 30, 5, 0.9999, 3, 3, 300, tolerance=1e-9
    )
    assert_allclose(scores(found), np.maximum(wanted, 0), rtol=0, atol=1e-5 * wanted.max())


def test_degrees_of_all_sizes(single):
    """Links of weight 1 and of 1e-50 in one graph."""
    angles = np.radians([0, 1, 2, 80, 81, 82])
    gallery = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    gallery[3:] += [0, 0, 6]  # the later three are alike too, and hardly like the first
    setting = {"k": 6, "k_query": 2, "alpha": 0.9, "gamma": 64.0, "iterations": 20}
    far = np.array([[1, 0.5, 0], [0.1, 1, 0], [0.0, 0, -1]]) @ np.eye(3)
    gallery = np.concatenate([gallery, far]).astype(np.float32)
    query = gallery[[0, 3, 7]] + np.float32(0.01)
    found = diffusion(query, gallery, query_gamma=1.0, **setting)
    wanted = reference.diffusion.diffusion(query, gallery, 6, 2, 0.9, 64, 1, 20)
    assert_allclose(scores(found), np.maximum(wanted, 0), rtol=0, atol=1e-5 * wanted.max())


def test_a_query_is_alone(single):
    data = world(nq=40, ng=300)
    together = diffusion(data["query"], data["gallery"], k=10)
    for rows in (slice(7, 8), slice(20, 39)):
        alone = diffusion(data["query"][rows], data["gallery"], k=10)
        assert_allclose(alone, together[rows], rtol=2e-6)


@each("setting", [{}, {"eigenpairs": 7}, {"solver": "minres", "k": 3}])
def test_top_k_is_the_head_of_the_full_answer(setting):
    data = world(nq=30, ng=200)
    full = diffusion(data["query"], data["gallery"], **setting)
    head = diffusion(data["query"], data["gallery"], top_k=9, **setting)
    assert isinstance(head, Nearest)
    assert_array_equal(head.rows, np.argsort(full, axis=1, kind="stable")[:, :9])
    assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


@pytest.fixture
def by_whole_numbers(monkeypatch):
    """Queries enter by whole numbers, as where features and sizes let these pay."""
    if not machine.int8():
        pytest.skip("the processor has no AVX-512 VNNI")
    monkeypatch.setattr(one_sided, "pays", lambda *_: True)


def test_a_query_enters_likewise_by_whole_numbers(request):
    sides = world(nq=30, ng=200)["query"], world(nq=30, ng=200)["gallery"]
    settings = [{}, {"k": 3, "k_query": 2}, {"eigenpairs": 7}, {"k_query": 10**6}]
    tiles = [[diffusion(*given, **one) for one in settings] for given in (sides, sides[1:])]
    request.getfixturevalue("by_whole_numbers")
    with patch.object(one_sided, "search", wraps=one_sided.search) as search:
        numbers = [[diffusion(*given, **one) for one in settings] for given in (sides, sides[1:])]
    assert search.call_count == 8
    assert_allclose(np.concatenate(numbers[0]), np.concatenate(tiles[0]), rtol=2e-5, atol=2e-6)
    assert_allclose(np.concatenate(numbers[1]), np.concatenate(tiles[1]), rtol=2e-5, atol=2e-6)


def test_other_distances_than_those_of_features_enter_by_themselves(by_whole_numbers):
    data = world(nq=30, ng=200, cameras=3)
    features = sqeuclidean(l2_normalize(data["query"]), l2_normalize(data["gallery"]))
    cameras = same_camera(data["query_cam"], data["gallery_cam"])
    with patch.object(one_sided, "search", wraps=one_sided.search) as search:
        for pairs in (
            features + 0.1 * cameras,
            2.0 * features,
            features.zero_within_tracks(*[np.arange(30) % 9, np.arange(200) % 9]),
        ):
            diffusion(pairs, k=5)
    assert search.call_count == 0


@each("one_set", [False, True])
def test_only_who_reaches_too_few_is_compared_with_all(one_set, by_whole_numbers):
    """And nobody is solved for twice."""
    data, kernel = world(nq=30, ng=200), import_module("postproc.kernels.cpu.diffusion")
    sides = (data["gallery"],) if one_set else (data["query"], data["gallery"])
    full = diffusion(*sides, k=4, k_query=2)
    enough = int((full < 0).sum(axis=1).min())
    assert 0 < enough < 100
    for top_k, computed in ((enough, 0), (enough + 1, 1), (150, 1)):
        solved = patch.object(kernel, "conjugate_gradients", wraps=kernel.conjugate_gradients)
        with patch.object(answering, "strips", wraps=answering.strips) as strips, solved as solve:
            head = diffusion(*sides, k=4, k_query=2, top_k=top_k)
        assert strips.call_count == computed
        assert solve.call_count == -(-len(full) // kernel.COLUMNS[np.float64])
        assert_array_equal(head.rows, np.argsort(full, axis=1, kind="stable")[:, :top_k])
        assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


def test_images_that_nothing_reaches_follow_by_distance():
    data = world(ng=200)
    query, gallery = l2_normalize(data["query"]), l2_normalize(data["gallery"])
    found = diffusion(query, gallery, k=3, k_query=2)
    away = found >= 0
    assert away.any(axis=1).all()
    assert not away.all(axis=1).any()
    assert_allclose(found[away], (2 - 2 * query @ gallery.T)[away], rtol=0, atol=1e-5)


def test_copies_are_equal_however_short_the_lists():
    data = world(ng=120)
    gallery = np.concatenate([data["gallery"]] * 3)
    for k in (1, 2, 4, 7):
        found = diffusion(data["query"], gallery, k=k, k_query=k)
        assert_array_equal(found, np.tile(found[:, :120], 3))


def test_all_eigenpairs_are_the_solution():
    data = world(ng=120)
    setting = {"k": 10, "alpha": 0.9}
    exact = diffusion(data["query"], data["gallery"], iterations=200, tolerance=1e-12, **setting)
    assert_allclose(diffusion(data["query"], data["gallery"], eigenpairs=120, **setting), exact, rtol=1e-5)
    both = {diffusion(data["query"], data["gallery"], eigenpairs=n, **setting).tobytes() for n in (120, 10**6)}
    assert len(both) == 1


def test_a_few_eigenpairs_of_a_large_gallery_are_those_of_all(monkeypatch):
    data = world(ng=400, d=8, people=5)
    setting = {"k": 60, "alpha": 0.95, "eigenpairs": 12}
    dense = diffusion(data["query"], data["gallery"], **setting)
    monkeypatch.setattr(import_module("postproc.context.diffusion"), "DENSE", 100)
    sparse = diffusion(data["query"], data["gallery"], **setting)
    assert_allclose(scores(sparse), scores(dense), rtol=0, atol=1e-6)


def test_a_pairwise_in_the_place_of_features():
    data = world()
    query, gallery = l2_normalize(data["query"]), l2_normalize(data["gallery"])
    assert_array_equal(diffusion(sqeuclidean(query, gallery)), diffusion(query, gallery))


@each(
    ("setting", "message"),
    [
        ({"alpha": 1}, "alpha: wanted 0 to 0.9999, got 1"),
        ({"gamma": -1}, "gamma: wanted 0 to 64, got -1"),
        ({"k": 0}, "k: wanted a whole number, 1 or more, got 0"),
        ({"eigenpairs": 0}, "eigenpairs: wanted a whole number, 1 or more, got 0"),
        ({"solver": "lu"}, "solver: wanted one of cg, minres, got 'lu'"),
    ],
)
def test_refuses_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        diffusion(Q, G, **setting)


def test_the_authors_release(shared):
    golden = np.load(shared / "golden" / "diffusion_dfs.npz")
    for key in keys(golden, "sim__dfs_official"):
        setting = key_settings(key)
        k, gamma = int(setting["k"]), setting["gamma"]
        found = diffusion(
            golden["q"], golden["g"], k=k, k_query=int(setting["kq"]), alpha=setting["alpha"], gamma=gamma,
            tolerance=setting["tol"], iterations=int(setting["it"]),
        )  # fmt: skip
        assert_allclose(scores(found), golden[key], rtol=0, atol=1e-5, err_msg=key)
        isolated = (reference.diffusion.affinity(golden["g"], k, gamma).sum(axis=1) == 0).sum()
        assert isolated == golden[f"aux__isolated__k={k}"].item()


def manifold(golden, key, **setting):
    given = key_settings(key)
    return diffusion(
        golden["q"], golden["g"], k=int(given["K"]), k_query=int(given["queryknn"]), alpha=given["alpha"],
        gamma=3, query_gamma=9, **setting,
    )  # fmt: skip


def test_manifold_minres(shared):
    """Released with a rule of its own for when to stop, a query at a time; every row is one of the iterates."""
    golden = np.load(shared / "golden" / "diffusion.npz")
    for key in keys(golden, "sim__manifold_minres"):
        wanted = golden[key]
        steps = [scores(manifold(golden, key, solver="minres", iterations=n, tolerance=0)) for n in range(1, 11)]
        away = np.stack([abs(found - wanted).max(axis=1) for found in steps])
        assert away.min(axis=0).max() < 1e-6


def test_manifold_spectral(shared):
    """Released with f (1 - alpha); what is below 0 there is not reached here."""
    golden = np.load(shared / "golden" / "diffusion.npz")
    for key in keys(golden, "sim__manifold_fsr"):
        given = key_settings(key)
        found = (1 - given["alpha"]) * scores(manifold(golden, key, eigenpairs=int(given["R"])))
        assert_allclose(found, np.maximum(golden[key], 0), rtol=0, atol=1e-7)
