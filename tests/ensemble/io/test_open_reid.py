"""open-reid's databases, ``meta.json`` and ``splits.json``: labels by name, and who is what."""

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from ensemble import evaluate
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.io import read, read_folder, scan
from ensemble.pipeline import plan, recipe
from tests.support.each import each
from tests.support.folders import problems

# Four identities; the second has two images in camera 1, the third was never in camera 0.
META = {
    "name": "set",
    "shot": "multiple",
    "num_cameras": 2,
    "identities": [
        [["a00.jpg"], ["a10.jpg"]],
        [["b00.jpg"], ["b10.jpg", "b11.jpg"]],
        [[], ["c10.jpg"]],
        [["d00.jpg"], ["d10.jpg"]],
    ],
}
SPLITS = [
    {"trainval": [0, 2], "query": [1, 3], "gallery": [3, 1]},
    {"trainval": [3, 1], "query": [0], "gallery": [0, 2]},
]
NAMES = [name for cams in META["identities"] for names in cams for name in names]  # type: ignore[attr-defined]


def vectors() -> dict[str, np.ndarray]:
    """A vector a name: its place among the names, and 1."""
    return {name: np.array([row, 1], np.float32) for row, name in enumerate(NAMES)}


def database(path: Path, entries: dict[str, np.ndarray], before: str = "") -> None:
    with h5py.File(path, "w") as file:
        for name, values in reversed(entries.items()):
            file[before + name] = values


def written(folder: Path, meta: object = META, splits: object = SPLITS) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in (("meta.json", meta), ("splits.json", splits)):
        if content is not None:
            (folder / name).write_text(json.dumps(content))
    return folder


def sides(features: FeatureSet) -> dict[str, list[tuple]]:
    """Names, identities and cameras by side."""
    tables = {"query": features.query_table, "gallery": features.gallery_table, "train": features.train_table}
    columns = ["name", "pid", "cam"]
    return {
        side: [*table[columns].itertuples(index=False, name=None)]
        for side, table in tables.items()
        if table is not None
    }


FIRST = [("b00.jpg", 1, 0), ("b10.jpg", 1, 1), ("b11.jpg", 1, 1), ("d00.jpg", 3, 0), ("d10.jpg", 3, 1)]


@each("kind", ["database", "groups", "dictionary", "columns"])
def test_a_file_with_all_images_is_divided_by_the_first_split(tmp_path: Path, kind: str) -> None:
    folder = written(tmp_path)
    if kind == "dictionary":
        (folder / "features.pkl").write_bytes(pickle.dumps(vectors()))
    elif kind == "columns":
        np.savez(folder / "features.npz", features=np.stack([*vectors().values()]), names=NAMES)
    else:
        database(folder / "features.h5", vectors(), "images/" if kind == "groups" else "")
    scanned = scan(folder)
    assert scanned.notes == (
        f"{folder / 'splits.json'}: the sides are those of the first of 2 splits; evaluate --splits "
        f"{folder / 'splits.json'} scores all",
    )
    assert {path.name for path in scanned.inputs} > {"meta.json", "splits.json"}
    (found,) = read(scanned)
    assert found.model == "features"
    said = sides(found)
    if kind == "groups":
        said = {
            side: [(name.removeprefix("images/"), *rest) for name, *rest in rows] for side, rows in said.items()
        }
    assert said == {
        "query": FIRST,
        "gallery": FIRST,
        "train": [("a00.jpg", 0, 0), ("a10.jpg", 0, 1), ("c10.jpg", 2, 1)],
    }
    assert found.query[:, 0].tolist() == [NAMES.index(name) for name, _, _ in FIRST]
    assert found.train is not None
    assert found.train[:, 0].tolist() == [0, 1, 5]


def test_files_a_side_have_their_labels_from_it(tmp_path: Path) -> None:
    folder = written(tmp_path, splits=None)
    known = vectors()
    database(folder / "query_m.h5", {name: known[name] for name in ("d00.jpg", "a00.jpg")})
    database(folder / "gallery_m.h5", {name: known[name] for name in ("c10.jpg", "d10.jpg")})
    scanned = scan(folder)
    assert {"query_pid", "query_cam", "gallery_pid", "gallery_cam"} <= scanned.columns
    (found,) = read(scanned)
    assert sides(found) == {
        "query": [("a00.jpg", 0, 0), ("d00.jpg", 3, 0)],
        "gallery": [("c10.jpg", 2, 1), ("d10.jpg", 3, 1)],
    }


def test_one_set_has_its_labels_from_it(tmp_path: Path) -> None:
    folder = written(tmp_path, splits=None)
    database(folder / "images_m.h5", vectors())
    (found,) = read_folder(folder)
    assert found.one_set
    said = sides(found)
    assert said["query"] == said["gallery"]
    assert said["gallery"][:3] == [("a00.jpg", 0, 0), ("a10.jpg", 0, 1), ("b00.jpg", 1, 0)]


def test_a_table_goes_before_it(tmp_path: Path) -> None:
    folder = written(tmp_path, splits=None)
    known = vectors()
    for side, name in (("query", "a00.jpg"), ("gallery", "a10.jpg")):
        database(folder / f"{side}_m.h5", {name: known[name]})
        (folder / f"{side}.csv").write_text(f"name,pid\n{name},77\n")
    scanned = scan(folder)
    assert f"{folder / 'meta.json'}: not used, as there are tables" in scanned.notes
    (found,) = read(scanned)
    assert found.query_table.to_dict("list") == {"name": ["a00.jpg"], "pid": [77]}


