"""Query expansion: by hand, against the definition, against the released functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, l2_normalize, query_expansion
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, lattices, world

CORNERS = st.tuples(cubes(st.integers(1, 6), (0.0, 1.0, 2.0)), cubes(st.integers(1, 25), (0.0, 1.0, 0.5)))
SIDES = st.tuples(lattices(st.integers(1, 6)), lattices(st.integers(1, 25)))
Q = np.array([[1, 0]], np.float32)
G = np.array([[0.6, 0.8], [0, 1], [-1, 0]], np.float32)


def unit(x):
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def definition(
    query, gallery, k, alpha, metric, expand, rounds=1, anew=True, decay=False, include_self=True, average=True
):
    """In float64 and loops: means over the first k of a stable sort of the bank, the image itself left out."""
    sides, near = [np.float64(query), np.float64(gallery)], {}
    for _ in range(rounds):
        bank = np.concatenate(sides) if expand == "both" else sides[1]
        images = sides[0] if expand == "query" else bank
        keys, others = (unit(images), unit(bank)) if metric == "cosine" else (images, bank)
        similar = keys @ others.T
        far = -similar if metric == "dot" else reference.basic.sqeuclidean(keys, others)
        out = []
        for i, image in enumerate(images):
            if anew or i not in near:
                near[i] = [j for j in np.argsort(far[i], kind="stable") if expand == "query" or j != i][:k]
            weights = [max(similar[i, j], 0) ** alpha for j in near[i]]
            if decay:
                weights = [w * (1 - (r + 1) / (len(near[i]) + 1)) for r, w in enumerate(weights)]
            total = sum(w * bank[j] for w, j in zip(weights, near[i], strict=True))
            count = include_self + len(near[i])
            own = image if include_self or not near[i] else 0
            out.append((own + total) / (count if average and near[i] else 1))
        out = np.array(out)
        if expand == "both":
            sides = np.split(out, [len(query)])
        else:
            sides = [out, sides[1]] if expand == "query" else [sides[0], out]
    return sides


def test_by_hand():
    found, gallery = query_expansion(Q, G, k=2, renormalize=False)
    #                 (1 + 0.6 + 0) / 3, (0 + 0.8 + 1) / 3
    assert_allclose(found, [[1.6 / 3, 1.8 / 3]], rtol=1e-6)
    assert_array_equal(gallery, G)
    found, _ = query_expansion(Q, G, k=2, alpha=2, renormalize=False)
    #                 (1 + 0.36 * 0.6 + 0) / 3, 0.36 * 0.8 / 3
    assert_allclose(found, [[1.216 / 3, 0.288 / 3]], rtol=1e-6)
    found, _ = query_expansion(Q, G, k=3, alpha=3, renormalize=False)
    #                 the opposite image counts nothing, but it is one of the three
    assert_allclose(found, [[(1 + 0.216 * 0.6) / 4, 0.216 * 0.8 / 4]], rtol=1e-6)
    found, _ = query_expansion(Q, G, k=1)
    assert_allclose(found, unit(np.array([[1.6, 0.8]])), rtol=1e-6)


def test_both_sides_by_hand():
    query, gallery = query_expansion(Q, G, k=1, expand="both", renormalize=False)
    # 0: nearest (0.6, 0.8);  1: (0, 1) at 0.8;  2: (0.6, 0.8);  3: (0, 1) at 0
    assert_allclose(query, [[0.8, 0.4]], rtol=1e-6)
    assert_allclose(gallery, [[0.3, 0.9], [0.3, 0.9], [-0.5, 0.5]], rtol=1e-6)


def test_gallery_alone_by_hand():
    query, gallery = query_expansion(Q, G, k=1, expand="gallery", renormalize=False)
    # of (0.6, 0.8): (0, 1) at 0.8;  of (0, 1): (0.6, 0.8);  of (-1, 0): (0, 1) at 0
    assert_array_equal(query, Q)
    assert_allclose(gallery, [[0.3, 0.9], [0.3, 0.9], [-0.5, 0.5]], rtol=1e-6)
    assert_array_equal(query_expansion(Q, G[:1], expand="gallery", include_self=False)[1], G[:1])


def test_decay_by_hand():
    found, _ = query_expansion(Q, G, k=3, decay=True, renormalize=False)
    #                 (1 + 3/4 * 0.6 + 2/4 * 0 - 1/4) / 4, (0 + 3/4 * 0.8 + 2/4 * 1) / 4
    assert_allclose(found, [[1.2 / 4, 1.1 / 4]], rtol=1e-6)


def test_without_the_image_and_without_the_division_by_hand():
    found, _ = query_expansion(Q, G, k=2, include_self=False, renormalize=False)
    assert_allclose(found, [[0.3, 0.9]], rtol=1e-6)  # (0.6 + 0) / 2, (0.8 + 1) / 2
    found, _ = query_expansion(Q, G, k=2, average=False, renormalize=False)
    assert_allclose(found, [[1.6, 1.8]], rtol=1e-6)  # 1 + 0.6 + 0, 0 + 0.8 + 1
    found, _ = query_expansion(Q, G, k=2, average=False, rounds=2, renormalize=False)
    assert_allclose(found, [[2.2, 3.6]], rtol=1e-6)  # the same two are added to the sum


def test_later_rounds_look_again_or_not():
    query, gallery = np.zeros((1, 2)), np.array([[2.0, 0], [1.8, 1], [2.05, 0.3]])
    # squared distances: 4, 4.24, 4.29; so the first mean is of images 0 and 1, and from there: 0.65, 0.73, 0.61
    mean = np.array([[(0 + 2 + 1.8) / 3, (0 + 0 + 1) / 3]])
    wanted = {True: (mean + gallery[2] + gallery[0]) / 3, False: (mean + gallery[0] + gallery[1]) / 3}
    for anew in (True, False):
        setting = {"k": 2, "rounds": 2, "find_anew": anew, "metric": "sqeuclidean", "renormalize": False}
        assert_allclose(query_expansion(query, gallery, **setting)[0], wanted[anew], rtol=1e-6)


@settings(max_examples=40)
@given(
    sides=CORNERS,
    k=st.integers(1, 30),
    alpha=st.sampled_from([0.0, 1.0, 3.0, 0.5]),
    expand=st.sampled_from(["query", "gallery", "both"]),
    forms=st.fixed_dictionaries({name: st.booleans() for name in ("decay", "include_self", "average")}),
)
def test_cosine_equals_the_definition(sides, k, alpha, expand, forms):
    setting = {"k": k, "alpha": alpha, "expand": expand}
    found = query_expansion(*sides, renormalize=False, **setting, **forms)
    wanted = definition(*sides, k, alpha, "cosine", expand, **forms)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == np.float32
        assert_allclose(ours, theirs, atol=1e-6)
    if expand == "query":
        found, _ = query_expansion(*sides, **setting)
        assert_allclose(found, reference.expansion.query_expansion(*sides, k, alpha), atol=1e-6)


@settings(max_examples=40)
@given(
    sides=SIDES,
    k=st.integers(1, 30),
    alpha=st.sampled_from([0.0, 1.0, 2.0]),
    form=st.sampled_from(
        [("sqeuclidean", "query"), ("sqeuclidean", "gallery"), ("sqeuclidean", "both"), ("dot", "query")]
    ),
)
def test_other_metrics_equal_the_definition(sides, k, alpha, form):
    metric, expand = form
    found = query_expansion(*sides, k=k, alpha=alpha, metric=metric, expand=expand, renormalize=False)
    for ours, theirs in zip(found, definition(*sides, k, alpha, metric, expand), strict=True):
        assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@each("anew", [True, False])
@each("expand", ["query", "gallery", "both"])
@each("metric", ["cosine", "sqeuclidean"])
def test_rounds_equal_the_definition(anew, expand, metric):
    query, gallery = (l2_normalize(world(nq=8, ng=60)[side]) for side in ("query", "gallery"))
    setting = {"k": 4, "alpha": 1.5, "metric": metric, "rounds": 2, "find_anew": anew, "renormalize": False}
    found = query_expansion(query, gallery, expand=expand, **setting)
    wanted = definition(query, gallery, 4, 1.5, metric, expand, 2, anew)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_rounds_are_calls_in_a_row():
    data = world()
    query, gallery = data["query"], data["gallery"]
    for setting in ({"alpha": 3.0}, {"expand": "both"}, {"expand": "gallery"}, {"metric": "dot"}):
        once = query_expansion(*query_expansion(query, gallery, k=5, **setting), k=5, **setting)
        twice = query_expansion(query, gallery, k=5, rounds=2, **setting)
        for ours, theirs in zip(twice, once, strict=True):
            assert_array_equal(ours, theirs)


def test_copies_of_an_image_do_not_count_as_the_image():
    """Three copies: each has the two others as neighbours, and itself only where they crowd it out of its list."""
    gallery = np.vstack([np.tile(G[0], (3, 1)), [[0, 1]]])
    for k in (1, 2):
        _, found = query_expansion(-G[:1], gallery, k=k, expand="both", renormalize=False)
        assert_allclose(found[:3], gallery[:3], rtol=1e-6)
    _, found = query_expansion(-G[:1], gallery, k=3, expand="both", renormalize=False)
    assert_allclose(found[:3], np.tile([(3 * 0.6 + 0) / 4, (3 * 0.8 + 1) / 4], (3, 1)), rtol=1e-6)


def test_weights_that_no_number_holds_are_refused():
    """Similarities of features that nobody normalised are large: 400 here, and 400^20 is 1e52."""
    big = np.full((3, 4), 10, np.float32)
    message = r"^alpha: wanted weights that float32 can hold, got 20.0 with similarities up to 400; normalise"
    with pytest.raises(ValueError, match=message):
        query_expansion(big, big, metric="dot", alpha=20.0)
    assert_allclose(query_expansion(big, big, alpha=20.0)[0], 0.5, rtol=1e-5)


def test_dot_has_no_self_to_leave_out():
    with pytest.raises(ValueError, match=r'^metric: "dot" has no self-distance'):
        query_expansion(Q, G, metric="dot", expand="both")
    with pytest.raises(ValueError, match=r'^metric: "dot" has no self-distance'):
        query_expansion(Q, G, metric="dot", expand="gallery")
    with pytest.raises(ValueError, match=r"^query and gallery: wanted the same width, got 2 and 3 numbers"):
        query_expansion(Q, np.eye(3))


@each(("k", "alpha", "rounds"), [(5, 3.0, 1), (10, 0.0, 1), (5, 3.0, 2)])
def test_fastreid(shared, k, alpha, rounds):
    golden = np.load(shared / "golden" / "rerank.npz")
    found = query_expansion(
        golden["q"], golden["g"], k=k - 1, alpha=alpha, rounds=rounds, expand="both", renormalize=False
    )
    for side, ours in zip("qg", found, strict=True):
        assert_allclose(ours, golden[f"fastreid_aqe_{side}_k{k}_a{alpha}_t{rounds}"], rtol=0, atol=1e-6)


@each(
    ("key", "setting"),
    [
        ("qe_cos_T14_num1", {"metric": "dot"}),
        ("qe_eu_T14_num1", {"metric": "sqeuclidean"}),
        ("qe_eu_T14_num2", {"metric": "sqeuclidean", "rounds": 2, "find_anew": False}),
    ],
)
def test_s1(shared, key, setting):
    golden = np.load(shared / "golden" / "gggcy.npz")
    found, gallery = query_expansion(golden["q"], golden["g"], k=14, renormalize=False, **setting)
    assert_allclose(found, golden[key], rtol=0, atol=1e-6)
    assert_array_equal(gallery, golden["g"])


@each(("k", "alpha"), [(5, 0), (10, 3)])
def test_naver_queries(shared, k, alpha):
    golden = np.load(shared / "golden" / "query_expansion.npz")
    found, _ = query_expansion(golden["q"], golden["g"], k=k, alpha=alpha)
    assert_allclose(found, golden[f"fq__naver_aqe__k={k}_alpha={alpha}"], rtol=0, atol=1e-6)


@each(
    ("key", "setting"),
    [
        ("naver_adba__k=10_alpha=3", {"k": 10, "alpha": 3}),
        ("naver_adba__k=6_alpha=0", {"k": 6}),
        ("pyretri_dba__k=10", {"k": 10}),
    ],
)
def test_galleries(shared, key, setting):
    golden = np.load(shared / "golden" / "query_expansion.npz")
    query, gallery = query_expansion(golden["q"], golden["g"], expand="gallery", **setting)
    assert_allclose(gallery, golden[f"fg__{key}"], rtol=0, atol=1e-6)
    assert_array_equal(query, golden["q"])


@each("k", [6, 10])
def test_voc(shared, k):
    golden = np.load(shared / "golden" / "voc_helpers.npz")
    sides = golden["q"], golden["g"]
    query, _ = query_expansion(*sides, k=k, include_self=False, renormalize=False)
    assert_allclose(query, golden[f"fq__voc_aqe__k={k}"], rtol=0, atol=1e-6)
    _, gallery = query_expansion(*sides, k=k - 1, expand="gallery", renormalize=False)
    assert_allclose(gallery, golden[f"fg__voc_dba__k={k}"], rtol=0, atol=1e-6)


@each(("k", "times"), [(10, 1), (5, 2)])
def test_pyretri_sums(shared, k, times):
    golden = np.load(shared / "golden" / "query_expansion.npz")
    setting = {"k": k, "rounds": times, "metric": "sqeuclidean", "average": False, "renormalize": False}
    found, _ = query_expansion(golden["q"], golden["g"], **setting)
    assert_allclose(found, golden[f"fq__pyretri_qe__k={k}_times={times}"], rtol=0, atol=1e-6)
    far = distances(found, golden["g"])
    assert_allclose(far, golden[f"dist__pyretri_qe__k={k}_times={times}"], rtol=0, atol=1e-4)


def test_means_left_as_they_are(shared):
    golden = np.load(shared / "golden" / "query_expansion.npz")
    mean, _ = query_expansion(golden["q"], golden["g"], k=5, renormalize=False)
    assert_allclose(1 - mean @ golden["g"].T, golden["dist__gcn_rerank_qe__k=5"], rtol=0, atol=1e-6)


@each(
    ("key", "query_setting", "gallery_setting"),
    [
        ("aqe__kqe=4", {"k": 4}, None),
        ("aqewd__kqe=6", {"k": 6, "decay": True}, None),
        ("aqewd__kqe=6_DBA=True_kdba=4", {"k": 6, "decay": True}, {"k": 3, "decay": True}),
        ("alpha_qe__kqe=12_alpha=3.0", {"k": 12, "alpha": 3}, None),
        ("aqe__kqe=4_DBA=True_kdba=4", {"k": 4}, {"k": 3}),
        ("alpha_qe__kqe=12_alpha=3.0_DBA=True_kdba=10", {"k": 12, "alpha": 3}, {"k": 9, "alpha": 3}),
    ],
)
def test_zoo(shared, key, query_setting, gallery_setting):
    golden = np.load(shared / "golden" / "qe_zoo.npz")
    query, gallery = query_expansion(golden["q"], golden["g"], **query_setting)
    if gallery_setting:  # theirs counts the image itself, and expands the queries from the gallery as it was
        _, gallery = query_expansion(query, gallery, expand="gallery", **gallery_setting)
    assert_allclose(query @ gallery.T, golden[f"sim__{key}"], rtol=0, atol=1e-6)
