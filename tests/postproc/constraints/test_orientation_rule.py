"""Same side, other looks: by hand, against the definition, against the released matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import l2_normalize, orientation_rule, rank, rerank
from postproc.kernels import reference
from tests.support import golden
from tests.support.worlds import cubes

SIDES = st.tuples(cubes(st.integers(1, 5), (0.0, 1.0, 2.0)), cubes(st.integers(1, 12), (0.0, 1.0, 0.5)))


def test_by_hand():
    query, gallery = [[2, 0]], [[9, 0], [0, 1], [0, 3], [1, 0], [0, 0]]
    d = np.array([[0.5, 0.5, 0.5, 0.25, 0.5]], np.float32)
    # images 0 and 3 are seen as the query is, and 3 is near enough; the last is seen as nobody is
    assert_array_equal(orientation_rule(d, query, gallery), [[1, 0.5, 0.5, 0.25, 0.5]])
    track = np.array([-1, 6, 5, 6, -1])  # image 1 is of the track of image 3
    assert_array_equal(orientation_rule(d, query, gallery, track), [[1, 1, 0.5, 0.25, 0.5]])
    # neither limit counts itself: 0.5 is not above 0.5, a right angle of 2 not below 2
    assert_array_equal(orientation_rule(d, query, gallery, track, far=0.5), d)
    assert_array_equal(orientation_rule(d, query, gallery, near=2.0), [[1, 0.5, 0.5, 0.25, 0.5]])
    assert_array_equal(orientation_rule(d, query, gallery, near=2.5, far=-1.0, penalty=2.0), d + 2)


@settings(max_examples=80)
@given(
    sides=SIDES,
    near=st.sampled_from([0.0, 0.5, 1.5, 3.0, 4.0]),
    far=st.sampled_from([-2.0, 0.5, 2.0]),
    seed=st.integers(0, 99),
)
def test_equals_the_definition(sides, near, far, seed):
    random = np.random.default_rng(seed)
    d = random.choice([-1, 0.5, 3, np.inf], [len(side) for side in sides]).astype(np.float32)
    track = random.integers(-1, 3, len(sides[1]))
    wanted = reference.constraints.orientation_rule(d, *sides, track, near, far, 0.25)
    assert_array_equal(orientation_rule(d, *sides, track, near=near, far=far, penalty=0.25), wanted)


def test_refuses():
    d, side = np.ones((1, 2)), np.eye(2)
    with pytest.raises(ValueError, match=r"^near: wanted 0 to 4, got 4.5$"):
        orientation_rule(d, side[:1], side, near=4.5)
    with pytest.raises(ValueError, match=r"^gallery_track: wanted 2 values, one an image, got shape \(3,\)$"):
        orientation_rule(d, side[:1], side, [0, 0, 0])


def test_released_rule(shared):
    """AI City 2020's fourth: two track models re-ranked and summed, then the rule."""
    released = golden.load(shared, "iosb2020")
    track, aux = released["g_track"], released["orient"]
    nq = len(aux) - len(track)
    total = 0
    for model in (1, 2):
        features = l2_normalize(released[f"query_and_track_feats_model{model}"])
        found = rerank(features[:nq], features[nq:], k1=6, k2=3, lambda_value=0.3)[:, track]
        key = f"rerank_model{model}_k6_3_0.3"
        assert_allclose(found, released[f"{key}_v32"], rtol=0, atol=1e-6)
        assert_allclose(found, released[key], rtol=0, atol=2e-3)  # there V is kept in float16
        total = total + found
    found = orientation_rule(total, aux[:nq], aux[nq:], track)
    assert 0.2 < (found > total).mean() < 0.5
    assert_allclose(found, released["final_orient0.03_sum0.3_plus0.5_v32"], rtol=0, atol=1e-6)
    assert_allclose(found, released["final_orient0.03_sum0.3_plus0.5"], rtol=0, atol=2e-3)
    # inside a track all are tied and any order will do, so distances are compared
    lists = released["submission_ids_v32"] - 1, rank(found, top_k=100)
    assert_allclose(*(np.take_along_axis(found, rows, axis=1) for rows in lists), rtol=0, atol=1e-6)


def test_released_orientation_distance(shared):
    """The smallest of a track decides: a limit between two values of it penalises exactly what is below."""
    released = golden.load(shared, "iosb2020")
    aux, smallest = released["orient"], released["orient_min_over_track"]
    nq = len(smallest)
    for limit in (0.03, 0.4, 1.7):
        clear = abs(smallest - limit) > 1e-5
        found = orientation_rule(np.ones_like(smallest), aux[:nq], aux[nq:], released["g_track"], near=limit)
        assert_array_equal((found > 1)[clear], (smallest < limit)[clear])
