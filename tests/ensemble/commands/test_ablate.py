"""What a recipe can do without: which recipes that makes, and what they score."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from ensemble import ablate, evaluate
from ensemble.base.errors import InputError
from ensemble.io import Folder, read, scan
from ensemble.pipeline import plan, recipe
from ensemble.pipeline.run import Run
from ensemble.pipeline.variants import named, variants, with_branches, with_models, with_steps
from ensemble.scores import score
from ensemble.scores.protocols import PROTOCOLS
from postproc import distances, rank

COLUMNS = frozenset({"query", "gallery", "query_cam", "gallery_cam", "gallery_track", "query_pid", "gallery_pid"})
SIZES = {"query": 12, "gallery": 30}
TWO = {
    "top_k": 100,
    "join": {"use": "weighted_sum", "weights": [1.0, 0.5]},
    "steps": [{"use": "mask_same_camera"}],
    "branch": [
        {
            "name": "looks",
            "models": ["a", "b", "c"],
            "each": [{"use": "l2_normalize"}],
            "join": {"use": "concat", "weights": [1.0, 2.0, 3.0]},
            "steps": [{"use": "rerank", "k1": 9}],
        },
        {"models": ["d"], "each": [{"use": "l2_normalize"}], "steps": [{"use": "rerank", "k1": 9}]},
    ],
}


def checked(content: dict, *models: str) -> plan.Plan:
    return plan.check(
        recipe.parse(content, "mine"), Folder(Path("features"), dict.fromkeys(models, ()), COLUMNS, ())
    )


def report(capsys, *arguments: str) -> dict:
    assert ablate.main([*arguments, "--json", "--resamples", "200"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(arguments: list[str]) -> str:
    with pytest.raises(InputError) as caught:
        ablate.main(arguments)
    return "\n".join(caught.value.problems)


def test_every_change_by_name():
    found = {variant.what: variant.plan for variant in variants(checked(TWO, "a", "b", "c", "d"))}
    assert list(found) == [
        *("only a", "only b", "only c", "only d = without looks"),
        *("without a", "without b", "without c", "without d = only looks"),
        "without l2_normalize (branch 1, each 1)",
        "distances instead of rerank (branch 1, steps 1)",
        "without l2_normalize (branch 2, each 1)",
        "distances instead of rerank (branch 2, steps 1)",
        "without mask_same_camera",
        "without l2_normalize everywhere",
        "distances instead of rerank everywhere",
    ]


def test_weights_go_with_what_they_weigh():
    full = named(checked(TWO, "a", "b", "c", "d"))
    fewer = with_models(full, {"a", "c", "d"})
    assert fewer.branches[0].models == ("a", "c")
    assert fewer.branches[0].join.settings["weights"] == [1.0, 3.0]
    assert fewer.join.settings["weights"] == [1.0, 0.5]
    one = with_models(full, {"d"})
    assert [branch.models for branch in one.branches] == [("d",)]
    assert one.join is None
    assert with_branches(full, [0, 1]) == full
    assert with_branches(full, [1]).join is None
    assert with_steps(full, lambda use: use) == full
    assert [use.name for use in with_steps(full, lambda use: None).uses()] == ["concat", "weighted_sum"]
    assert full.branches[0].join.settings["weights"] == [1.0, 2.0, 3.0]


def test_two_ways_to_one_recipe_are_one_row():
    content = {"branch": [{"models": ["a", "b"], "join": {"use": "concat"}, "steps": [{"use": "distances"}]}]}
    found = {variant.what: variant for variant in variants(checked(content, "a", "b"))}
    assert list(found) == ["only a = without b", "only b = without a", "without distances"]
    assert found["without distances"].plan is None
    assert "wanted distances at the end" in found["without distances"].why


def test_one_model_and_one_step_leave_nothing_to_leave_out():
    content = {"branch": [{"models": ["a"], "steps": [{"use": "distances"}]}]}
    assert [variant.what for variant in variants(checked(content, "a"))] == ["without distances"]


def test_rows_are_the_scores_of_their_recipes(city, tmp_path, capsys):
    options = ["--features", str(city), "--recipe", "structure"]
    found = report(capsys, *options, "--out", str(tmp_path / "out"))
    rows = {row["what"]: row for row in found["rows"]}
    assert evaluate.main([*options, "--json"]) == 0
    assert rows["all"]["mAP"] == pytest.approx(json.loads(capsys.readouterr().out)["mAP"], abs=1e-12)

    content = recipe.load("structure").as_toml()
    content["steps"] = [use for use in content["steps"] if use["use"] != "one_track_per_camera"]
    content["branch"][0]["models"] = ["mgn"]
    for what, changed in (
        ("without one_track_per_camera", content | {"branch": recipe.load("structure").as_toml()["branch"]}),
        ("only mgn", content | {"steps": recipe.load("structure").as_toml()["steps"]}),
    ):
        (tmp_path / "changed.toml").write_text(tomli_w.dumps(changed))
        assert evaluate.main(["--features", str(city), "--recipe", str(tmp_path / "changed.toml"), "--json"]) == 0
        direct = json.loads(capsys.readouterr().out)
        assert rows[what]["mAP"] == pytest.approx(direct["mAP"], abs=1e-12)
        assert rows[what]["rank1"] == pytest.approx(direct["rank1"])

    changes = [row for row in found["rows"][1:] if row["mAP"] is not None]
    for row in changes:
        assert row["difference"] == pytest.approx(row["mAP"] - rows["all"]["mAP"], abs=1e-12)
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["p"] <= row["p_corrected"] <= 1
    assert f"corrected for {len(changes)} comparisons" in found["method"]
    assert rows["without mask_same_camera"]["difference"] < 0
    assert rows["distances instead of rerank_tracks"]["mAP"] is not None
    assert rows["all"]["difference"] is None
    assert json.loads((tmp_path / "out" / "ablation.json").read_text()) == found
    with (tmp_path / "out" / "ablation.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["what"] for line in lines] == list(rows)
    assert float(lines[1]["mAP"]) == rows[lines[1]["what"]]["mAP"]


def test_the_table_is_readable(city, tmp_path, capsys):
    options = ["--features", str(city), "--recipe", "baseline", "--resamples", "200", "--threads", "1"]
    assert ablate.main([*options, "--csv", str(tmp_path / "t.csv")]) == 0
    captured = capsys.readouterr()
    lines = [line for line in captured.out.splitlines() if not line.startswith("note: ")]
    assert captured.err == ""
    assert lines[0].startswith("baseline: AP ")
    assert lines[1].split() == ["what", "mAP", "rank-1", "difference", "interval", "p", "seconds"]
    assert lines[2].startswith("all ")
    assert len({len(line) for line in lines[1:11]}) == 1
    assert "without distances" in captured.out
    assert "needed: " in captured.out
    assert (
        (tmp_path / "t.csv")
        .read_text()
        .startswith("what,mAP,rank1,difference,low,high,p,p_corrected,seconds,note\n")
    )


def test_branches_joined_by_weight(city, tmp_path, capsys):
    (tmp_path / "two.toml").write_text(
        """
        [[branch]]
        models = ["densenet"]
        steps = [{ use = "rerank" }]
        [[branch]]
        name = "small"
        models = ["mgn", "senet152"]
        join = { use = "concat", weights = [1, 2] }
        steps = [{ use = "rerank" }]
        [join]
        use = "weighted_sum"
        weights = { densenet = 1, small = 0.5 }
        """
    )
    found = report(capsys, "--features", str(city), "--recipe", str(tmp_path / "two.toml"))
    rows = {row["what"]: row for row in found["rows"]}
    assert {"only mgn", "without mgn", "only densenet = without small", "without densenet = only small"} <= set(
        rows
    )
    assert all(row["note"] == "" for row in found["rows"])


@pytest.fixture
def tiny(tmp_path) -> Path:
    """Two models of 8 values, 12 queries of 4 identities."""
    random = np.random.default_rng(0)
    labels = {"query_pid": np.arange(12) % 4, "gallery_pid": np.arange(30) % 4}
    means = random.normal(size=(4, 8))
    for model in "ab":
        sides = {side: means[labels[f"{side}_pid"]] + random.normal(size=(n, 8)) for side, n in SIZES.items()}
        content = {side: rows.astype(np.float32) for side, rows in sides.items()} | labels
        np.savez(tmp_path / f"{model}.npz", **content)
    return tmp_path


def test_queries_may_be_taken_for_independent(tiny, capsys):
    options = ["--features", str(tiny), "--recipe", "baseline"]
    once, again, apart = (report(capsys, *options, *more) for more in ([], [], ["--independent"]))
    assert [{**row, "seconds": 0} for row in once["rows"]] == [{**row, "seconds": 0} for row in again["rows"]]
    assert "by identity" in once["method"]
    assert "by query" in apart["method"]
    assert [row["difference"] for row in once["rows"]] == [row["difference"] for row in apart["rows"]]
    assert [row["low"] for row in once["rows"]] != [row["low"] for row in apart["rows"]]


def test_a_variant_that_cannot_run_has_a_row_that_says_so(tiny, capsys, monkeypatch):
    def run_of_two(plan, *arguments, **settings):
        if len(plan.all_models) == 1:
            raise InputError(["baseline, branch 1: too few values"])
        return Run(plan, *arguments, **settings)

    monkeypatch.setattr("ensemble.pipeline.ablation.Run", run_of_two)
    options = ["--features", str(tiny), "--recipe", "baseline"]
    found = report(capsys, *options)
    rows = {row["what"]: row for row in found["rows"]}
    assert list(rows)[:3] == ["all", "only a = without b", "only b = without a"]
    assert rows["only a = without b"]["note"] == "does not run: baseline, branch 1: too few values"
    assert rows["only a = without b"]["mAP"] is None
    assert rows["without distances"]["note"].startswith("needed: ")
    tested = [row for row in found["rows"] if row["p"] is not None]
    assert [row["what"] for row in tested] == ["without l2_normalize"]
    assert tested[0]["p"] == tested[0]["p_corrected"]
    assert ablate.main(options) == 0
    assert "does not run" in capsys.readouterr().out


def test_rank_lists_in_the_place_of_features(city, tmp_path, capsys):
    for file in ("query.csv", "gallery.csv", "name_query.txt", "name_test.txt"):
        shutil.copy(city / file, tmp_path / file)
    for features in read(scan(city), ["densenet", "mgn"]):
        rows = rank(distances(features.query, features.gallery), top_k=100) + 1
        lines = "".join(" ".join(map(str, row)) + "\n" for row in rows)
        (tmp_path / f"{features.model}.txt").write_text(lines)
    found = report(capsys, "--rankings", str(tmp_path))
    rows = {row["what"]: row for row in found["rows"]}
    assert list(rows) == ["all", "only densenet = without mgn", "only mgn = without densenet"]
    assert rows["only mgn = without densenet"]["difference"] < 0
    alone = read(scan(city), ["mgn"])[0]
    direct = score(
        distances(alone.query, alone.gallery),
        alone.query_table["pid"],
        alone.gallery_table["pid"],
        protocol=PROTOCOLS["aicity"],
    )
    assert rows["only mgn = without densenet"]["mAP"] == pytest.approx(direct.mAP)


def test_refuses_a_folder_without_labels(city, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(city, bare, ignore=shutil.ignore_patterns("*.csv"))
    found = refused(["--features", str(bare), "--out", str(tmp_path / "out")])
    assert "wanted labels, found none; give query.csv and gallery.csv a pid column" in found
    assert not (tmp_path / "out").exists()


def test_refuses_bad_input(city):
    assert "--features: wanted a folder" in refused([])
    assert "--resamples: wanted 100 or more, found 3" in refused(["--features", str(city), "--resamples", "3"])
    assert "did you mean 'default'" in refused(["--features", str(city), "--recipe", "defualt"])