def test_images_that_it_lacks_are_named(tmp_path: Path) -> None:
    folder = written(tmp_path)
    few = vectors()
    del few["d10.jpg"], few["c10.jpg"]
    (folder / "features.pkl").write_bytes(pickle.dumps(few))
    found = problems(read_folder, folder)
    assert [line.partition("features.pkl: ")[2] for line in found] == [
        "wanted all images of query, found 1 missing (d10.jpg); extract them",
        "wanted all images of gallery, found 1 missing (d10.jpg); extract them",
        "wanted all images of train, found 1 missing (c10.jpg); extract them",
    ]


def test_images_that_are_not_in_it_are_named(tmp_path: Path) -> None:
    folder = written(tmp_path, splits=None)
    for side in ("query", "gallery"):
        database(folder / f"{side}_m.h5", {"z.jpg": np.ones(2)})
    assert problems(read_folder, folder) == [
        f"{folder / 'meta.json'}: wanted all images of the {side}, found none called z.jpg; write {side}.csv, "
        "which goes before it, or complete it"
        for side in ("query", "gallery")
    ]


def test_without_it_the_message_says_what_would_do(tmp_path: Path) -> None:
    database(tmp_path / "features.h5", vectors())
    (found,) = problems(scan, tmp_path)
    assert "wanted query_ or gallery_ before its name, found 8 vectors that could be either; rename it (" in found


def test_another_meta_json_is_none(tmp_path: Path) -> None:
    folder = written(tmp_path, meta={"model": "x"}, splits=None)
    np.savez(folder / "m.npz", query=np.eye(2), gallery=np.eye(2))
    assert scan(folder).catalogue is None


@each(
    "meta, splits, wanted",
    [
        ({"identities": 3}, SPLITS, "meta.json: wanted identities as lists of cameras of names"),
        ({"identities": [["a.jpg"]]}, SPLITS, "meta.json: wanted identities as lists of cameras of names"),
        ({"identities": []}, SPLITS, "meta.json: wanted identities as lists of cameras of names"),
        ({"identities": [[["a.jpg"]], [["b/a.jpg"]]]}, SPLITS, "wanted every name once, found again a.jpg"),
        (META, {"query": [1]}, "splits.json: wanted a list of splits with query and gallery, found a dict of 1"),
        (META, [], "splits.json: wanted a list of splits with query and gallery, found a list of 0"),
        (
            META,
            [{"query": [1], "gallery": [4]}],
            "split 1, gallery: wanted identities from 0 to 3, as meta.json has",
        ),
        (META, [{"query": ["1"], "gallery": [1]}], "split 1, query: wanted identities from 0 to 3"),
        (META, [{"query": 1, "gallery": [1]}], "split 1, query: wanted identities from 0 to 3"),
        (META, [{"query": [1]}], "splits.json: wanted identities with images for gallery, found none"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, meta: object, splits: object, wanted: str) -> None:
    folder = written(tmp_path, meta, splits)
    np.savez(folder / "m.npz", query=np.eye(2), gallery=np.eye(2))
    assert any(wanted in problem for problem in problems(scan, folder))


def test_a_damaged_file_of_splits_is_said(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "splits.json").write_text('[{"query": [1')
    np.savez(folder / "m.npz", query=np.eye(2), gallery=np.eye(2))
    assert any("splits.json: wanted JSON, found none" in problem for problem in problems(scan, folder))


def scored(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    capsys.readouterr()
    assert evaluate.main(["--features", str(folder), "--json", "--protocol", "none", *options]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


def world(folder: Path) -> Path:
    """Twelve identities under two cameras, ten splits in halves."""
    random = np.random.default_rng(5)
    centres = random.standard_normal((12, 6))
    names = [[[f"{pid:08d}_{cam:02d}_0000.jpg"] for cam in range(2)] for pid in range(12)]
    entries = {
        name: (centres[pid] + 0.7 * random.standard_normal(6)).astype(np.float32)
        for pid, cams in enumerate(names)
        for (name,) in cams
    }
    splits = []
    for _ in range(10):
        people = random.permutation(12).tolist()
        splits.append({"trainval": people[:6], "query": people[6:], "gallery": people[6:]})
    written(folder, {"identities": names}, splits)
    database(folder / "m.h5", entries)
    return folder


def test_all_splits_are_scored_each_with_its_own_training_images(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = world(tmp_path / "a")
    learned = tmp_path / "learned.toml"
    learned.write_text(
        '[[branch]]\neach = [{ use = "whiten", components = 3 }]\njoin = { use = "concat" }\n'
        'steps = [{ use = "distances", metric = "cosine" }]\n'
    )
    assert "train" in plan.check(recipe.load(str(learned)), scan(folder)).folder.columns
    options = ("--recipe", str(learned))
    found = scored(folder, capsys, *options, "--splits", str(folder / "splits.json"))
    splits = json.loads((folder / "splits.json").read_text())
    alone = []
    for split in splits:  # each as the only one
        (folder / "splits.json").write_text(json.dumps([split]))
        alone.append(scored(folder, capsys, *options)["mAP"])
    assert len(set(alone)) > 3
    assert found["trials"]["mAP"] == pytest.approx(alone, abs=1e-7)
    assert found["mAP"] == pytest.approx(np.mean(alone), abs=1e-7)
    assert found["sd"]["mAP"] == pytest.approx(np.std(alone, ddof=1), abs=1e-7)


def test_training_images_of_a_split_have_to_be_there(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = world(tmp_path / "a")
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{"trainval": [99], "query": [1], "gallery": [1]}]))
    with pytest.raises(
        InputError, match="split 1, trainval: wanted identities or names of the images here, found 99"
    ):
        scored(folder, capsys, "--splits", str(other))
