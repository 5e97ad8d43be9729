"""What is left out and what is added after an association."""

import numpy as np

from ensemble.track import cleaning
from tests.ensemble.track.worlds import boxes, world

TRACKS = (1, 1, 0, 9), (1, 2, 5, 29), (2, 1, 40, 49), (2, 2, 60, 61), (3, 1, 70, 79)


def test_small_groups_are_left_out():
    here = world(boxes(*TRACKS))
    group = np.array([0, 1, 0, 1, -1])
    assert cleaning.drop_small(here, group).tolist() == [0, 1, 0, 1, -2]
    assert cleaning.drop_small(here, group, tracklets=1, boxes=21).tolist() == [
        -2,
        1,
        -2,
        1,
        -2,
    ]  # 20, 27, 10 boxes
    assert cleaning.drop_small(here, np.array([0, 0, 1, 1, 1]), cameras=2).tolist() == [-2, -2, 1, 1, 1]


def test_groups_with_a_camera_twice_are_left_out():
    here = world(boxes(*TRACKS))
    assert cleaning.drop_repeated(here, np.array([0, 0, 1, -1, 1])).tolist() == [-2, -2, 1, -1, 1]


def test_of_two_at_once_the_longer_stays():
    """Tracks 1 and 2 of camera 1 overlap; 2 has more boxes. Those of camera 2 do not overlap."""
    here = world(boxes(*TRACKS))
    assert cleaning.split_repeated(here, np.array([0, 0, 0, 0, 0])).tolist() == [-1, 0, 0, 0, 0]


def test_who_is_alone_joins_those_who_look_alike():
    """The last looks like rows 0 and 2 (group 0) and row 3 (group 1): group 0 has more of them."""
    looks = np.array([[1, 0.1], [0, 1], [1, -0.1], [1, 0.2], [1, 0]])
    here = world(boxes(*TRACKS), looks=looks)
    group = np.array([0, 1, 0, 1, -1])
    assert cleaning.leftovers(here, group, similarity=0.9).tolist() == [0, 1, 0, 1, 0]
    assert cleaning.leftovers(here, group, similarity=0.999999).tolist() == [0, 1, 0, 1, -1]


def test_nobody_joins_a_group_that_is_in_the_same_camera_at_the_same_time():
    """Row 1 looks like rows 0 and 2, but row 0 is in its camera at its time."""
    here = world(boxes(*TRACKS), looks=np.ones((5, 2)))
    assert cleaning.leftovers(here, np.array([0, -1, 0, 1, 1])).tolist() == [0, 1, 0, 1, 1]


def test_small_groups_are_taken_apart_to_look_again():
    """Group 1 has 25 + 2 boxes; the two look like group 0, where row 1 has no room."""
    here = world(boxes(*TRACKS), looks=np.ones((5, 2)))
    group = np.array([0, 1, 0, 1, 0])
    assert cleaning.leftovers(here, group, smallest=28).tolist() == [0, -1, 0, 0, 0]
    assert cleaning.leftovers(here, group, smallest=27).tolist() == group.tolist()
