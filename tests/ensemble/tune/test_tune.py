"""Folds, what varies, and the command line of the tuner."""

import csv
import json
import sqlite3
import sys
import tomllib
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble import evaluate, io, run
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.pipeline import advice, plan, recipe
from ensemble.pipeline.changes import override
from ensemble.scores import folds
from ensemble.scores.protocols import PROTOCOLS
from ensemble.tune import __main__ as command
from ensemble.tune import honest, space, study, trials, unlabelled
from tests.support import cities
from tests.support.disk import little_room
from tests.support.each import each
from tests.support.folders import problems

RECIPE = """
protocol = "market1501"
[[branch]]
each  = [{ use = "l2_normalize" }]
join  = { use = "concat" }
steps = [{ use = "rerank", k1 = 20, k2 = 6, lambda_value = 0.3 }]
"""


def table(pid, cam, prefix: str) -> pd.DataFrame:
    return pd.DataFrame({"name": [f"{prefix}{i}" for i in range(len(pid))], "pid": pid, "cam": cam})


def people(count: int = 40, cameras: int = 4, noise: tuple[float, ...] = (0.45, 0.5, 3.0), seed: int = 0):
    """One query and four gallery images an identity, of which each model sees as much as its noise leaves."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(count, 12))
    pid = np.repeat(np.arange(count), cameras + 1)
    cam = np.tile([*range(cameras), 0], count)
    order = np.tile(np.arange(cameras + 1), count)
    query, gallery = order == cameras, order < cameras
    sets = []
    for number, amount in enumerate(noise):
        x = (centre[pid] + amount * rng.normal(size=(len(pid), 12))).astype(np.float32)
        sets.append(
            FeatureSet(
                f"model{number}",
                x[query],
                x[gallery],
                table(pid[query], cam[query], "q"),
                table(pid[gallery], cam[gallery], "g"),
            )
        )
    return sets


@pytest.fixture(scope="session")
def crowd(tmp_path_factory):
    """Three models in a folder, and a recipe whose k1 is far too large for four images an identity."""
    folder = tmp_path_factory.mktemp("tune") / "crowd"
    folder.mkdir()
    for found in people():
        io.write_npz(folder / f"{found.model}.npz", found)
    (folder.parent / "recipe.toml").write_text(RECIPE)
    return folder


def arguments(folder, out, *more: str) -> list[str]:
    recipe = str(folder.parent / "recipe.toml")
    return [
        "--features",
        str(folder),
        "--recipe",
        recipe,
        "--out",
        str(out),
        "--folds",
        "3",
        "--threads",
        "1",
        "--on",
        "test",
        *more,
    ]


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def refused(arguments: list[str]) -> str:
    return "\n".join(problems(command.main, arguments))


# Folds


@given(
    pids=st.lists(st.integers(-1, 30), min_size=30, max_size=120),
    count=st.integers(2, 4),
    seed=st.integers(0, 3),
)
def test_folds_are_disjoint_by_identity_and_complete(pids, count, seed):
    gallery_pid = np.array(pids)
    query_pid = np.unique(gallery_pid)[::2]
    if (np.intersect1d(query_pid, gallery_pid) >= 0).sum() < 2 * count:
        with pytest.raises(InputError, match=r"wanted .* identities with a query"):
            folds.split(query_pid, gallery_pid, folds=count, seed=seed)
        return
    parts = folds.split(query_pid, gallery_pid, folds=count, seed=seed)
    nobody = (gallery_pid < 0) | ((gallery_pid == 0) & (0 not in query_pid))
    every = np.concatenate([part.pids for part in parts])
    assert len(set(every.tolist())) == len(every)
    assert set(every.tolist()) == set(gallery_pid[~nobody].tolist()) | set(query_pid[query_pid >= 0].tolist())
    asked = np.concatenate([part.query for part in parts])
    assert_array_equal(np.sort(asked), np.flatnonzero(query_pid >= 0))
    for part in parts:
        assert set(query_pid[part.query].tolist()) <= set(part.pids.tolist())
        held = np.isin(gallery_pid, part.pids) & ~nobody
        assert_array_equal(part.gallery, np.flatnonzero(held | nobody))  # nobody's images are in every fold
        assert np.isin(query_pid[part.query], gallery_pid[part.gallery]).any()


def test_folds_are_balanced_and_follow_the_seed():
    gallery_pid = np.repeat(np.arange(40), np.arange(40) % 7 + 1)
    query_pid = np.arange(40)
    one, same, other = (folds.split(query_pid, gallery_pid, folds=4, seed=seed) for seed in (1, 1, 2))
    sizes = [len(part.gallery) + len(part.query) for part in one]
    assert max(sizes) - min(sizes) <= 8  # no more than one identity
    assert all((a.pids == b.pids).all() for a, b in zip(one, same, strict=True))
    assert any(set(a.pids) != set(b.pids) for a, b in zip(one, other, strict=True))


def test_distractor_identities_are_dealt_out_too():
    query_pid = np.arange(1, 7)
    gallery_pid = np.array([1, 2, 3, 4, 5, 6, 20, 21, 22, 0, -1])
    parts = folds.split(query_pid, gallery_pid, folds=3, seed=0)
    for part in parts:
        assert {9, 10} <= set(part.gallery.tolist())  # pid 0 and -1: nobody
        assert len({6, 7, 8} & set(part.gallery.tolist())) == 1


def test_pid_0_is_somebody_where_a_query_has_it():
    parts = folds.split(np.arange(6), np.arange(6), folds=3, seed=0)
    assert sorted(np.concatenate([part.gallery for part in parts]).tolist()) == list(range(6))


@given(
    images=st.lists(st.tuples(st.integers(-1, 6), st.integers(0, 3)), min_size=1, max_size=50),
    seed=st.integers(0, 3),
)
def test_queries_are_one_a_camera_and_find_somebody(images, seed):
    pid, cam = np.array(images).T
    query, gallery = folds.draw_queries(pid, cam, seed=seed)
    assert_array_equal(np.sort(np.concatenate([query, gallery])), np.arange(len(pid)))
    pairs = list(zip(pid[query], cam[query], strict=True))
    assert len(set(pairs)) == len(pairs)
    for person, camera in pairs:
        assert person >= 0
        assert ((pid[gallery] == person) & (cam[gallery] != camera)).any()
    for person in set(pid[pid >= 0].tolist()):
        if len(set(cam[pid == person].tolist())) > 1:
            assert person in pid[query]


def test_queries_by_hand():
    #            0     1     2     3     4     5     6
    pid = np.array([5, 5, 5, 5, 8, 8, 9])
    cam = np.array([1, 1, 2, 2, 1, 2, 1])
    query, gallery = folds.draw_queries(pid, cam, seed=0)
    asked = set(zip(pid[query].tolist(), cam[query].tolist(), strict=True))
    assert {(5, 1), (5, 2)} <= asked  # two images in each of two cameras: one of each
    assert len(asked & {(8, 1), (8, 2)}) == 1  # of two images one has to stay and be found
    assert (pid[gallery] == 9).any()  # one camera only: in the gallery
    without, _ = folds.draw_queries(pid, None, seed=0)
    assert sorted(pid[without].tolist()) == [5, 8]  # no cameras: one query an identity


def test_held_out_identities_reach_no_other_fold(crowd):
    sets = {found.model: found for found in io.read_folder(crowd)}
    data = sets["model0"].data()
    parts = folds.split(data["query_pid"], data["gallery_pid"], folds=3, seed=0)
    seen = [set(part["model0"].data()["gallery_pid"].tolist()) for part in trials.parts(sets, parts)]
    for number, people in enumerate(seen):
        others = set().union(*(seen[:number] + seen[number + 1 :]))
        assert not people & others


def trained(cams: bool = True) -> dict[str, FeatureSet]:
    rng = np.random.default_rng(0)
    pid = np.repeat(np.arange(24), 6)
    columns = {"name": [f"t{i}" for i in range(len(pid))], "pid": pid}
    if cams:
        columns["cam"] = np.tile([0, 0, 1, 1, 2, 2], 24)
    x = (rng.normal(size=(24, 8))[pid] + 0.3 * rng.normal(size=(len(pid), 8))).astype(np.float32)
    names = [pd.DataFrame({"name": [f"{side}{i}" for i in range(5)]}) for side in "qg"]
    return {"m": FeatureSet("m", x[:5], x[5:10], *names, x, pd.DataFrame(columns))}


def test_train_becomes_queries_and_gallery():
    (found,) = folds.from_train(trained(), learn=False, seed=0).values()
    assert found.train is None
    assert len(found.query) == 24 * 3  # one a camera
    assert len(found.gallery) == 24 * 3
    assert set(found.query_table["name"]).isdisjoint(found.gallery_table["name"])
    assert set(found.query_table["pid"]) == set(range(24))


def test_half_of_train_stays_with_what_learns():
    (found,) = folds.from_train(trained(), learn=True, seed=0).values()
    learned = set(found.train_table["pid"])
    assert len(learned) == 12
    assert learned.isdisjoint(found.query_table["pid"])
    assert learned.isdisjoint(found.gallery_table["pid"])


# The choice


def test_a_fold_is_judged_by_what_the_others_chose():
    scores = [
        [0.6, 0.6, 0.6],  # trial 0
        [0.9, 0.5, 0.5],  # trial 1: lucky in fold 0
        [0.3, 0.7, 0.7],  # trial 2
        [np.nan, np.nan, np.nan],  # refused
    ]
    found = honest.judge(scores)
    # fold 0: means over folds 1, 2 are 0.6, 0.5, 0.7   -> trial 2, which has 0.3 there
    # fold 1: means over folds 0, 2 are 0.6, 0.7, 0.5   -> trial 1, 0.5; fold 2 alike
    assert found.chosen.tolist() == [2, 1, 1]
    assert found.held_out.tolist() == [0.3, 0.5, 0.5]
    assert found.best == 1  # means over all: 0.6, 0.6333, 0.5667


@given(seed=st.integers(0, 50), count=st.integers(2, 5))
def test_the_reported_score_is_never_better_than_the_best(seed, count):
    scores = np.random.default_rng(seed).random((20, count))
    found = honest.judge(scores)
    assert found.held_out.mean() <= scores.max(axis=0).mean()
    for fold in range(count):
        changed = scores.copy()
        changed[:, fold] = np.random.default_rng(seed + 1).random(
            20
        )  # what a fold says has no say in its own choice
        assert honest.judge(changed).chosen[fold] == found.chosen[fold]


def test_luck_alone_gains_nothing():
    """Trials that are all equally good: the best of them looks good, the held-out score does not."""
    best, held_out = [], []
    for seed in range(200):
        scores = np.random.default_rng(seed).normal(size=(50, 4))
        found = honest.judge(scores)
        best.append(scores[found.best].mean())
        held_out.append(found.held_out.mean())
    assert np.mean(best) > 1
    assert abs(np.mean(held_out)) < 0.15


# What varies


def planned(crowd, text: str = RECIPE) -> plan.Plan:
    return plan.check(recipe.parse(tomllib.loads(text), "mine"), io.scan(crowd))


def test_what_is_usual(crowd):
    found = space.read([], planned(crowd))
    ranges = {setting.name: (setting.low, setting.high, setting.whole) for setting in found.settings}
    assert ranges == {
        "rerank.k1": (2, 80, True),
        "rerank.k2": (1, 24, True),
        "rerank.lambda_value": (0, 1, False),
        "rerank.power": (0.5, 8, False),
    }
    assert [(join.name, join.low, join.high) for join in found.joins] == [("concat", 0.1, 10)]


def test_what_is_named(crowd):
    texts = ["rerank.k1=4..60", "rerank.power=2,4", "rerank.lambda_value=0.1..0.5:log", "rerank.normalize"]
    found = {setting.name: setting for setting in space.read(texts, planned(crowd)).settings}
    assert (found["rerank.k1"].low, found["rerank.k1"].high, found["rerank.k1"].whole) == (4, 60, True)
    assert found["rerank.power"].choices == (2, 4)
    assert found["rerank.lambda_value"].log
    assert found["rerank.normalize"].choices == (False, True)
    assert space.read(["concat.weights=0.5..2"], planned(crowd)).joins[0].low == 0.5


def test_a_usual_range_stays_where_the_step_allows(crowd):
    text = RECIPE.replace('"rerank", k1 = 20, k2 = 6, lambda_value = 0.3', '"diffusion"')
    found = {setting.name: setting for setting in space.read([], planned(crowd, text)).settings}
    assert 0.99 <= found["diffusion.alpha"].high < 1


@each(
    ("text", "wanted"),
    [
        ("rerunk", "wanted a step or join of the recipe.*did you mean 'rerank'"),
        ("rerank.lamda_value", "wanted a setting.*did you mean 'lambda_value'"),
        ("rerank.k1=60..4", "wanted two numbers, the smaller first"),
        ("rerank.k1=0.5..4", "wanted whole numbers"),
        ("rerank.k1=-3..4", "k1: wanted a whole number, 1 or more"),
        ("rerank.lambda_value=0..2", "lambda_value: wanted 0 to 1"),
        ("rerank.lambda_value=0..1:log", "wanted two numbers above 0"),
        ("rerank.k1=5", "wanted LOW..HIGH or two values or more"),
        ("rerank=5..6", "wanted STEP.SETTING=VALUES"),
        ("rerank.top_k", "wanted values for it, since it is null now"),
        ("concat.weights=0..3", "wanted two numbers above 0"),
    ],
)
def test_refuses_what_cannot_vary(crowd, text, wanted):
    with pytest.raises(InputError, match=wanted):
        space.read([text], planned(crowd))


def test_every_wrong_text_is_named_at_once(crowd):
    assert len(problems(space.read, ["rerunk", "rerank.k9", "concat.weights=a"], planned(crowd))) == 3


def test_a_candidate_becomes_a_recipe(crowd):
    found = space.read([], planned(crowd))
    candidate = found.start()
    assert found.recipe(candidate).as_toml() == planned(crowd).recipe.as_toml() | {
        "branch": [
            {
                **planned(crowd).recipe.as_toml()["branch"][0],
                "steps": [{"use": "rerank", "k1": 20, "k2": 6, "lambda_value": 0.3, "power": 2.0}],
            }
        ]
    }
    candidate["settings"]["rerank.k1"] = 7
    candidate["models"]["0"], candidate["weights"]["0"] = ["model0", "model2"], [1.0, 0.25]
    changed = found.recipe(candidate).as_toml()["branch"][0]
    assert changed["models"] == ["model0", "model2"]
    assert changed["join"] == {"use": "concat", "weights": [1.0, 0.25]}
    assert changed["steps"][0]["k1"] == 7
    candidate["models"]["0"], candidate["weights"]["0"] = ["model1"], [1.0]
    assert "join" not in found.recipe(candidate).as_toml()["branch"][0]


def test_objectives():
    assert trials.objective("mAP@100") == trials.Objective("mAP", 100)
    assert trials.objective("rank1").name == "rank1"
    for text in ("map", "mAP@", "mAP@0", "rank2", ""):
        with pytest.raises(InputError, match="--objective: wanted one of mAP"):
            trials.objective(text)


@each("protocol", ["market1501", "aicity"])
def test_what_is_kept_changes_no_score(crowd, protocol):
    sets = {found.model: found for found in io.read_folder(crowd)}
    data = sets["model0"].data()
    parts = trials.parts(sets, folds.split(data["query_pid"], data["gallery_pid"], folds=3, seed=0))
    searched = space.read([], planned(crowd))
    kept, plain = (
        trials.Bench(io.scan(crowd), parts, PROTOCOLS[protocol], "mAP", kept=kept) for kept in (1 << 28, 0)
    )
    candidate = searched.start()
    for k1, k2, weight in ((20, 6, 1.0), (9, 3, 1.0), (9, 3, 1.0), (70, 1, 1.0), (9, 3, 0.5), (9, 3, 1.0)):
        candidate["settings"] |= {"rerank.k1": k1, "rerank.k2": k2}
        candidate["weights"]["0"] = [1.0, weight, weight]
        assert kept(searched.recipe(candidate)) == plain(searched.recipe(candidate))
    assert kept.store is not None
    assert kept.store.hits > 0


# Will it help?


def labels(images: int, count: int = 20) -> dict[str, np.ndarray]:
    return {"query_pid": np.arange(count), "gallery_pid": np.repeat(np.arange(count), images)}


def test_warns_where_identities_have_two_images():
    default = recipe.load("kreciprocal")
    (line,) = advice.warnings(default, advice.positives(labels(2)))
    assert "k1 = 20" in line
    assert "2 images" in line
    assert "--set rerank.k1=2" in line
    assert advice.warnings(default, advice.positives(labels(7))) == []
    assert advice.warnings(recipe.load("baseline"), advice.positives(labels(1))) == []
    assert advice.warnings(default, advice.positives({})) == []
    assert advice.warnings(default, advice.positives({"query_pid": [1], "gallery_pid": [2]})) == []


def test_counts_tracks_for_track_steps():
    used = recipe.load("structure")  # rerank_tracks, k1 = 7
    found = labels(60) | {"gallery_track": np.arange(20 * 60) // 60}
    assert advice.positives(found) == advice.Positives(60, 1)
    assert advice.warnings(used, advice.Positives(60, 2.4)) == []
    assert advice.warnings(used, advice.Positives(60, None)) == []
    assert "1 track of" in advice.warnings(override(used, ["rerank_tracks.k1=12"]), advice.Positives(60, 1))[0]


def test_warns_on_cuhk01(shared):
    with np.load(shared / "cuhk01_feats.npz") as found:
        pid, cam = found["id"], found["cam"]
    halves = {"query_pid": pid[cam == cam.min()], "gallery_pid": pid[cam == cam.max()]}
    (line,) = advice.warnings(recipe.load("kreciprocal"), advice.positives(halves))
    assert "2 images" in line


def test_run_and_evaluate_warn_and_go_on(crowd, tmp_path, capsys):
    options = ["--features", str(crowd), "--recipe", "kreciprocal"]
    assert run.main([*options, "--set", "rerank.k1=13", "--out", str(tmp_path)]) == 0
    assert "warning: rerank looks at k1 = 13" in capsys.readouterr().err
    assert evaluate.main([*options, "--set", "rerank.k1=12"]) == 0  # three times four images
    assert "warning" not in capsys.readouterr().err


# Without labels


def test_guesses():
    track = {"gallery_track": np.repeat(np.arange(10), 25)}
    assert unlabelled.guess(track, 5, 250, images=None, tracks=None).images == pytest.approx(60)
    assert unlabelled.guess(track, 5, 250, images=None, tracks=2).tracks == 2
    assert unlabelled.guess(track, 5, 250, images=50, tracks=None).tracks == 2
    assert unlabelled.guess({}, 1052, 18290, images=None, tracks=None).images == pytest.approx(52.2, abs=0.1)
    assert unlabelled.guess({}, 100, 10, images=None, tracks=None).images == 1
    found = unlabelled.propose(unlabelled.Guess(20, 2.4, ""))
    assert found == {"image": (14, 5), "track": (6, 2)}


def test_unlabelled_writes_a_recipe_and_says_what_it_is(tmp_path, capsys):
    city = cities.few(tmp_path / "city")
    (city / "query.csv").unlink()
    (city / "gallery.csv").unlink()
    for path in city.glob("train*"):
        path.unlink()
    options = ["--features", str(city), "--out", str(tmp_path / "out"), "--recipe", "kreciprocal"]
    assert command.main([*options, "--unlabelled", "--images-per-identity", "30"]) == 0
    printed = capsys.readouterr().out
    assert "heuristic and only a start point" in printed
    assert "rerank.k1=21, rerank.k2=7" in printed
    written = tomllib.loads((tmp_path / "out" / "recipe.toml").read_text())
    assert written["branch"][0]["steps"] == [{"use": "rerank", "k1": 21, "k2": 7, "lambda_value": 0.3}]
    assert run.main(["--features", str(city), "--recipe", str(tmp_path / "out" / "recipe.toml"),
                     "--out", str(tmp_path / "run")]) == 0  # fmt: skip
    assert command.main([*options, "--unlabelled"]) == 0
    assert "median" in capsys.readouterr().out
    assert "wanted labels to tune on" in refused(options)
    assert "wanted a step with k1 and k2" in refused([*options, "--recipe", "baseline", "--unlabelled"])


# End to end


def test_tuned_beats_the_default_on_held_out_folds(crowd, tmp_path, capsys):
    assert command.main(arguments(crowd, tmp_path, "--trials", "40")) == 0
    captured = capsys.readouterr()
    record = json.loads((tmp_path / "tuning.json").read_text())
    assert record["gain"]["mean"] > 0.02
    assert min(record["gain"]["folds"]) >= 0
    assert f"mAP {record['held_out']['mean']:.4f} ± {record['held_out']['sd']:.4f}" in captured.out
    assert "warning: rerank looks at k1 = 20" in captured.err
    assert "model2" not in record["chosen"]["models"]["0"] or record["chosen"]["weights"]["0"][-1] < 0.5
    assert record["chosen"]["settings"]["rerank.k1"] < 20
    assert sorted(chain(*record["identities"])) == list(range(40))
    rows = table_of(tmp_path / "trials.csv")
    assert len(rows) == record["trials"] == 40
    assert [row["kind"] for row in rows[:2]] == ["recipe", "greedy"]
    by_fold = np.array([[float(row[f"fold_{n}"]) for n in (1, 2, 3)] for row in rows])
    assert honest.judge(by_fold).held_out.tolist() == record["held_out"]["folds"]

    again = ["--features", str(crowd), "--recipe", str(tmp_path / "recipe.toml")]
    assert evaluate.main([*again, "--json"]) == 0
    tuned = json.loads(capsys.readouterr().out)["mAP"]
    assert evaluate.main(["--features", str(crowd), "--recipe", str(crowd.parent / "recipe.toml"), "--json"]) == 0
    assert tuned > json.loads(capsys.readouterr().out)["mAP"]


def results(out) -> list[bytes]:
    return [(out / name).read_bytes() for name in ("recipe.toml", "tuning.json", "trials.csv")]


def test_same_seed_same_bytes_and_a_continued_study_is_one_study(crowd, tmp_path):
    one, two, parts = tmp_path / "one", tmp_path / "two", tmp_path / "parts"
    command.main(arguments(crowd, one, "--trials", "15"))
    command.main(arguments(crowd, two, "--trials", "15", "--threads", "2"))
    assert results(one) == results(two)
    for trials_in_all in ("4", "12", "15", "9"):  # inside the selection, inside the search; 15 are there
        command.main(arguments(crowd, parts, "--trials", trials_in_all))
    assert results(one) == results(parts)
    command.main(arguments(crowd, tmp_path / "other", "--trials", "2", "--seed", "1"))
    assert results(one)[2][:500] != results(tmp_path / "other")[2][:500]


def test_another_study_is_refused(crowd, tmp_path):
    study = str(tmp_path / "s.db")
    options = ["--trials", "2", "--study", study]
    command.main(arguments(crowd, tmp_path, *options))
    for change, said in (
        (["--seed", "1"], "wanted a study of seed 1, found one of 0"),
        (["--folds", "4"], "wanted a study of folds 4, found one of 3"),
        (["--objective", "rank1"], "wanted a study of objective 'rank1', found one of 'mAP'"),
        (["--set", "rerank.k1=9"], "wanted a study of recipe"),
        (["--search", "rerank.k2"], "wanted a study of search"),
    ):
        assert said in refused([*arguments(crowd, tmp_path, *options), *change])
    (tmp_path / "text.db").write_text("no study")
    said = refused(arguments(crowd, tmp_path, "--trials", "2", "--study", str(tmp_path / "text.db")))
    assert "wanted a study, or no such file yet" in said
    with sqlite3.connect(study) as database:
        assert database.execute("select count(*) from trials").fetchone() == (2,)
    database.close()
    with little_room(1 << 14):
        said = refused(arguments(crowd, tmp_path, "--trials", "2", "--study", str(tmp_path / "full.db")))
    assert "full.db: wanted to write it, but found: " in said
    assert not (tmp_path / "full.db").exists()


def searched(crowd, run, trials: int, texts: tuple[str, ...] = ("rerank.k1=2..9",), **more) -> list[study.Trial]:
    return study.Search(space.read(texts, planned(crowd)), run, seed=0, trials=trials, **more)()


def test_what_a_step_refuses_is_left_out(crowd):
    def run(candidate):
        if candidate["settings"]["rerank.k1"] in (4, 5, 6):
            raise InputError(["k1: not these"])
        return [candidate["settings"]["rerank.k1"] / 100, 0.1]

    done = searched(crowd, run, 30, select=False)
    assert [trial.kind for trial in done] == ["recipe", "start", *["search"] * 28]
    left_out = [trial for trial in done if trial.scores is None]
    assert {trial.candidate["settings"]["rerank.k1"] for trial in left_out} <= {4, 5, 6}
    assert {trial.refused for trial in left_out} == {"k1: not these"}
    assert len(left_out) < 15  # and the estimator turns to the others

    def never(candidate):
        raise InputError(["rerank: never"])

    with pytest.raises(InputError, match="rerank: never"):
        searched(crowd, never, 30)


def test_greedy_selection_by_hand(crowd):
    """Alone 0.5, 0.4, 0.3; the second makes the first better, twice the first still better, the third never."""
    worth = {(1, 0, 0): 0.5, (0, 1, 0): 0.4, (0, 0, 1): 0.3, (1, 1, 0): 0.6, (1, 0.5, 0): 0.7, (1, 1, 1): 0.1}
    tried = []

    def run(candidate):
        weights = dict(zip(candidate["models"]["0"], candidate["weights"]["0"], strict=True))
        tried.append(tuple(weights.get(f"model{i}", 0) for i in range(3)))
        return [worth.get(tried[-1], 0.2)] * 2

    done = searched(crowd, run, 100, ("concat.weights",))
    by_kind = [trial.kind for trial in done]
    greedy = tried[1 : by_kind.index("start")]
    assert greedy[:3] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert greedy[3:5] == [(1, 1, 0), (1, 0, 1)]
    assert greedy[5:7] == [(1, 0.5, 0), (0.5, 1, 0)]  # 2:1 and 1:2; all three together is trial 0
    start = done[by_kind.index("start")]
    assert start.candidate["models"]["0"] == ["model0", "model1"]
    assert start.candidate["weights"]["0"] == [1.0, 0.5]
    search = [trial.candidate["weights"]["0"] for trial in done if trial.kind == "search"]
    assert all(first == 1 and 0.05 <= second <= 5 for first, second in search)
    assert len(done) == 100

    tried.clear()
    searched(crowd, run, 100)  # nothing is to be weighed: every model once at most
    assert {weight for weights in tried for weight in weights} <= {0, 1}


def test_without_optuna_the_remedy_is_named(crowd, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert 'pip install "optuna>=4"' in refused(arguments(crowd, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_all_models_and_one_setting(crowd, tmp_path):
    more = ("--trials", "5", "--search", "rerank.lambda_value", "--all-models", "--objective", "rank1@5")
    command.main(arguments(crowd, tmp_path, *more))
    record = json.loads((tmp_path / "tuning.json").read_text())
    assert record["chosen"]["models"]["0"] == ["model0", "model1", "model2"]
    assert record["objective"] == "rank1@5"
    assert "top_k 5" in record["protocol"]


@each(
    ("more", "said"),
    [
        (["--folds", "30"], "wanted 60 identities with a query and a gallery image for 30 folds, found 40"),
        (["--folds", "1"], "--folds: wanted 2 or more, found 1"),
        (["--trials", "0", "--seed", "-1"], "--trials: wanted 1 or more, found 0\n--seed"),
        (["--images-per-identity", "3"], "is for --unlabelled"),
        (["--objective", "map"], "--objective: wanted one of mAP"),
        (["--search", "rerank.lambda"], "found 'lambda'; did you mean 'lambda_value'"),
        (["--recipe", "none_such"], "wanted one of"),
    ],
)
def test_refuses_bad_options(crowd, tmp_path, more, said):
    assert said in refused(arguments(crowd, tmp_path / "out", *more))
    assert not (tmp_path / "out").exists()


def test_fifth_place_on_the_demo(tmp_path, capsys):
    city, out = cities.few(tmp_path / "city"), tmp_path / "out"
    options = ["--features", str(city), "--recipe", "aicity2020_5th", "--out", str(out), "--folds", "2"]
    assert command.main([*options, "--trials", "9", "--on", "test"]) == 0
    record = json.loads((out / "tuning.json").read_text())
    assert record["protocol"].startswith("AP rectangle")
    assert record["labels"] == record["on"] == "test"
    assert "tuned on query and gallery: what is scored on them" in capsys.readouterr().out
    assert run.main(["--features", str(city), "--recipe", str(out / "recipe.toml"), "--out", str(out)]) == 0
    assert (out / "track2.txt").exists()


def test_train_alone_is_tuned_on(tmp_path, capsys):
    folder = tmp_path / "train"
    folder.mkdir()
    for name, found in trained().items():
        io.write_npz(folder / f"{name}.npz", found)
    (tmp_path / "recipe.toml").write_text(
        '[[branch]]\nsteps = [{ use = "learned_metric", method = "kissme" }, { use = "rerank", k1 = 6 }]'
    )
    options = arguments(folder, tmp_path / "out", "--folds", "2", "--trials", "4", "--on", "train")
    assert command.main(options) == 0
    assert "tuned on train: " in capsys.readouterr().out
    assert "held-out folds of train)" in (tmp_path / "out" / "recipe.toml").read_text()
    assert "wanted labels to tune on, a pid column in query.csv" in refused([*options, "--on", "test"])
    record = json.loads((tmp_path / "out" / "tuning.json").read_text())
    assert len(list(chain(*record["identities"]))) == 12  # the other half is what the metric was learned from
    assert record["labels"] == "train"


def test_the_test_set_is_tuned_on_only_where_that_is_asked_for(crowd, tmp_path):
    options = arguments(crowd, tmp_path / "out")
    said = refused([word for word in options if word not in ("--on", "test")])
    assert "found them for query and gallery alone, which is the test set; give train, or --on test" in said
    assert "--on: is for a search" in refused([*options, "--unlabelled"])
    assert not (tmp_path / "out").exists()


def test_train_is_tuned_on_where_the_test_set_has_labels_too(tmp_path, capsys):
    folder = tmp_path / "both"
    folder.mkdir()
    for found in people():
        names = [f"t{i}" for i in range(2 * len(found.query))]
        told = pd.DataFrame({"name": names, "pid": [*found.query_table["pid"]] * 2})  # of unknown cameras
        train = np.vstack([found.query, found.query + 0.1])
        io.write_npz(folder / f"{found.model}.npz", replace(found, train=train, train_table=told))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    options = arguments(folder, tmp_path / "out", "--trials", "1", "--on", "train")
    assert command.main(options) == 0
    assert "tuned on train: " in capsys.readouterr().out
    assert "wanted a study of on 'test', found one of 'train'" in refused([*options, "--on", "test"])
    (tmp_path / "recipe.toml").write_text('steps = [{ use = "mask_same_camera" }]' + RECIPE)
    assert "mask_same_camera" in refused(options)
    assert "since it is tuned on train, found no gallery_cam, query_cam; give it, or --on test" in refused(options)


def test_too_few_identities(tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for found in people(count=3):
        io.write_npz(folder / f"{found.model}.npz", found)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    assert "found 3; label more images" in refused(arguments(folder, tmp_path / "out"))
