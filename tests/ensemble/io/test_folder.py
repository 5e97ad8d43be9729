"""Folders: models found, rows joined by name, every problem in one message."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble.io import Folder, read, read_folder, scan
from ensemble.io.models import MATRIX
from tests.support.each import each
from tests.support.folders import TORCH, arrays, keyed, listed, names, pair, pickled, problems, rows, safetensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One model ``a``: two query images, three gallery images."""
    pair(tmp_path, "a", keyed(names(2), rows(2)), keyed(names(3), rows(3)))
    return tmp_path


# S1's layout


def test_the_competition_layout(tmp_path: Path, shared: Path) -> None:
    world = np.load(shared / "golden" / "gggcy.npz")
    models = {"densenet_off_cen": "", "densenet_ALL_off_cen": "2", "mgn_off_cen": "3", "senet152_off_cen": "4"}
    shuffled = np.random.default_rng(0)
    for protocol, (model, number) in enumerate(models.items()):
        for side, count in (("query", 40), ("gallery", 260)):
            content = keyed(names(count), world[f"{side[0]}{number}"])
            content = {name: content[name] for name in shuffled.permutation(names(count)).tolist()}
            (tmp_path / f"{side}_{model}.pkl").write_bytes(pickle.dumps(content, protocol))
    listed(tmp_path / "name_query.txt", names(40))
    listed(tmp_path / "name_test.txt", names(260))
    ids, track = world["track_file_order_ids"], world["g_track"]
    lines = [" ".join(map(str, ids[track[ids - 1] == line])) + " " for line in range(track.max() + 1)]
    listed(tmp_path / "test_track_id.txt", lines)
    found = scan(tmp_path)
    assert list(found.models) == sorted(models)
    assert found.columns == {"query", "gallery", "gallery_track", "gallery_order"}
    assert [path.name for path in found.inputs] == sorted(path.name for path in tmp_path.iterdir())
    sets = read(found, list(models))
    assert [feature_set.model for feature_set in sets] == list(models)
    for feature_set, number in zip(sets, models.values(), strict=True):
        assert feature_set.query.tobytes() == world[f"q{number}"].tobytes()
        assert feature_set.gallery.tobytes() == world[f"g{number}"].tobytes()
        assert feature_set.gallery_table is sets[0].gallery_table
    assert_array_equal(sets[0].data()["gallery_track"], track)
    assert sets[0].gallery_table["name"].tolist() == names(260)
    both = np.hstack([sets[0].query, sets[1].query])
    assert_array_equal(both, world["concat2_q"])


def test_python_2_files_in_a_folder(tmp_path: Path, shared: Path) -> None:
    golden = shared / "golden"
    expected = np.load(golden / "py2_pickles_expected.npz")
    shutil.copy(golden / "py2_cPickle_p0_ordereddict.pkl", tmp_path / "query_a.pkl")
    shutil.copy(golden / "py2_pickle_p0_dict.pkl", tmp_path / "gallery_a.pkl")
    shutil.copy(golden / "py2_cPickle_p2_ordereddict_views.pkl", tmp_path / "query_b.pkl")
    shutil.copy(golden / "py2_cPickle_p1_dict.pkl", tmp_path / "gallery_b.pkl")
    order = np.argsort(expected["ids"])
    for feature_set in read_folder(tmp_path):
        assert feature_set.query.tobytes() == expected["vectors"][order].tobytes()
        assert feature_set.gallery.tobytes() == expected["vectors"][order].tobytes()
        assert feature_set.query_table["name"].tolist() == [f"{expected['ids'][i]:06d}.jpg" for i in order]


