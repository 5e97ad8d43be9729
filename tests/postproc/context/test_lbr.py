"""Local blurring: by hand, against the definition, against the released code."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import l2_normalize, lbr, rank, same_camera, sqeuclidean
from postproc.kernels import reference
from tests.support.golden import load
from tests.support.worlds import cubes, world

Q, G = np.array([[1, 0]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)
SIDES = st.tuples(cubes(st.integers(1, 5), (0.0, 1.0, 2.0)), cubes(st.integers(1, 30), (0.0, 1.0, 0.5)))
SIDES = SIDES.map(lambda sides: [side + 0.0 for side in sides])  # one kind of zero only


def test_by_hand():
    w = np.exp((0.96 - 1) / 0.1)  # the two nearest are at 0.4 and 0.8 from the query
    wanted = [(0.4 + w * 0.8) / (1 + w), (0.8 + w * 0.4) / (1 + w), 2]
    assert_allclose(lbr(Q, G, k=2), [wanted], atol=1e-6)
    assert_allclose(lbr(Q, G, k=2, temperature=1000), [[0.6, 0.6, 2]], atol=1e-4)
    assert_allclose(lbr(Q, G, k=2, temperature=0.001), [[0.4, 0.8, 2]], atol=1e-6)


@settings(max_examples=60)
@given(
    sides=SIDES,
    k=st.integers(1, 40),
    temperature=st.sampled_from([0.02, 0.3, 5.0]),
)
def test_equals_the_definition_with_ties_and_copies(sides, k, temperature):
    found = lbr(*sides, k=k, temperature=temperature)
    assert_allclose(found, reference.shortlists.lbr(*sides, k, temperature), rtol=1e-5, atol=2e-6)


def test_equals_the_definition():
    data = world(nq=70, ng=200)
    for setting in ({"k": 30, "temperature": 0.02}, {"k": 130, "temperature": 0.3}):
        found = lbr(data["query"], data["gallery"], **setting)
        assert_allclose(found, reference.shortlists.lbr(data["query"], data["gallery"], **setting), atol=5e-6)


def test_the_shortlist_comes_first_and_the_rest_keeps_its_place():
    data = world(nq=20, ng=200)
    plain, found = (rank(lbr(data["query"], data["gallery"], k=k)) for k in (1, 20))
    assert_array_equal(found[:, 20:], plain[:, 20:])
    assert_array_equal(np.sort(found[:, :20]), np.sort(plain[:, :20]))
    assert (found[:, :20] != plain[:, :20]).any()


def test_copies_at_the_end_of_the_shortlist_follow_the_first():
    gallery = np.concatenate([G, G[1:2], G[:1]])
    found = lbr(Q, gallery, k=3, temperature=0.1)  # images 0, 4 and 1; 3 is a copy of 1
    w = np.exp((0.96 - 1) / 0.1)
    near, far = (2 * 0.4 + w * 0.8) / (2 + w), (0.8 + 2 * w * 0.4) / (1 + 2 * w)
    assert_allclose(found, [[near, far, 2, far, near]], atol=1e-6)
    assert_array_equal(found[:, [3, 4]], found[:, [1, 0]])


def test_a_pairwise_decides_the_shortlist_and_what_is_similar():
    data = world()
    sides = [l2_normalize(data[name]) for name in ("query", "gallery")]
    assert_array_equal(lbr(sqeuclidean(*sides), k=9), lbr(*sides, k=9))
    cams = data["query_cam"], data["gallery_cam"]
    apart = lbr(sqeuclidean(*sides) + 10 * same_camera(*cams), k=9)
    assert (np.take_along_axis(cams[1][None], rank(apart)[:, :9], axis=1) != cams[0][:, None]).all()
    closer = lbr(sqeuclidean(*sides) - 10 * same_camera(*cams), k=9, temperature=0.001)  # distances below 0
    assert np.isfinite(closer).all()


def test_top_k_is_the_cut_of_the_whole():
    data = world(nq=20, ng=200)
    whole = lbr(data["query"], data["gallery"], k=20)
    for top_k in (9, 50):
        rows = reference.ranking.rank(whole)[:, :top_k]
        found = lbr(data["query"], data["gallery"], k=20, top_k=top_k)
        assert_array_equal(found.rows, rows)
        assert_array_equal(found.distances, np.take_along_axis(whole, rows, axis=1))


def test_equals_the_released_code(shared):
    """Ranks are theirs, but for neighbours whose scores are closer than rounding."""
    golden = load(shared, "lbr")
    keys = [key for key in golden if key.startswith(("rank__", "dist__"))]
    assert len(keys) > 2
    for key in keys:
        kind, _, setting = key.split("__")
        temperature, k = (float(part.split("=")[1]) for part in setting.split("_"))
        k = int(k)
        found = lbr(golden["q"], golden["g"], k=k, temperature=temperature)
        ours, theirs = rank(found), golden[key].astype(np.int64)
        if kind == "dist":  # place / k on the shortlist, and 10
            theirs = np.argsort(golden[key], axis=1, kind="stable")
            places = np.full(found.shape, 10, np.float32)
            np.put_along_axis(places, ours[:, :k], np.arange(1, k + 1, dtype=np.float32)[None] / k, axis=1)
            assert abs(places - golden[key]).max() < 1.5 / k
            ours, theirs = ours[:, :k], theirs[:, :k]
        places = [np.take_along_axis(found, rows, axis=1) for rows in (ours, theirs)]
        assert_allclose(*places, rtol=0, atol=2e-6, err_msg=key)
        assert (ours == theirs).mean() > 0.999
