"""The two commands that look at feature files and change their format."""

import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble import convert, inspect
from ensemble.base.errors import InputError
from ensemble.base.features import COLUMNS, SIDES
from ensemble.io import beside, contents, read_folder, write_npz
from ensemble.io.describe import Entry
from tests.support import forked
from tests.support.each import each

TORCH = Path(__file__).parents[2] / "data" / "torch"


def names(count: int) -> list[str]:
    return [f"{number:06d}.jpg" for number in range(1, count + 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models, labels, tracks, a list that is not sorted, and a file that is none of ours."""
    folder = tmp_path / "features"
    folder.mkdir()
    for seed, model in enumerate(("a", "b")):
        for side, count in (("query", 3), ("gallery", 5)):
            rows = np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32)
            content = dict(zip(reversed(names(count)), rows, strict=True))
            (folder / f"{side}_{model}.pkl").write_bytes(pickle.dumps(content))
    (folder / "name_test.txt").write_text("\n".join([*names(5)[3:], *names(3)]) + "\n")
    (folder / "test_track_id.txt").write_text("5 1 \n2 3 \n")
    (folder / "query.csv").write_text(
        "name,pid,cam\n" + "".join(f"{name},{i},1\n" for i, name in enumerate(names(3)))
    )
    (folder / "notes.log").write_text("x")
    return folder


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Path]:
    class Touch:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    path = tmp_path / "query_evil.pkl"
    path.write_bytes(pickle.dumps({"000001.jpg": Touch()}))
    yield path
    assert not (tmp_path / "canary").exists()


# inspect


def test_contents_of_a_dictionary(tmp_path: Path) -> None:
    values = {name: np.full(4, number, np.float32) for number, name in enumerate(names(5))}
    values[names(5)[3]][:2] = np.nan, np.inf
    values["odd.jpg"] = np.ones(3, np.float32)
    path = tmp_path / "query_a.pkl"
    path.write_bytes(pickle.dumps(values))
    found = contents(path)
    assert found.format == "pickle"
    assert found.entries == (
        # image 0 is all zeros; image 3 has a NaN and an infinity
        Entry("", (4,), "float32", count=5, examples=tuple(names(3)), not_finite=2, zero_rows=1),
        Entry("odd.jpg", (3,), "float32", not_finite=0, zero_rows=0),
    )


def test_contents_of_entries(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    query = np.array([[0, 0], [1, np.nan]])
    np.savez(path, query=query, query_name=["x", "y"], query_pid=[3, 4], note=np.array([None]))
    found = contents(path)
    assert found.format == "NumPy archive"
    assert found.entries == (
        Entry("query", (2, 2), "float64", not_finite=1, zero_rows=1),
        Entry("query_name", (2,), "<U1", examples=("x", "y")),
        Entry("query_pid", (2,), "int64", examples=("3", "4")),
        Entry("note", (1,), "list", examples=("None",)),
    )


def test_every_kind_of_file_has_contents(shared: Path) -> None:
    for path in [*TORCH.glob("*.p*"), *(shared / "golden").glob("py2*.pkl"), *(shared / "golden").glob("*.m*at")]:
        if path.name != "module.pth":
            assert contents(path).entries
    lines, words = contents(shared / "aicity2020" / "test_track_id.txt").entries
    assert (lines.shape, words.shape) == ((798,), (18290,))


def test_names_that_would_disturb_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "query_a.pkl"
    path.write_bytes(pickle.dumps({"\x1b[2J\n\udc80": 1 << 70_000, "list": [np.ones(1)], "x" * 100: "y" * 100}))
    found = contents(path).entries
    assert found[0].name == r"\x1b[2J\n\udc80"
    assert found[0].examples == ("a number of 70001 bits",)
    assert found[1].dtype == "list of arrays"
    assert (len(found[2].name), len(found[2].examples[0])) == (60, 60)


def test_inspect_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{folder}: folder, 2 models: a, b"
    assert "  not read: notes.log (not a feature file)" in lines
    assert f"{folder}/query_a.pkl: pickle" in lines
    assert "  3 x (4,) float32: 000003.jpg, 000002.jpg, 000001.jpg; 0 NaN or infinite, 0 rows of zeros" in lines
    assert f"{folder}/query.csv: table" in lines
    assert "  cam (3,) text: 1, 1, 1" in lines
    assert f"{folder}/test_track_id.txt: text" in lines


def test_inspect_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.main(["--json", str(folder), str(TORCH / "array.pt")]) == 0
    found = json.loads(capsys.readouterr().out)
    (only,) = found["folders"]
    assert set(only["models"]) == {"a", "b"}
    assert "gallery_track" in only["columns"]
    assert found["files"][-1]["format"] == "torch archive"
    assert found["files"][-1]["entries"][0]["shape"] == [2, 4]


def test_inspect_names_what_it_refuses_and_shows_the_rest(
    hostile: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError) as caught:
        inspect.main([str(hostile), str(folder / "query_a.pkl"), str(folder / "none.pkl")])
    refused, missing = caught.value.problems
    assert "found and refused posix.system; nothing of the file was executed" in refused
    assert missing == f"{folder}/none.pkl: wanted a file, found none; check the path"
    assert "query_a.pkl: pickle" in capsys.readouterr().out


def test_the_command_lines(hostile: Path, folder: Path) -> None:
    found = forked.anew("inspect", str(hostile))
    assert found.returncode == 2
    assert found.stderr.startswith("error: 1 problem\n")
    assert "posix.system" in found.stderr
    assert "Traceback" not in found.stderr
    assert forked.command("inspect", str(folder)).returncode == 0
    done = forked.command("convert", "--features", str(folder), "--out", str(folder.parent / "new"))
    assert done.returncode == 0
    note, written = done.stdout.splitlines()[:2]
    assert note.endswith("files that are not used: notes.log (not a feature file)")
    assert written.endswith("a.npz: 3 query, 5 gallery, 4 values an image")


# convert


def test_a_converted_folder_reads_back_identical(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "place"
    assert convert.main(["--features", str(folder), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.npz", "b.npz"]
    before, after = read_folder(folder), read_folder(out)
    assert len(before) == len(after) == 2
    for old, new in zip(before, after, strict=True):
        assert new.model == old.model
        for side in ("query", "gallery"):
            assert getattr(new, side).tobytes() == getattr(old, side).tobytes()
            assert getattr(new, f"{side}_table").equals(getattr(old, f"{side}_table"))
    assert after[0].gallery_table["name"].tolist() == [*names(5)[3:], *names(3)]
    assert after[0].gallery_table["track"].tolist() == [-1, 0, 0, 1, 1]


@each("name", ["streid_pytorch_result.mat", "pytorch_result_v73.mat"])
def test_convert_a_matlab_file(tmp_path: Path, shared: Path, name: str) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / name).symlink_to(shared / "golden" / name)
    convert.main(["--features", str(tmp_path / "old"), "--out", str(tmp_path / "new")])
    expected = np.load(shared / "golden" / "mat_files_expected.npz")
    with np.load(tmp_path / "new" / f"{Path(name).stem}.npz") as found:
        allowed = {"_".join(filter(None, (side, column))) for side in SIDES for column in ("", "name", *COLUMNS)}
        assert set(found.files) <= allowed
        assert found["query"].tobytes() == expected["q"].tobytes()
        assert_array_equal(found["gallery_frame"], expected["g_frame"])
        assert found["gallery_name"].tolist() == [str(row) for row in range(260)]


def test_convert_with_lists(folder: Path, tmp_path: Path) -> None:
    query = tmp_path / "query.txt"
    query.write_text("\n".join(reversed(names(3))))
    gallery = tmp_path / "gallery.txt"
    gallery.write_text("\n".join(names(5)))
    tracks = tmp_path / "tracks.txt"
    tracks.write_text("000002.jpg 000001.jpg\n")
    arguments = ["--query-names", query, "--gallery-names", gallery, "--tracks", tracks]
    convert.main(["--features", str(folder), "--out", str(tmp_path / "new"), *map(str, arguments)])
    (new, _) = read_folder(tmp_path / "new")
    assert new.query_table["name"].tolist() == names(3)[::-1]
    assert new.query_table["pid"].tolist() == [2, 1, 0]
    assert new.gallery_table["name"].tolist() == names(5)
    assert new.gallery_table["order"].tolist() == [1, 0, -1, -1, -1]


def test_nothing_is_written_unless_all_is_well(folder: Path, tmp_path: Path) -> None:
    (folder / "gallery_b.pkl").unlink()
    with pytest.raises(InputError):
        convert.main(["--features", str(folder), "--out", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="another folder than --features"):
        convert.main(["--features", str(folder), "--out", str(folder / ".." / "features")])


def test_the_same_set_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    (feature_set, _) = read_folder(folder)
    for name in ("x.npz", "y.npz"):
        write_npz(tmp_path / name, feature_set)
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


# beside


def test_beside_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with beside(path) as file:
        file.write("ä\n")
        assert not path.exists()
    assert path.read_bytes() == "ä\n".encode()

    def fail() -> None:
        with beside(path, "wb") as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == "ä\n".encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


def test_beside_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="wanted to write it, but"), beside(tmp_path / "file" / "x.txt"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="Is a directory"), beside(tmp_path / "folder") as file:
        file.write("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
