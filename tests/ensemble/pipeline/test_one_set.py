"""A folder with one side: each image against all others, in reading, runs, scores and files."""

import csv
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble import convert, evaluate, io, run
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.pipeline import memory
from ensemble.scores import PROTOCOLS, score, score_ranking
from postproc import distances, rerank_multiscale
from postproc.testing import world
from tests.support.each import each

WORLD = world(ng=60, people=12)
IMAGES, PID, CAM = WORLD["gallery"], WORLD["gallery_pid"], WORLD["gallery_cam"]
NAMES = np.array([f"{row:03d}.jpg" for row in range(len(IMAGES))])
INSIDE = ~np.eye(len(IMAGES), dtype=bool)


def folder(path, called="images", table="images.csv", **more):
    path.mkdir(parents=True, exist_ok=True)
    np.savez(path / f"{called}_osnet.npz", features=IMAGES, names=NAMES, **more)
    rows = [("name", "pid", "cam"), *zip(NAMES, PID, CAM, strict=True)]
    if table:
        (path / table).write_text("".join(f"{a},{b},{c}\n" for a, b, c in rows))
    return path


def read(path):
    (found,) = io.read_folder(path)
    return found


def by_hand(far):
    """Mean AP and rank-1 with loops: all others of the identity, but those of the same camera, are good."""
    found = []
    for i, row in enumerate(far):
        left = [
            j for j in np.argsort(row, kind="stable") if j != i and not (PID[j] == PID[i] and CAM[j] == CAM[i])
        ]
        good = [PID[j] == PID[i] for j in left]
        if any(good):
            places = np.flatnonzero(good)
            found.append((np.mean([(n + 1) / (place + 1) for n, place in enumerate(places)]), good[0]))
    return np.mean([ap for ap, _ in found]), np.mean([first for _, first in found])


@each(("called", "table"), [("images", "images.csv"), ("gallery", "gallery.csv"), ("images", "gallery.csv")])
def test_one_side_is_one_set(tmp_path, called, table):
    found = read(folder(tmp_path, called, table))
    assert found.one_set
    assert found.query is found.gallery
    assert found.query_table is found.gallery_table
    assert_array_equal(found.gallery, IMAGES)
    assert found.gallery_table["pid"].tolist() == PID.tolist()
    assert {"query", "query_cam", "gallery_cam"} <= io.scan(tmp_path).columns
    assert any("one set" in note for note in io.scan(tmp_path).notes)


def test_labels_may_stand_in_files_of_their_own(tmp_path):
    folder(tmp_path, table=None)
    np.save(tmp_path / "images_pid.npy", PID)
    (tmp_path / "images.txt").write_text("".join(f"{name}\n" for name in NAMES[::-1]))
    found = read(tmp_path)
    assert found.gallery_table["name"].tolist() == NAMES[::-1].tolist()
    assert_array_equal(found.gallery, IMAGES[::-1])
    assert found.gallery_table["pid"].tolist() == PID.tolist()  # in the order of the list


def test_a_query_anywhere_makes_two_sides(tmp_path):
    folder(tmp_path, "gallery", None)
    (tmp_path / "query.csv").write_text("name,pid\nq.jpg,1\n")
    with pytest.raises(
        InputError, match=r"gallery_osnet.npz: wanted a query file beside it, found none; add query_"
    ):
        io.scan(tmp_path)
    (tmp_path / "query.csv").unlink()
    np.savez(tmp_path / "query_other.npz", features=IMAGES[:2], names=NAMES[:2])
    with pytest.raises(InputError) as caught:
        io.scan(tmp_path)
    assert len([line for line in caught.value.problems if "wanted a" in line]) == 2


def test_the_same_images_on_both_sides_are_noticed(tmp_path, capsys):
    folder(tmp_path / "in", "query", None)
    folder(tmp_path / "in", "gallery", None)
    assert (
        run.main(["--features", str(tmp_path / "in"), "--recipe", "default", "--out", str(tmp_path / "out")]) == 0
    )
    said = capsys.readouterr()
    assert "query and gallery are the same 60 images, so each counts twice" in said.out + said.err
    notes = json.loads((tmp_path / "out/run.json").read_text())["notes"]
    assert any("query and gallery are the same 60 images" in note for note in notes)


def test_a_run_answers_with_all_others(tmp_path):
    out = tmp_path / "out"
    assert run.main(["--features", str(folder(tmp_path / "in")), "--recipe", "default", "--out", str(out)]) == 0
    rows = list(csv.DictReader((out / "ranking.csv").read_text().splitlines()))
    answers = {}
    for row in rows:
        answers.setdefault(row["query"], []).append(row["gallery"])
    unit = IMAGES / np.linalg.norm(IMAGES, axis=1, keepdims=True)
    wanted = rerank_multiscale(unit, top_k=59).rows
    assert [answers[name] for name in NAMES] == [NAMES[row].tolist() for row in wanted]
    kept = json.loads((out / "run.json").read_text())
    scores = kept["scores"]
    assert any("of their 10 nearest in common" in note for note in kept["notes"])
    mAP, first = by_hand(rerank_multiscale(unit))
    assert scores["mAP"] == pytest.approx(mAP, abs=1e-6)
    assert scores["rank1"] == pytest.approx(first, abs=1e-6)


