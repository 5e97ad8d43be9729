"""``python -m ensemble.cluster``: from a folder to a file to hand in, a record, a page; and what it refuses."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.cluster import __main__ as cluster
from ensemble.scores.clusters import score
from tests.support.each import each
from tests.support.herds import herd, passers, same

HERD = herd(people=30, largest=25, noise=0.4)
NAMES = [f"{row:03d}.jpg" for row in range(len(HERD["pid"]))]


def folder(path: Path, world=HERD, side: str = "images", **columns) -> Path:
    """A folder with one side, one model and a table."""
    path.mkdir(parents=True, exist_ok=True)
    names = [f"{row:03d}.jpg" for row in range(len(world["features"]))]
    np.savez(path / f"{side}_m.npz", features=world["features"], names=np.array(names))
    rows = [("name", *columns), *zip(names, *columns.values(), strict=True)]
    (path / f"{side}.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def run(path: Path, *options: str) -> tuple[list[list[str]], dict]:
    """The rows of the file, and the record."""
    assert cluster.main(["--features", str(path), "--out", str(path / "out"), "--resamples", "200", *options]) == 0
    with (path / "out" / "submission.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    return rows, json.loads((path / "out" / "clusters.json").read_text())


def numbers(rows) -> np.ndarray:
    """The clusters of a file as numbers."""
    return np.unique([row[1] for row in rows[1:]], return_inverse=True)[1]


def refused(path: Path, *options: str) -> str:
    with pytest.raises(InputError) as caught:
        cluster.main(["--features", str(path), "--out", str(path / "out"), *options])
    assert not (path / "out").exists()
    return "\n".join(caught.value.problems)


def test_a_herd_is_found_again(tmp_path, capsys):
    rows, record = run(folder(tmp_path, pid=HERD["pid"]))
    assert rows[0] == ["image_id", "cluster"]
    assert [row[0] for row in rows[1:]] == NAMES
    assert rows[1][1] == "cluster_0"
    found = score(HERD["pid"], numbers(rows)).values
    assert found["ami"] > 0.9
    one = record["sets"][""]
    assert one["scores"]["ami"] == pytest.approx(found["ami"])
    assert one["fit"]["measure"] == "ami"
    assert 0.7 < one["fit"]["held_out"] <= 1
    said = capsys.readouterr().out
    assert "on identities that the fit had not seen" in said
    assert "submission.csv" in said


def test_the_same_bytes_twice_and_in_one_thread(tmp_path):
    first = run(folder(tmp_path, pid=HERD["pid"]), "--report")
    page = (tmp_path / "out" / "clusters.html").read_bytes()
    again = run(tmp_path, "--report", "--threads", "3")
    assert again == first
    assert (tmp_path / "out" / "clusters.html").read_bytes() == page


@each("method", ["average", "complete", "single", "components", "union", "dbscan"])
def test_methods_and_lists(tmp_path, method):
    whole, record = run(folder(tmp_path), "--method", method, "--threshold", "0.3")
    assert record["sets"][""]["scores"] is None
    lists, _ = run(tmp_path, "--method", method, "--threshold", "0.3", "--neighbours", str(len(NAMES) - 1))
    assert lists == whole


def test_hdbscan_and_numbers_of_clusters(tmp_path):
    run(folder(tmp_path), "--method", "hdbscan", "--min-size", "2")
    rows, record = run(tmp_path, "--clusters", "12")
    assert len({row[1] for row in rows[1:]}) == 12 == record["sets"][""]["clusters"]


@each(
    ("option", "wanted"),
    [
        (("--min-size", "3"), "--min-size: wanted --method hdbscan, found average"),
        (("--min-samples", "3"), "--min-samples: wanted --method dbscan or --method hdbscan, found average"),
        (("--one-track-per-camera",), "--one-track-per-camera: wanted --method union, found average"),
    ],
)
def test_options_of_other_methods_name_these(tmp_path, option, wanted):
    with pytest.raises(InputError, match=f"^{wanted}$"):
        run(folder(tmp_path), "--method", "average", "--threshold", "0.3", *option)


def test_sets_by_a_column_and_a_sample(tmp_path):
    sets = ["lynx" if row % 2 else "turtle" for row in range(len(NAMES))]
    order = np.random.default_rng(0).permutation(len(NAMES))
    sample = tmp_path / "sample.csv"
    sample.write_text("id,who\n" + "".join(f"{NAMES[row][:-4]},x\n" for row in order))
    path = folder(tmp_path / "f", pid=HERD["pid"], dataset=sets)
    rows, record = run(path, "--by", "dataset", "--threshold", "lynx=0.4", "turtle=0.2", "--sample", str(sample))
    assert rows[0] == ["id", "who"]
    assert [row[0] for row in rows[1:]] == [NAMES[row] for row in order]
    for row, value in zip(order, (row[1] for row in rows[1:]), strict=True):
        assert value.startswith(f"cluster_{sets[row]}_")
    assert {name: one["threshold"] for name, one in record["sets"].items()} == {"turtle": 0.2, "lynx": 0.4}
    both = [record["sets"][name]["scores"]["ari"] for name in ("lynx", "turtle")]
    assert record["scores"]["ari"] == pytest.approx(np.mean(both))
    mixed, _ = run(path, "--by", "dataset", "--fit", "ami", "--threshold", "lynx=0.4", "--value", "{dataset}/{n}")
    assert mixed[1][1] == "turtle/0"


def test_links_come_back(tmp_path):
    path = folder(tmp_path)
    plain, _ = run(path, "--threshold", "0.3")
    clusters = numbers(plain)
    inside = np.flatnonzero(clusters == np.bincount(clusters).argmax())[:2]
    other = int(np.flatnonzero(clusters != clusters[inside[0]])[0])
    links = tmp_path / "links.csv"
    links.write_text(f"{NAMES[inside[0]]},{NAMES[inside[1]]},no\n{NAMES[inside[0]]},{NAMES[other]},yes\n")
    for method in ("average", "complete", "union"):
        rows, record = run(path, "--method", method, "--threshold", "0.3", "--links", str(links))
        found = numbers(rows)
        assert found[inside[0]] != found[inside[1]], method
        assert found[inside[0]] == found[other], method
        assert record["sets"][""]["links"] == {"yes": 1, "no": 1}
    links.write_text("".join(f"{a},{b},{answer}\n" for a, b, answer in (
        (NAMES[0], NAMES[1], "yes"), (NAMES[1], NAMES[2], "yes"), (NAMES[0], NAMES[2], "no"),
    )))  # fmt: skip
    with pytest.raises(InputError, match=f"{NAMES[0]} and {NAMES[2]}"):
        cluster.main(
            ["--features", str(path), "--threshold", "0.3", "--links", str(links), "--out", str(path / "o")]
        )


def test_tracks_times_and_windows(tmp_path):
    world = passers()
    columns = {name: world[name] for name in ("pid", "track", "frame")}
    path = folder(tmp_path, world, cam=[f"c{cam}" for cam in world["cam"]], **columns)
    rows, _ = run(path, "--method", "union", "--threshold", "0.2")
    assert same(numbers(rows), world["pid"])
    windows = tmp_path / "windows.csv"
    windows.write_text("from,to,least,most\n" + "".join(f"c{cam},c{cam + 1},80,121\n" for cam in range(3)))
    rows, _ = run(path, "--method", "union", "--threshold", "0.6", "--windows", str(windows))
    assert same(numbers(rows), world["pid"])
    rows, _ = run(path, "--method", "union", "--threshold", "0.6", "--one-track-per-camera")
    found = numbers(rows)
    for one in range(found.max() + 1):
        inside = found == one
        for cam in range(4):
            assert len(set(world["track"][inside & (world["cam"] == cam)].tolist())) <= 1


def test_a_recipe_that_ends_in_clusters(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'about = "Mine."\n[[branch]]\neach = [{ use = "l2_normalize" }]\njoin = { use = "concat" }\n'
        'steps = [{ use = "distances", metric = "cosine" }, '
        '{ use = "linkage", method = "complete", threshold = 0.3 }, { use = "refine_clusters", weak = 0.25 }]\n'
    )
    path = folder(tmp_path / "f")
    rows, record = run(path, "--recipe", str(recipe))
    assert (record["method"], record["settings"]["method"]) == ("linkage", "complete")
    assert record["refine"] == {"weak": 0.25}
    assert record["sets"][""]["threshold"] == 0.3
    by_options, _ = run(path, "--method", "complete", "--threshold", "0.3", "--weak", "0.25")
    assert by_options == rows
    changed, _ = run(path, "--recipe", str(recipe), "--set", "linkage.threshold=0.1")
    assert changed != rows
    from ensemble import run as ranking

    with pytest.raises(InputError, match=r"such steps end a recipe, and ensemble\.cluster runs it"):
        ranking.main(["--features", str(path), "--recipe", str(recipe), "--out", str(tmp_path / "ranked")])


def test_distances_that_depend_on_who_asks_are_averaged_and_it_is_said(tmp_path, capsys):
    run(folder(tmp_path), "--recipe", "default", "--threshold", "0.5")
    assert "the mean of both is taken" in capsys.readouterr().out


def test_two_sides_and_train(tmp_path, capsys):
    path = folder(tmp_path, HERD, "gallery")
    for side, rows in (("query", slice(0, 3)), ("train", slice(None))):
        np.savez(path / f"{side}_m.npz", features=HERD["features"][rows], names=np.array(NAMES[rows]))
    (path / "query.csv").write_text("name\n" + "".join(f"{name}\n" for name in NAMES[:3]))
    rows = [f"{name},{pid}\n" for name, pid in zip(NAMES, HERD["pid"], strict=True)]
    (path / "train.csv").write_text("name,pid\n" + "".join(rows))
    found, record = run(path)
    assert "the gallery is the set" in capsys.readouterr().out
    assert "identities in train" in record["sets"][""]["about"]
    assert score(HERD["pid"], numbers(found)).values["ami"] > 0.9


def test_json_alone_on_stdout(tmp_path, capsys):
    run(folder(tmp_path, pid=HERD["pid"]), "--json", "--threshold", "0.3")
    assert json.loads(capsys.readouterr().out)["method"] == "linkage"


@each(
    ("options", "wanted"),
    [
        ([], "--threshold: wanted --threshold, --clusters, or labels for --fit, found none of them"),
        (["--fit", "amy"], "--fit: wanted one of ami, ari, pairs, bcubed, chance, found 'amy'"),
        (["--threshold", "x"], "--threshold: wanted a number, or SET=a number, found 'x'"),
        (["--threshold", "1", "2"], "wanted one rule for all sets"),
        (["--threshold", "lynx=1"], "--by: wanted the column with the data sets lynx"),
        (["--clusters", "1.5"], "--clusters: wanted a whole number from 1"),
        (["--threshold", "1", "--fit", "ami"], "wanted one rule for all sets, found --fit ami and another"),
        (["--threshold", "1", "--by", "herd"], "--by: wanted a column of the images' table, found no 'herd'"),
        (["--threshold", "1", "--method", "union", "--one-track-per-camera"], "found no cam"),
        (
            ["--threshold", "1", "--min-samples", "3"],
            "wanted --method dbscan or --method hdbscan",
        ),
        (
            ["--threshold", "1", "--method", "single", "--links", "l.csv"],
            "--links: wanted --method union, average",
        ),
        (["--threshold", "1", "--tiny", "3"], "--tiny: wanted --merge too"),
        (["--threshold", "1", "--images", "pics"], "--images: wanted --report too"),
        (["--threshold", "1", "--windows", "w.csv"], "--windows: wanted --method union"),
        (["--threshold", "1", "--folds", "1"], "--folds: wanted 2 or more, found 1"),
        (["--threshold", "1", "--method", "averige"], "--method: wanted one of"),
        (["--threshold", "1", "--value", "cluster"], "--value: wanted {n} in it"),
        (["--threshold", "1", "--cameras", "2"], "--cameras: wanted the columns cam of the images, found no cam"),
        (["--threshold", "1", "--sample", "none.csv"], "none.csv"),
        (["--fit", "ami"], "--fit-on train: wanted training images"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, options, wanted):
    assert wanted in refused(folder(tmp_path), *options)


def test_a_name_from_nowhere_is_no_file(tmp_path):
    """Nothing is half-written where the disk refuses."""
    path = folder(tmp_path)
    (path / "out").mkdir()
    (path / "out" / "submission.csv").mkdir()
    with pytest.raises(InputError):
        cluster.main(["--features", str(path), "--threshold", "0.3", "--out", str(path / "out")])
    assert os.listdir(path / "out") == ["submission.csv"]


def square(path: Path, world=HERD) -> Path:
    """What the features of a herd say of every pair, as a matrix with names inside, and nothing beside it."""
    path.mkdir(parents=True, exist_ok=True)
    features = world["features"] / np.linalg.norm(world["features"], axis=1, keepdims=True)
    np.savez(path / "m.npz", distances=(1 - features @ features.T).astype(np.float32), names=NAMES)
    return path


def given(path: Path, *options: str) -> list[list[str]]:
    """The rows of the file, of what is distances already."""
    out = path.parent / "out"
    assert cluster.main(["--rankings", str(path), "--out", str(out), "--resamples", "200", *options]) == 0
    with (out / "submission.csv").open(newline="") as stream:
        return list(csv.reader(stream))


def test_square_matrices_and_tables_of_pairs(tmp_path, capsys):
    """A matrix has the clusters of its features; a table keeps to its pairs, in whichever direction they stand."""
    options = ["--method", "average", "--threshold", "0.8"]
    wanted, _ = run(folder(tmp_path / "features", pid=HERD["pid"]), *options, "--recipe", "baseline")
    place = square(tmp_path / "given")
    assert same(numbers(given(place, *options)), numbers(wanted))
    assert "no scores: no image has a known identity" in capsys.readouterr().out
    rows = [("name", "pid"), *zip(NAMES, HERD["pid"], strict=True)]
    (place / "images.csv").write_text("".join(f"{name},{pid}\n" for name, pid in rows))
    assert same(
        numbers(given(place, "--fit", "ami")), numbers(given(place, "--fit", "ami", "--neighbours", "400"))
    )
    with np.load(place / "m.npz") as held:
        far = held["distances"]
    (place / "m.npz").unlink()
    left, right = np.nonzero(np.triu(far < 0.8, 1))
    turned = np.arange(len(left)) % 2 == 0
    one, other = np.where(turned, left, right), np.where(turned, right, left)
    pairs = [f"{NAMES[i]},{NAMES[j]},{1 - far[i, j]:.9g}" for i, j in zip(one, other, strict=True)]
    (place / "light.csv").write_text("\n".join(["query,gallery,score", *pairs]))
    options = ["--method", "components", "--threshold=-0.7"]  # scores of .7 and more, which are distances of .3
    found = given(place, *options)
    assert [row[0] for row in found[1:]] == NAMES
    alone = given(square(tmp_path / "again"), "--method", "components", "--threshold", "0.3")
    assert same(numbers(found), numbers(alone))
    (place / "images.csv").unlink()  # then the images are those of the pairs
    assert {row[0] for row in given(place, *options)[1:]} == {NAMES[row] for row in np.unique([left, right])}


def test_what_is_no_distance_inside_one_set_is_refused(tmp_path):
    def said(place: Path) -> str:
        with pytest.raises(InputError) as caught:
            cluster.main(["--rankings", str(place), "--threshold", "1", "--out", str(tmp_path / "out")])
        assert not (tmp_path / "out").exists()
        return "\n".join(caught.value.problems)

    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "a.csv").write_text("query,rank,gallery\na,1,b\nb,1,a\n")
    assert "--rankings: wanted distances, found places in a list in a" in said(lists)
    (lists / "query.csv").write_text("name\na\n")
    (lists / "gallery.csv").write_text("name\nb\n")
    assert "wanted what is known of pairs inside one set" in said(lists)
    two = tmp_path / "two"
    two.mkdir()
    np.savez(
        two / "m.npz", distances=np.ones((2, 3), np.float32), query_name=["a", "b"], gallery_name=["c", "d", "e"]
    )
    assert "wanted one set of images" in said(two)
