"""Graph convolution: by hand, against the definition, against the released code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import gcr, l2_normalize
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load, settings_in
from tests.support.worlds import cubes, world

Q, G = np.array([[1, 0]], np.float32), np.array([[0.8, 0.6], [0, 1]], np.float32)
CAMS = np.array([0]), np.array([1, 1])
X = np.concatenate([Q, G])
# similarities 0-1: 0.8, 0-2: 0, 1-2: 0.6; weights at beta 0.5, that of an image for itself being 1
A, B, C = np.exp((np.array([0.8, 0.6, 0]) - 1) / 0.5)


def all_rows(sides):
    return np.concatenate(sides)


def propagation(s):
    return s / np.sqrt(np.outer(s.sum(axis=1), s.sum(axis=0)))


@each("graph", ["directed", "symmetric"])
def test_by_hand(graph):
    anywhere = np.array([[1, A, 0], [A, 1, 0], [0, B, 1]])  # two nearest: 0, 1;  1, 0;  2, 1
    across = np.array([[1, A, 0], [A, 1, 0], [C, 0, 1]])  # itself and the nearest of another camera: 1;  0;  0
    if graph == "symmetric":
        anywhere, across = (anywhere + anywhere.T) / 2, (across + across.T) / 2
    wanted = (0.75 * propagation(anywhere) + 0.25 * propagation(across)) @ X
    found = gcr(Q, G, *CAMS, k1=2, k2=2, beta1=0.5, beta2=0.5, scale=0.25, rounds=1, graph=graph)
    assert_allclose(all_rows(found), reference.basic.unit(wanted), atol=1e-6)


def test_local_by_hand():
    found = gcr(Q, G, *CAMS, k1=1, k2=1, beta1=0.5, beta2=0.5, scale=0.25, rounds=1, graph="local")
    wanted = [
        X[0] + A * X[1],  # small graphs of two, whose sums are equal
        X[1] + A * X[0],
        0.75 * (X[2] + B * X[1]) / (1 + B) + 0.25 * X[2],  # nobody of another camera is similar
    ]
    assert_allclose(all_rows(found), reference.basic.unit(np.array(wanted)), atol=1e-6)


SIDES = st.tuples(cubes(st.integers(1, 4), (0.0, 1.0, 2.0)), cubes(st.integers(1, 16), (1.0, 0.5)))
SIDES = SIDES.map(lambda sides: [side + 0.0 for side in sides])  # one kind of zero only


@settings(max_examples=60)
@given(
    sides=SIDES,
    seed=st.integers(0, 20),
    k1=st.integers(1, 12),
    k2=st.integers(1, 6),
    betas=st.tuples(*[st.sampled_from([0.1, 0.5, 2.0])] * 2),
    scale=st.sampled_from([0.0, 0.3, 1.0]),
    graph=st.sampled_from(["directed", "symmetric", "local"]),
)
def test_equals_the_definition_with_ties_and_copies(sides, seed, k1, k2, betas, scale, graph):
    rng = np.random.default_rng(seed)
    cams = [rng.integers(-1, 3, len(side)) for side in sides]
    arguments = [*sides, *cams, k1, k2, *betas, scale]
    if graph == "local":
        wanted = reference.propagation.gcr_local(*arguments, in_order=False)
    else:
        wanted = reference.propagation.gcr(*arguments, rounds=1, symmetric=graph == "symmetric")
    found = gcr(*sides, *cams, k1=k1, k2=k2, beta1=betas[0], beta2=betas[1], scale=scale, rounds=1, graph=graph)
    for ours, theirs in zip(found, wanted, strict=True):
        sure = np.linalg.norm(theirs, axis=1) > 0  # what cancels out has no direction
        assert_allclose(ours[sure], theirs[sure], atol=1e-4)


@each("graph", ["directed", "symmetric"])
def test_rounds_equal_the_definition(graph):
    data = world(nq=8, ng=60)
    arguments = [data[name] for name in ("query", "gallery", "query_cam", "gallery_cam")]
    wanted = reference.propagation.gcr(*arguments, 6, 3, 0.2, 0.1, 0.4, 3, graph == "symmetric")
    found = gcr(*arguments, k1=6, k2=3, beta1=0.2, beta2=0.1, scale=0.4, graph=graph)
    assert_allclose(all_rows(found), all_rows(wanted), atol=1e-5)
    once = l2_normalize(arguments[0]), l2_normalize(arguments[1])
    for _ in range(2):
        once = gcr(*once, *arguments[2:], graph=graph, rounds=1)
    assert_allclose(all_rows(once), all_rows(gcr(*arguments, graph=graph, rounds=2)), atol=1e-6)


@each("graph", ["directed", "symmetric", "local"])
def test_copies_stay_copies_where_a_list_ends_among_them(graph):
    """Five copies, of which the lists of others hold two: they share these places."""
    gallery = np.vstack([np.tile(G[0], (5, 1)), G[1:], -G])
    query, found = gcr(Q, gallery, CAMS[0], np.array([1] * 5 + [0, 1, 0]), k1=3, k2=3, rounds=2, graph=graph)
    assert_array_equal(found[:5], np.tile(found[0], (5, 1)))
    order = np.random.default_rng(0).permutation(8)
    cams = np.array([1] * 5 + [0, 1, 0])[order]
    other_query, other = gcr(Q, gallery[order], CAMS[0], cams, k1=3, k2=3, rounds=2, graph=graph)
    assert_allclose(other, found[order], atol=1e-6)
    assert_allclose(other_query, query, atol=1e-6)


def golden_settings(key):
    given = settings_in(key)
    return {
        "k1": given["K1"], "k2": given["K2"], "rounds": given["rounds"],
        **{name: given[name] for name in ("beta1", "beta2", "scale")},
    }  # fmt: skip


def golden_data(golden):
    return [golden[name] for name in ("q", "g", "q_cam", "g_cam")]


def test_equals_the_released_code(shared):
    golden = load(shared, "gcrv")
    keys = [key for key in golden if key.startswith("fq__gcr_nonsym") or key.startswith("fq__gcr_sym")]
    assert len(keys) > 1
    for key in keys:
        graph = "symmetric" if "gcr_sym" in key else "directed"
        found = gcr(*golden_data(golden), graph=graph, **golden_settings(key))
        for ours, side in zip(found, ("fq", "fg"), strict=True):
            assert_allclose(ours, golden[side + key[2:]], rtol=0, atol=1e-6, err_msg=key)


def test_released_local_graphs_hang_on_the_order_of_rows(shared):
    """Theirs is the definition in which earlier rows pull with what they became; ours that in which none does."""
    golden = load(shared, "gcrv")
    keys = [key for key in golden if key.startswith("fq__gcr_localk")]
    assert keys
    for key in keys:
        setting = golden_settings(key)
        assert setting.pop("rounds") == 1
        arguments = [*golden_data(golden), *setting.values()]
        released = all_rows([golden[side + key[2:]] for side in ("fq", "fg")])
        assert_allclose(
            all_rows(reference.propagation.gcr_local(*arguments, in_order=True)), released, rtol=0, atol=1e-6
        )
        found = all_rows(gcr(*golden_data(golden), graph="local", rounds=1, **setting))
        wanted = all_rows(reference.propagation.gcr_local(*arguments, in_order=False))
        assert_allclose(found, wanted, rtol=0, atol=1e-6)
        assert_allclose(found[0], released[0], rtol=0, atol=1e-6)  # nothing was before the first row
        assert 1e-3 < abs(found - released).max() < 0.3


def test_bad_input():
    with pytest.raises(ValueError, match=r"^query and gallery: wanted the same width, got 2 and 3 numbers"):
        gcr(Q, np.eye(3), np.array([0]), np.arange(3))
    with pytest.raises(ValueError, match=r"^gallery_cam: wanted 2 values, one an image, got shape \(1,\)"):
        gcr(Q, G, CAMS[0], CAMS[0])
