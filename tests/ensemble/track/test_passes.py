"""AI City 2021's first place on a road of three cameras, by hand."""

import numpy as np

from ensemble.boxes.tables import Window
from ensemble.track.passes import passes
from tests.ensemble.track.worlds import boxes, world

ROAD = [Window(1, 2, 5, 15), Window(2, 3, 5, 15)]
TRACKS = (1, 1, 0, 9), (1, 2, 30, 39), (2, 1, 19, 29), (2, 2, 49, 59), (3, 1, 39, 49), (3, 2, 69, 79)


def test_two_vehicles_along_a_road():
    """Each passes 1, 2, 3, ten seconds between; they look alike a little, and time tells them apart."""
    here = world(boxes(*TRACKS), table=np.full((6, 6), 0.3), windows=ROAD)
    assert passes(here).tolist() == [0, 1, 0, 1, 0, 1]


def test_a_threshold_for_one_pair():
    """From 2 to 3 nobody is within .2, and the second pass at .25 does not bring them together either."""
    here = world(boxes(*TRACKS), table=np.full((6, 6), 0.3), windows=ROAD)
    only = passes(here, second=0.25, pairs=[{"from": 2, "to": 3, "threshold": 0.2}])
    assert only.tolist() == [0, 1, 2, 3, 4, 5]  # the second pass is what counts
    assert passes(here, pairs=[{"from": 2, "to": 3, "threshold": 0.2}]).tolist() == [0, 1, 0, 1, 0, 1]


def test_the_second_pass_looks_at_means():
    here = world(boxes(*TRACKS), table=np.full((6, 6), 0.3), windows=ROAD)
    passes(here)
    models = [models for _, models in here.looks.asked[2:]]
    np.testing.assert_array_equal(models[0]["a"][0], models[0]["a"][2])
    np.testing.assert_allclose(models[0]["a"][0], here.models["a"][[0, 2, 4]].mean(axis=0))


def test_who_has_no_features_is_nobodys():
    looks = np.ones((6, 2))
    looks[5] = np.nan
    here = world(boxes(*TRACKS), looks=looks, windows=ROAD)
    assert passes(here).tolist() == [0, 1, 0, 1, 0, -1]
