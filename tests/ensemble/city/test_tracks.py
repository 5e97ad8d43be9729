"""The drawn city of tracks: what is promised of its boxes, and the folder byte for byte."""

import hashlib

import numpy as np
import pytest

from ensemble import demo
from ensemble.base.errors import InputError
from ensemble.boxes import reading, tables
from ensemble.boxes.value import overlaps
from ensemble.city import tracks, traffic
from ensemble.track import tracklets, travel


@pytest.fixture(scope="module")
def made():
    scale = tracks.SIZES["small"]
    return tracks.tracked(traffic.traffic(scale, 3, 0.1, 0.05), scale, 3)


def test_tracks_are_of_one_vehicle_and_near_its_boxes(made):
    """Every box is of nobody, or overlaps a true box of its frame; a track has boxes of one vehicle alone."""
    true = {}
    for row, key in enumerate(zip(made.truth.cam.tolist(), made.truth.frame.tolist(), strict=True)):
        true.setdefault(key, []).append(row)
    who, near = {}, []
    for row in range(len(made.boxes)):
        cam, frame, track = (int(column[row]) for column in (made.boxes.cam, made.boxes.frame, made.boxes.track))
        rows = true.get((cam, frame), [])
        shared = overlaps(made.boxes.box[row : row + 1], made.truth.box[rows])[0] if rows else np.zeros(1)
        if shared.max() > 0.5:
            near.append(row)
            who.setdefault((cam, track), set()).add(int(made.truth.track[rows[int(shared.argmax())]]))
    assert len(near) > 0.97 * len(made.boxes)
    assert np.mean([len(found) == 1 for found in who.values()]) > 0.95
    broken = len(who) - len({(cam, next(iter(found))) for (cam, _), found in who.items()})
    assert broken > 10  # tracks that broke


def test_features_are_of_boxes_that_are_there(made):
    there = set(zip(made.boxes.cam.tolist(), made.boxes.track.tolist(), made.boxes.frame.tolist(), strict=True))
    for name in made.names:
        cam, track, frame = name.removesuffix(".jpg").removeprefix("c").split("_")
        assert (int(cam), int(track), int(frame)) in there
    assert len(set(made.names)) == len(made.names)
    assert {rows.shape for rows in made.features.values()} == {(len(made.names), 128)}


def test_known_windows_hold_nearly_everybody(made):
    """Of the ways between near cameras that true vehicles take one after the other."""
    true = tracklets.made(made.truth, made.clocks, made.zones)
    fits, listed = travel.fitting(true, made.windows)
    same = (true.track[:, None] == true.track) & listed
    assert (fits & same).sum() / same.sum() > 0.97


def test_a_folder_that_reads_back(tmp_path, capsys):
    assert demo.main([str(tmp_path / "one"), "--tracks", "--seed", "3"]) == 0
    assert "tracks of" in capsys.readouterr().out
    found = reading.read([tmp_path / "one" / "tracks"])
    assert len(np.unique(found.cam)) == 6
    assert len(tables.windows(tmp_path / "one" / "windows.csv")) == 2 * (5 + 4)
    assert tables.cameras(tmp_path / "one" / "cameras.csv").fps[6] == tracks.SLOW
    demo.main([str(tmp_path / "two"), "--tracks", "--seed", "3"])
    for path in sorted((tmp_path / "one").rglob("*")):
        if path.is_file():
            again = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest(), path
    demo.main([str(tmp_path / "two"), "--seed", "0"])  # another demo takes its place whole
    assert not (tmp_path / "two" / "tracks").exists()


def test_options_that_do_not_go_together(tmp_path):
    with pytest.raises(InputError) as error:
        demo.main([str(tmp_path / "x"), "--tracks", "--width", "9", "--size", "aicity2020", "--images"])
    said = str(error.value)
    for part in (
        "--width: wanted nothing beside --tracks",
        "--images: wanted nothing",
        "--size: wanted one of small, large",
    ):
        assert part in said
