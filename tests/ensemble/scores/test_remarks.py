"""Why scores are other than one thinks: the cause in one sentence."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import ensemble
from ensemble import evaluate, run
from ensemble.base.errors import InputError
from ensemble.scores import PROTOCOLS, score, score_ranking
from ensemble.tune import __main__ as tune
from postproc import distances
from tests.support.each import each
from tests.support.folders import keyed, listed, pair

SIDES = ("query", "gallery")
FAR = np.arange(12, dtype=np.float32).reshape(3, 4)
PIDS = [1, 2, 3], [1, 1, 2, 3]
LOST = "1 of 3 queries meet their identity only in images that are removed (junk market"
ONE = "all 7 images are of one camera, and junk market (removed: same identity and camera; unknown identity)"
OWN = "2 of 3 queries stand in the gallery under their own name and find themselves; --junk self removes them"


def remarked(
    cams: tuple[list[int], list[int]] | None = None, own: bool = False, protocol: str = "market1501"
) -> str:
    images = ([10, 20, 5], [10, 30, 20, -1]) if own else (None, None)
    settings = {"protocol": PROTOCOLS[protocol]}
    found = score(FAR, *PIDS, *(cams or (None, None)), None, None, *images, **settings)
    rows = np.argsort(FAR, axis=1).astype(np.int32)
    listed_too = score_ranking(rows, *PIDS, *(cams or (None, None)), None, None, *images, **settings)
    assert found.remarks == listed_too.remarks
    assert all(remark in found.describe() for remark in found.remarks)
    return "\n".join(found.remarks)


def test_identities_that_meet_only_in_what_is_removed() -> None:
    assert remarked(([1, 1, 1], [1, 2, 1, 2])).startswith(LOST)
    assert remarked(([1, 1, 1], [2, 2, 2, 2])) == ""
    assert remarked(([1, 1, 1], [1, 2, 1, 2]), protocol="none") == ""
    unknown = (
        "the camera of 1 of 3 queries and of 1 of 4 gallery images is unknown (-1), so nothing is removed for it"
    )
    assert remarked(([-1, 1, 1], [1, 2, 2, -1])) == unknown  # an unknown camera is the same as no other
    assert remarked(([-1, 1, 1], [1, 2, 2, -1]), protocol="none") == ""


def test_cameras_that_are_called_otherwise_on_the_other_side() -> None:
    apart = "the 2 cameras of the queries and the 3 of the gallery have none in common"
    assert remarked(([1, 1, 2], [11, 12, 13, 11])).startswith(apart)
    assert remarked(([1, 1, 2], [11, 12, 13, 11]), protocol="none") == ""
    assert remarked(([1, 1, 2], [11, 12, 2, 11])) == ""
    assert remarked(([1, 1, 2], [-1, -1, -1, -1])).startswith(
        "the camera of 4 of 4 gallery images is unknown (-1), so"
    )
    assert score(FAR, *PIDS, ["c1", "c1", "c2"], [1, 2, 3, 1]).remarks[0].startswith(apart)


@each("side", [0, 1])
def test_cameras_that_count_from_0_on_one_side(side: int) -> None:
    cams = [1, 2, 3], [1, 2, 3, 1]
    assert remarked(cams) == ""
    shifted = tuple([cam - (at == side) for cam in of] for at, of in enumerate(cams))
    names = ("queries", "gallery") if side == 0 else ("gallery", "queries")
    said = f"the cameras of the {names[0]} are 0 to 2 and those of the {names[1]} 1 to 3"
    assert said in remarked(shifted)  # type: ignore[arg-type]
    assert said not in remarked(shifted, protocol="none")  # type: ignore[arg-type]
    assert "are 0 to" not in remarked(([0, 1, 2], [0, 1, 3, 3]))


def test_cameras_that_a_protocol_calls_by_number() -> None:
    right = ([3, 6, 3], [1, 2, 4, 5])
    assert "searches" not in remarked(right, protocol="sysu_all_multi")
    said = remarked(([2, 5, 2], [0, 1, 3, 4]), protocol="sysu_all_multi")
    assert "the protocol searches cameras 1, 2, 4, 5, counted from 1, and here cameras count from 0: add 1" in said
    assert "all queries are of cameras 1, 2, 4, 5" in remarked(([1, 2, 4], right[1]), protocol="sysu_all_multi")


def test_one_set_on_both_sides() -> None:
    random = np.random.default_rng(2)
    images = random.normal(size=(30, 8)).astype(np.float32)
    far = distances(images)
    np.fill_diagonal(far, 0)
    pids, cams = np.arange(30) % 6, np.arange(30) % 4
    said = "30 of 30 images find themselves first, which counts as right: of one set"
    lists = np.argsort(far, axis=1).astype(np.int32)
    for found in (score(far, pids, pids), score_ranking(lists, pids, pids)):
        assert any(remark.startswith(said) for remark in found.remarks)
    for found in (score(far, pids, pids, cams, cams), score(far, pids), score(far, np.arange(30), np.arange(30))):
        assert not any("find themselves" in remark for remark in found.remarks)  # removed; one set; pairs


def test_vectors_that_stand_for_many_images_and_models_that_stand_twice(folder: Path) -> None:
    gallery = np.random.default_rng(5).normal(size=(30, 4)).astype(np.float32)
    query, broken = gallery[:8] + 1, gallery.copy()
    broken[10:15] = 0.5
    notes = ensemble.rank(
        {"a": (query, gallery), "b": (query, gallery.copy()), "c": (query, broken)}, "default"
    ).notes
    assert "b has the very features of a, which then count twice: leave one out" in notes
    said = "c, gallery: 5 of 30 images have one and the same vector, such as 10, 11, 12 and 1 more; were"
    (note,) = [note for note in notes if "one and the same vector" in note]
    assert note.startswith(said)
    broken[10] = 1
    assert not any("vector" in note for note in ensemble.rank((query, broken), "baseline").notes)


def test_training_images_that_are_asked_for_or_found(folder: Path) -> None:
    labelled(folder, (1, 2))
    sides = {side: np.stack([*pickle.loads((folder / f"{side}_a.pkl").read_bytes()).values()]) for side in SIDES}
    own = {"query": sides["query"], "gallery": sides["gallery"], "train_pid": np.arange(8) // 2}
    labels = {"query_pid": np.arange(8), "gallery_pid": np.arange(16) % 8}
    learns = ["learned_distances"]
    other = ensemble.rank({**own, "train": sides["query"] + 1}, learns, **labels)  # type: ignore[arg-type]
    assert not any("training images" in note for note in other.notes)
    found = ensemble.rank({**own, "train": sides["query"]}, learns, **labels)  # type: ignore[arg-type]
    said = "8 of 8 training images have the very features of a query or gallery image (0, 1, 2 and 5 more); scores"
    assert any(said in note for note in found.notes)
    assert any(
        "8 of 8 queries have the very features of a gallery image (0 and 0, " in note for note in found.notes
    )


def test_an_order_that_is_no_better_than_chance(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Labels in another order than features, and similarities, are told by what comes of them."""
    random = np.random.default_rng(1)
    pids = np.arange(100) % 10
    centres = random.normal(size=(10, 8))
    images = (centres[pids] + random.normal(size=(100, 8))).astype(np.float32)
    far, labels = distances(images[:20], images[20:]), (pids[:20], pids[20:])
    assert score(far, *labels).remarks == ()
    by_chance = "queries find their own identity no better than in a random order: are features and labels in one"
    other = labels[0], random.permutation(labels[1])
    for found in (score(far, *other), score_ranking(np.argsort(far).astype(np.int32), *other)):
        assert found.remarks[0].startswith(by_chance)
    assert (
        score(-far, *labels).remarks[0].startswith("queries find their own identity later than in a random order")
    )
    assert score(-far[:9], labels[0][:9], labels[1]).remarks == ()  # of so few an order says little
    assert score(np.full_like(far, np.inf), *labels).remarks == ()  # nothing is returned
    alone = [7] * 20, [7] * 80
    assert score(far, *alone).remarks == ()  # every order is right
    np.savez(tmp_path / "m.npz", query=images[:20], gallery=images[20:], query_pid=other[0], gallery_pid=other[1])
    assert evaluate.main(["--features", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count(by_chance) == 1
    assert evaluate.main(["--features", str(tmp_path), "--json"]) == 0
    assert by_chance in capsys.readouterr().out


def test_queries_in_the_gallery() -> None:
    assert remarked(own=True) == OWN
    said = remarked(own=True, protocol="all_cameras")
    assert said.startswith("1 of 3 queries meet their identity only in images that are removed (junk all")
    assert said.endswith("so they have no match")
    cams = [1, 1, 2], [1, 2, 1, 1]
    assert "stand in the gallery" not in remarked(cams, own=True)  # the query's camera is removed anyway


def test_one_camera_is_the_cause() -> None:
    with pytest.raises(ValueError, match=r"none among 3: .* all 7 images are of one camera") as raised:
        score(FAR, *PIDS, [4] * 3, [4] * 4)
    assert ONE in str(raised.value)
    with pytest.raises(ValueError, match="are these the labels of these images"):
        score(FAR, [7, 8, 9], PIDS[1], [4] * 3, [4, 4, 4, 5])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight people, a query and two gallery images each; all queries stand in the gallery under another name."""
    random = np.random.default_rng(0)
    path = tmp_path / "features"
    path.mkdir()
    query, gallery = [f"q{at}" for at in range(8)], [f"g{at}" for at in range(16)]
    seen = random.normal(size=(16, 4)).astype(np.float32)
    pair(path, "a", keyed(query, seen[:8]), keyed(gallery, seen))
    return path


def labelled(folder: Path, cams: tuple[int, int], rename: bool = False) -> None:
    for side, count, cam in (("query", 8, cams[0]), ("gallery", 16, cams[1])):
        lines = [f"{side[0]}{at},{at % 8},{cam}" for at in range(count)]
        listed(folder / f"{side}.csv", ["name,pid,cam", *lines])


COPIES = "a: 8 of 8 queries have the very features of a gallery image of another name (q0 and g0, "


@each("main", [run.main, evaluate.main, tune.main], ids=lambda main: main.__module__)
def test_every_command_says_it(main, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    labelled(folder, (1, 2))
    options = ["--features", str(folder), "--recipe", "baseline"]
    options += ["--on", "test", "--trials", "1", "--folds", "2"] if main is tune.main else []
    options += [] if main is evaluate.main else ["--out", str(tmp_path / "out")]
    assert main(options) == 0
    assert COPIES in capsys.readouterr().out


@each("named", [True, False])
def test_lists_that_count_their_own_images(named: bool, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """One name on both sides is one image only where it is one identity, and where images have names."""
    random = np.random.default_rng(3)
    rows = {side: random.normal(size=(6, 4)).astype(np.float32) for side in ("query", "gallery")}
    labels = {"query_pid": np.arange(6), "gallery_pid": np.arange(6)[::-1] if named else np.arange(6)}
    names = [f"{at:06d}.jpg" for at in range(6)]
    called = {"query_name": names, "gallery_name": names} if named else {}
    np.savez(tmp_path / "a.npz", **rows, **labels, **called)
    assert evaluate.main(["--features", str(tmp_path), "--junk", "self"]) == 0
    printed = capsys.readouterr().out
    assert "under their own name" not in printed
    assert "unknown which gallery image is the query's own: none removed" in printed


def test_copies_that_are_removed_are_no_trouble(folder: Path, capsys: pytest.CaptureFixture) -> None:
    labelled(folder, (1, 2))
    (folder / "gallery.csv").write_text((folder / "gallery.csv").read_text().replace("0,0,2", "0,0,1"))
    assert evaluate.main(["--features", str(folder)]) == 0
    assert "7 of 8 queries have the very features" in capsys.readouterr().out


def test_one_camera_on_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    labelled(folder, (3, 3))
    with pytest.raises(InputError, match="all 24 images are of one camera"):
        evaluate.main(["--features", str(folder)])
    assert run.main(["--features", str(folder), "--recipe", "baseline", "--out", str(tmp_path / "out")]) == 0
    assert "note: all 24 images are of one camera" in capsys.readouterr().out


def test_a_step_that_leaves_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    labelled(folder, (3, 3))
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[[branch]]\nsteps = [{ use = "distances" }, { use = "mask_same_camera" }]\n')
    options = ["--features", str(folder), "--recipe", str(recipe), "--protocol", "none"]
    assert evaluate.main(options) == 0
    printed = capsys.readouterr().out
    assert "mAP 0.0000" in printed
    assert "8 queries are answered by no image, since a step puts all out of reach" in printed


@each("side, other", [("query", "the gallery"), ("gallery", "the queries")])
def test_cameras_of_one_side_alone(
    side: str, other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for at, pids in zip(("query", "gallery"), PIDS, strict=True):
        cams = {"camids": np.arange(len(pids)) % 2} if at == side else {}
        np.savez(tmp_path / f"{at}_m.npz", features=np.eye(4, 3, dtype=np.float32)[: len(pids)], pids=pids, **cams)
    assert evaluate.main(["--features", str(tmp_path)]) == 0
    lacking = "gallery" if side == "query" else "query"
    said = f"and not for {other}, so nothing is removed for the camera: add cam in {lacking}.csv"
    assert said in capsys.readouterr().out
    recipe = tmp_path / "r.toml"
    recipe.write_text('steps = [{ use = "distances" }, { use = "mask_same_camera" }]')
    with pytest.raises(InputError, match=rf"wanted {lacking}_cam, found .*; give the column in {lacking}.csv$"):
        evaluate.main(["--features", str(tmp_path), "--recipe", str(recipe)])
