"""The synthetic city as a folder: its files byte for byte, and whose folder it may take."""

import hashlib
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ensemble import run
from ensemble.base.errors import InputError
from ensemble.city import MODELS, City, city
from ensemble.city.folder import make
from extractors import dump
from tests.support import cities
from tests.support.each import each

SIDES = ("query", "gallery", "train")
BESIDE = ["camera_a", "camera_b", "orientation", "attributes", "parts_front", "parts_back", "parts_side"]
FILES = {
    *(f"{side}_{model}.pkl" for side in SIDES for model in MODELS),
    *(f"side/{side}_{model}.pkl" for side in SIDES for model in BESIDE),
    *(f"side/confusion_{attribute}.csv" for attribute in ("type", "brand", "colour")),
    *("name_query.txt", "name_test.txt", "test_track_id.txt", "query.csv", "gallery.csv", "train.csv"),
    *("README.txt", ".demo-files"),
}


@pytest.fixture(scope="module")
def small() -> City:
    return city("small", 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cities") / "new" / "demo"
    make(path)
    return path


def hashes(folder: Path) -> dict[str, str]:
    return {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in files(folder)}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_same_seed_same_bytes_whatever_the_threads(folder: Path, tmp_path: Path) -> None:
    with threadpool_limits(1):
        make(tmp_path / "again")
    assert hashes(tmp_path / "again") == hashes(folder)


def test_exactly_these_files_are_written(folder: Path) -> None:
    assert files(folder) == FILES
    assert sum((folder / file).stat().st_size for file in FILES) < 25e6


def test_a_pickle_holds_vectors_by_name_in_arbitrary_order(folder: Path, small: City) -> None:
    orders = set()
    for model, sides in small.features.items():
        for side, table, rows in zip(("query", "gallery"), (small.query, small.gallery), sides, strict=True):
            content = (folder / f"{side}_{model}.pkl").read_bytes()
            assert content[:2] == b"\x80\x04"  # protocol 4
            read = pickle.loads(content)
            assert type(read) is OrderedDict
            assert sorted(read) == list(table["name"]) != list(read)
            assert np.array_equal(np.stack([read[name] for name in table["name"]]), rows)
            assert {(value.dtype.str, value.ndim) for value in read.values()} == {("<f4", 1)}
            orders.add(tuple(read))
    assert len(orders) == 2 * len(MODELS)


def test_the_lists_are_laid_out_as_in_the_competition(folder: Path, small: City) -> None:
    for file, count in (("name_query.txt", 150), ("name_test.txt", 2500)):
        wanted = "".join(f"{number:06d}.jpg\n" for number in range(1, count + 1))
        assert (folder / file).read_bytes() == wanted.encode()
    lines = (folder / "test_track_id.txt").read_text().split("\n")
    assert lines.pop() == ""
    assert len(lines) == 110
    assert all(line.endswith(" ") and line == " ".join(line.split()) + " " for line in lines)
    tracks = [[int(word) for word in line.split()] for line in lines]
    assert sorted(number for track in tracks for number in track) == list(range(1, 2501))
    first = [track[0] for track in tracks]
    assert first == sorted(first)
    assert sum(track == sorted(track) for track in tracks) < 10
    # Line i is track i of the table, in its order.
    table = small.gallery.sort_values(["track", "order"])
    assert [n for track in tracks for n in track] == [int(name[:6]) for name in table["name"]]
    assert [i for i, track in enumerate(tracks) for _ in track] == list(table["track"])


def test_the_labels_are_tables(folder: Path, small: City) -> None:
    query = (folder / "query.csv").read_bytes().decode("ascii").split("\n")
    gallery = (folder / "gallery.csv").read_bytes().decode("ascii").split("\n")
    assert (query[0], query[-1], len(query)) == ("name,pid,cam,cam_predicted,frame,scene,quality", "", 152)
    assert (gallery[0], gallery[-1]) == ("name,pid,cam,cam_predicted,track,frame,scene,quality", "")
    assert len(gallery) == 2502
    assert gallery[7] == ",".join(map(str, small.gallery.drop(columns="order").loc[6]))
    assert query[150] == ",".join(map(str, small.query.loc[149]))


def test_the_reader_gives_back_what_was_made(folder: Path, small: City) -> None:
    from ensemble.io import read_folder

    for feature_set in read_folder(folder):
        query, gallery = small.features[feature_set.model]
        assert feature_set.train is not None
        assert np.array_equal(feature_set.train, small.train_features[feature_set.model])
        assert np.array_equal(feature_set.query, query)
        assert np.array_equal(feature_set.gallery, gallery)
        for column in feature_set.gallery_table.columns:
            assert list(feature_set.gallery_table[column]) == list(small.gallery[column])


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cities are small, where nothing is read off them."""
    cities.shrink(monkeypatch)


@pytest.mark.usefixtures("few")
def test_an_earlier_demo_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    make(tmp_path / "new", seed=0)
    earlier = tmp_path / "earlier"
    make(earlier, seed=1)
    (earlier / "notes.txt").write_text("mine")
    (earlier / ".demo-partial").mkdir()  # left by a run that was killed
    make(earlier, seed=0)
    assert hashes(earlier) == {**hashes(tmp_path / "new"), "notes.txt": hashlib.sha256(b"mine").hexdigest()}


@pytest.mark.usefixtures("few")
def test_a_demo_of_another_kind_takes_away_what_the_first_one_wrote(tmp_path: Path) -> None:
    make(tmp_path, kind="crowd")
    crowd = files(tmp_path)
    make(tmp_path)
    (tmp_path / "query_mine.pkl").write_text("mine")
    make(tmp_path, kind="crowd")
    assert files(tmp_path) == crowd | {"query_mine.pkl"}
    assert not (tmp_path / "side").exists()


def test_confusions_lie_beside_the_attributes(folder: Path, small: City) -> None:
    for attribute, counts in small.confusions.items():
        read = np.loadtxt(folder / "side" / f"confusion_{attribute}.csv", delimiter=",")
        assert np.array_equal(read, counts)
        assert (read.sum(axis=1) == np.bincount(small.train[attribute], minlength=len(read))).all()


def test_the_text_tells_what_there_is_and_nothing_else(tmp_path: Path, folder: Path) -> None:
    crowd = tmp_path / "crowd"
    made = make(crowd, kind="crowd")
    for words in ("cam_predicted", "test_track_id.txt", "parts_side", "confusion"):
        assert words in (folder / "README.txt").read_text()
        assert words not in (crowd / "README.txt").read_text()
    counts = f"200 queries, {len(made.gallery)} gallery images, 1500 people, 3 models x 128"
    assert counts in (crowd / "README.txt").read_text()


@each("name", ["query_mine.pkl", "README.txt", "name_test.txt"])
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Real features, do not touch")
    with pytest.raises(InputError, match=rf"wanted an empty folder or an earlier demo, found {name}; name"):
        make(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["Real features, do not touch"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="wanted a folder to write to, found: Not a directory"):
            make(path)


def test_nothing_is_left_of_a_demo_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pickle, "dump", full)
    with pytest.raises(InputError, match="No space left on device"):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("PIL")
    path = tmp_path_factory.mktemp("drawn") / "city"
    from ensemble.city import traffic

    small = traffic.Size(vehicles=12, cameras=4, tracks=18, gallery=200, queries=6, width=8, learners=12, passes=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(traffic.SIZES, "small", small)
        make(path, images=True)
    return path


def test_pictures_lie_as_the_challenge_has_them(pictures: Path) -> None:
    found = files(pictures)
    assert {f"image_query/{row:06d}.jpg" for row in range(1, 7)} < found
    assert {f"image_test/{row:06d}.jpg" for row in range(1, 201)} < found
    rest = {name for name in found if "/" not in name}
    assert rest == {
        *("name_query.txt", "name_test.txt", "query.csv", "gallery.csv", "test_track_id.txt"),
        *("README.txt", ".demo-files"),
    }
    assert "drawn" in (pictures / "README.txt").read_text()


def test_pictures_depend_on_the_seed_alone() -> None:
    drawing = pytest.importorskip("ensemble.city.drawing")
    pytest.importorskip("PIL")

    def bits(*key: float) -> bytes:
        return drawing.draw(*key)[0].tobytes()

    assert bits(0, 1, 2, 3, 0.5, 44000) == bits(0, 1, 2, 3, 0.5, 44000)
    for other in ((1, 1, 2, 3), (0, 2, 2, 3), (0, 1, 3, 3), (0, 1, 2, 4)):
        assert bits(*other, 0.5, 44000) != bits(0, 1, 2, 3, 0.5, 44000)
    assert drawing.draw(0, 1, 2, 3, 0.5, 11000)[0].height < drawing.draw(0, 1, 2, 3, 0.5, 44000)[0].height


@pytest.mark.usefixtures("few")
def test_pictures_and_features_replace_each_other(tmp_path: Path, pictures: Path) -> None:
    import shutil

    folder = tmp_path / "city"
    shutil.copytree(pictures, folder)
    make(folder)
    assert files(folder) == FILES
    assert not (folder / "image_query").exists()


def test_from_pictures_to_a_submission(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "features"
    models = [word for spec in ("pixels", "pixels,size=6x8,grey=yes,name=grey") for word in ("--model", spec)]
    dump.main(["--images", str(pictures), *models, "--workers", "0", "--out", str(out)])
    run.main(["--features", str(out), "--recipe", "structure", "--out", str(tmp_path / "run")])
    lines = (tmp_path / "run" / "track2.txt").read_text().splitlines()
    assert len(lines) == 6
    assert "mAP" in capsys.readouterr().out
