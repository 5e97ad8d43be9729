"""Weights of lists without labels: by hand, copies, lists that agree with nobody, and as a setting of joins."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fuse, fusion
from ensemble.fusion import agreement, join_lists, list_weights
from ensemble.submissions import from_matrix
from tests.support.each import each

SUMS = [
    "weighted_sum",
    "comb_mnz",
    "reciprocal_rank_fusion",
    "inverse_square_rank",
    "rank_biased_centroid",
    "borda",
]


def test_by_hand():
    # three lists of accuracies 0.9, 0.8, 0.5: M_12 = 0.72, M_13 = 0.45, M_23 = 0.4; one pair of others each:
    # sqrt(0.72 * 0.45 / 0.4) = 0.9, sqrt(0.72 * 0.4 / 0.45) = 0.8, sqrt(0.45 * 0.4 / 0.72) = 0.5
    m = np.array([[1, 0.72, 0.45], [0.72, 1, 0.4], [0.45, 0.4, 1]])
    wanted = np.linalg.solve(m + 0.2 * np.eye(3), [0.9, 0.8, 0.5])
    assert_allclose(agreement.of_agreement(m), wanted / wanted.max(), rtol=1e-12)
    # lists that agree alike: (1.2 + 2 * 0.25) w = 0.5 for each
    assert_allclose(agreement.of_agreement(np.full((3, 3), 0.25) + 0.75 * np.eye(3)), [1, 1, 1])


def test_copies_share_a_vote_and_strangers_have_none():
    random = np.random.default_rng(0)
    truth = np.eye(60)[random.integers(0, 60, 400)]
    lists = [np.maximum(truth + random.random((400, 60)) ** 4 * error, 0) for error in (1.0, 1.0, 1.0, 1.0)]
    alone = list_weights(lists)
    assert alone.min() > 0.9
    copied = list_weights([*lists, lists[0], lists[0]])
    assert copied[0] == pytest.approx(copied[4]) == pytest.approx(copied[5])
    assert copied[0] + copied[4] + copied[5] < 1.5 < copied[1] + copied[2]
    noise = np.eye(60)[random.integers(0, 60, 400)]
    assert list_weights([*lists, noise])[4] < 0.5
    assert_array_equal(list_weights([*lists, np.zeros((400, 60))])[4], 0)


def test_one_or_two_lists_weigh_the_same():
    assert_array_equal(list_weights([np.eye(3)]), [1])
    assert_array_equal(list_weights([np.eye(3), np.zeros((3, 3))]), [1, 1])
    assert_array_equal(list_weights([np.zeros((3, 3))] * 3), [1, 1, 1])


def matrices():
    random = np.random.default_rng(1)
    truth = random.random((30, 40))
    return [(truth + error * random.random((30, 40))).astype(np.float32) for error in (0.2, 0.4, 1.5, 0.4)]


def test_joins_take_the_weights_that_agreement_says():
    parts = matrices()
    numbers = agreement.weights_of_distances(parts)
    assert len(set(numbers.tolist())) == 4
    for name in SUMS:
        by = fusion.AFTER[name]
        settings = {"missing": "worst"} if name == "weighted_sum" else {}
        found = by(parts, weights="agreement", **settings)
        assert_array_equal(found, by(parts, weights=numbers.tolist(), **settings), name)
    # by the nearest images alone, equal ones alike; what is never returned or not known has no vote
    few = [
        np.where(part > np.sort(part)[:, [20]], value, part)
        for part, value in zip(parts, [np.nan, np.inf] * 2, strict=True)
    ]
    assert np.isfinite(agreement.weights_of_distances(few)).all()


def test_lists_are_weighed_over_all_queries():
    names = [f"q{i}" for i in range(30)], [f"g{i}" for i in range(40)]
    lists = [from_matrix(np.argsort(part, axis=1)[:, : 5 + 5 * m], *names) for m, part in enumerate(matrices())]
    numbers = agreement.weights_of_distances(
        [fusion.of_ranking(np.argsort(part, axis=1)[:, : 5 + 5 * m], 40) for m, part in enumerate(matrices())]
    )
    found = join_lists(lists, fusion.reciprocal_rank_fusion, weights="agreement")
    assert_array_equal(found.rows, join_lists(lists, fusion.reciprocal_rank_fusion, weights=numbers.tolist()).rows)


@each(
    ("call", "message"),
    [
        (lambda: list_weights([]), "parts: wanted one or more, got none"),
        (lambda: list_weights([np.eye(2), np.eye(3)]), "parts: wanted matrices of one shape, got (2, 2), (3, 3)"),
        (
            lambda: list_weights([np.eye(2), -np.eye(2)]),
            "parts: wanted finite numbers of 0 or more, found others in",
        ),
        (lambda: list_weights([np.eye(2)], ridge=0), "ridge: wanted 1e-09 to 1000000000.0, got 0"),
        (
            lambda: fusion.borda(matrices(), weights="agrees"),
            "weights: wanted 4 numbers of 0 or more, one for each part, or \"agreement\", got 'agrees'",
        ),
        (
            lambda: fusion.concat(matrices(), weights="agreement"),
            "weights: wanted 4 numbers",
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()


def test_a_run_tells_the_weights_of_models_and_of_branches():
    parts = matrices()
    given = {f"m{number}": part for number, part in enumerate(parts)}
    join = ("weighted_sum", {"weights": "agreement", "missing": "worst"})
    found = fuse(given, join=join)
    wanted = agreement.weights_of_distances(parts)
    assert_allclose(list(found.weights["weighted_sum"].values()), wanted)
    assert list(found.weights["weighted_sum"]) == list(given)
    one, two = (
        {"models": [f"m{number}" for number in pair], "join": {"use": "borda"}} for pair in ((0, 1), (2, 3))
    )
    content = {"branch": [one, two, {"models": ["m0"]}], "join": {"use": "borda", "weights": "agreement"}}
    assert list(fuse(given, content).weights["borda"]) == ["branch 1", "branch 2", "m0"]
