"""Tracklets out of boxes, and features joined to them."""

import numpy as np
import pandas as pd
import pytest

from ensemble.base.errors import InputError
from ensemble.boxes.tables import Clocks, Zone
from ensemble.track import tracklets
from ensemble.track.tracklets import Named
from tests.ensemble.track.worlds import boxes


def test_tracklets_of_boxes():
    """Camera 2 is 3 s late and has 2 frames a second: frames 5 and 9 of it are at 3 + 4 / 2 and 3 + 8 / 2."""
    clocks = Clocks({1: 0.0, 2: 3.0}, {1: 1.0, 2: 2.0}, first=1)
    made = tracklets.made(boxes((2, 7, 5, 9, 60), (1, 3, 1, 4)), clocks, [Zone(2, "gate", (50, 0, 99, 99))])
    assert made.cam.tolist() == [1, 2]
    assert made.track.tolist() == [3, 7]
    assert made.first.tolist() == [1, 5]
    assert made.last.tolist() == [4, 9]
    assert made.start.tolist() == [0, 5]
    assert made.end.tolist() == [3, 7]
    assert made.entry == ["", "gate"]
    assert made.counts.tolist() == [4, 5]
    assert made.of.tolist() == [0] * 4 + [1] * 5


def names(*texts):
    return pd.DataFrame({"name": list(texts)})


def test_names_tell_camera_track_and_frame():
    found = tracklets.named(names("c041_17_000123.jpg", "x/cam2_3_9.png", "C7_1_0.jpg"), "here")
    assert (found.cam.tolist(), found.track.tolist(), found.frame.tolist()) == (
        [41, 2, 7],
        [17, 3, 1],
        [123, 9, 0],
    )
    assert tracklets.named(names("c041_17", "c2_3.jpg"), "here").frame.tolist() == [-1, -1]


def test_columns_tell_before_names():
    table = names("a", "b").assign(cam=["c041", "2"], track=[17, 3], frame=[5, 6])
    found = tracklets.named(table, "here")
    assert (found.cam.tolist(), found.track.tolist(), found.frame.tolist()) == ([41, 2], [17, 3], [5, 6])


def test_names_that_tell_nothing():
    with pytest.raises(
        InputError,
        match=r"names that tell camera and track, cCAM_TRACK or cCAM_TRACK_FRAME .* for 1 images \(dog.jpg\)",
    ):
        tracklets.named(names("c1_2.jpg", "dog.jpg"), "here")
    with pytest.raises(InputError, match="found both"):
        tracklets.named(names("c1_2.jpg", "c1_2_3.jpg"), "here")
    with pytest.raises(InputError, match="in the columns cam and track"):
        tracklets.named(names("a").assign(cam=["north"], track=[1]), "here")


MADE = tracklets.made(boxes((1, 1, 0, 9), (1, 2, 20, 29), (2, 1, 0, 9)), Clocks(first=0))


def of(*rows):
    return Named(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def test_what_has_no_partner_is_said():
    notes = []
    found = tracklets.joined(of((1, 1, 3), (2, 1, 0), (9, 9, 9)), MADE, "here", notes)
    assert found.tolist() == [0, 2, -1]
    assert notes == [
        "here: 1 features of no track are not used",
        "here: 1 tracks without features are matched with nobody (camera 1 id 2)",
    ]


def test_features_of_other_tracks_and_twice():
    with pytest.raises(InputError) as error:
        tracklets.joined(of((8, 1, 3), (8, 1, 3)), MADE, "here", [])
    said = str(error.value)
    assert "found none of them: features of camera 8 id 1, camera 8 id 1, tracks such as camera 1 id 1" in said
    assert "wanted one feature a tracklet or box, found again camera 8 id 1 frame 3" in said


def test_means_of_unit_length():
    """Images (2, 0) and (0, 5) become (1, 0) and (0, 1), whose mean is (1, 1) over its length."""
    images, rows = of((1, 1, 0), (1, 1, 1), (2, 1, 0)), np.array([[2, 0], [0, 5], [0, -3]], np.float32)
    found = tracklets.looks_of(MADE, images, np.array([0, 0, 2]), rows)
    np.testing.assert_allclose(found, [[2**-0.5, 2**-0.5], [np.nan, np.nan], [0, -1]], rtol=1e-6)
    plain = tracklets.looks_of(MADE, images, np.array([0, 0, 2]), rows, normalize=False)
    np.testing.assert_allclose(plain[0], [1, 2.5])


def test_large_boxes_count_where_there_are_any():
    """Boxes of camera 1's track 1 have 100 pixels; the one in frame 0 is made 400."""
    large = boxes((1, 1, 0, 9), (2, 1, 0, 9))
    large.box[0, 2:] = 20
    made = tracklets.made(large, Clocks(first=0))
    images, rows = of((1, 1, 0), (1, 1, 1), (2, 1, 0)), np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    found = tracklets.looks_of(made, images, np.array([0, 0, 1]), rows, kind="quality", min_area=300)
    np.testing.assert_allclose(found, [[1, 0], [0, 1]])  # of the second, which has none, all count
    np.testing.assert_allclose(tracklets.looks_of(made, images, np.array([0, 0, 1]), rows)[0], [2**-0.5] * 2)


def test_an_image_of_a_frame_without_a_box_is_no_large_one():
    """The tracker has lost frame 50, of which there is a feature: only the large box of frame 0 counts."""
    large = boxes((1, 1, 0, 9))
    large.box[0, 2:] = 20
    images, rows = of((1, 1, 0), (1, 1, 50)), np.array([[1, 0], [0, 1]], np.float32)
    made = tracklets.made(large, Clocks(first=0))
    found = tracklets.looks_of(made, images, np.array([0, 0]), rows, kind="quality", min_area=300)
    np.testing.assert_allclose(found, [[1, 0]])
