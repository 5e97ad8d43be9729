"""Old submissions in the place of features: joined, rewritten, handed in again."""

import json
from pathlib import Path

import numpy as np
import pytest

from ensemble import ablate, evaluate, io, run, submissions, thresholds, validate
from ensemble.base.errors import InputError
from ensemble.fusion import reciprocal_rank_fusion
from ensemble.pipeline import plan, recipe
from ensemble.tune import __main__ as tune
from tests.support.each import each
from tests.support.folders import listed
from tests.support.folders import names as numbered


@pytest.fixture
def folder(tmp_path):
    return lists(tmp_path)


def lists(tmp_path):
    """Two lists of three queries over six images, two tracks of two images and two of one."""
    place = tmp_path / "lists"
    place.mkdir()
    listed(place / "name_query.txt", numbered(3))
    listed(place / "name_test.txt", numbered(6))
    listed(place / "test_track_id.txt", ["1 4", "2 5", "3", "6"])
    listed(place / "a.txt", ["1 2 3", "2 1 6", "3 1 2"])
    listed(place / "b.txt", ["2 3 4", "6 2 5", "1 3 5"])
    return place


def test_reciprocal_ranks_by_hand(folder, tmp_path):
    assert run.main(["--rankings", str(folder), "--out", str(tmp_path / "out"), "--set", "top_k=4"]) == 0
    # query 1: image 2 has 1/62 + 1/61, image 3 1/63 + 1/62, image 1 1/61, image 4 1/63
    # query 2: image 2 1/61 + 1/62, image 6 1/63 + 1/61, image 1 1/62, image 5 1/63
    # query 3: images 1 and 3 1/61 + 1/62, a tie, by row; images 2 and 5 1/63
    assert (tmp_path / "out" / "track2.txt").read_text() == "2 3 1 4\n2 6 1 5\n1 3 2 5\n"


