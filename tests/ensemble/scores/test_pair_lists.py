"""Average precision of chosen pairs."""

import numpy as np
import pytest

from ensemble.scores import Protocol, score
from ensemble.scores.pair_lists import score_pairs


def test_all_pairs_are_a_ranking():
    rng = np.random.default_rng(0)
    far = rng.integers(0, 6, (20, 30)).astype(np.float32) / 5  # with ties, which go by gallery row
    who, other = rng.integers(-1, 6, 20), rng.integers(-1, 6, 30)
    query, gallery = np.divmod(rng.permutation(600), 30)
    found = score_pairs(query, gallery, far[query, gallery], who, other, resamples=200)
    for average, mine in (("identities", found.mAP), ("queries", found.mAP_queries)):
        assert mine == pytest.approx(score(far, who, other, protocol=Protocol(junk="none", average=average)).mAP)
    assert found.interval[0] < found.mAP < found.interval[1]


def test_what_is_no_pair_does_not_count_and_what_is_never_returned_is_missed():
    found = score_pairs([1, 1, 1], [0, 2, 3], [0.1, 0.2, np.inf], [7, 7], [8, 7, 7, 7], resamples=200)
    assert found.ap.tolist() == [pytest.approx(np.nan, nan_ok=True), pytest.approx((1 / 2 + 0) / 2)]
    assert (found.queries, found.identities) == (1, 1)
    assert found.as_json()["interval"] == [None, None]
    assert "mAP by identity 0.2500" in found.text()


def test_nothing_to_score():
    with pytest.raises(ValueError, match="pairs: wanted a query with an image of its identity"):
        score_pairs([0], [0], [0.1], [7], [8])
