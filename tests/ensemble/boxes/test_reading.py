"""Track files of both forms: what is read, and everything that is wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.boxes import reading
from tests.support.each import each


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(*paths: Path, **how) -> str:
    with pytest.raises(InputError) as error:
        reading.read(list(paths), **how)
    return "\n".join(error.value.problems)


def test_both_forms_say_the_same(tmp_path):
    mot = write(tmp_path, "mot/c007.txt", "2,5,10,20,30,40,0.5,1.5,2.5,0\n1, 5, 9.5, 20, 30, 40, -1, -1,-1,-1\n")
    city = write(tmp_path, "all.txt", "7 5 2 10 20 30 40 1.5 2.5\n7 5 1 9.5 20 30 40 -1 -1\n")
    one, other = reading.read([mot.parent]), reading.read([city])
    for found in (one, other):
        assert found.cam.tolist() == [7, 7]
        assert found.frame.tolist() == [1, 2]  # by frame, however the lines stand
        assert found.track.tolist() == [5, 5]
        assert found.box.tolist() == [[9.5, 20, 30, 40], [10, 20, 30, 40]]
        np.testing.assert_equal(found.world, [[np.nan, np.nan], [1.5, 2.5]])
    assert one.conf.tolist() == [1, 0.5]  # -1: nobody knows
    assert other.conf.tolist() == [1, 1]


def test_lines_of_truth_that_are_to_be_ignored(tmp_path):
    path = write(tmp_path, "c1.txt", "1,1,0,0,5,5,1\n1,2,0,0,5,5,0\n")
    assert reading.read([path]).track.tolist() == [1, 2]
    assert reading.read([path], ignored=True).track.tolist() == [1]


def test_class_and_visibility_of_mot_truth_are_no_ground_points(tmp_path):
    path = write(tmp_path, "c1.txt", "1,1,0,0,5,5,1,1,0.86\n")  # nine values
    assert np.isnan(reading.read([path]).world).all()


def test_titles_are_no_line(tmp_path):
    path = write(tmp_path, "c1.csv", "\ufeffframe,id,x,y,w,h\n1,1,0,0,5,5\n\n")
    assert len(reading.read([path])) == 1


def test_cameras_from_folders(tmp_path):
    write(tmp_path, "S06/c041/gt/gt.txt", "1,1,0,0,5,5\n")
    write(tmp_path, "S06/c042/gt/gt.txt", "1,1,0,0,5,5\n")
    write(tmp_path, "S06/.hidden/c043.txt", "nonsense")
    assert reading.read([tmp_path]).cam.tolist() == [41, 42]


@each(
    ("name", "text", "said"),
    [
        ("c1.txt", "", "one box a line, found an empty file"),
        ("c1.txt", "1,1,0,0,5\n", "found fewer values on line 1; is it the mot form?"),
        ("c1.txt", "1,1,0,0,5,5\n1,x,0,0,5,5\n", "numbers in id, found x on line 2"),
        ("c1.txt", "1.5,1,0,0,5,5\n", "whole numbers, 0 or more, in frame, found 1.5 on line 1"),
        ("c1.txt", "1,-1,0,0,5,5\n", "in id, found -1 on line 1; detections have no tracks: run a tracker first"),
        ("c1.txt", "1,1,0,0,0,5\n", "w above 0, found 0 on line 1"),
        ("c1.txt", "1,1,nan,0,5,5\n", "numbers in x, found nan on line 1"),
        ("c1.txt", "1,1,0,0,5,5,sure\n", "a number for conf as value 7, found another on line 1"),
        ("gt.txt", "1,1,0,0,5,5\n", "the camera's number in the name of the file or its folder"),
        ("c1.txt", "1,1,0,0,5,5\n1,1,9,9,5,5\n", "found 1 again (camera 1, frame 1, id 1)"),
        ("c1.txt", "1 1 0 0 5 5\n", "found fewer values on line 1; is it the aicity form"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file(tmp_path, name, text, said):
    assert said in refused(write(tmp_path, name, text))


def test_all_faults_of_all_files_at_once(tmp_path):
    write(tmp_path, "c1.txt", "1,1,0,0,0,0\n")
    write(tmp_path, "c2.txt", "a,1,0,0,5,5\n")
    write(tmp_path, "more/c2.txt", "1,1,0,0,5,5\n")
    said = refused(tmp_path, tmp_path / "absent")
    assert "c1.txt: wanted w above 0" in said
    assert "c1.txt: wanted h above 0" in said
    assert "c2.txt: wanted numbers in frame, found a on line 1" in said
    assert "absent: wanted a track file or a folder of them, found none" in said


@each(
    ("name", "text", "said"),
    [
        ("c1.txt", "1,5,0,0,5,5\n2,x,0,0,5,5\n1,5,9,9,5,5\n", "found 1 again (frame 1, id 5)"),
        ("a.txt", "3 5 1 0 0 5 5\n3 x 1 0 0 5 5\n3 5 1 9 9 5 5\n", "found 1 again (camera 3, frame 1, id 5)"),
    ],
)
def test_a_word_for_an_id_hides_no_other_fault(tmp_path, name, text, said):
    found = refused(write(tmp_path, name, text))
    assert "numbers in id, found x on line 2" in found
    assert said in found


def test_two_files_of_one_camera(tmp_path):
    write(tmp_path, "det/c2.txt", "1,1,0,0,5,5\n")
    write(tmp_path, "gt/c2.txt", "1,1,0,0,5,5\n")
    assert "one file a camera" in refused(tmp_path)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "c1.txt"
    path.write_bytes(b"\xff\xfe\x00")
    assert "wanted text, found another byte at 0" in refused(path)


def test_spaces_between_the_values_of_mot_are_told(tmp_path):
    """With spaces its first value, the frame, would pass for the camera, and its third for the frame."""
    path = write(tmp_path, "c007.txt", "1 5 10 20 30 40 0.9\n2 5 11 20 30 40 0.9\n")
    assert "wanted lines of camera 007, as its name says, found 1, 2 where the form aicity has" in refused(path)
    alone = write(tmp_path, "a/c007.txt", "7 5 1 10 20 30 40\n")
    assert reading.read([alone]).cam.tolist() == [7]
    assert len(reading.read([write(tmp_path, "track1.txt", "1 5 1 10 20 30 40\n2 5 1 10 20 30 40\n")])) == 2
