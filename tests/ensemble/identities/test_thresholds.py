"""What a threshold may be, and how it comes about."""

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.identities.thresholds import Wanted, new_ones, of_database, of_queries, wanted
from ensemble.scores.unknown_thresholds import Asked
from tests.support.each import each


@each(
    ("text", "found"),
    [
        ("none", Wanted("none")),
        ("distance=-0.5", Wanted("distance", -0.5)),
        ("share=0.165", Wanted("share", 0.165)),
        ("chance", Wanted("chance", 0.5)),
        ("chance=0.9", Wanted("chance", 0.9)),
        ("map", Wanted("map")),
    ],
)
def test_spelled(text, found):
    assert wanted(text) == found
    assert wanted(str(found)) == found


@each(
    "text",
    ["", "best", "geometrik", "distance", "distance=", "distance=nan", "share=2", "share", "chance=x", "map=1"],
)
def test_not_so(text):
    with pytest.raises(InputError, match="--unknown: wanted"):
        wanted(text)


def drawn(seed=0, people=40, images=4):
    """Known ones are right nearer than .5, unknown ones lie between .4 and .9; eight folds."""
    rng = np.random.default_rng(seed)
    pid = np.tile(np.repeat(np.arange(people), images), 2)
    unknown = np.repeat([False, True], people * images)
    first = np.where(unknown, rng.uniform(0.4, 0.9, len(pid)), rng.uniform(0.1, 0.5, len(pid)))
    return Asked(first[:, None], np.where(unknown, -1, 0), pid, unknown), pid % 8


def test_fitted_and_judged_on_identities_that_had_no_say():
    given, fold = drawn()
    for name in ("balanced", "geometric", "map"):
        found = of_database(wanted(name), given, fold, 0.5)
        assert 0.4 < found.distance < 0.5
        assert found.found[name] > 0.85
        assert found.found["held_out"] == pytest.approx(found.found[name], abs=0.05)
        assert found.found["held_out"] <= found.found[name] + 0.02
        assert "40 identities of the gallery (160 images asked as known, 160 held out as unknown)" in found.about


def test_by_chance():
    """Right ones fall off at .5, and where as many are wrong there the chance is a half."""
    given, fold = drawn(people=400)
    half = of_database(wanted("chance=0.5"), given, fold, 0.5)
    assert half.distance == pytest.approx(0.5, abs=0.03)  # density 2.5 of known ones against 2 until there
    likely = of_database(wanted("chance=0.99"), given, fold, 0.5)
    assert likely.distance == pytest.approx(0.4, abs=0.03)
    few = of_database(wanted("chance=0.5"), given, fold, 0.9)  # .25 of known against 1.8 of unknown beyond .4
    assert few.distance == pytest.approx(0.4, abs=0.03)


def test_nothing_to_fit_on():
    given, fold = drawn()
    for kind in (given.unknown, ~given.unknown):
        with pytest.raises(InputError, match="--unknown geometric: wanted identities of the gallery with several"):
            of_database(wanted("geometric"), given.take(kind), fold[kind], 0.5)


def test_of_queries():
    first = np.array([0.1, 0.2, 0.3, np.inf])
    assert of_queries(wanted("none"), first).distance == np.inf
    assert of_queries(wanted("distance=0.2"), first).found == {"share": 0.5}
    found = of_queries(wanted("share=0.5"), first)
    assert found.distance == pytest.approx(0.25)
    assert found.about == "50.00% of the queries have the unknown first"
    tied = of_queries(wanted("share=0.5"), np.full(4, 0.3))
    assert "and not 50.00%, since many best identities are equally far" in tied.about
    assert tied.as_json()["share"] in (0, 1)
    assert of_queries(wanted("none"), first).as_json()["distance"] is None


def test_as_many_new_ones_as_were_seen_once():
    assert new_ones(np.array([1, 1, 2, 3, 3, 3, 4, -1])) == pytest.approx(2 / 7)
    assert new_ones(np.array([-1])) == 0
