"""Scores of answers to "who is it?", worked by hand; sets; intervals."""

import numpy as np
import pytest

from ensemble.scores.identities import NAMES, score_identities
from tests.support.each import each

# 7 asks three times (right, behind the unknown, behind another), 8 once (told unknown); 20 and 21 are unknown
TOLD = [[7, -1, 8], [-1, 7, 8], [8, 7, -1], [-1, 7, 8], [-1, 8, 7], [8, -1, 7], [8, 7, -1]]
WHO = [7, 7, 7, 8, 20, 21, 21]
GALLERY = [7, 7, 8, -1]


def test_worked_by_hand():
    found = score_identities(TOLD, WHO, GALLERY)
    assert found.values == pytest.approx(
        {
            "top1": 2 / 7,  # the first and the fifth
            "top5": 1.0,  # the eighth identity of the fourth stands third
            "map5": (1 + 1 / 2 + 1 / 2 + 1 / 3 + 1 + 1 / 2 + 1 / 3) / 7,
            "baks": (1 / 3 + 0) / 2,
            "baus": (1 + 0) / 2,
            "geometric": np.sqrt(1 / 6 * 1 / 2),
            "balanced": (1 / 6 + 1 / 2) / 2,
            "per_identity": (1 / 3 + 0 + 1 + 0) / 4,
        }
    )
    assert (found.known, found.unknown, found.unlabelled, found.identities) == (4, 3, 0, (2, 2))
    assert found.places == 3
    assert found.called("map5") == "MAP@3"


def test_places_and_queries_that_nobody_knows():
    found = score_identities([*TOLD, [7, 8, -1]], [*WHO, -1], GALLERY, places=2)
    assert found.unlabelled == 1
    assert found.values["top5"] == pytest.approx(5 / 7)
    assert found.values["map5"] == pytest.approx((1 + 1 / 2 + 1 / 2 + 0 + 1 + 1 / 2 + 0) / 7)


def test_sets_are_judged_by_themselves():
    sets = ["a", "a", "b", "a", "b", "a", "b"]
    found = score_identities(TOLD, WHO, GALLERY, sets)
    assert list(found.sets) == ["a", "b"]
    apart = {
        name: score_identities(*(list(np.array(x)[np.array(sets) == name]) for x in (TOLD, WHO)), GALLERY)
        for name in "ab"
    }
    for name in NAMES:
        assert found.values[name] == pytest.approx(np.mean([each.values[name] for each in apart.values()]))
        assert found.sets["a"].values[name] == apart["a"].values[name]
    json = found.as_json()
    assert json["sets"]["b"]["known"] == 1
    assert json["top3"] == found.values["top5"]


def test_a_set_without_unknown_ones_counts_where_it_has_a_number():
    found = score_identities(TOLD[:5], WHO[:5], GALLERY, ["a", "a", "a", "b", "b"])
    assert np.isnan(found.sets["a"].values["baus"])
    assert found.values["baus"] == found.sets["b"].values["baus"] == 1
    assert found.sets["a"].as_json()["baus"] is None


def test_intervals_hold_the_value_and_come_again():
    rng = np.random.default_rng(0)
    who = rng.integers(0, 40, 400)
    told = np.where(rng.random(400) < 0.7, np.where(who < 30, who, -1), 99)[:, None]
    found = score_identities(told, who, np.arange(30), resamples=500)
    for name in NAMES:
        low, high = found.intervals[name]
        assert low < found.values[name] < high
        assert high - low < 0.4
    again = score_identities(told, who, np.arange(30), resamples=500)
    assert again.intervals == found.intervals
    assert score_identities(told, who, np.arange(30), resamples=500, seed=1).intervals != found.intervals
    narrow = score_identities(told, who, np.arange(30), resamples=500, level=0.5)
    assert narrow.intervals["top1"][0] > found.intervals["top1"][0]
    both = score_identities(told, who, np.arange(30), resamples=500, independent=True)
    assert both.values == found.values


def test_one_identity_has_no_interval():
    found = score_identities([[7], [8]], [7, 7], [7, 8])
    assert np.isnan(found.intervals["top1"]).all()
    assert found.as_json()["intervals"]["baks"] == [None, None]


@each(
    ("change", "message"),
    [
        ({"told": [7, 8]}, "told: wanted .queries, places. whole numbers"),
        ({"told": [[0.5]] * 7}, "told: wanted .queries, places. whole numbers"),
        ({"query_pid": [7]}, "query_pid: wanted 7 values"),
        ({"query_pid": [-1] * 7}, "query_pid: wanted labelled queries, found none"),
        ({"sets": ["a"]}, "sets: wanted 7 names"),
        ({"places": 0}, "places: wanted a whole number"),
        ({"level": 2}, "level: wanted 0.5 to 0.999"),
        ({"resamples": 1}, "resamples: wanted a whole number, 100 or more"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        score_identities(**{"told": TOLD, "query_pid": WHO, "gallery_pid": GALLERY, **change})
