"""Evidence of an outside matcher on the scores of a model: the formula by hand, and what it may not do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.fusion import join_lists, local_evidence
from ensemble.submissions import RankList, from_matrix
from postproc.base import runtime
from tests.support.each import each

NAN, INF = np.nan, np.inf


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def test_the_formula_by_hand():
    # s .8, l .5, w .6: s' = .8 + .6 * .5 * (1 - .8) = .86, so d' = .14; without evidence as before; l 1: 1 - s
    # is cut to .4 of itself
    found = local_evidence([row(0.2, 0.2, 0.2, 0), -row(0.5, 0, 1, 1)], weight=0.6)
    assert found == pytest.approx(row(0.14, 0.2, 0.08, 0))
    # two matchers: .2 (1 - .6 * .5) (1 - .6 * .25) = .2 * .7 * .85
    found = local_evidence([row(0.2), -row(0.5), -row(0.25)], weight=0.6)
    assert found == pytest.approx(row(0.119))


def test_fewer_than_eight_inliers_count_as_none():
    # of 40 inliers: 7 none; 8: l .2; 40 and 400: l 1
    far, inliers = row(0.5, 0.5, 0.5, 0.5), row(7, 8, 40, 400)
    assert local_evidence([far, -inliers], full=40) == pytest.approx(row(0.5, 0.5 * (1 - 0.5 * 0.2), 0.25, 0.25))
    assert local_evidence([far, -inliers], full=40, least=0)[0, 0] == pytest.approx(0.5 * (1 - 0.5 * 7 / 40))
    assert local_evidence([far, -inliers], full=40, least=9)[0, 1] == 0.5


def test_pairs_without_evidence_and_pairs_that_nobody_may_return():
    base = row(0.5, 0.4, INF, NAN, 0.3)
    found = local_evidence([base, row(NAN, -1, -1, -1, INF)])
    assert found[0, :3].tolist() == [0.5, np.float32(0.2), INF]
    assert found[0, 4] == INF
    assert found[0, 3] == np.nextafter(
        np.float32(0.5), INF
    )  # what the leader does not know stands behind the rest
    assert local_evidence([base])[0, :3].tolist() == base[0, :3].tolist()


def test_the_leader_is_named():
    parts = [-row(1, 0), row(0.5, 0.6)]
    assert local_evidence(parts, leader=1) == pytest.approx(row(0.25, 0.6))
    with pytest.raises(
        ValueError, match=r"leader: wanted distances of 0 or more, as 1 - score, in part 1, found -1;"
    ):
        local_evidence(parts)


@each(
    ("parts", "settings", "message"),
    [
        ([row(0.5), -row(57)], {}, "full: wanted evidence of 0 to 1, found up to 57; of counts of inliers say"),
        ([row(0.5), row(0.5)], {}, "evidence: wanted numbers of 0 or more that are larger for surer pairs"),
        ([row(0.5), row(0.5)], {"weight": 1.5}, "weight: wanted 0 to 1"),
        ([row(0.5), row(0.5)], {"full": 0.5}, "full: wanted 1"),
        ([row(0.5), row(0.5)], {"least": -1}, "least: wanted 0"),
        ([row(0.5), row(0.5)], {"leader": 2}, "leader: wanted the number of a part, 0 to 1, got 2"),
    ],
)
def test_what_is_refused(parts, settings, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        local_evidence(parts, **settings)
    assert str(error.value).startswith(message)


@given(st.integers(0, 1000), st.floats(0, 1))
def test_evidence_moves_nothing_away_and_keeps_the_order_of_what_has_none(seed, weight):
    rng = np.random.default_rng(seed)
    far = rng.random((3, 9), np.float32)
    evidence = np.where(rng.random((3, 9)) < 0.5, NAN, -rng.random((3, 9))).astype(np.float32)
    before = far.copy(), evidence.copy()
    with runtime.using(threads=1):
        found = local_evidence([far, evidence], weight=weight)
    with runtime.using(threads=2):
        assert local_evidence([far, evidence], weight=weight).tobytes() == found.tobytes()
    assert found.dtype == np.float32
    assert (found <= far).all()
    assert (found[np.isnan(evidence)] == far[np.isnan(evidence)]).all()
    assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(before, (far, evidence), strict=True))


def test_on_lists_as_on_matrices():
    names, images = ["a", "b"], ["x", "y", "z"]
    base = from_matrix(np.array([[0, 1, 2], [2, 1, 0]]), names, images, row(0.1, 0.2, 0.3).repeat(2, 0))
    light = RankList(names, images, np.array([0, 1, 1]), np.array([2]), np.array([-1], np.float32))
    found = join_lists([base, light], local_evidence, weight=0.9)
    # query a: z had .3, evidence 1: .03, now the nearest
    assert [images[at] for at in found.rows] == ["z", "x", "y", "z", "y", "x"]
    assert found.distances[0] == pytest.approx(0.03)
