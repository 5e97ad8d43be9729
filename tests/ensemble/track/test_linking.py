"""Associations over all tracklets: what must be apart stays apart, and places count."""

import numpy as np

from ensemble.boxes.tables import Window
from ensemble.track import linking
from ensemble.track.place import on_ground
from tests.ensemble.track.worlds import boxes, world
from tests.support.each import each

ALIKE = np.full((3, 3), 0.1)
BOTH = [linking.linkage, linking.union]


@each("method", BOTH)
def test_two_at_once_in_a_camera_are_two(method):
    """1 and 2 are in camera 1 at the same time; 3, in camera 2, is nearer to 2."""
    table = np.array([[0, 0.05, 0.3], [0.05, 0, 0.2], [0.3, 0.2, 0]])
    here = world(boxes((1, 1, 0, 9), (1, 2, 9, 20), (2, 1, 50, 60)), table=table)
    assert method(here, threshold=0.5).tolist() == [0, 1, 1]
    assert len(set(method(here, threshold=0.5, overlaps=True).tolist())) == 1


@each("method", BOTH)
def test_one_after_the_other_in_a_camera(method):
    here = world(boxes((1, 1, 0, 9), (1, 2, 10, 20), (2, 1, 50, 60)), table=ALIKE)
    assert method(here).tolist() == [0, 0, 0]
    assert len(set(method(here, one_per_camera=True).tolist())) == 2


@each("method", BOTH)
def test_travel_windows(method):
    """Camera 1 to 2 takes 5 to 15 s. Out at 9, in at 19: fits; in at 50: not. Nothing is known of camera 3."""
    tracks = (1, 1, 0, 9), (2, 1, 19, 25), (3, 1, 50, 60)
    window = [Window(1, 2, 5, 15)]
    assert method(world(boxes(*tracks), table=ALIKE, windows=window)).tolist() == [0, 0, 0]
    assert method(world(boxes(*tracks), table=ALIKE, windows=window), unlisted="apart").tolist() == [0, 0, 1]
    late = (1, 1, 0, 9), (2, 1, 40, 45), (3, 1, 90, 99)
    found = method(world(boxes(*late), table=ALIKE, windows=window)).tolist()
    assert found[0] != found[1]


@each("method", BOTH)
def test_who_has_no_features_is_alone(method):
    looks = np.array([[1, 0], [1, 0], [np.nan, np.nan]])
    here = world(boxes((1, 1, 0, 9), (2, 1, 19, 25), (3, 1, 50, 60)), looks=looks)
    assert method(here).tolist() == [0, 0, -1]


def test_a_broken_track_is_one_before_cameras_are_compared():
    """Both halves of a track in camera 1 look alike (0.02 apart); their mean is 0.29 from the one in camera 2."""
    angle = np.deg2rad([0, 11.5, 50])
    here = world(
        boxes((1, 1, 0, 9), (1, 2, 10, 19), (2, 1, 50, 60)), looks=np.stack([np.cos(angle), np.sin(angle)], axis=1)
    )
    assert linking.linkage(here, inside=0.1, threshold=0.3).tolist() == [0, 0, 0]  # 1 - cos(44.25 degrees) = 0.284
    assert linking.linkage(here, inside=0.1, threshold=0.27).tolist() == [0, 0, 1]


def test_distances_on_the_ground():
    """Both cameras see frames 5 to 9; 3 - 4 - 5 on the ground."""
    found = boxes((1, 1, 0, 9), (2, 1, 5, 20), (2, 2, 30, 40), world=[(0, 0), (3, 4), (0, 0)])
    ground = on_ground(world(found).tracklets, 1.0)
    assert ground.mean[0, 1] == ground.least[1, 0] == 5
    assert np.isnan(ground.mean[0, 2])  # never at the same time
    assert np.isnan(ground.mean[1, 2])  # of one camera


def test_mean_and_smallest_distance():
    """Somebody walks away, 1 m a frame, from 0 to 4 m, while the other stands: 2 m in the mean, 0 at least."""
    found = boxes((1, 1, 0, 4), (2, 1, 0, 4), world=[(0, 0), (0, 0)])
    found.world[found.cam == 2, 0] = np.arange(5)
    ground = on_ground(world(found).tracklets, 1.0)
    assert (ground.mean[0, 1], ground.least[0, 1]) == (2, 0)


@each("method", BOTH)
def test_one_place_is_one_and_two_places_are_two(method):
    """1 and 2 look unlike but stand 0.3 m apart; 1 and 3 look alike but stand 20 m apart."""
    table = np.array([[0, 0.9, 0.1], [0.9, 0, 0.9], [0.1, 0.9, 0]])
    tracks = (1, 1, 0, 9), (2, 1, 0, 9), (3, 1, 0, 9)
    found = boxes(*tracks, world=[(0, 0), (0.3, 0), (20, 0)])
    assert method(world(found, table=table)).tolist() == [0, 1, 0]
    assert method(world(found, table=table), same_place=0.5, apart_place=10.0).tolist() == [0, 0, 1]


def test_places_that_nobody_knows_are_said():
    here = world(boxes((1, 1, 0, 9), (2, 1, 0, 9)))
    linking.linkage(here, same_place=0.5)
    assert here.notes == ["same_place, apart_place: not used, since the tracks have no points on the ground"]


def test_nobody_at_all():
    here = world(boxes((1, 1, 0, 9)), looks=[[np.nan]])
    assert linking.linkage(here).tolist() == [-1]
