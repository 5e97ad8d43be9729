"""Cameras, windows and zones as tables."""

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.boxes import tables
from ensemble.boxes.tables import Window, Zone, zones_of
from ensemble.boxes.value import Boxes
from tests.support.each import each


def boxes(cam, frame):
    count = len(cam)
    numbers = np.array(cam), np.zeros(count, np.int64), np.array(frame)
    return Boxes(*numbers, np.ones((count, 4)), np.ones(count), np.full((count, 2), np.nan))


def write(folder, text):
    (folder / "table.csv").write_text(text, encoding="utf-8")
    return folder / "table.csv"


def test_clocks(tmp_path):
    """Camera 2: 1.5 s late, 8 frames a second; frame 9 is 8 frames after the first: 1.5 + 8 / 8 = 2.5 s."""
    clocks = tables.cameras(write(tmp_path, "Camera,Offset,FPS\nc002,1.5,8\n1,0,10\n"))
    assert clocks.seconds(boxes([2, 1, 1], [9, 1, 11])).tolist() == [2.5, 0, 1]
    assert tables.Clocks(first=0).seconds(boxes([5], [20])).tolist() == [2]


def test_timestamps_of_ai_city_as_they_are(tmp_path):
    clocks = tables.cameras(write(tmp_path, "c041 0\nc042 2.177\n"), usual=10)
    assert clocks.offset == {41: 0, 42: 2.177}
    assert clocks.fps == {41: 10, 42: 10}


def test_windows_and_zones(tmp_path):
    assert tables.windows(write(tmp_path, "from;to;min;max;out;in\n1;c002;-3;20.5;south;\n")) == [
        Window(1, 2, -3, 20.5, "south", "")
    ]
    assert tables.zones(write(tmp_path, "cam\tzone\tx1\ty1\tx2\ty2\n3\tgate\t0\t0\t10\t5\n")) == [
        Zone(3, "gate", (0, 0, 10, 5))
    ]


def test_the_first_zone_of_the_table_counts():
    zones = [Zone(1, "a", (0, 0, 10, 10)), Zone(1, "b", (5, 5, 20, 20)), Zone(2, "c", (0, 0, 9, 9))]
    points = np.array([[7, 7], [12, 12], [10, 0], [1, 1]], np.float64)
    assert zones_of(np.array([1, 1, 1, 3]), points, zones) == ["a", "b", "", ""]


@each(
    ("kind", "text", "said"),
    [
        ("cameras", "cam,offset,fsp\n1,0,10\n", "found 'fsp'; did you mean 'fps'?"),
        ("cameras", "cam,offset\nnorth,0\n", "numbers of cameras in cam, found north"),
        ("cameras", "cam,fps\n1,0\n", "frames a second above 0, found 0"),
        ("cameras", "cam,offset\n1,x\n1,2\n", "numbers in offset, found x"),
        ("cameras", "cam,offset\n1,1\n1,2\n", "every camera once, found again 1"),
        ("windows", "from,to,min\n1,2,3\n", "a column max, found none"),
        ("windows", "from,to,min,max\n1,2,9,3\n", "min up to max, found 9 to 3"),
        ("windows", "from,to,min,max\n1,1,2,3\n", "two different cameras, found 1 twice"),
        ("windows", "from,to,min,max\n1,2,3\n", "4 values a line, found another number on 2"),
        ("windows", "from,to,min,max\n", "a line at least, found only the titles"),
        ("zones", "cam,zone,x1,y1,x2,y2\n1,a,5,0,5,9\n", "x1 < x2 and y1 < y2, found otherwise in a of camera 1"),
        ("zones", "cam,zone,x1,y1,x2,y2\n1,,0,0,5,9\n", "a name of every zone, found none on line 2"),
        ("zones", "", "found an empty file"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table(tmp_path, kind, text, said):
    with pytest.raises(InputError) as error:
        getattr(tables, kind)(write(tmp_path, text))
    assert said in str(error.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="wanted a table, found none"):
        tables.windows(tmp_path / "absent.csv")
