"""Camera-aware Jaccard distance: by hand, against the definition, against the released functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import ca_jaccard, l2_normalize, rank, sqeuclidean
from postproc.kernels import reference
from tests.support.golden import load, settings_in
from tests.support.worlds import world

DATA = world(nq=10, ng=60, people=12, cameras=3)
FOUR = (DATA["query"], DATA["gallery"], DATA["query_cam"], DATA["gallery_cam"])


def on_circle(*degrees):
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_by_hand():
    query, gallery = on_circle(0), on_circle(10, 20, 90, 100)
    cams = np.array([0]), np.array([0, 1, 0, 1])
    found = ca_jaccard(query, gallery, *cams, k1_intra=1, k1_inter=0, k2_intra=1, k2_inter=0)
    # camera 0: images at 0, 10, 90; camera 1: 20, 100. One neighbour within the camera, both ways:
    # 0 with 10; 90 alone; 20 with 100. One list entry across (the first), both ways:
    # 0 -> 20, 10 -> 20, 20 -> 10: so 10 with 20; 90 -> 100, 100 -> 90.
    w = lambda a, b: np.exp(-2 + 2 * np.cos(np.radians(a - b)))  # noqa: E731
    v0 = np.array([1, w(0, 10), 0, 0, 0]) / (1 + w(0, 10))
    v10 = np.array([w(10, 0), 1, w(10, 20), 0, 0]) / (w(10, 0) + 1 + w(10, 20))
    shared = np.minimum(v0, v10).sum()
    v20 = np.array([0, w(20, 10), 1, 0, w(20, 100)]) / (w(20, 10) + 1 + w(20, 100))
    other = np.minimum(v0, v20).sum()
    assert_allclose(found, [[1 - shared / (2 - shared), 1 - other / (2 - other), 1, 1]], atol=1e-6)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 50),
    k1=st.tuples(st.integers(0, 7), st.integers(0, 12)),
    k2=st.tuples(st.integers(1, 4), st.integers(0, 4)),
    lambda_value=st.sampled_from([0.0, 0.3]),
)
def test_equals_the_definition(seed, k1, k2, lambda_value):
    data = world(nq=6, ng=40, people=8, cameras=3, seed=seed)
    data["gallery_cam"][:4] = -1
    found = ca_jaccard(
        data["query"], data["gallery"], data["query_cam"], data["gallery_cam"],
        k1_intra=k1[0], k1_inter=k1[1], k2_intra=k2[0], k2_inter=k2[1], lambda_value=lambda_value,
    )  # fmt: skip
    cam = np.concatenate([data["query_cam"], data["gallery_cam"]])
    wanted = reference.cameras.ca_jaccard(data["query"], data["gallery"], cam, k1, k2, lambda_value)
    assert_allclose(found, wanted, rtol=0, atol=2e-6)


def test_equals_the_released_functions(shared):
    golden = load(shared, "ca_jaccard")
    keys = [key for key in golden if key.startswith("dist__")]
    assert len(keys) > 7
    for key in keys:
        theirs, rerank = settings_in(key), "__rerank__" in key
        found = ca_jaccard(
            golden["q"], golden["g"], golden["q_cam"], golden["g_cam"],
            k1_intra=theirs["k1intra"], k1_inter=theirs["k1inter"],
            k2_intra=theirs["k2intra"], k2_inter=theirs["k2inter"],
            camera_sets=bool(theirs["ckrnns"]), camera_means=bool(theirs["clqe"]),
            k1=theirs["k1"], k2=theirs["k2"], lambda_value=theirs.get("lam", 0),
            power=4 if rerank else 2, normalize=rerank,
        )  # fmt: skip
        assert_allclose(found, golden[key], rtol=0, atol=1e-5, err_msg=key)


def test_a_list_ends_with_its_camera():
    """Where the released code goes on with images of other cameras, 999 farther."""
    query, gallery = on_circle(0), on_circle(5, 40, 50, 60)
    cams = np.array([0]), np.array([0, 1, 1, 1])
    few = ca_jaccard(query, gallery, *cams, k1_intra=1, k1_inter=0, k2_intra=1, k2_inter=0)
    many = ca_jaccard(query, gallery, *cams, k1_intra=9, k1_inter=0, k2_intra=1, k2_inter=0)
    assert_array_equal(few[:, :1], many[:, :1])  # camera 0 has these two images only


def test_one_camera_has_nobody_across():
    cams = np.zeros(10, int), np.zeros(60, int)
    found = ca_jaccard(*FOUR[:2], *cams)
    assert_array_equal(found, ca_jaccard(*FOUR[:2], *cams, k1_inter=3, k2_inter=1))


def test_top_k_is_the_cut_of_the_whole_answer():
    whole = ca_jaccard(*FOUR, lambda_value=0.2)
    found = ca_jaccard(*FOUR, lambda_value=0.2, top_k=7)
    assert_array_equal(found.rows, rank(whole)[:, :7])
    assert_array_equal(found.distances, np.sort(whole, axis=1)[:, :7])


def test_takes_a_pairwise():
    pairs = sqeuclidean(*map(l2_normalize, FOUR[:2]))
    assert_array_equal(ca_jaccard(pairs, None, *FOUR[2:]), ca_jaccard(*FOUR))
    with pytest.raises(ValueError, match="gallery: a Pairwise holds"):
        ca_jaccard(pairs, *FOUR[1:])


def test_a_power_beyond_float32_is_refused():
    query, gallery, *cams = FOUR
    with pytest.raises(ValueError, match="power: wanted distances whose power float32 can hold"):
        ca_jaccard(sqeuclidean(300 * query, 300 * gallery), None, *cams, power=32, normalize=True)