# Order and names


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_are_joined_by_name(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("folder")
    keys = data.draw(
        st.lists(st.text("aB0._-é ", min_size=1).map(str.strip).filter(bool), min_size=1, unique=True)
    )
    values = keyed(keys, rows(len(keys)))
    for model in ("a", "b"):
        shuffled = data.draw(st.permutations(keys))
        pair(folder, model, {key: values[key] for key in shuffled}, {key: -values[key] for key in shuffled})
    if data.draw(st.booleans()):
        order = data.draw(st.permutations(keys))
        (folder / "name_query.txt").write_text("\n".join(order), "utf-8")
    else:
        order = sorted(keys)
    for feature_set in read_folder(folder):
        assert feature_set.query_table["name"].tolist() == order
        assert_array_equal(feature_set.query, [values[key] for key in order])
        assert_array_equal(feature_set.gallery, [-values[key] for key in sorted(keys)])


def test_the_list_sets_the_order_before_the_table_before_the_names(folder: Path) -> None:
    def first() -> list[float]:
        return read_folder(folder)[0].gallery[:, 0].tolist()

    assert first() == [1, 2, 3]
    (folder / "gallery.csv").write_text("name,cam\n000003.jpg,7\n000001.jpg,8\n000002.jpg,9\n")
    assert first() == [3, 1, 2]
    listed(folder / "name_test.txt", ["000002.jpg", "000003.jpg", "000001.jpg"])
    assert first() == [2, 3, 1]
    assert read_folder(folder)[0].gallery_table["cam"].tolist() == [9, 7, 8]
    given = listed(folder / "mine.txt", ["000003.jpg", "000002.jpg", "000001.jpg"])
    found = scan(folder, gallery_names=given)
    assert read(found)[0].gallery[:, 0].tolist() == [3, 2, 1]
    assert given in found.inputs
    assert folder / "name_test.txt" not in found.inputs


def test_positions_are_names_where_there_are_none(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(12), rows(11))
    (tmp_path / "query.csv").write_text("name,pid\n" + "".join(f"{i},{100 + i}\n" for i in range(11, -1, -1)))
    (feature_set,) = read_folder(tmp_path)
    assert feature_set.gallery_table["name"].tolist() == [str(row) for row in range(11)]  # 9 before 10
    assert feature_set.query[:, 0].tolist() == list(range(12, 0, -1))  # in the table's order, by its names
    assert feature_set.query_table["pid"].tolist() == list(range(111, 99, -1))


def test_lists_name_the_rows_of_arrays(folder: Path) -> None:
    arrays(folder, "b", rows(2), rows(3)[::-1])
    listed(folder / "query_b.txt", names(2))
    listed(folder / "gallery_b.txt", names(3)[::-1])  # this file's own order
    listed(folder / "name_test.txt", names(3))
    found = scan(folder)
    assert found.models["b"] == tuple(sorted(folder.glob("*_b.*")))
    a, b = read(found)
    assert_array_equal(a.gallery, b.gallery)
    assert_array_equal(a.query, b.query)


def test_the_list_of_the_side_names_the_rows_of_arrays(folder: Path) -> None:
    shutil.copy(TORCH / "array.pt", folder / "query_t.pt")  # 1..4, 5..8
    np.save(folder / "gallery_t.npy", rows(3, width=4))
    pair(folder, "a", keyed(names(2), rows(2, 4)), keyed(names(3), rows(3, 4)))
    given = listed(folder / "mine.txt", names(2)[::-1])
    listed(folder / "name_test.txt", names(3))
    a, t = read_folder(folder, query_names=given)
    assert t.query_table["name"].tolist() == ["000002.jpg", "000001.jpg"]
    assert_array_equal(t.query, [[1, 2, 3, 4], [5, 6, 7, 8]])
    assert a.query[:, 0].tolist() == [2, 1]
    short = listed(folder / "short.txt", names(1))
    found = problems(read_folder, folder, query_names=short)
    assert any("found 2 rows for 1 names" in problem for problem in found)


def test_names_and_positions_do_not_mix(folder: Path) -> None:
    arrays(folder, "b", rows(2), rows(3))
    query, gallery = problems(read_folder, folder)
    assert query == (
        f"{folder}/query_b.npy: wanted names for the query as in {folder}/query_a.pkl, found rows without; "
        "give a list (--query-names, query.csv, query_names.txt, or query_MODEL.txt beside the file)"
    )
    assert "gallery_b.npy: wanted names for the gallery" in gallery


# Formats


def test_torch_pairs(tmp_path: Path) -> None:
    for layout in ("zip", "legacy"):
        for side in ("query", "gallery"):
            shutil.copy(TORCH / f"{side}_{layout}.pt", tmp_path)
    legacy, archive = read_folder(tmp_path)
    assert (legacy.model, archive.model) == ("legacy", "zip")
    assert_array_equal(legacy.gallery, np.arange(1, 13).reshape(3, 4))
    assert_array_equal(legacy.gallery, archive.gallery)


def test_light_reid(tmp_path: Path) -> None:
    shutil.copy(TORCH / "Market1501_features.pkl", tmp_path)
    found = scan(tmp_path)
    assert list(found.models) == ["Market1501_features"]
    assert found.columns == {"query", "gallery", "query_pid", "query_cam", "gallery_pid", "gallery_cam"}
    (feature_set,) = read(found)
    assert feature_set.gallery_table.to_dict("list") == {
        "name": ["0", "1", "2"],
        "pid": [6, 5, -1],
        "cam": [1, 0, 2],
    }


@each("kind", [np.float16, np.float64, ">f4"])
def test_other_floats_become_float32(tmp_path: Path, kind: str) -> None:
    values = np.asfortranarray([[0.5, -2], [3, 1 / 3]]).astype(kind)
    pair(tmp_path, "b", keyed(["0", "1"], values), keyed(["0", "1"], values))
    np.savez(tmp_path / "a.npz", query=values, gallery=values, query_name=["0", "1"], gallery_name=["0", "1"])
    for feature_set in read_folder(tmp_path):
        assert feature_set.query.dtype == np.float32
        assert feature_set.query.flags.c_contiguous
        assert_array_equal(feature_set.query, values.astype(np.float32))


def test_the_own_format(tmp_path: Path) -> None:
    entries: dict[str, Any] = {
        "query": rows(2), "query_name": names(2)[::-1], "query_pid": [1, 2], "query_cam": [[3, 4]],
        "gallery": rows(3), "gallery_track": [0, 1, 0], "gallery_order": [1, 0, 0], "gallery_frame": [5.0, 6, 7],
        "train": rows(4), "train_pid": [1, 1, 2, 2], "remark": ["not ours"],
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **entries)
    found = scan(tmp_path)
    assert found.columns == set(entries) - {"query_name", "remark"}
    (feature_set,) = read(found)
    data = feature_set.data()
    assert set(data) == found.columns
    assert data["query_cam"].tolist() == [3, 4]
    assert data["gallery_frame"].tolist() == [5, 6, 7]
    assert feature_set.query_table["name"].tolist() == names(2)[::-1]  # the order that the file states
    assert feature_set.train_table is not None
    assert feature_set.train_table["name"].tolist() == ["0", "1", "2", "3"]


def test_safetensors(tmp_path: Path) -> None:
    upper = np.array([[1, -2.5], [3.140625, 4]], np.float32).view(np.uint32) >> 16
    safetensors(
        tmp_path / "a.safetensors",
        query=("BF16", upper.astype(np.uint16)),
        gallery=("F16", rows(3).astype(np.float16)),
        query_pid=("I64", np.array([7, 8])),
    )
    listed(tmp_path / "name_query.txt", names(2))
    found = scan(tmp_path)
    assert found.columns == {"query", "gallery", "query_pid"}
    (feature_set,) = read(found)
    assert_array_equal(feature_set.query, [[1, -2.5], [3.140625, 4]])
    assert_array_equal(feature_set.gallery, rows(3))
    assert feature_set.query_table.to_dict("list") == {"name": names(2), "pid": [7, 8]}


def test_a_dictionary_of_the_mat_keys_in_a_pickle(tmp_path: Path) -> None:
    pickled(tmp_path / "test.pkl", {"query_f": rows(1), "gallery_f": rows(2), "gallery_label": [4, 5]})
    (feature_set,) = read_folder(tmp_path)
    assert feature_set.gallery_table["pid"].tolist() == [4, 5]


# Labels and tracks


def test_labels_of_several_sources_meet(folder: Path) -> None:
    (folder / "query.csv").write_text("name,pid,cam\n000002.jpg,6,1\n000001.jpg,5,2\n")
    np.savez(folder / "b.npz", query=rows(2), query_name=names(2), query_cam=[2, 1], query_frame=[8, 9],
             gallery=rows(3), gallery_name=names(3), gallery_cam=[1, 2, 3])  # fmt: skip
    listed(folder / "test_track_id.txt", ["3 1 "])
    listed(folder / "test_track.txt", ["000003.jpg 000001.jpg"])
    (folder / "train.csv").write_text("name,pid\nx,1\n")  # nobody has features for it
    found = scan(folder)
    assert found.columns == {
        *("query", "query_pid", "query_cam", "query_frame"),
        *("gallery", "gallery_cam", "gallery_track", "gallery_order"),
    }
    a, _ = read(found)
    assert a.query_table.to_dict("list") == {
        "name": ["000002.jpg", "000001.jpg"], "pid": [6, 5], "cam": [1, 2], "frame": [9, 8]
    }  # fmt: skip
    assert a.gallery_table["track"].tolist() == [0, -1, 0]
    assert a.gallery_table["order"].tolist() == [1, -1, 0]


def test_sources_that_contradict_each_other(folder: Path) -> None:
    (folder / "query.csv").write_text("name,cam\n000001.jpg,1\n000002.jpg,2\n")
    np.savez(folder / "b.npz", query=rows(2), query_name=names(2), query_cam=[1, 3],
             gallery=rows(3), gallery_name=names(3), gallery_track=[0, 0, 1])  # fmt: skip
    listed(folder / "test_track_id.txt", ["1", "3 2"])
    cam, track = problems(read_folder, folder)
    assert cam == (
        f"{folder}/b.npz, query: wanted the cam that {folder}/query.csv gives, found another for 1 images "
        "(000002.jpg: 2 and 3); correct one of them"
    )
    assert f"{folder}/test_track_id.txt: wanted the track that {folder}/b.npz, gallery gives" in track
    assert "(000002.jpg: 0 and 1)" in track


def test_a_given_track_list_takes_the_place_of_the_folders(folder: Path) -> None:
    listed(folder / "test_track_id.txt", ["1 2 3"])
    given = listed(folder / "mine.txt", ["3", "2", "1"])
    assert read_folder(folder)[0].gallery_table["track"].tolist() == [0, 0, 0]
    assert read_folder(folder, tracks=given)[0].gallery_table["track"].tolist() == [2, 1, 0]


def test_ids_of_positions(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(1), rows(3))
    listed(tmp_path / "test_track_id.txt", ["3 1"])  # the third and the first row
    assert read_folder(tmp_path)[0].gallery_table["track"].tolist() == [0, -1, 0]


# What else lies there


def test_other_files_are_left_out_with_a_reason(folder: Path) -> None:
    (folder / "notes.log").write_text("x")
    (folder / ".hidden.pkl").write_text("x")
    (folder / "sub").mkdir()
    np.save(folder / "dist_mat.npy", np.ones((2, 3)))
    pickled(folder / "rerank.pkl", np.ones((2, 3), np.float32))
    shutil.copy(TORCH / "weights.pth", folder / "net_last.pth")
    np.savez(folder / "b.npz", query=rows(2), gallery=rows(3), query_name=names(2), gallery_name=names(3))
    (folder / "b.txt").write_text("log")
    found = scan(folder)
    assert list(found.models) == ["a", "b"]
    assert {path.name: reason for path, reason in found.ignored.items()} == {
        "notes.log": "not a feature file",
        "b.txt": "not a feature file",
        "dist_mat.npy": f"not called query_MODEL.npy or gallery_MODEL.npy; {MATRIX}",
        "rerank.pkl": f"neither query nor gallery by its name, and no dictionary with both; {MATRIX}",
        "net_last.pth": "no features inside",
    }


def test_numbers_without_zeros_are_sorted_as_numbers(folder: Path) -> None:
    keys = ["10.jpg", "9.jpg", "100.jpg"]
    pair(folder, "a", keyed(keys, rows(3)), keyed(["b", "10", "a"], rows(3)))
    (found,) = read_folder(folder)
    assert list(found.query_table["name"]) == ["9.jpg", "10.jpg", "100.jpg"]
    assert found.query[:, 0].tolist() == [2, 1, 3]
    assert list(found.gallery_table["name"]) == ["10", "a", "b"]  # not all are numbers: as text


def test_some_models_in_any_order(folder: Path) -> None:
    pair(folder, "b", keyed(names(2), rows(2)), keyed(names(3), rows(3)))
    pair(folder, "broken", "text", "text")
    found = scan(folder)
    assert [feature_set.model for feature_set in read(found, ["b", "a"])] == ["b", "a"]
    assert "found brokn; did you mean 'broken'?" in problems(read, found, ["brokn"])[0]


def test_a_scan_reads_no_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", query=rows(2), gallery=rows(2))
    pair(tmp_path, "b", keyed(["0", "1"], rows(2)), keyed(["0", "1"], rows(2)))
    monkeypatch.setattr("ensemble.io.containers.load", None)
    found = scan(tmp_path)
    assert isinstance(found, Folder)
    assert list(found.models) == ["a", "b"]
