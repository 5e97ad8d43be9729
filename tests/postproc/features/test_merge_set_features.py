"""Pull and push: by hand, against the definition, against the released functions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import camera_whitening, l2_normalize, merge_set_features
from postproc.compat import mergesetfeat
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, world

CORNERS = st.tuples(cubes(st.integers(1, 6), (0.0, 1.0, 2.0)), cubes(st.integers(1, 25), (0.0, 1.0, 0.5)))


def unit(*row):
    return np.array(row) / np.linalg.norm(row)


def test_by_hand():
    gallery = np.array([[0.96, 0.28], [0.8, 0.6], [0.6, 0.8], [-1, 0]], np.float32)
    query = np.array([[1, 0], [-0.6, -0.8]], np.float32)
    found, moved = merge_set_features(query, gallery, k=1, step=0.5, rounds=1)
    # each is its own nearest; then at 0.936: image 1; 0.96: image 2; 0.96: image 1; nobody
    a, b = unit(1.44 - 0.4, 0.42 - 0.3), unit(1.2 - 0.3, 0.9 - 0.4)
    c, d = unit(0.9 - 0.4, 1.2 - 0.3), unit(-1, 0)
    assert_allclose(moved, [a, b, c, d], atol=1e-6)
    # (1, 0) is nearest to a, then b; (-0.6, -0.8) has a positive similarity to d alone
    assert_allclose(found, [unit(*(query[0] + 0.5 * (a - b))), unit(*(query[1] + 0.5 * d))], atol=1e-6)


def test_weights_by_hand():
    gallery = np.array([[0.8, 0.6], [0.6, 0.8]], np.float32)
    query = np.array([[1, 0]], np.float32)
    setting = {"k": 2, "beta": 0.2, "step": 1.0, "rounds": 1}
    _, moved = merge_set_features(query, gallery, **setting)
    # similarities 1 and 0.96 in the gallery: weights 1 and exp(-0.04 / 0.2), over their sum
    other = np.exp(-0.2) / (1 + np.exp(-0.2))
    assert_allclose(moved[0], unit(*((2 - other) * gallery[0] + other * gallery[1])), atol=1e-6)
    # nothing is left to push with either way
    assert_array_equal(merge_set_features(query, gallery, repel=False, **setting)[1], moved)


@settings(max_examples=60)
@given(
    sides=CORNERS,
    k=st.integers(1, 30),
    beta=st.sampled_from([0.001, 0.05, 1.0, 1000.0]),
    repel=st.booleans(),
)
def test_one_round_of_the_gallery_equals_the_definition(sides, k, beta, repel):
    _, found = merge_set_features(*sides, k=k, beta=beta, step=0.3, rounds=1, repel=repel)
    _, wanted = reference.expansion.merge_set_features(*sides, k, beta, 0.3, 1, repel)
    assert_allclose(found, wanted, atol=1e-6)


@each("repel", [True, False])
@each(("k", "rounds"), [(5, 1), (20, 3), (70, 2)])
def test_equals_the_definition(k, rounds, repel):
    """With k = 70 nobody has 70 similar images, so each counts its own."""
    data = world(nq=20, ng=120)
    data["query"][3] = data["gallery"][30] = 0
    sides = data["query"], data["gallery"]
    found = merge_set_features(*sides, k=k, beta=0.1, rounds=rounds, repel=repel)
    for ours, wanted in zip(
        found, reference.expansion.merge_set_features(*sides, k, 0.1, 0.2, rounds, repel), strict=True
    ):
        assert_allclose(ours, wanted, atol=2e-6)


def test_a_bank_of_nothing_moves_nobody():
    query = world()["query"]
    found, gallery = merge_set_features(query, np.zeros((5, 16)))
    assert_array_equal(found, l2_normalize(query))
    assert_array_equal(gallery, np.zeros((5, 16)))


RELEASED = [
    ("dmt21_torch", 0.08, 30, 1),
    ("dmt21_torch", 0.03, 50, 3),
    ("vimar_np32", 0.08, 20, 1),
    ("vimar_np64", 0.03, 50, 3),
    ("vimar_np64", 0.03, 135, 1),
]


@each(("name", "beta", "k", "rounds"), RELEASED)
def test_released(shared, name, beta, k, rounds):
    """The step where every row has k similar images; the released signature everywhere."""
    golden = np.load(shared / "golden" / "mergesetfeat.npz")
    query, gallery = golden["q"], golden["g"]
    wanted = [golden[f"f{side}__{name}__beta={beta}_knn={k}_it={rounds}"] for side in "qg"]
    found = merge_set_features(query, gallery, k=k, beta=beta, rounds=rounds)
    for _ in range(rounds):
        gallery = mergesetfeat(gallery, golden["g_cam"], golden["g"], golden["g_cam"], beta=beta, knn=k)
    for _ in range(rounds):
        query = mergesetfeat(query, golden["q_cam"], gallery, golden["g_cam"], beta=beta, knn=k)
    for ours, compatible, theirs in zip(found, (query, gallery), wanted, strict=True):
        assert_allclose(compatible, theirs, rtol=0, atol=1e-6)
        if k < 135:
            assert_allclose(ours, theirs, rtol=0, atol=1e-6)
        else:  # rows after one with few similar images use its count there
            assert 0.01 < abs(ours - theirs).max() < 0.1


def test_released_order_matters_and_ours_does_not(shared):
    golden = np.load(shared / "golden" / "mergesetfeat.npz")
    gallery, order = golden["g"], np.random.default_rng(0).permutation(len(golden["g"]))
    cams = np.zeros(len(gallery))
    theirs = mergesetfeat(gallery, cams, gallery, cams, knn=135)
    shuffled = mergesetfeat(gallery[order], cams, gallery, cams, knn=135)
    assert abs(shuffled - theirs[order]).max() > 0.01
    _, ours = merge_set_features(golden["q"], gallery, k=135)
    _, again = merge_set_features(golden["q"], gallery[order], k=135)
    assert_allclose(again, ours[order], atol=1e-6)


def whitened_in_float16(images, cams, gallery, gallery_cams):
    """Camera whitening as it was run there: means, products and differences rounded to float16."""
    out = np.empty(images.shape)
    for cam in np.unique(cams):
        x = gallery[gallery_cams == cam]
        inverse = np.linalg.inv(x.T.dot(x) + len(x) * 0.02 * np.eye(x.shape[1]))
        out[cams == cam] = [inverse.dot(row) for row in images[cams == cam] - np.mean(x, axis=0)]
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def test_released_chain(shared):
    """VisDA's first place: whitening by camera (modulo 5), three rounds of each side."""
    golden = np.load(shared / "golden" / "vimar_pipeline.npz")
    query, gallery = (golden[side].astype(np.float16) for side in "qg")
    query_cam, gallery_cam = golden["q_cam"] % 5, golden["g_cam"] % 5
    white = [whitened_in_float16(query, query_cam, gallery, gallery_cam)]
    white += [whitened_in_float16(gallery, gallery_cam, gallery, gallery_cam)]
    ours = camera_whitening(query, gallery, query_cam, gallery_cam, ridge=0.02)
    for sides, rounding in ((white, 2e-5), (ours, 0.02)):
        for side, found in zip("qg", merge_set_features(*sides), strict=True):
            assert_allclose(found, golden[f"f{side}__after_fic_and_3_merges"], rtol=0, atol=rounding)