def test_scores_of_arrays_take_one_set():
    far = distances(IMAGES)
    mAP, first = by_hand(far)
    found = score(far, PID, query_cam=CAM)
    assert (found.mAP, found.cmc[0]) == (pytest.approx(mAP), pytest.approx(first))
    assert score(far, PID, PID, CAM, CAM).mAP == found.mAP  # its labels, given twice
    plain = distances(IMAGES, IMAGES)  # with its zeros: no image is its own answer all the same
    assert score(plain, PID, query_cam=CAM).mAP == pytest.approx(mAP)
    listed = distances(IMAGES, top_k=len(IMAGES)).rows
    assert score_ranking(listed, PID, query_cam=CAM).mAP == pytest.approx(mAP)
    assert score(far, PID, protocol=PROTOCOLS["market1501_official"], query_cam=CAM).mAP < 1
    with pytest.raises(ValueError, match=r"^gallery_pid: wanted identities of the gallery too, found 3 x 60"):
        score(far[:3], PID[:3])


@each("recipe", ["baseline", "default"])
def test_memory_is_predicted_once_a_set(tmp_path, recipe):
    from ensemble.pipeline.plan import check
    from ensemble.pipeline.recipe import load

    one, two = folder(tmp_path / "one"), folder(tmp_path / "two", "gallery", None)
    np.savez(two / "query_osnet.npz", features=IMAGES + 1, names=NAMES)

    def held(path):
        plan = check(load(recipe), io.scan(path))
        return (
            memory.predict(
                plan, io.sizes(plan.folder, list(plan.all_models)), protocol=PROTOCOLS["market1501"], scored=False
            )
            .stages[0]
            .bytes
        )

    assert held(one) < held(two)


def test_evaluate_and_convert(tmp_path, capsys):
    path = folder(tmp_path / "in")
    assert evaluate.main(["--features", str(path), "--recipe", "baseline"]) == 0
    mAP, _ = by_hand(distances(IMAGES, metric="cosine"))
    assert f"mAP {mAP:.4f}" in capsys.readouterr().out
    assert evaluate.main(["--features", str(path), "--splits", "2"]) == 0
    with pytest.raises(InputError, match=r"^--multi-query: wanted queries, found one set"):
        evaluate.main(["--features", str(path), "--multi-query"])
    assert convert.main(["--features", str(path), "--out", str(tmp_path / "own")]) == 0
    with np.load(tmp_path / "own/osnet.npz") as file:
        assert sorted(file) == ["gallery", "gallery_cam", "gallery_name", "gallery_pid"]
    assert_array_equal(read(tmp_path / "own").gallery, IMAGES)
    assert read(tmp_path / "own").one_set


def test_rows_of_one_set():
    found = FeatureSet(model="m", **_sides(), one_set=True)
    part = found.take(gallery=np.array([4, 2]))
    assert part.one_set
    assert part.query_table["name"].tolist() == [NAMES[4], NAMES[2]]
    assert (
        found.take(query=np.array([1]), gallery=np.array([0, 1, 2])).query_table["name"].tolist()
        == NAMES[:3].tolist()
    )
    apart = found.take(query=np.array([1]), gallery=np.array([0, 2]))
    assert not apart.one_set
    assert apart.query_table["name"].tolist() == [NAMES[1]]
    with pytest.raises(ValueError, match=r"^m: wanted the same images on both sides of one set"):
        found.take(query=np.array([1, 5]), gallery=np.array([0, 1]))


def _sides():
    import pandas as pd

    table = pd.DataFrame({"name": NAMES})
    return {"query": IMAGES, "gallery": IMAGES, "query_table": table, "gallery_table": table}


@each(
    ("use", "settings"),
    [
        ("graph_fusion", {}),
        ("graph_fusion", {"ranking": "pagerank"}),
        ("unsupervised_reliability", {}),
        ("unsupervised_reliability", {"join": "ranks"}),
        ("calibrated", {"pairs": 500}),
        ("calibrated", {"order": 0.0}),
        ("trained_query_adaptive", {}),
    ],
)
def test_joins_of_features_take_one_set(use, settings):
    """An image counts once, and its own pair nowhere: whatever it is, the answer for the others stays."""
    from ensemble.pipeline import joins

    train = {"train": WORLD["train"], "train_pid": WORLD["train_pid"]}
    alone = np.setdiff1d(np.arange(len(IMAGES)), [0, 5, 17])  # copies tie by their places
    models, inside = [IMAGES[alone], IMAGES[alone, :9].copy()], ~np.eye(len(alone), dtype=bool)
    parts = [{"query": x, "gallery": x, **train, "train": train["train"][:, : x.shape[1]]} for x in models]
    found = joins.apply(use, parts, settings, one_set=True)["distances"]
    assert_array_equal(np.diagonal(found), np.inf)
    assert np.isfinite(found[inside]).all()
    order = np.random.default_rng(0).permutation(len(alone))
    turned = [{**part, "query": part["query"][order], "gallery": part["gallery"][order]} for part in parts]
    again = joins.apply(use, turned, settings, one_set=True)["distances"]
    near = np.isclose(again, found[np.ix_(order, order)], rtol=0, atol=2e-6)
    assert near.mean() > (0.9 if use == "graph_fusion" else 0.999)  # a graph's ties go by the places of images


def test_calibrated_probabilities_of_one_set_are_those_of_its_pairs():
    from ensemble.fusion import calibrated

    given = [WORLD["train"]], WORLD["train_pid"]
    alone = calibrated([IMAGES], None, *given, order=0.0)
    twice = calibrated([IMAGES], [IMAGES], *given, order=0.0)
    np.testing.assert_allclose(alone[INSIDE], twice[INSIDE], rtol=0, atol=1e-5)
