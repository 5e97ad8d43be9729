"""Rows are joined by name, and where they are joined otherwise, the user is told by what."""

import json
import pickle
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble.base.alike import alike
from ensemble.io import read, read_folder, read_names, scan
from tests.support.each import each
from tests.support.folders import arrays, keyed, listed, names, pair, problems, rows

SIZES = {"query": 2, "gallery": 3}


def tables(folder: Path, spelt: Callable[[str], str] = str) -> None:
    for side, count in SIZES.items():
        lines = [f"{spelt(name)},{at}" for at, name in enumerate(names(count))]
        (folder / f"{side}.csv").write_text("\n".join(["name,pid", *lines]) + "\n", "utf-8")


def notes(folder: Path) -> str:
    found = scan(folder)
    return "\n".join((*found.notes, *read(found)[0].notes))


# By position


def test_rows_without_names_are_those_of_the_table(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    arrays(tmp_path, "b", rows(2), rows(3))
    tables(tmp_path)
    np.save(tmp_path / "stray.npy", np.ones((2, 3)))
    (tmp_path / "README.md").write_text("not data")
    (first, _) = read_folder(tmp_path)
    assert first.gallery_table["name"].tolist() == names(3)
    assert first.data()["gallery_pid"].tolist() == [0, 1, 2]
    said = notes(tmp_path)
    assert (
        f"gallery: joined by position: {tmp_path}/gallery_a.npy, {tmp_path}/gallery_b.npy have no names, row by "
        f"row they are those of {tmp_path}/gallery.csv, in its order" in said
    )
    assert "files that are not used: stray.npy (not called query_MODEL.npy or gallery_MODEL.npy" in said
    assert "README" not in said


def test_another_number_of_rows_is_refused_with_both(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(3), rows(2))
    tables(tmp_path)
    for problem, counts in zip(problems(read_folder, tmp_path), ((3, 2), (2, 3)), strict=True):
        assert "found {} rows for {} names; give the list that was written with it".format(*counts) in problem


def test_rows_without_any_list_are_joined_with_a_word(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    assert notes(tmp_path) == ""  # there is nothing to be joined with
    arrays(tmp_path, "b", rows(2), rows(3)[::-1])
    assert "no list has them; nothing tells whether their rows are in one order: give --query-names" in notes(
        tmp_path
    )
    arrays(tmp_path, "b", rows(2), rows(4))
    (problem,) = problems(read_folder, tmp_path)
    assert f"wanted as many gallery rows as {tmp_path}/gallery_b.npy, since rows without names" in problem
    assert "found 3 for 4" in problem


def test_names_of_one_model_do_not_name_the_rows_of_another(tmp_path: Path) -> None:
    pair(tmp_path, "a", keyed(names(2), rows(2)), keyed(names(3), rows(3)))
    arrays(tmp_path, "b", rows(2), rows(3))
    assert "wanted names for the query as in" in problems(read_folder, tmp_path)[0]
    tables(tmp_path)
    a, b = read_folder(tmp_path)
    assert_array_equal(a.gallery, b.gallery)
    assert f"{tmp_path}/gallery_b.npy has no names" in notes(tmp_path)


def test_a_table_without_names(tmp_path: Path) -> None:
    """It is about rows without names, or about those of a list; to images with names it belongs by nothing."""
    for side, count in SIZES.items():
        listed(tmp_path / f"{side}.csv", ["pid,cam", *(f"{at},1" for at in range(count))])
    arrays(tmp_path, "a", rows(2), rows(3))
    assert read_folder(tmp_path)[0].data()["gallery_pid"].tolist() == [0, 1, 2]
    assert f"query_a.npy has no names, row by row they are those of {tmp_path}/query.csv" in notes(tmp_path)
    listed(tmp_path / "gallery_names.txt", names(3)[::-1])
    assert read_folder(tmp_path)[0].gallery_table["name"].tolist() == names(3)[::-1]
    assert f"{tmp_path}/gallery.csv has no column of names, row by row it is about those of" in notes(tmp_path)
    listed(tmp_path / "gallery_names.txt", names(4))
    assert "found 3 rows for 4 names; add a column name" in problems(read_folder, tmp_path)[0]
    (tmp_path / "gallery_names.txt").unlink()
    (tmp_path / "query_a.npy").unlink()
    pair(tmp_path, "a", keyed(names(2), rows(2)), keyed(names(3), rows(3)))
    (tmp_path / "gallery_a.npy").unlink()
    for problem in problems(read_folder, tmp_path):
        assert "wanted a column name with the names of the" in problem


def test_labels_in_files_of_their_own(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    np.save(tmp_path / "query_pids.npy", [[5], [6]])
    np.save(tmp_path / "query_camid.npy", np.array(["A", "B"]))
    listed(tmp_path / "gallery_labels.txt", [6, 5, -1])
    packed(tmp_path / "gallery_frames.pkl", [7, 8, 9])
    assert list(scan(tmp_path).models) == ["a"]
    (found,) = read_folder(tmp_path)
    assert found.query_table.drop(columns="name").to_dict("list") == {"pid": [5, 6], "cam": ["A", "B"]}
    assert found.gallery_table.drop(columns="name").to_dict("list") == {"pid": [6, 5, -1], "frame": [7, 8, 9]}
    assert f"{tmp_path}/query_pids.npy has no names, row by row it is about those of" in notes(tmp_path)
    np.save(tmp_path / "query_label.npy", [5, 6])
    wanted = "wanted one file for query_pid, found query_label.npy and query_pids.npy; leave one"
    assert wanted in "\n".join(problems(scan, tmp_path))
    (tmp_path / "query_label.npy").unlink()
    np.save(tmp_path / "query_pids.npy", [5, 6, 7])
    assert "wanted a pid for each of the 2 images of" in problems(read_folder, tmp_path)[0]
    np.save(tmp_path / "query_pids.npy", [5, 6])
    for side, count in SIZES.items():
        (tmp_path / f"{side}_a.npy").unlink()
        (tmp_path / f"{side}_a.pkl").write_bytes(pickle.dumps(keyed(names(count), rows(count))))
    assert "wanted the order of the query images that it is about" in problems(read_folder, tmp_path)[0]
    listed(tmp_path / "query.txt", names(2)[::-1])
    (tmp_path / "gallery_labels.txt").unlink()
    (tmp_path / "gallery_frames.pkl").unlink()
    assert read_folder(tmp_path)[0].query_table["pid"].tolist() == [5, 6]


def test_models_may_be_called_like_labels(tmp_path: Path) -> None:
    arrays(tmp_path, "camera", rows(2), rows(3))
    assert list(scan(tmp_path).models) == ["camera"]


def test_tracks_that_count_rows(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    listed(tmp_path / "test_track_id.txt", ["3 1"])
    assert "test_track_id.txt count rows from 1" in notes(tmp_path)


# Lists of names


def text(path: Path, found: list[str]) -> None:
    listed(path, found)


def array(path: Path, found: list[str]) -> None:
    np.save(path, np.array(found))


def encoded(path: Path, found: list[str]) -> None:
    np.save(path, np.array([name.encode() for name in found]))


def packed(path: Path, found: list[str]) -> None:
    path.write_bytes(pickle.dumps(found))


def written(path: Path, found: list[str]) -> None:
    path.write_text(json.dumps(found))


@each(
    ("called", "write"),
    [
        ("{}.txt", text), ("name_{}.txt", text), ("{}_names.txt", text), ("{}_list.lst", text),
        ("{}_names.npy", array), ("{}_image_names.npy", encoded), ("names_{}.npy", array),
        ("{}_filenames.pkl", packed), ("{}-names.json", written), ("{}_paths.pickle", packed),
        ("{}_a.txt", text), ("{}_a_names.npy", array),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_lists_of_names(tmp_path: Path, called: str, write: Callable[[Path, list[str]], None]) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    for side, count in SIZES.items():
        write(tmp_path / called.format(side), names(count)[::-1])
    (found,) = read_folder(tmp_path)
    assert found.gallery_table["name"].tolist() == names(3)[::-1]
    assert f"row by row they are those of {tmp_path / called.format('query')}" in notes(tmp_path)
    assert read_names(tmp_path / called.format("query")) == names(2)[::-1]


def test_features_may_be_called_like_lists(tmp_path: Path) -> None:
    arrays(tmp_path, "images", rows(2), rows(3))
    assert list(scan(tmp_path).models) == ["images"]


def test_lists_that_differ(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    listed(tmp_path / "query.txt", names(2))
    listed(tmp_path / "query_names.txt", names(2)[::-1])
    (problem,) = problems(read_folder, tmp_path)
    assert "wanted one list of the query names, found query.txt and query_names.txt, which differ" in problem
    given = listed(tmp_path / "mine.txt", names(2))
    assert "query.txt (--query-names is given)" in "\n".join(scan(tmp_path, query_names=given).notes)
    listed(tmp_path / "query_names.txt", names(2))
    assert "query_names.txt (says the same as query.txt)" in notes(tmp_path)


# Names in two spellings

SPELLINGS: dict[str, Callable[[str], str]] = {
    "folder": lambda name: f"/data/set/{name}",
    "suffix": lambda name: name.replace(".jpg", ".png"),
    "capitals": str.upper,
    "zeros before numbers": lambda name: name.replace("_00", "_"),
    "./, backslashes or blanks around": lambda name: f"./{name}",
    "Unicode form": lambda name: unicodedata.normalize("NFD", name),
    "suffix and folder": lambda name: "C:\\x\\" + name.removesuffix(".jpg"),
}


@each("by", SPELLINGS)
@each("where", ["table", "list", "model"])
def test_one_to_one_they_are_joined_with_a_word(tmp_path: Path, by: str, where: str) -> None:
    images = {side: [f"bär_{name}" for name in names(count)] for side, count in SIZES.items()}
    other = {side: list(map(SPELLINGS[by], found)) for side, found in images.items()}
    pair(tmp_path, "a", *(keyed(found, rows(len(found))) for found in images.values()))
    if where == "model":
        for model in ("b", "c"):
            pair(tmp_path, model, *(keyed(found[::-1], rows(len(found))[::-1]) for found in other.values()))
    for side, found in other.items():
        if where == "table":
            (tmp_path / f"{side}.csv").write_text(
                "\n".join(["name,pid", *(f"{name},1" for name in found)]), "utf-8"
            )
        elif where == "list":
            (tmp_path / f"{side}_names.txt").write_text("\n".join(found), "utf-8")
    for features in read_folder(tmp_path):
        assert features.gallery[:, 0].tolist() == [1, 2, 3]
        assert features.gallery_table["name"].tolist() == other["gallery"]
    said = notes(tmp_path)
    assert f"query_a.pkl: its names differ from those of {tmp_path}/query" in said
    assert f" by {by} ({images['query'][0]} and " in said


def test_what_is_not_one_to_one_is_refused_with_the_cause(tmp_path: Path) -> None:
    pair(tmp_path, "a", keyed(["c1/1.jpg", "c2/1.jpg"], rows(2)), keyed(names(3), rows(3)))
    tables(tmp_path)
    (tmp_path / "query.csv").write_text("name,pid\n1.jpg,1\n")
    missing, more = problems(read_folder, tmp_path)
    cause = "they differ by folder (c2/1.jpg and 1.jpg), but without that c1/1.jpg, c2/1.jpg are the same"
    assert cause in missing
    assert cause in more


def test_what_is_missing_besides_is_still_missing(tmp_path: Path) -> None:
    pair(tmp_path, "a", keyed(names(2), rows(2)), keyed([f"x/{name}" for name in names(2)], rows(2)))
    tables(tmp_path)
    (problem,) = problems(read_folder, tmp_path)
    assert "found 1 missing (000003.jpg)" in problem


NAMES = st.lists(st.text("aAbB1é./\\ ", min_size=1).filter(str.strip), min_size=1, max_size=6, unique=True)


@given(found=NAMES, wanted=NAMES)
def test_nothing_is_renamed_to_two_things(found: list[str], wanted: list[str]) -> None:
    like = alike(found, wanted)
    if like is None:
        return
    renamed = like.renamed
    assert len(set(renamed.values())) == len(renamed)
    assert set(renamed) <= set(found)
    assert set(renamed.values()) <= set(wanted)
    assert all(renamed[name] == name for name in set(found) & set(wanted) & set(renamed))
    assert bool(renamed) != bool(like.clash)
    if renamed:
        assert len(renamed) > len(set(found) & set(wanted))


@given(wanted=NAMES, data=st.data())
def test_the_order_of_names_does_not_matter(wanted: list[str], data: st.DataObject) -> None:
    found = [f"q/{name}" for name in wanted]
    mixed = data.draw(st.permutations(found))
    one, other = alike(found, wanted), alike(mixed, wanted)
    assert (one and dict(one.renamed)) == (other and dict(other.renamed))


def test_tables_of_other_suffixes(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    (tmp_path / "query.tsv").write_text("path\tlabel\nx\tDan\ny\tEve\n")
    assert read_folder(tmp_path)[0].query_table["pid"].tolist() == ["Dan", "Eve"]
    (tmp_path / "query.csv").write_text("name\nx\ny\n")
    assert "wanted one table of query, found query.csv, query.tsv; leave one" in problems(read_folder, tmp_path)[0]


def test_keys_of_one_side_that_nobody_looks_at(tmp_path: Path) -> None:
    for side, count in (("query", 2), ("gallery", 3)):
        content = {"features": rows(count), "names": [f"{side}{at}" for at in range(count)]}
        content |= {"pids": list(range(count)), "camra": list(range(count)), "weather": list(range(count))}
        np.savez(tmp_path / f"{side}_a.npz", **content)  # type: ignore[arg-type]
        (tmp_path / f"{side}_b.pkl").write_bytes(pickle.dumps({k: np.asarray(v) for k, v in content.items()}))
    found = scan(tmp_path)
    files = ("gallery_a.npz", "gallery_b.pkl", "query_a.npz", "query_b.pkl")
    said = "keys that are not used: camra (did you mean 'cam'?), weather"
    assert found.notes == tuple(f"{tmp_path}/{file}: {said}" for file in files)
    assert {"query_pid", "gallery_pid"} <= found.columns


def test_keys_that_nobody_looks_at(tmp_path: Path) -> None:
    content = {"query": rows(2), "gallery": rows(3), "query_camera_name": [1, 2], "foo": [1], "mquery_f": rows(2)}
    np.savez(tmp_path / "a.npz", **content)  # type: ignore[arg-type]
    (tmp_path / "b.pkl").write_bytes(pickle.dumps({name: np.asarray(value) for name, value in content.items()}))
    for note, file in zip(scan(tmp_path).notes, ("a.npz", "b.pkl"), strict=True):
        assert note == (
            f"{tmp_path}/{file}: keys that are not used: query_camera_name (did you mean 'query_cam'?), foo, "
            "mquery_f"
        )


def test_ids_of_tracks_that_count_a_list(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(3))
    listed(tmp_path / "gallery.txt", ["c.jpg", "a.jpg", "b.jpg"])
    listed(tmp_path / "test_track_id.txt", ["3 1"])
    assert "test_track_id.txt: joined by position: its ids count the gallery's images from 1" in notes(tmp_path)
    (tmp_path / "test_track_id.txt").unlink()
    listed(tmp_path / "test_track.txt", ["x/b.png x/c.png"])
    assert read_folder(tmp_path)[0].gallery_table["track"].tolist() == [0, -1, 0]
    assert "test_track.txt: its names differ from those of the gallery by suffix and folder" in notes(tmp_path)


def test_side_models_have_the_lists_of_all(tmp_path: Path) -> None:
    (tmp_path / "side").mkdir()
    arrays(tmp_path, "a", rows(2), rows(3))
    arrays(tmp_path / "side", "camera", rows(2), rows(3))
    array(tmp_path / "side" / "query_names.npy", names(2))
    tables(tmp_path)
    assert (
        f"query: joined by position: {tmp_path}/query_a.npy, {tmp_path}/side/query_camera.npy have"
        in "\n".join(read(scan(tmp_path), ["a", "side/camera"])[0].notes)
    )
    assert "side/query_names.npy (lists of names are looked for in the folder above)" in notes(tmp_path)
