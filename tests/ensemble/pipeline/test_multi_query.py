"""Multi-query features beside the queries, as layumi keeps them, and the files that its code opens."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import loadmat

from ensemble import convert, evaluate, inspect
from ensemble.base.errors import InputError
from ensemble.io import multi_queries_of, read, read_multi_queries, scan
from ensemble.pipeline import multi_query
from tests.support.each import each

OFFICIAL = ("--protocol", "market1501_official")


def write(path: Path, entries: dict) -> None:
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(entries))
    else:
        np.savez(path, **entries)


@pytest.fixture
def layumi(tmp_path: Path, shared: Path) -> Path:
    folder = tmp_path / "layumi"
    folder.mkdir()
    for name in ("pytorch_result", "multi_query"):
        (folder / f"{name}.mat").symlink_to(shared / "golden" / f"layumi_{name}.mat")
    return folder


def world(folder: Path, model: str = "m", labels: tuple = (1, 2, 3)) -> None:
    """Three queries of camera 1, a gallery of camera 2."""
    folder.mkdir(exist_ok=True)
    values = np.array([[1, 0.5], [0.4, 1], [-1, 0.3]], np.float32)
    pids = np.array(labels)
    entries = {"query": values, "query_pid": pids, "query_cam": [1, 1, 1]}
    entries |= {"gallery": values + 0.1, "gallery_pid": pids, "gallery_cam": [2, 2, 2]}
    np.savez(folder / f"{model}.npz", **entries)


def images(labels: list, cams: list, values: list) -> dict:
    return {"mquery_f": np.float32(values), "mquery_label": np.array(labels), "mquery_cam": np.array(cams)}


def scored(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    assert evaluate.main(["--features", str(folder), "--json", *options]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


@each("suffix", [".mat", ".npz", ".pkl"])
def test_the_released_number_from_the_released_files(
    layumi: Path, shared: Path, capsys: pytest.CaptureFixture, suffix: str
) -> None:
    if suffix != ".mat":
        released = loadmat(shared / "golden" / "layumi_multi_query.mat")
        for path in scan(layumi).multi_queries:
            path.unlink()
        keys = [key for key in released if key.startswith("mquery")]
        write(layumi / f"other_name{suffix}", {key: released[key] for key in keys})
    expected = np.load(shared / "golden" / "mat_files_expected.npz")
    several = scored(layumi, capsys, "--multi-query", *OFFICIAL)
    assert several["mAP"] == pytest.approx(float(expected["layumi_multi_mAP"]), abs=1e-6)
    assert several["ranks"]["5"] == pytest.approx(expected["layumi_multi_cmc"][4], abs=1e-6)
    assert several["queries"] == 40
    assert "mean of the images in " in several["notes"][-1]
    single = scored(layumi, capsys, *OFFICIAL)
    assert single["mAP"] == pytest.approx(float(expected["layumi_single_mAP"]), abs=1e-6)
    assert "multi-query:" not in single["notes"][-1]


def test_the_means_are_the_released_ones(layumi: Path, shared: Path) -> None:
    folder = scan(layumi)
    (features,) = read(folder)
    (path,) = multi_queries_of(folder, list(folder.models)).values()
    found, alone = multi_query.asked_with(features, read_multi_queries(path, features))
    expected = np.load(shared / "golden" / "mat_files_expected.npz")
    assert_allclose(found.query, expected["multi_query_mean"], rtol=0, atol=1e-6)
    assert not alone.any()
    assert found.query_table is features.query_table


def test_without_the_file_it_says_that_the_queries_are_pooled(layumi: Path, capsys: pytest.CaptureFixture) -> None:
    (layumi / "multi_query.mat").unlink()
    assert scored(layumi, capsys, "--multi-query", *OFFICIAL)["notes"][-1] == multi_query.ABOUT


def test_inspect_shows_the_file(layumi: Path, capsys: pytest.CaptureFixture) -> None:
    assert inspect.main([str(layumi)]) == 0
    assert f"{layumi}/multi_query.mat: MATLAB 5\n  mquery_f (116, 32) float32" in capsys.readouterr().out


@each("labels", [(1, 2, 3), ("Ann", "Bob", "Cy")])
def test_queries_without_images_ask_alone_and_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture, labels: tuple
) -> None:
    world(tmp_path, labels=labels)
    one, two, _ = labels
    # of query 0 two images; of query 1 one of another camera; of query 2 none
    write(tmp_path / "multi_query.npz", images([one, one, two], [1, 1, 2], [[4, 0], [0, 2], [7, 7]]))
    folder = scan(tmp_path)
    (features,) = read(folder)
    found, alone = multi_query.asked_with(features, read_multi_queries(folder.multi_queries[0], features))
    assert_array_equal(found.query, [[2, 1], *features.query[1:]])
    assert alone.tolist() == [False, True, True]
    assert evaluate.main(["--features", str(tmp_path), "--multi-query"]) == 0
    assert "multi_query.npz has no image of 2 queries (1, 2), which ask alone" in capsys.readouterr().out


def test_the_queries_as_their_own_images_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    world(tmp_path)
    plain = scored(tmp_path, capsys)
    with np.load(tmp_path / "m.npz") as file:
        own = images([1, 2, 3], [1, 1, 1], file["query"])
    write(tmp_path / "multi_query.npz", own)
    several = scored(tmp_path, capsys, "--multi-query")
    assert [several[key] for key in ("mAP", "ranks", "queries")] == [
        plain[key] for key in ("mAP", "ranks", "queries")
    ]


def test_several_models_have_a_file_each(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for model in "ab":
        world(tmp_path, model)
        write(tmp_path / f"multi_query_{model}.npz", images([1], [1], [[2, 1]]))
    assert "multi_query_a.npz, multi_query_b.npz" in scored(tmp_path, capsys, "--multi-query")["notes"][-1]
    (tmp_path / "multi_query_b.npz").rename(tmp_path / "multi_query.npz")
    with pytest.raises(InputError, match=r"found none for b and multi_query\.npz for none; call them"):
        evaluate.main(["--features", str(tmp_path), "--multi-query"])


@each(
    ("entries", "message"),
    [
        (images([9], [1], [[1, 2]]), "wanted images of the queries' identities and cameras, found none"),
        (images([1], [1], [[1, 2, 3]]), "wanted the same number of values an image everywhere"),
        (images([1, 2], [1, 1], [[1, 2]]), "wanted 1 whole numbers, found 2 int64"),
        (images([1], [1], [[1, np.nan]]), "wanted finite numbers"),
        ({"mquery_f": np.ones((1, 2), np.float32)}, "found no mquery_label, mquery_cam"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, entries: dict, message: str) -> None:
    world(tmp_path)
    write(tmp_path / "multi_query.npz", entries)
    with pytest.raises(InputError, match=message):
        evaluate.main(["--features", str(tmp_path), "--multi-query"])


# Writing them


def test_written_files_are_those_that_were_read(layumi: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert convert.main(["--features", str(layumi), "--out", str(out), "--format", "mat"]) == 0
    for name in ("pytorch_result.mat", "multi_query.mat"):
        assert (out / name).read_bytes()[116:] == (layumi / name).read_bytes()[
            116:
        ]  # behind the text of the header


def test_frames_are_written_and_codes_and_names_are_said(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.mat").symlink_to(shared / "golden" / "streid_pytorch_result.mat")
    convert.main(["--features", str(source), "--out", str(tmp_path / "frames"), "--format", "mat"])
    found, expected = loadmat(tmp_path / "frames" / "pytorch_result.mat"), loadmat(source / "a.mat")
    assert list(found) == list(expected)
    for key in found.keys() - {"__header__", "__version__", "__globals__"}:
        assert (found[key].dtype, found[key].shape) == (expected[key].dtype, expected[key].shape)
        assert_array_equal(found[key], expected[key])
    assert "not written" not in capsys.readouterr().out
    world(tmp_path / "named")
    (tmp_path / "named" / "query.txt").write_text("x.jpg\ny.jpg\nz.jpg\n")
    convert.main(["--features", str(tmp_path / "named"), "--out", str(tmp_path / "out"), "--format", "mat"])
    assert "not written, as the format has no place for it: name;" in capsys.readouterr().out


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    world(tmp_path / "text", labels=("Ann", "Bob", "Cy"))
    np.savez(tmp_path / "text" / "n.npz", query=np.eye(3) + 0.5, gallery=np.eye(3) + 0.5)
    with pytest.raises(InputError, match=r"found text \(Ann, Bob, Cy\); number them in query\.csv, or write"):
        convert.main(["--features", str(tmp_path / "text"), "--out", str(tmp_path / "out"), "--format", "mat"])
    assert not (tmp_path / "out").exists()
    (tmp_path / "text" / "m.npz").unlink()
    with pytest.raises(InputError, match="n: wanted the pid of the gallery images, found none"):
        convert.main(["--features", str(tmp_path / "text"), "--out", str(tmp_path / "out"), "--format", "mat"])


def test_a_folder_converted_to_npz_asks_the_same(
    layumi: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    convert.main(["--features", str(layumi), "--out", str(tmp_path / "out")])
    capsys.readouterr()
    before, after = (scored(folder, capsys, "--multi-query", *OFFICIAL) for folder in (layumi, tmp_path / "out"))
    assert before["mAP"] == after["mAP"]
