"""Tables, lists and links as spreadsheets, data sets and file systems make them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.testing import assert_array_equal

from ensemble.io import read_folder
from tests.support.each import each
from tests.support.folders import pair, problems

ROWS = np.array([[1, 0.25], [-2.5, 3], [4, 5.125]], np.float32)


def written(folder: Path, lines: list[str], separator: str) -> Path:
    for side in ("query", "gallery"):
        text = "\n".join([separator.join(("name", "f0", "f1")), *lines])
        (folder / f"{side}_m.csv").write_text(text)
    return folder


@each("separator", [";", "\t"])
def test_a_decimal_comma(tmp_path: Path, separator: str) -> None:
    """Wherever the first comma is, and commas in names are none of numbers."""
    cells = [("a,b.jpg", "1", "0,25"), ("c.jpg", "-2,5", "3"), ("d.jpg", "4", "5,125")]
    (found,) = read_folder(written(tmp_path, [separator.join(row) for row in cells], separator))
    assert_array_equal(found.query, ROWS)


def test_a_comma_in_a_name_is_no_decimal_comma(tmp_path: Path) -> None:
    (found,) = read_folder(written(tmp_path, ["a,b.jpg;1;0.25", "c.jpg;-2.5;3", "d.jpg;4;5.125"], ";"))
    assert_array_equal(found.query, ROWS)


def test_commas_that_may_be_of_thousands_are_refused(tmp_path: Path) -> None:
    found = problems(read_folder, written(tmp_path, ["a.jpg;1,200;-300", "b.jpg;2,400;7"], ";"))
    assert len(found) == 2
    assert "found commas that may stand between thousands (1,200, 2,400); write a decimal point" in found[0]
    (read,) = read_folder(written(tmp_path, ["a.jpg;1,200;-300", "b.jpg;2,400;0,125"], ";"))
    assert_array_equal(read.query, np.array([[1.2, -300], [2.4, 0.125]], np.float32))


def test_numbers_behind_names_are_refused(tmp_path: Path) -> None:
    pair(tmp_path, "m", np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))
    (tmp_path / "query.txt").write_text("0001/a.jpg 1 2\n0002/b.jpg 2 4\n")
    (tmp_path / "gallery.txt").write_text("IMG 1.jpg\nIMG 2.jpg\n")
    (found,) = problems(read_folder, tmp_path)
    assert "query.txt: wanted one name a line, found numbers behind the names (0001/a.jpg 1 2" in found


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    pair(tmp_path, "m", np.ones((2, 3), np.float32), np.ones((2, 3), np.float32))
    (tmp_path / "query_best.npy").symlink_to(tmp_path / "disk" / "query.npy")
    (found,) = problems(read_folder, tmp_path)
    assert f"query_best.npy: wanted a file, found a link to {tmp_path}/disk/query.npy" in found


def test_whole_numbers_in_the_place_of_features(tmp_path: Path) -> None:
    for side in ("query", "gallery"):
        np.savez(tmp_path / f"{side}_m.npz", features=np.arange(6, dtype=np.int8).reshape(2, 3), pids=[1, 2])
    found = problems(read_folder, tmp_path)
    assert len(found) == 2
    assert "in floats, found features 2x3 int8" in found[0]
    assert found[0].endswith("write features.astype('float32')")


@each("dtype, first", [(np.float16, 2048), (np.float32, 2**24)])
def test_labels_that_floats_have_rounded_are_refused(tmp_path: Path, dtype: type, first: int) -> None:
    """2049 and 2048 are one number in float16: two people would be one."""
    for side in ("query", "gallery"):
        content = {
            "features": ROWS,
            "pids": np.array([1, 2, first], dtype),
            "frame": np.array([1, 2, first], dtype),
        }
        np.savez(tmp_path / f"{side}_m.npz", **content)
    (found,) = read_folder(tmp_path)
    assert found.query_table["pid"].tolist() == found.query_table["frame"].tolist() == [1, 2, first]
    content["pids"] = np.array([1, 2, 2 * first], dtype)
    np.savez(tmp_path / "query_m.npz", **content)
    (said,) = problems(read_folder, tmp_path)
    kind = np.dtype(dtype).name
    assert (
        f"_pid: wanted 3 whole numbers, found 3 {kind}, which tells whole numbers apart up to {first} only" in said
    )


def test_names_and_labels_in_the_batches_of_the_features(tmp_path: Path) -> None:
    """As they are collected from a loader, the last of another length."""
    cut = [slice(0, 2), slice(2, 3)]
    names, pids = ["a.jpg", "b.jpg", "c.jpg"], np.array([7, 8, 9])
    content: dict[str, Any] = {"features": ROWS, "names": names, "pids": pids}
    batches = {key: [values[part] for part in cut] for key, values in content.items()}
    pair(tmp_path, "m", batches, batches)
    (found,) = read_folder(tmp_path)
    assert_array_equal(found.gallery, ROWS)
    assert found.gallery_table.to_dict("list") == {"name": names, "pid": [7, 8, 9]}


@each("by", ["image_id", "path", "nothing"])
def test_ids_of_images_beside_their_paths(tmp_path: Path, by: str) -> None:
    """As wildlife data sets have them: images are called by what the features call them, else by their ids."""
    called = {"image_id": ["11", "10", "12"], "path": ["im/b.jpg", "im/a.jpg", "im/c.jpg"]}
    for side in ("query", "gallery"):
        lines = [
            "image_id,identity,path",
            *map(",".join, zip(called["image_id"], "xyz", called["path"], strict=True)),
        ]
        (tmp_path / f"{side}.csv").write_text("\n".join(lines))
        names = {} if by == "nothing" else {"names": called[by][::-1]}
        np.savez(tmp_path / f"{side}_m.npz", features=ROWS if by == "nothing" else ROWS[::-1], **names)
    (found,) = read_folder(tmp_path)
    assert_array_equal(found.query, ROWS)
    wanted = called.get(by, called["image_id"])
    assert found.gallery_table.to_dict("list") == {"name": wanted, "pid": ["x", "y", "z"]}
    assert any("are called by their paths" in note for note in found.notes) is (by == "path")


def test_ids_and_paths_in_a_feature_file(tmp_path: Path) -> None:
    for side in ("query", "gallery"):
        np.savez(tmp_path / f"{side}_m.npz", features=ROWS, image_id=[7, 8, 9], path=["a.jpg", "b.jpg", "b.jpg"])
    (found,) = read_folder(tmp_path)
    assert found.query_table["name"].tolist() == ["7", "8", "9"]


def test_ids_that_say_who_is_in_an_image_are_no_names(tmp_path: Path) -> None:
    for side, ids in (("query", [4, 7, 9]), ("gallery", [7, 4, 7])):
        np.savez(tmp_path / f"{side}_m.npz", features=ROWS, ids=ids, pids=[f"p{number}" for number in ids])
    (found,) = read_folder(tmp_path)
    assert found.gallery_table.to_dict("list") == {"name": ["0", "1", "2"], "pid": ["p7", "p4", "p7"]}
    np.savez(tmp_path / "gallery_m.npz", features=ROWS, ids=[7, 4, 7], pids=[1, 2, 3])
    (said,) = problems(read_folder, tmp_path)
    assert "gallery_m.npz: wanted every image once in ids, which names them as nothing else does, found" in said


def test_blanks_around_names_are_no_part_of_them(tmp_path: Path) -> None:
    (found,) = read_folder(written(tmp_path, ["a.jpg  ,1,0.25", " c.jpg,-2.5,3", '"d.jpg ",4,5.125'], ","))
    assert found.query_table["name"].tolist() == ["a.jpg", "c.jpg", "d.jpg"]


@each("cells", [("[1; 0,25]", "[-2,5;3]", "[4; 5,125]"), ("[1 0,25]", "(-2,5 3)", "[4,0\n 5,125]")])
def test_a_decimal_comma_in_cells_that_are_lists(tmp_path: Path, cells: tuple[str, ...]) -> None:
    for side in ("query", "gallery"):
        lines = [f'{name}\t"{cell}"' for name, cell in zip("abc", cells, strict=True)]
        (tmp_path / f"{side}_m.tsv").write_text("\n".join(["name\tembedding", *lines]))
    assert_array_equal(read_folder(tmp_path)[0].query, ROWS)


@each("cell", ["[1,2,3]", "[1, 2, 3]", "[1,2,\n3]", "[1; 2; 3]", "[1 2 3]", "[1,2 ,3]", "[1.0,2 3]"])
def test_a_comma_that_separates_is_no_decimal_comma(tmp_path: Path, cell: str) -> None:
    for side in ("query", "gallery"):
        (tmp_path / f"{side}_m.tsv").write_text(f'name\tembedding\na\t"{cell}"\nb\t"{cell}"\n')
    assert_array_equal(read_folder(tmp_path)[0].query, [[1, 2, 3]] * 2)