def test_weights_by_name_and_whole_tracks(folder, tmp_path, capsys):
    own = tmp_path / "own.toml"
    own.write_text(
        'top_k = 4\nsteps = [{ use = "rewrite_tracks" }]\n[[branch]]\n'
        'join = { use = "reciprocal_rank_fusion", weights = { a = 1, b = 0 } }\n'
    )
    assert run.main(["--rankings", str(folder), "--recipe", str(own), "--out", str(tmp_path / "out")]) == 0
    # of list a alone: 1 pulls 4 up, which no list of any weight names, then 2 and 5
    assert (tmp_path / "out" / "track2.txt").read_text().startswith("1 4 2 5\n")
    assert "rank lists were spread to a matrix of 3 x 6 (0.00 GB) for rewrite_tracks" in capsys.readouterr().out
    assert run.main(["--rankings", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert "matrix" not in capsys.readouterr().out  # a join alone
    with pytest.raises(
        InputError, match=r"found that 2 rank lists that name 12 images in all need about 0\.[0-9]+ GB"
    ):
        run.main(["--rankings", str(folder), "--out", str(tmp_path / "out"), "--memory", "100MB"])


def test_one_list_alone_comes_back(folder, tmp_path):
    (folder / "b.txt").unlink()
    assert run.main(["--rankings", str(folder), "--out", str(tmp_path / "out"), "--set", "top_k=3"]) == 0
    assert (tmp_path / "out" / "track2.txt").read_bytes() == (folder / "a.txt").read_bytes()


def test_cameras_and_scores_from_tables(folder, tmp_path, capsys):
    images, cams = numbered(6), [0, 1, 2, 1, 2, 3]
    listed(folder / "query.csv", ["name,pid,cam", *(f"{n},{i + 1},0" for i, n in enumerate(numbered(3)))])
    listed(folder / "gallery.csv", ["name,pid,cam", *(f"{n},{i % 3 + 1},{cams[i]}" for i, n in enumerate(images))])
    options = ["--rankings", str(folder), "--recipe", "lists_structure", "--out", str(tmp_path / "out")]
    assert run.main([*options, "--set", "top_k=5"]) == 0
    lines = (tmp_path / "out" / "track2.txt").read_text().splitlines()
    assert all("1" not in line.split() for line in lines)  # image 1 is of every query's camera
    printed = capsys.readouterr().out
    assert "mAP" in printed
    assert printed.count("model") >= 2


@each(
    ("change", "message"),
    [
        (lambda place: (place / "a.txt").write_text("1 2\n2 9\n3 1\n"), "9"),
        (lambda place: (place / "name_query.txt").unlink(), "wanted the names of the query images, found none"),
        (
            lambda place: [path.unlink() for path in place.glob("?.txt")],
            "wanted rank lists, tables of pairs or matrices of distances, found none",
        ),
        (lambda place: (place / "a.csv").write_text("x"), "wanted one file a name"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, change, message):
    folder = lists(tmp_path)
    change(folder)
    with pytest.raises(InputError) as caught:
        run.main(["--rankings", str(folder), "--out", str(tmp_path / "out")])
    assert message in "\n".join(caught.value.problems)
    assert not (tmp_path / "out").exists()


def test_names_come_from_the_lists(tmp_path):
    """No list of names, no table: 10.jpg behind 2.jpg, and the queries in the lists' order."""
    place = tmp_path / "lists"
    place.mkdir()
    listed(place / "a.csv", ["query,gallery", "qb,10.jpg", "qb,2.jpg", "qa,2.jpg"])
    (place / "b.json").write_text('{"qb": ["2.jpg", "10.jpg"], "qa": ["3.jpg"]}')
    listed(place / "result.csv.4711.part", ["query,rank,gal"])  # left over from a write that was killed
    out = tmp_path / "out"
    assert run.main(["--rankings", str(place), "--set", "submission=naic", "--out", str(out)]) == 0
    # qb: both 1/61 + 1/62, a tie; qa: both 1/61, a tie; the rest fills up
    wanted = '{\n"qb": ["2.jpg", "10.jpg", "3.jpg"],\n"qa": ["2.jpg", "3.jpg", "10.jpg"]\n}\n'
    assert (out / "result.json").read_text() == wanted
    listed(place / "c.txt", ["1 2", "3"])
    with pytest.raises(InputError, match="wanted the names of the query images, found none"):
        run.main(["--rankings", str(place), "--out", str(out)])


def test_labels_come_from_the_names_in_the_lists(tmp_path, capsys):
    place = tmp_path / "lists"
    place.mkdir()
    images = ["0002_c2s1_000001_00.jpg", "0001_c2s1_000002_00.jpg"]
    (place / "a.json").write_text(f'{{"0001_c1s1_000001_00.jpg": ["{images[0]}", "{images[1]}"]}}')
    assert evaluate.main(["--rankings", str(place), "--names", "market1501"]) == 0
    assert "mAP 0.5000" in capsys.readouterr().out


def test_recipes_for_features_say_what_is_missing(folder):
    for name, message in (("default", "wanted one branch without each"), ("aicity2020_5th", "wanted gallery")):
        with pytest.raises(InputError) as caught:
            plan.check(recipe.load(name), io.scan(folder, rankings=True))
        assert message in "\n".join(caught.value.problems)
    with pytest.raises(InputError, match="wanted feature files"):
        run.main(["--rankings", str(folder), "--features", str(folder)])


def test_nine_real_submissions_of_2021(shared, tmp_path, capsys):
    """Fused, and what is handed in is valid; cameras, tracks and lists are real, identities nobody knows."""
    with np.load(shared / "aicity2021_track2.npz") as real:
        lists = next(real[key] for key in real.files if real[key].shape == (9, 1103, 100))
    place = tmp_path / "lists"
    place.mkdir()
    listed(place / "name_query.txt", numbered(1103))
    listed(place / "name_test.txt", numbered(31238))
    for number, lines in enumerate(lists):
        listed(place / f"team{number}.txt", [" ".join(map(str, line)) for line in lines])
    assert run.main(["--rankings", str(place), "--out", str(tmp_path / "out")]) == 0
    names = ["--query-names", str(place / "name_query.txt"), "--gallery-names", str(place / "name_test.txt")]
    capsys.readouterr()
    assert validate.main([str(tmp_path / "out" / "track2.txt"), *names]) == 0
    assert "ok: 1103 lines x 100 numbers" in capsys.readouterr().out
    for path in names[1::2]:
        Path(path).rename(tmp_path / Path(path).name)
    images = {"query_names": numbered(1103), "gallery_names": numbered(31238)}
    rows, values = submissions.candidates(list(submissions.read_rankings(place, **images).values()))
    fused = np.where(rows < 0, np.inf, reciprocal_rank_fusion(values))
    top = np.take_along_axis(rows, np.argsort(fused, axis=1, kind="stable")[:, :100], axis=1)
    lines = (tmp_path / "out" / "track2.txt").read_text().splitlines()
    assert [line.split() for line in lines] == (top + 1).astype(str).tolist()


def alone(tmp_path: Path) -> Path:
    """A rank list of one set: four images of two identities, the own image in the middle of some lists."""
    place = tmp_path / "alone"
    place.mkdir(exist_ok=True)
    listed(place / "images.csv", ["name,pid", "a,1", "b,1", "c,2", "d,2"])
    rows = ["a,1,a", "a,2,b", "a,3,c", "b,1,c", "b,2,b", "b,3,a", "c,1,d", "c,2,a", "d,1,a", "d,2,b", "d,3,c"]
    listed(place / "mine.csv", ["query,rank,gallery", *rows])
    return place


def test_a_rank_list_of_one_set_is_without_the_own_image(tmp_path, capsys):
    place = alone(tmp_path)
    answer = scores(capsys, place)
    # precision at the one match of each: a 1st 1, b 2nd 1/2, c 1st 1, d 3rd 1/3
    assert answer["mAP"] == pytest.approx((1 + 1 / 2 + 1 + 1 / 3) / 4)
    assert "one set: nothing in it is about queries" in "\n".join(answer["notes"])
    assert run.main(["--rankings", str(place), "--out", str(tmp_path / "out")]) == 0
    ranking = submissions.read(tmp_path / "out" / "ranking.csv")
    assert dict(lines(ranking)) == {
        "a": ["b", "c"], "b": ["c", "a"], "c": ["d", "a"], "d": ["a", "b", "c"]
    }  # fmt: skip
    assert scores(capsys, place, "--protocol", "aicity")["mAP"] == pytest.approx(answer["mAP"])
    step = tmp_path / "step.toml"
    step.write_text('steps = [{ use = "sinkhorn_distances" }]\n')
    assert (
        scores(capsys, place, "--recipe", step)["mAP"] > 0
    )  # spread to a matrix, whose diagonal is never returned
    # full lines: what is filled up behind is not the own image either
    recipe_ = tmp_path / "naic.toml"
    recipe_.write_text('top_k = 3\nsubmission = "json"\n')
    assert run.main(["--rankings", str(place), "--recipe", str(recipe_), "--out", str(tmp_path / "json")]) == 0
    (place / "images.csv").write_text("name\na\nb\nc\nd\n")
    with pytest.raises(InputError, match=r"no labels \(a pid column in images\.csv\)"):
        evaluate.main(["--rankings", str(place)])


def test_lists_of_one_set_are_joined_with_each_other_and_with_others(tmp_path, capsys):
    place = alone(tmp_path)
    rows = ["a,1,d", "a,2,b", "b,1,a", "c,1,c", "c,2,d", "d,1,c"]
    listed(place / "other.csv", ["query,rank,gallery", *rows])
    both = scores(capsys, place)
    # reciprocal ranks: a: b 1/61 + 1/62 first; b: a 1/62 + 1/61 first; c: d first; d: c 1/63 + 1/61 first
    assert both["mAP"] == 1
    pairs = ["a,b,0.9", "c,d,0.8", "a,c,0.1"]  # each once: it is about both of its images
    listed(place / "pairs.csv", ["query,gallery,score", *pairs])
    (place / "mine.csv").unlink()
    (place / "other.csv").unlink()
    assert scores(capsys, place)["mAP"] == 1
    far = np.array([[0, 1, 9, 9], [1, 0, 9, 9], [9, 9, 0, 1], [9, 9, 1, 0]], np.float32)
    np.save(place / "square.npy", far)
    assert scores(capsys, place)["mAP"] == 1


def test_other_commands_take_lists_of_one_set(tmp_path, capsys):
    place, rng = tmp_path / "herd", np.random.default_rng(0)
    place.mkdir()
    names, pid = [f"{row:02d}.jpg" for row in range(36)], np.arange(36) % 12
    listed(place / "images.csv", ["name,pid", *(f"{name},{of}" for name, of in zip(names, pid, strict=True))])
    far = {
        model: (pid[:, None] != pid).astype(np.float32) + rng.random((36, 36), np.float32)
        for model in ("one", "two")
    }
    for model, of in far.items():
        order = np.argsort(of, axis=1)[:, :20]  # the own image somewhere among them
        rows = [f"{names[i]},{rank},{names[j]}" for i, row in enumerate(order) for rank, j in enumerate(row, 1)]
        listed(place / f"{model}.csv", ["query,rank,gallery", *rows])
    where = ["--rankings", str(place)]
    assert ablate.main([*where, "--resamples", "100"]) == 0
    with pytest.raises(InputError, match="places are no distances, found rank lists alone"):
        thresholds.main(where)
    np.save(place / "square.npy", far["one"] + far["one"].T)
    capsys.readouterr()
    assert thresholds.main([*where, "--folds", "2"]) == 0
    assert "identities" in capsys.readouterr().out
    tuned = ["--on", "test", "--trials", "2", "--folds", "2", "--out", str(tmp_path / "tuned")]
    assert tune.main([*where, *tuned]) == 0


def test_without_images_a_list_has_two_sides(tmp_path):
    """gallery.csv alone is about the gallery, as before: lists name their queries."""
    place = alone(tmp_path)
    (place / "images.csv").rename(place / "gallery.csv")
    assert run.main(["--rankings", str(place), "--out", str(tmp_path / "out")]) == 0
    assert dict(lines(submissions.read(tmp_path / "out" / "ranking.csv")))["a"] == ["a", "b", "c"]


def lines(ranking):
    """Every query with its images."""
    names_of = zip(ranking.query_names, ranking.lines(), strict=True)
    return [(query, [ranking.gallery_names[row] for row in rows]) for query, rows in names_of]


def scores(capsys, place, *options) -> dict:
    capsys.readouterr()
    assert evaluate.main(["--rankings", str(place), "--json", *map(str, options)]) == 0
    return json.loads(capsys.readouterr().out)
