"""track1.txt byte for byte, and all that a validator says of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble import validate
from ensemble.base.errors import InputError
from ensemble.boxes import reading, track1
from ensemble.boxes.value import Boxes
from tests.support.each import each


def boxes(rows, world=None):
    """cam, identity, frame, x, y, w, h."""
    table = np.array(rows, np.float64).reshape(-1, 7)
    whole = table[:, :3].astype(np.int64)
    ground = np.full((len(table), 2), np.nan) if world is None else np.array(world, np.float64)
    return Boxes(whole[:, 0], whole[:, 1], whole[:, 2], table[:, 3:], np.ones(len(table)), ground)


TWO = [(42, 1, 3, 10.4, 20.6, 30.2, 40.0), (41, 2, 1, 5, 6, 7, 8)]


def test_form_of_2022_to_the_byte(tmp_path):
    """Right is 10.4 + 30.2 = 40.6, so 41; left is 10: 31 wide. Bottom 60.6 is 61, top 21: 40 high."""
    assert track1.write(tmp_path / "track1.txt", boxes(TWO), "2022") == 0
    assert (tmp_path / "track1.txt").read_bytes() == b"41 2 1 5 6 7 8 -1 -1\n42 1 3 10 21 31 40 -1 -1\n"


def test_form_of_2024_to_the_byte(tmp_path):
    """Frames from 0, and points with six places; 1 / 3 and no negative zero."""
    found = boxes(TWO, world=[(1 / 3, -2.5), (-0.0, 7)])
    track1.write(tmp_path / "track1.txt", found, "2024")
    assert (tmp_path / "track1.txt").read_bytes() == (
        b"41 2 0 5 6 7 8 0.000000 7.000000\n42 1 2 10 21 31 40 0.333333 -2.500000\n"
    )


def test_frames_from_0_become_frames_from_1():
    one = boxes([(1, 1, 0, 5, 5, 5, 5)])
    assert track1.lines(one, "2022", first_frame=0) == ["1 1 1 5 5 5 5 -1 -1"]


def test_what_is_outside_the_picture_is_cut_or_left_out(tmp_path):
    found = boxes([(1, 1, 1, -4, -3, 10, 10), (1, 2, 1, -20, 5, 10, 10), (1, 3, 1, 5, 5, 0.1, 0.1)])
    path = tmp_path / "track1.txt"
    assert track1.write(path, found, "2022") == 1
    assert path.read_text() == "1 1 1 0 0 6 7 -1 -1\n1 3 1 5 5 1 1 -1 -1\n"


def test_what_cannot_be_written():
    with pytest.raises(InputError) as error:
        track1.lines(boxes([(1, 0, 0, 5, 5, 5, 5)]), "2024")
    assert [problem.split(", found")[0] for problem in error.value.problems] == [
        "track1.txt: wanted frames from 1",
        "track1.txt: wanted identities from 1",
        "track1.txt: wanted points on the ground for the form 2024",
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3), st.integers(1, 4), st.integers(1, 6),
            *[st.floats(-50, 2000)] * 2, *[st.floats(0.01, 500)] * 2,
        ),
        min_size=1, max_size=12, unique_by=lambda row: row[:3],
    )
)  # fmt: skip
def test_what_is_written_has_no_faults_and_reads_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("written") / "track1.txt"
    found = boxes(rows)
    left_out = track1.write(path, found, "2022")
    if left_out == len(rows):
        assert path.read_bytes() == b""
        return
    assert track1.faults(path, "2022") == []
    again = reading.read([path])
    assert len(again) == len(rows) - left_out
    assert track1.lines(again, "2022") == path.read_text().splitlines()


@each(
    ("text", "form", "said"),
    [
        ("1 1 1 0 0 5 5 -1 -1\n1 1 1 9 9 5 5 -1 -1\n", "2022", "found line 2 as line 1 (camera 1, id 1, frame 1)"),
        ("1 1 0 0 0 5 5 -1 -1\n", "2022", "whole numbers from 1 in frame, found 0 on line 1"),
        ("1 1 1 0.5 0 5 5 -1 -1\n", "2022", "whole numbers from 0 in x, found 0.5 on line 1"),
        ("1 01 1 0 0 5 5 -1 -1\n", "2022", "whole numbers from 1 in id, found 01 on line 1"),
        ("1 1 1 -3 0 5 5 -1 -1\n", "2022", "whole numbers from 0 in x, found -3 on line 1"),
        ("1 1 1 0 0 0 5 -1 -1\n", "2022", "whole numbers from 1 in w, found 0 on line 1"),
        ("1 1 1 0 0 5 5 1.0 2.0\n", "2022", "-1 -1 at the end, found 1.0 2.0 on line 1"),
        ("1 1 1 0 0 5 5 a nan\n", "2024", "two numbers, xw yw, at the end, found a nan on line 1"),
        ("1  1 1 0 0 5 5 -1 -1\n", "2022", "single spaces between, found '1  1 1 0 0 5 5 -1 -1' on line 1"),
        ("1,1,1,0,0,5,5,-1,-1\n", "2022", "and two more, single spaces between"),
        ("1 1 1 0 0 5 5 -1 -1", "2022", "LF after the last line, found none"),
        ("1 1 1 0 0 5 5 -1 -1\r\n", "2022", "LF at the end of lines, found CR"),
        ("\ufeff1 1 1 0 0 5 5 -1 -1\n", "2022", "no byte-order mark, found one"),
        ("", "2022", "one box a line, found an empty file"),
    ],
)  # fmt: skip
def test_faults(tmp_path, text, form, said):
    path = tmp_path / "track1.txt"
    path.write_bytes(text.encode())
    found = track1.faults(path, form)
    assert len(found) == 1, found
    assert said in found[0]


def test_every_kind_of_fault_once_with_its_lines(tmp_path):
    path = tmp_path / "track1.txt"
    path.write_text("1 1 0 0 0 5 5 -1 -1\n" * 3 + "junk\n")
    found = track1.faults(path, "2022")
    assert len(found) == 3
    assert "0 on line 1, 0 on line 2, 0 on line 3" in "\n".join(found)


def tell(capsys, *arguments):
    status = validate.main([str(one) for one in arguments])
    return status, capsys.readouterr().out


def test_the_validator_knows_both_forms_by_their_lines(tmp_path, capsys):
    path = tmp_path / "track1.txt"
    path.write_text("41 7 1 0 0 5 5 -1 -1\n42 7 9 0 0 5 5 -1 -1\n")
    assert tell(capsys, path) == (0, "ok: 2 boxes of 1 identities in 2 cameras, 2 frames\n")
    path.write_text("1 7 0 0 0 5 5 1.500000 2.000000\n")
    assert tell(capsys, path) == (0, "ok: 1 boxes of 1 identities in 1 cameras, 1 frames\n")
    path.write_text("41 7 0 0 0 5 5 -1 -1\n")
    status, said = tell(capsys, path, "--format", "track1")
    assert status == 1
    assert "not ok: 1 kind of fault" in said


def test_doubts(tmp_path, capsys):
    path = tmp_path / "other.txt"
    path.write_text("41 7 1 0 0 5 5 -1 -1\n")
    status, said = tell(capsys, path)
    assert status == 0
    assert "wanted the name track1.txt" in said
    assert "found 1 of one camera (7)" in said
    path.write_text("41 7 1 0 0 5 5 1.0 2.0\n")
    assert "were they counted from 1?" in tell(capsys, path)[1]
