"""Half of the identities, several times: drawn, and from a file."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble import evaluate
from ensemble.base.errors import InputError
from ensemble.io import read_folder
from ensemble.scores import identity_splits
from tests.support.each import each


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Seven people under two cameras, the last without a query, and an image of nobody."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    values = np.random.default_rng(3).standard_normal((8, 6)).astype(np.float32)
    query = {"query": values[:6] + 0.5, "query_pid": np.arange(1, 7), "query_cam": np.ones(6, int)}
    names = {"query_name": [f"a/{i}.png" for i in range(6)], "gallery_name": [f"b/{i}.png" for i in range(8)]}
    gallery = {"gallery": values, "gallery_pid": [*range(1, 8), -1], "gallery_cam": np.full(8, 2)}
    np.savez(folder / "m.npz", **query, **gallery, **names)
    return folder


def run(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    assert evaluate.main(["--features", str(folder), "--json", *options]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


def test_drawn_splits_are_halves_and_keep_the_others(pairs: Path) -> None:
    (features,) = read_folder(pairs)
    splits = identity_splits.drawn(features, 6, seed=0)
    for split in splits:
        assert len(split.query) == 3
        assert_array_equal(split.gallery, [*split.query, 6, 7])  # who is no query's is in every gallery
    assert len({tuple(split.query) for split in splits}) > 1
    again = identity_splits.drawn(features, 2, seed=0)
    assert_array_equal(again[1].query, splits[1].query)  # more of them do not change the first
    other = identity_splits.drawn(features, 6, seed=1)
    assert [split.query.tolist() for split in other] != [split.query.tolist() for split in splits]


def test_the_published_splits_of_cuhk01(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = np.load(shared / "cuhk01_feats.npz")
    values, pid, first = file["omz0277"].astype(np.float32), file["id"].astype(int), file["cam"] == 0
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    entries = {}
    for side, rows in (("query", first), ("gallery", ~first)):
        entries |= {side: values[rows], f"{side}_pid": pid[rows], f"{side}_cam": file["cam"][rows]}
    np.savez(tmp_path / "m.npz", **entries)
    chosen = [np.unique(pid[rows]).tolist() for rows in file["CUHK01M1_test_index"][:4]]
    (tmp_path / "splits").mkdir()
    path = tmp_path / "splits" / "published.txt"
    path.write_text("".join(" ".join(map(str, people)) + "\n" for people in chosen))
    expected = []
    for people in chosen:
        asks, there = first & np.isin(pid, people), ~first & np.isin(pid, people)
        order = np.argsort(-values[asks] @ values[there].T, axis=1)
        expected.append((pid[there][order[:, 0]] == pid[asks]).mean())
    found = run(tmp_path, capsys, "--splits", str(path))
    assert found["trials"]["rank1"] == pytest.approx(expected, abs=1e-12)
    assert found["rank1"] == pytest.approx(np.mean(expected), abs=1e-12)
    assert found["sd"]["rank1"] == pytest.approx(np.std(expected, ddof=1), abs=1e-12)
    assert found["queries_without_match"] == 0  # who is asked in no split is not missed


def test_every_form_of_a_file_means_the_same(pairs: Path, tmp_path: Path) -> None:
    (features,) = read_folder(pairs)
    query, gallery = ["x/0.png", "x/3.png"], ["y/b/0.png", "y/b/3.png"]
    forms = [
        [[1, 4]],
        [["01", "4"]],
        [{"train": [2], "test": [1, 4]}],
        [{"trainval": [2, 3], "query": [1, 4], "gallery": [4, 1]}],
        [{"query": query, "gallery": gallery}],
        [{"query": [[name, 0, 0] for name in query], "gallery": [[name, 0, 1] for name in gallery]}],
    ]
    for form in forms:
        path = tmp_path / "splits.json"
        path.write_text(json.dumps(form))
        ((asks, there, _),) = identity_splits.read(path, features)
        assert (asks.tolist(), there.tolist()) == ([0, 3], [0, 3])


def test_the_output_says_what_was_drawn(pairs: Path, capsys: pytest.CaptureFixture) -> None:
    assert evaluate.main(["--features", str(pairs), "--splits", "3", "--split-seed", "7"]) == 0
    printed = capsys.readouterr().out
    assert "split 3: 3 queries, 5 gallery images: mAP " in printed
    assert " ± " in printed
    assert "means over 3 splits, half of the identities each, drawn at random, seed 7" in printed


@each(
    ("content", "message"),
    [
        ("[[1, 99]]", r"split 1, query: wanted identities or names of the images here, found 99; correct"),
        ("[[1, 2], [7]]", r"split 2, query: wanted identities that are there, found none of 7"),
        ('[{"train": [1]}]', "wanted identities or names of images, a list a split"),
        ("[[1", "wanted JSON, found"),
        ("[]", "found list"),
    ],
)
def test_files_that_do_not_fit_are_refused(pairs: Path, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "splits.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        evaluate.main(["--features", str(pairs), "--splits", str(path)])


def test_splits_need_identities_and_features(pairs: Path) -> None:
    for options in (["--splits", "0"], ["--splits", "2", "--split-seed", "-1"]):
        with pytest.raises(InputError, match="wanted 1 or more and 0 or more"):
            evaluate.main(["--features", str(pairs), *options])
    (lists := pairs.parent / "lists").mkdir()
    (lists / "a.csv").write_text("query,gallery,rank\nq,g,1\n")
    for name in ("query", "gallery"):
        (lists / f"{name}.csv").write_text(f"name,pid\n{name[0]},1\n")
    with pytest.raises(
        InputError, match="--splits: wanted features or matrices, since every split ranks its own gallery"
    ):
        evaluate.main(["--rankings", str(lists), "--splits", "2"])
