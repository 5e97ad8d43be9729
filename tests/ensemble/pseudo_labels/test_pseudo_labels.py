"""Groups in the place of identities: what is grouped, what train becomes, and that steps learn from it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from ensemble import io, run
from ensemble.pseudo_labels.__main__ import main
from postproc import l2_normalize, rerank
from tests.support.each import each
from tests.support.folders import problems

PEOPLE = 6


def drawn(count, seed):
    """Images around six far corners, and who they are."""
    random = np.random.default_rng(seed)
    pid = np.arange(count) % PEOPLE
    rows = np.eye(PEOPLE, 8)[pid] * 3 + 0.1 * random.normal(size=(count, 8))
    return pid, rows.astype(np.float32)


def folder(path: Path, *, train: int = 0, labelled: bool = False, cam: bool = True) -> Path:
    """Two models of queries and gallery whose names are the same on both sides; perhaps train."""
    path.mkdir()
    for model, scale in (("one", 1), ("two", 100)):
        content = {}
        for side, count, seed in (("query", 6, 1), ("gallery", 18, 2), ("train", train, 3)):
            if not count:
                continue
            pid, rows = drawn(count, seed)
            content |= {side: scale * rows, f"{side}_name": np.array([f"{i:03d}.png" for i in range(count)])}
            if cam:
                content[f"{side}_cam"] = np.arange(count) // PEOPLE + 1
            if side == "train" and labelled:
                content["train_pid"] = pid + 10
        np.savez(path / f"{model}.npz", **content)
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def grouped(path: Path, out: Path, *options: str) -> list:
    assert main(["--features", str(path), "--out", str(out), "--starts", "5", *options]) == 0
    return io.read_folder(out)


def test_train_without_labels_is_grouped(tmp_path, capsys):
    sets = grouped(folder(tmp_path / "a", train=12), tmp_path / "b", "--clusters", "6")
    assert "6 groups of 2 to 2 images (median 2) among 12 of train, identities from 0 to 5; 0 in no group" in (
        capsys.readouterr().out
    )
    assert [found.model for found in sets] == ["one", "two"]
    for found, scale in zip(sets, (1, 100), strict=True):
        assert_array_equal(found.train_table["pid"], np.arange(12) % PEOPLE)
        assert_array_equal(found.train, scale * drawn(12, 3)[1])
        assert_array_equal(found.train_table["cam"], np.repeat([1, 2], 6))
        assert found.train_table["name"][3] == "003.png"
        assert "pid" not in found.query_table
        assert_array_equal(found.gallery, scale * drawn(18, 2)[1])
    lines = table(tmp_path / "b" / "train.csv")
    assert lines[7] == {"name": "007.png", "pid": "1", "cam": "2"}


def test_gallery_and_query_are_grouped_and_renamed(tmp_path):
    out, renamed = tmp_path / "b", tmp_path / "renamed.csv"
    options = ("--clusters", "6", "--offset", "1763", "--renamed", str(renamed))
    sets = grouped(folder(tmp_path / "a"), out, *options)
    found = sets[0]
    assert_array_equal(found.train_table["pid"], 1763 + np.array([*np.arange(18) % 6, *np.arange(6)]))
    assert_array_equal(found.train, np.concatenate([drawn(18, 2)[1], drawn(6, 1)[1]]))
    names = found.train_table["name"].tolist()
    assert names[0] == "00001763_001_000001.png"
    assert names[7] == "00001764_002_000008.png"  # the eighth gallery image
    assert names[19] == "00001764_001_000020.png"  # the second query, behind 18 of the gallery
    lines = table(renamed)
    assert lines[19] == {"file": names[19], "side": "query", "name": "001.png", "pid": "1764", "cam": "1"}
    assert lines[7]["side"] == "gallery"


def test_behind_train_with_labels(tmp_path):
    found = grouped(folder(tmp_path / "a", train=12, labelled=True), tmp_path / "b", "--clusters", "6")[0]
    assert_array_equal(found.train_table["pid"][:12], np.arange(12) % PEOPLE + 10)
    assert_array_equal(found.train_table["pid"][12:18], np.arange(6) + 16)  # 15 is the largest
    assert len(found.train) == 12 + 18 + 6
    assert found.train_table["name"][0] == "000.png"
    message = problems(
        main,
        ["--features", str(tmp_path / "a"), "--out", str(tmp_path / "c"), "--clusters", "6", "--offset", "15"],
    )
    assert message == ["--offset: wanted more than 15, the largest identity of train, found 15"]


def test_cameras_are_drawn(tmp_path):
    path = folder(tmp_path / "a", cam=False)
    found = grouped(path, tmp_path / "b", "--clusters", "6", "--cameras", "39")[0]
    cameras = found.train_table["cam"]
    assert cameras.between(1, 39).all()
    assert cameras.nunique() > 10
    assert found.train_table["name"][0] == f"00000000_{cameras[0]:03d}_000001.png"
    again = grouped(path, tmp_path / "c", "--clusters", "6", "--cameras", "39")[0]
    assert_array_equal(again.train_table["cam"], cameras)
    assert (tmp_path / "b" / "one.npz").read_bytes() == (tmp_path / "c" / "one.npz").read_bytes()
    without = grouped(path, tmp_path / "d", "--clusters", "6")[0]
    assert "cam" not in without.train_table
    assert without.train_table["name"][0] == "00000000_000_000001.png"


def test_cameras_that_are_text_beside_such_that_are_not(tmp_path):
    path = folder(tmp_path / "a", train=6, labelled=True)
    (path / "gallery.csv").write_text("name,cam\n" + "".join(f"{i:03d}.png,door{i % 2}\n" for i in range(18)))
    for model in ("one", "two"):
        content = dict(np.load(path / f"{model}.npz"))
        del content["gallery_cam"]
        np.savez(path / f"{model}.npz", **content)
    found = grouped(path, tmp_path / "b", "--clusters", "6")[0]
    assert found.train_table["cam"].tolist()[5:8] == ["1", "door0", "door1"]


def test_features_as_they_are_or_of_unit_length(tmp_path):
    """Without unit length the model of large numbers decides alone."""
    path = tmp_path / "a"
    path.mkdir()
    first, second = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], 50 * np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    half = (2 * first + 0.1, second)
    for model, rows in zip(("one", "two"), half, strict=True):
        np.savez(path / f"{model}.npz", query=rows[:1], gallery=rows)
    raw = grouped(path, tmp_path / "b", "--clusters", "2", "--raw", "--of", "gallery")[0]
    assert raw.train_table["pid"].tolist() == [0, 1, 0, 1]
    unit = grouped(path, tmp_path / "c", "--clusters", "4", "--of", "gallery")[0]
    assert unit.train_table["pid"].tolist() == [0, 1, 2, 3]


def test_one_set_is_grouped_once(tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    np.save(path / "gallery_net.npy", drawn(18, 2)[1])
    found = grouped(path, tmp_path / "b", "--clusters", "6")[0]
    assert found.one_set
    assert_array_equal(found.train_table["pid"], np.arange(18) % PEOPLE)
    message = problems(
        main, ["--features", str(path), "--out", str(tmp_path / "c"), "--clusters", "6", "--of", "query"]
    )
    assert message == ["--of: wanted gallery for one set of images, found query too; each image counts once"]


def test_images_in_no_group_are_left_out(tmp_path, capsys):
    path = folder(tmp_path / "a")
    for model in ("one", "two"):
        content = dict(np.load(path / f"{model}.npz"))
        content["gallery"][4] = -content["gallery"][4]
        np.savez(path / f"{model}.npz", **content)
    found = grouped(path, tmp_path / "b", "--method", "dbscan", "--eps", "0.3", "--min-samples", "3")[0]
    assert "; 1 in no group" in capsys.readouterr().out
    assert len(found.train) == 18 + 6 - 1
    names = found.train_table["name"].tolist()
    assert names[4].endswith("_000006.png")
    message = problems(
        main,
        ["--features", str(path), "--out", str(tmp_path / "c"), "--method", "dbscan", "--min-samples", "9"],
    )
    assert message == ["--eps: wanted groups of 9 images within 0.5, found none; make it larger"]
    assert not (tmp_path / "c").exists()


@each(("k1", "k2", "eps", "cosine"), [(3, 2, 0.3, 0), (8, 2, 0.6, 0), (1, 6, 0.97, 0), (8, 2, 0.45, 0.4)])
def test_overlap_of_neighbourhoods_is_scikit_learns_on_the_whole_matrix(k1, k2, eps, cosine, tmp_path):
    """Lists that are too short for all within eps are made longer."""
    random = np.random.default_rng(5)
    rows = np.eye(12, 24)[np.arange(90) % 12] * 1.1 + 0.3 * random.normal(size=(90, 24))
    path = tmp_path / f"a{k1}{eps}"
    path.mkdir()
    np.save(path / "gallery_net.npy", rows.astype(np.float32))
    options = ("--method", "jaccard", "--k1", str(k1), "--k2", str(k2), "--eps", str(eps), "--min-samples", "3")
    options += ("--cosine", str(cosine))
    renamed = path.parent / f"renamed{k1}{eps}.csv"
    grouped(path, tmp_path / f"b{k1}{eps}", *options, "--renamed", str(renamed))
    unit = l2_normalize(rows.astype(np.float32))
    far = rerank(unit, k1=k1, k2=k2, lambda_value=0.0, count_self=True, normalize=False)
    far = (1 - cosine) * far + cosine * (1 - unit @ unit.T)
    wanted = DBSCAN(eps=eps, min_samples=3, metric="precomputed").fit_predict(np.maximum(far, 0))
    found = np.full(90, -1)
    for line in table(renamed):
        found[int(line["file"].split("_")[2][:6]) - 1] = int(line["pid"])
    assert ((found < 0) == (wanted < 0)).all()
    assert adjusted_rand_score(found, wanted) == 1
    kept = found[found >= 0]
    assert list(dict.fromkeys(kept.tolist())) == list(range(kept.max() + 1))


def test_a_part_of_cosine_is_of_neighbourhoods(tmp_path):
    path = folder(tmp_path / "a")
    message = problems(
        main, ["--features", str(path), "--out", str(tmp_path / "b"), "--clusters", "6", "--cosine", "2"]
    )
    assert message == [
        "--cosine: wanted a part of 0 to 1, found 2",
        "--cosine: wanted --method jaccard, whose setting it is, found kmeans; leave it out",
    ]


def test_a_metric_is_learned_from_them(tmp_path, capsys):
    grouped(folder(tmp_path / "a", train=60), tmp_path / "b", "--clusters", "6")
    recipe = tmp_path / "learn.toml"
    recipe.write_text(
        '[[branch]]\njoin = { use = "concat" }\nsteps = [{ use = "learned_metric" }, { use = "distances" }]\n'
    )
    options = ["--recipe", str(recipe), "--out", str(tmp_path / "out")]
    assert run.main(["--features", str(tmp_path / "b"), *options]) == 0
    assert "learned_metric" in capsys.readouterr().out
    assert any(
        "train_pid" in problem for problem in problems(run.main, ["--features", str(tmp_path / "a"), *options])
    )


def test_pictures_are_copied_under_their_new_names(tmp_path):
    pictures = tmp_path / "pictures"
    for side, count in (("query", 6), ("gallery", 18)):
        (pictures / side).mkdir(parents=True)
        for number in range(count):
            (pictures / side / f"{number:03d}.png").write_text(f"{side} {number}")
    path, new = folder(tmp_path / "a"), tmp_path / "new"
    options = ("--clusters", "6", "--images", str(pictures), "--pictures", str(new))
    found = grouped(path, tmp_path / "b", *options)[0]
    assert sorted(file.name for file in new.iterdir()) == sorted(found.train_table["name"])
    assert (new / "00000001_001_000020.png").read_text() == "query 1"
    assert (new / "00000001_002_000008.png").read_text() == "gallery 7"
    (pictures / "gallery" / "011.png").unlink()
    given = ["--features", str(path), "--out", str(tmp_path / "c"), *options]
    assert problems(main, given) == ["--images: wanted the pictures of all images, found none of 011.png"]
    assert not (tmp_path / "c").exists()


@each(
    ("options", "message"),
    [
        ([], "--clusters: wanted how many groups kmeans makes, found nothing"),
        (["--clusters", "25"], "--clusters: wanted at most 24, as there are images, found 25"),
        (["--clusters", "0"], "--clusters: wanted 1 or more, found 0"),
        (["--method", "dbscan", "--clusters", "3"], "--clusters: wanted --method kmeans"),
        (["--method", "dbscan", "--eps", "5"], "--eps: wanted 0 to 4, found 5"),
        (["--clusters", "3", "--images", "x"], "--pictures: wanted --images with it"),
        (["--clusters", "3", "--of", "train"], "--of: wanted train images without labels, found them nowhere"),
    ],
)
def test_refusals(options, message, tmp_path):
    path = tmp_path / "a"
    if not path.exists():
        folder(path)
    found = problems(main, ["--features", str(path), "--out", str(tmp_path / "b"), *options])
    assert any(problem.startswith(message) for problem in found), found
    assert not (tmp_path / "b").exists()


def test_the_folder_itself_is_not_written_over(tmp_path):
    path = folder(tmp_path / "a")
    with pytest.raises(Exception, match="wanted another folder than --features"):
        main(["--features", str(path), "--out", str(path), "--clusters", "3"])
