"""Name lists, tables and track lists."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.base.errors import InputError
from ensemble.io import read_names
from ensemble.io.lists import read_labels, read_tracks
from tests.support.each import each


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.txt"


def problems(call: Callable, *arguments: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return caught.value.problems


def names(count: int) -> list[str]:
    return [f"{number:06d}.jpg" for number in range(1, count + 1)]


# Name lists


def test_the_real_name_lists(shared: Path) -> None:
    assert read_names(shared / "aicity2020" / "name_query.txt") == names(1052)
    assert read_names(shared / "aicity2020" / "name_test.txt") == names(18290)


@each(
    "text",
    ["b.jpg\na.jpg\n", "b.jpg\na.jpg", "b.jpg \r\na.jpg\r\n", "\ufeffb.jpg\na.jpg\n", "b.jpg\na.jpg\n\n \r\n"],
)
def test_a_name_list(file: Path, text: str) -> None:
    file.write_bytes(text.encode())
    assert read_names(file) == ["b.jpg", "a.jpg"]


def test_faults_of_a_name_list(file: Path) -> None:
    file.write_text("a\n\nb\na\n\nb\na\n")
    blank, twice = problems(read_names, file)
    assert blank == f"{file}: wanted no empty lines, found line 2, 5 empty; remove them"
    assert twice == f"{file}: wanted every name once, found again a, b; remove the copies"


@each(("data", "found"), [(b"", "empty file"), (b"\n", "line 1 empty"), (b"a\xff\n", "byte at 1")])
def test_broken_name_lists(file: Path, data: bytes, found: str) -> None:
    file.write_bytes(data)
    (problem,) = problems(read_names, file)
    assert found in problem


def test_no_name_list(tmp_path: Path) -> None:
    assert "No such file" in problems(read_names, tmp_path / "none.txt")[0]
    assert "wanted a text file" in problems(read_names, tmp_path)[0]


# Tables


def test_a_table(file: Path) -> None:
    file.write_text('colour,name,pid,cam,frame\nred,0002,7,-1,1200.0\n"dark, red",0001, 3 ,4,5\n')
    labels = read_labels(file)
    assert labels.names == ["0002", "0001"]  # text: zeros stay, the order stays
    assert {column: values.tolist() for column, values in labels.columns.items()} == {
        "pid": [7, 3],
        "cam": [-1, 4],
        "frame": [1200, 5],
    }


def test_faults_of_a_table(file: Path) -> None:
    file.write_text("name,pid,order,frame\na,1,c2,1.5\n,1,2,3\na,,2,3\nb,1,2\n")
    ragged, unnamed, twice, order, frame = problems(read_labels, file)  # of no pid nothing is known
    assert "wanted 4 values a line, found another number in line 5" in ragged
    assert "wanted a name in every line, found 1 without" in unnamed
    assert "found again a;" in twice
    assert "wanted whole numbers in order, found a: 'c2'; write -1 for unknown" in order
    assert "in frame, found a: '1.5'" in frame


@each("text", ["weather\n1\n", "name,pid,pid\na,1,1\n", "a.jpg\nb.jpg\n"])
def test_a_table_without_its_first_line(file: Path, text: str) -> None:
    file.write_text(text)
    (problem,) = problems(read_labels, file)
    assert "any of pid, cam, cam_predicted, track, order, frame, scene, quality, clothes as first" in problem


SPELT = {
    "name": ["path", "file_name", "Image", "img path", "FILE"],
    "pid": ["label", "Identity", "person_id", "PersonID", "vehicle-id", "PID"],
    "cam": ["camid", "camera", "Cam", "cam_id", "CameraID", "cams"],
    "track": ["tracklet", "track_id"],
    "frame": ["frames", "Frame No"],
}


@each(("column", "spelling"), [(column, spelling) for column, all_ in SPELT.items() for spelling in all_])
def test_usual_spellings_are_taken(file: Path, column: str, spelling: str) -> None:
    other = "pid" if column == "name" else "name"
    file.write_text(f"{spelling},{other}\n7,7\n")
    assert {"name", *read_labels(file).columns} == {column, other}


def test_own_names_go_before_other_spellings(file: Path) -> None:
    file.write_text("name,path,pid,label,camra,weather\na,x,1,2,3,4\n")
    found = read_labels(file)
    assert (found.names, found.columns["pid"].tolist()) == (["a"], [1])
    assert found.unused == ("path", "label", "camra (did you mean 'cam'?)", "weather")
    file.write_text("name,identity,label\na,1,2\n")
    (problem,) = problems(read_labels, file)
    assert "wanted one column for pid, found identity, label; leave one, or call it pid" in problem


@each("separator", [",", ";", "\t"])
def test_tables_of_spreadsheets(file: Path, separator: str) -> None:
    """A mark before the first byte, \\r\\n, lines of empty cells, empty cells at the end, NaN of pandas."""
    lines = ["name,pid,cam", "", "a b,1.0,", ",,", "c,nan,4", "", ""]
    file.write_bytes("\r\n".join(lines).replace(",", separator).encode("utf-8-sig"))
    found = read_labels(file)
    assert found.names == ["a b", "c"]
    assert {name: values.tolist() for name, values in found.columns.items()} == {"pid": [1, -1], "cam": [-1, 4]}


def test_a_table_of_nothing(file: Path) -> None:
    file.write_text("name,pid\n")
    assert "at least one image" in problems(read_labels, file)[0]


# Tracks


@each("end", ["\n", " \n", "\r\n", " \r\n"])
@each("form", ["ids", "names", "padded ids"])
@each("last", [True, False])
def test_tracks(file: Path, end: str, form: str, last: bool) -> None:
    tracks = [[5, 2], [1], [6, 3]]  # 4 is in no track
    spell = {"ids": "{}", "names": "{:06d}.jpg", "padded ids": "{:06d}"}[form].format
    text = end.join(" ".join(map(spell, track)) for track in tracks) + (end if last else end.rstrip("\r\n"))
    file.write_bytes(text.encode())
    labels = read_tracks(file, names(6))
    #                                       images 1  2  3   4  5  6
    assert labels.columns["track"].tolist() == [1, 0, 2, -1, 0, 2]
    assert labels.columns["order"].tolist() == [0, 1, 1, -1, 0, 0]


def test_ids_are_the_numbers_in_the_names_not_places_in_the_list(file: Path) -> None:
    file.write_text("3 1\n2\n")
    labels = read_tracks(file, ["000002.jpg", "000003.jpg", "000001.jpg"])
    assert labels.columns["track"].tolist() == [1, 0, 0]
    assert labels.columns["order"].tolist() == [0, 0, 1]


def test_ids_are_places_from_1_where_names_are_no_numbers(file: Path) -> None:
    file.write_text("3 1\n2\n")
    assert read_tracks(file, ["b.jpg", "a.jpg", "c.jpg"]).columns["track"].tolist() == [0, 1, 0]
    assert read_tracks(file, ["0", "1", "2"], positional=True).columns["track"].tolist() == [0, 1, 0]


def test_the_real_tracks(tmp_path: Path, shared: Path) -> None:
    path = shared / "aicity2020" / "test_track_id.txt"
    labels = read_tracks(path, names(18290))
    track, order = labels.columns["track"], labels.columns["order"]
    lengths = np.bincount(track)
    assert len(lengths) == 798
    assert (lengths.min(), lengths.max(), lengths.sum()) == (2, 58, 18290)
    assert track.min() == order.min() == 0
    first = np.lexsort([order, track])[: lengths[0]] + 1  # the first line, as it stands in the file
    with path.open() as file:
        assert first.tolist() == [int(number) for number in file.readline().split()]
    stripped = tmp_path / "stripped.txt"
    stripped.write_text("\n".join(line.strip() for line in path.read_text().splitlines()))
    again = read_tracks(stripped, names(18290))
    assert_array_equal(again.columns["track"], track)
    assert_array_equal(again.columns["order"], order)


def test_the_tracks_of_the_golden_world(tmp_path: Path, shared: Path) -> None:
    world = np.load(shared / "golden" / "gggcy.npz")
    ids, track = world["track_file_order_ids"], world["g_track"]
    path = tmp_path / "test_track_id.txt"
    lines = [" ".join(map(str, ids[track[ids - 1] == number])) + " \n" for number in range(track.max() + 1)]
    path.write_text("".join(lines))
    assert_array_equal(read_tracks(path, names(260)).columns["track"], track)


def test_faults_of_tracks(file: Path) -> None:
    file.write_text("1 2\n\n2 9 77\n 3 9\n")
    blank, unknown, twice = problems(read_tracks, file, names(3))
    assert "found line 2 empty" in blank
    assert "found 2 unknown (9, 77)" in unknown
    assert "wanted every image in one track, found again 2, 9" in twice
    file.write_text("1 000002.jpg\n")
    assert "found both (1 and 000002.jpg)" in problems(read_tracks, file, names(3))[0]
    file.write_text("1 1 000002.jpg\n\n")
    empty, both, twice = problems(read_tracks, file, names(3))
    assert ("line 2" in empty, "found both" in both, "found again 1" in twice) == (True, True, True)
    file.write_text("1 2\n")
    assert "several images with number 1" in problems(read_tracks, file, ["1.jpg", "0001.jpg"])[0]
    file.write_text("")
    assert "empty file" in problems(read_tracks, file, names(3))[0]


# Tables of pyarrow


@each("suffix", [".parquet", ".feather"])
def test_tables_of_pyarrow(tmp_path: Path, suffix: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    table = pyarrow.table(
        {
            "image": ["0001", "b"],
            "Identity": pyarrow.array(["Dan", None]).dictionary_encode(),
            "cam": [3.0, float("nan")],
            "frame": pyarrow.array([7, None], pyarrow.int32()),
            "embedding": [[0.5, 1.0], [2.0, 3.0]],
            "weather": [b"sun", None],
        }
    )
    path = tmp_path / f"query{suffix}"
    parquet.write_table(table, path) if suffix == ".parquet" else feather.write_feather(table, str(path))
    found = read_labels(path)
    assert found.names == ["0001", "b"]
    assert {name: values.tolist() for name, values in found.columns.items()} == {
        "pid": ["Dan", ""],
        "cam": [3, -1],
        "frame": [7, -1],
    }
    assert found.unused == ("embedding", "weather")
    assert read_names(path) == ["0001", "b"]
    data = path.read_bytes()
    for length in (10, len(data) // 2, len(data) - 9):
        path.write_bytes(data[:length])
        assert "wanted a table in Parquet or Feather, found " in problems(read_labels, path)[0]


@each("suffix", [".parquet", ".feather"])
def test_a_table_of_pyarrow_that_would_become_too_large(tmp_path: Path, suffix: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    path = tmp_path / f"query{suffix}"
    names = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 10**5, pyarrow.int8()), ["x" * 1000])
    table = pyarrow.table({"name": names})
    parquet.write_table(table, path) if suffix == ".parquet" else feather.write_feather(table, str(path))
    assert path.stat().st_size < 10**5
    assert "cannot come from a file of this size" in problems(read_labels, path)[0]
