"""Who can have gone from where to where, and windows learned with labels and without."""

from dataclasses import replace

import numpy as np
import pytest

from ensemble.boxes.tables import Window, Zone
from ensemble.track import travel
from tests.ensemble.track.worlds import boxes, world


def test_pairs_in_time():
    """Out of camera 1 at 9; into camera 2 at 19 (10 s) and at 40 (31 s). The window is 5 to 20 s."""
    here = world(boxes((1, 1, 0, 9), (2, 1, 19, 25), (2, 2, 40, 45), (3, 1, 20, 21))).tracklets
    fits, listed = travel.fitting(here, [Window(1, 2, 5, 20)])
    assert fits.astype(int).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert listed[0].tolist() == [False, True, True, False]
    assert travel.fitting(here, [Window(1, 2, 5, 20)], slack=11)[0][0].tolist() == [False, True, True, False]
    assert not travel.fitting(here, [Window(2, 1, 5, 20)])[0].any()  # the other way


def test_zones_say_which_way_somebody_goes():
    """Track 1 leaves camera 1 on the right, track 2 on the left; the way to camera 2 is on the right."""
    zones = [Zone(1, "left", (0, 0, 50, 50)), Zone(1, "right", (50, 0, 100, 50))]
    found = boxes((1, 1, 0, 9, 10), (1, 2, 0, 9, 80), (2, 1, 15, 20, 10))
    moved = found.box.copy()
    moved[(found.frame == 9) & (found.cam == 1), 0] = [80, 10]
    here = world(replace(found, box=moved), zones=zones).tracklets
    assert (here.entry[:2], here.exit[:2]) == (["left", "right"], ["right", "left"])
    fits, _ = travel.fitting(here, [Window(1, 2, 0, 20, out="right")])
    assert fits[2].tolist() == [True, False, False]
    assert travel.fitting(here, [Window(1, 2, 0, 20, out="right", into="left")])[0][2].tolist() == [
        True,
        False,
        False,
    ]


def test_a_track_that_begins_and_ends_in_one_zone_may_go_any_way():
    zones = [Zone(1, "left", (0, 0, 50, 50)), Zone(1, "right", (50, 0, 100, 50))]
    here = world(boxes((1, 1, 0, 9, 10), (2, 1, 15, 20, 10)), zones=zones).tracklets
    assert travel.fitting(here, [Window(1, 2, 0, 20, out="right")])[0][0, 1]


def test_windows_from_identities():
    """Four drive from 1 to 2 in 10, 12, 14 and 18 s. Quartiles 11.5 and 15, widened by (15 / 11.5)³."""
    gone = [10, 12, 14, 18]
    tracks = [(1, who, 100 * who, 100 * who + 5) for who in range(4)]
    tracks += [(2, who, 100 * who + 5 + gone[who], 100 * who + 5 + gone[who] + 5) for who in range(4)]
    here = world(boxes(*tracks)).tracklets
    (found,) = travel.labelled(here, here.track)
    ratio = (15 / 11.5) ** 3
    assert (found.start, found.end) == (1, 2)
    assert (found.low, found.high) == pytest.approx((11.5 / ratio, 15 * ratio))
    assert travel.labelled(here, here.track, least=5) == []
    assert travel.labelled(here, np.full(8, -1)) == []


def test_windows_of_cameras_that_see_the_same():
    """Out of 1 two to five seconds after coming into 2: -5, -4, -3, -2; quartiles -4.25 and -2.75, 1.5 apart."""
    tracks = [(1, who, 100 * who, 100 * who + 9) for who in range(4)]
    tracks += [(2, who, 100 * who + 4 + who, 100 * who + 30) for who in range(4)]
    here = world(boxes(*tracks)).tracklets
    assert travel.labelled(here, here.track) == [Window(1, 2, -4.25 - 4.5, -2.75 + 4.5)]


def drivers(*seconds):
    """Pairs that look alike; each takes so many seconds from camera 1 to camera 2."""
    tracks, pairs = [], []
    for who, gone in enumerate(seconds):
        start = 100 + 40 * who
        tracks += [(1, who, start, start + 5), (2, who, start + 5 + gone, start + 10 + gone)]
        pairs.append((who, len(seconds) + who))
    table = np.full((len(tracks), len(tracks)), 0.9)
    for one, other in pairs:
        table[one, other] = table[other, one] = 0.2
    return world(boxes(*tracks), table=table)


def test_windows_without_labels_stand_wrong_pairs():
    """Five of nine are half: the shortest interval with five is 58 to 62. 62 / 58 is below 1.1, so 1.1³ is divided
    by and multiplied with. The wrong pairs, 3, 200, 400 and 800 s, have no say."""
    gone = [3, 58, 400, 59, 60, 200, 61, 62, 800]
    for widen, ratio in ((3, 1.1**3), (1, 1.1)):
        (found,) = travel.unlabelled(drivers(*gone), widen=widen)
        assert (found.start, found.end) == (1, 2)
        assert (found.low, found.high) == pytest.approx((58 / ratio, 62 * ratio))


def test_no_window_from_few_pairs_or_unlike_ones():
    assert travel.unlabelled(drivers(60, 60, 60)) == []
    assert travel.unlabelled(drivers(*[60] * 9), distance=0.1) == []
    assert travel.unlabelled(drivers(*[60] * 9), longest=30) == []


def test_ways_through_another_camera_are_left_out():
    """1 to 2 takes 10 s, 2 to 3 takes 20 s, 1 to 3 takes 30 s: who goes from 1 to 3 comes by 2."""
    one, two = Window(1, 2, 8, 12), Window(2, 3, 17, 23)
    assert travel.direct([one, two, Window(1, 3, 26, 34)]) == [one, two]
    short = Window(1, 3, 10, 20)  # 15 s in the middle: another road
    assert travel.direct([one, two, short]) == [one, two, short]
