"""The command lines end to end, on the demo city and on real features."""

import json
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest

from ensemble import ablate, evaluate, io, run, validate
from ensemble.base.errors import InputError
from ensemble.neighbours import __main__ as neighbours
from ensemble.pipeline.rates import SLOWEST
from ensemble.tune import __main__ as tune
from postproc import distances, l2_normalize, rank, rerank, track_mean
from tests.support import forked
from tests.support.each import each


def refused(arguments: list[str], main=run.main) -> str:
    with pytest.raises(InputError) as caught:
        main(arguments)
    return "\n".join(caught.value.problems)


def test_fifth_place_on_the_demo(city, tmp_path, capsys):
    assert run.main(["--features", str(city), "--recipe", "aicity2020_5th", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    sets = {features.model: features for features in io.read_folder(city)}
    models = [sets[name] for name in ("densenet", "densenet_ALL", "mgn", "senet152")]
    query = np.concatenate([m.query for m in models], axis=1)
    data = models[0].data()
    gallery = np.concatenate([m.gallery for m in models], axis=1)
    gallery = track_mean(gallery, data["gallery_track"], data["gallery_order"], chunk=100)
    wanted = rank(rerank(query, gallery, k1=15, k2=6, lambda_value=0.5, power=4), top_k=100) + 1
    lines = (tmp_path / "track2.txt").read_text().splitlines()
    assert lines == [" ".join(map(str, row)) for row in wanted]

    names = ["--query-names", str(city / "name_query.txt"), "--gallery-names", str(city / "name_test.txt")]
    assert validate.main([str(tmp_path / "track2.txt"), *names]) == 0

    record = json.loads((tmp_path / "run.json").read_text())
    assert [step["step"] for step in record["steps"]] == ["read", *["model"] * 4, "concat", "track_mean", "rerank"]
    assert record["scores"]["mAP"] == pytest.approx(record["steps"][-1]["mAP"])
    assert f"mAP {record['scores']['mAP']:.4f}" in printed
    assert "top_k 100" in printed
    assert record["submission"] == "track2.txt"
    by_step = {step["step"]: step["mAP"] for step in record["steps"]}
    assert max(step["mAP"] for step in record["steps"][1:5]) < by_step["concat"] < by_step["track_mean"]
    assert all(len(digest) == 64 for digest in record["inputs"].values())
    assert str(city / "test_track_id.txt") in record["inputs"]


def test_tracks_and_cameras_help_where_they_are_true(city, tmp_path):
    assert run.main(["--features", str(city), "--recipe", "structure", "--out", str(tmp_path)]) == 0
    by_step = {step["step"]: step["mAP"] for step in json.loads((tmp_path / "run.json").read_text())["steps"]}
    chain = ["concat", "weighted_track_mean", "rerank_tracks", "mask_same_camera", "one_track_per_camera"]
    scores = [by_step[name] for name in chain]
    assert scores == sorted(scores)
    assert by_step["rewrite_tracks"] >= by_step["one_track_per_camera"] - 0.01


def test_resolved_recipe_runs_again_to_the_same_bytes(city, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    options = ["--features", str(city)]
    assert run.main([*options, "--recipe", "kreciprocal", "--set", "rerank.k1=9", "--out", str(first)]) == 0
    assert (
        run.main([*options, "--recipe", str(first / "recipe.toml"), "--threads", "3", "--out", str(second)]) == 0
    )
    assert (first / "track2.txt").read_bytes() == (second / "track2.txt").read_bytes()
    assert (first / "recipe.toml").read_bytes() == (second / "recipe.toml").read_bytes()
    resolved = tomllib.loads((first / "recipe.toml").read_text())
    assert resolved["branch"][0]["steps"] == [{"use": "rerank", "k1": 9, "k2": 6, "lambda_value": 0.3}]
    assert resolved["branch"][0]["models"] == ["densenet", "densenet_ALL", "mgn", "senet152"]


def test_without_labels_no_number_and_the_same_answer(city, tmp_path, capsys):
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in city.iterdir():
        if file.is_file() and file.suffix != ".csv":
            (bare / file.name).write_bytes(file.read_bytes())
    for folder in (city, bare):
        assert run.main(["--features", str(folder), "--out", str(tmp_path / folder.name)]) == 0
    printed = capsys.readouterr().out
    assert "no scores: these images have no labels" in printed
    assert json.loads((tmp_path / "bare" / "run.json").read_text())["scores"] is None
    assert (tmp_path / "bare" / "track2.txt").read_bytes() == (tmp_path / "city" / "track2.txt").read_bytes()
    assert "no labels" in refused(["--features", str(bare)], evaluate.main)


def test_labels_that_allow_no_score_cost_only_the_scores(tmp_path, capsys):
    rng = np.random.default_rng(0)
    query, gallery = (rng.normal(size=(n, 8)).astype(np.float32) for n in (3, 9))
    np.savez(
        tmp_path / "net.npz", query=query, gallery=gallery, query_pid=np.arange(3), gallery_pid=np.arange(9) + 50
    )
    assert run.main(["--features", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert "no scores: query_pid and gallery_pid: wanted a query with a match" in capsys.readouterr().out
    assert (tmp_path / "out" / "ranking.csv").exists()
    assert "wanted a query with a match" in refused(["--features", str(tmp_path)], evaluate.main)


def test_what_the_system_refuses_is_one_line(city, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    done = forked.command("run", "--features", str(city), "--out", str(tmp_path / "taken" / "out"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: 1 problem\n")
    assert "Traceback" not in done.stderr


def test_branches_joined_after_re_ranking(city, tmp_path):
    (tmp_path / "two.toml").write_text(
        """
        [[branch]]
        models = ["densenet"]
        steps = [{ use = "rerank" }]
        [[branch]]
        models = ["mgn"]
        steps = [{ use = "rerank" }]
        [join]
        use = "weighted_sum"
        weights = [1, 0.5]
        """
    )
    assert run.main(["--features", str(city), "--recipe", str(tmp_path / "two.toml"), "--out", str(tmp_path)]) == 0
    one, two = io.read(io.scan(city), ["densenet", "mgn"])
    joined = rerank(one.query, one.gallery) + np.float32(0.5) * rerank(two.query, two.gallery)
    wanted = rank(joined, top_k=100) + 1
    assert (tmp_path / "track2.txt").read_text().splitlines() == [" ".join(map(str, row)) for row in wanted]


def test_evaluate_prints_json_alone(city, capsys):
    options = ["--features", str(city), "--recipe", "baseline", "--json"]
    assert evaluate.main([*options, "--protocol", "market1501", "--ap", "trapezoid", "--cut", "50"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"mAP", "rank1", "rank5", "rank10", "mINP", "protocol"} <= set(found)
    assert found["protocol"]["ap"] == "trapezoid"
    assert found["protocol"]["top_k"] == 50
    assert 0 < found["mAP"] < found["rank10"] < 1


def test_names_without_numbers_get_a_table(tmp_path, capsys):
    rng = np.random.default_rng(0)
    query, gallery = (rng.normal(size=(n, 8)).astype(np.float32) for n in (3, 9))
    names = {"query_name": np.array(["x,1", 'y"2', "z"]), "gallery_name": np.array([f"img_{i}" for i in range(9)])}
    np.savez(tmp_path / "net.npz", query=query, gallery=gallery, **names)
    out = tmp_path / "out"
    assert run.main(["--features", str(tmp_path), "--recipe", "baseline", "--out", str(out)]) == 0
    assert "track2" not in capsys.readouterr().out
    lines = (out / "ranking.csv").read_text().splitlines()
    assert lines[0] == "query,rank,gallery,distance"
    near = distances(l2_normalize(query), l2_normalize(gallery), metric="cosine")
    assert lines[1].startswith(f'"x,1",1,img_{near[0].argmin()},')
    assert len(lines) == 1 + 3 * 9
    assert not (out / "track2.txt").exists()
    for side, file in (
        ("query", "name_query.txt"),
        ("gallery", "name_test.txt"),
    ):
        (tmp_path / file).write_text("".join(f"{name}\n" for name in names[f"{side}_name"]))
    assert run.main(["--features", str(tmp_path), "--recipe", "baseline", "--out", str(out)]) == 0
    assert "no track2.txt: gallery names: wanted names like 000123.jpg" in capsys.readouterr().out
    again = ["--features", str(tmp_path), "--recipe", str(out / "recipe.toml"), "--out", str(out)]
    assert run.main(again) == 0  # nobody asked for another
    asked = ["--features", str(tmp_path), "--recipe", "baseline", "--set", "submission=track2", "--out", str(out)]
    assert run.main(asked) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("submission: wanted track2, ")


def test_files_without_names_are_numbered_from_one(tmp_path):
    rng = np.random.default_rng(0)
    query, gallery = (rng.normal(size=(n, 8)).astype(np.float32) for n in (3, 9))
    np.savez(tmp_path / "net.npz", query=query, gallery=gallery)
    out = tmp_path / "out"
    options = ["--features", str(tmp_path), "--recipe", "baseline", "--set", "submission=track2"]
    assert run.main([*options, "--out", str(out)]) == 0
    wanted = rank(distances(l2_normalize(query), l2_normalize(gallery), metric="cosine")) + 1
    assert (out / "track2.txt").read_text().splitlines() == [" ".join(map(str, row)) for row in wanted]


def test_every_problem_before_anything_is_written(city, tmp_path):
    text = refused(
        [
            "--features",
            str(city),
            "--recipe",
            "kreciprocal",
            "--set",
            "rerank.k1=no",
            "--threads",
            "0",
            "--memory",
            "lots",
            "--out",
            str(tmp_path),
        ]
    )
    assert "--threads: wanted 1 or more, found 0" in text
    assert "--memory: wanted a size such as 4GB, found 'lots'" in text
    text = refused(["--features", str(city / "none"), "--recipe", "defualt"])
    assert "did you mean 'default'" in text
    assert "wanted a folder with feature files, found none" in text
    text = refused(
        [
            "--features",
            str(city),
            "--recipe",
            "kreciprocal",
            "--set",
            "rerank.k1=no",
            "--set",
            "rerank.lambda_value=2",
        ]
    )
    assert "k1: wanted a whole number, 1 or more, got 'no'" in text
    assert "--features" in refused([])
    assert not list(tmp_path.iterdir())


def test_memory_is_refused_with_the_figure(city, tmp_path):
    text = refused(["--features", str(city), "--memory", "100MB", "--out", str(tmp_path)])
    assert "--memory: wanted at most 0.10 GB, found that read (4 models) needs about 0." in text
    assert "GB, and " in text  # what needs the most
    assert run.main(["--features", str(city), "--memory", "2GB", "--out", str(tmp_path)]) == 0


def test_dry_run_reads_and_writes_nothing(city, tmp_path, capsys):
    assert run.main(["--features", str(city), "--dry-run", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "densenet, densenet_ALL, mgn, senet152: l2_normalize -> concat -> rerank" in printed
    assert "\nmemory " in printed
    assert printed.count("<- the most") == 1
    assert "predicted: about " in printed
    assert " of memory, " in printed
    assert "everything fits; nothing was read or written" in printed
    assert not (tmp_path / "out").exists()


def test_what_does_not_fit_says_what_to_set(city, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ensemble.cli.planning.free_memory", lambda: 10**7)
    arguments = ["--features", str(city), "--out", str(tmp_path / "out")]
    assert run.main([*arguments, "--dry-run"]) == 2
    printed = capsys.readouterr().out
    assert "0.01 GB are free" in printed
    assert "memory: wanted at most the 0.01 GB that are free, found that " in printed
    assert "fewer models" in printed
    assert "everything fits" not in printed
    with monkeypatch.context() as patch:
        patch.setattr(io, "read", None)  # nothing is read
        said = "memory: wanted at most the 0.01 GB that are free, found that "
        assert refused(arguments).startswith(said)
        labelled = ["--features", str(city), "--recipe", "baseline"]
        for command in (evaluate.main, ablate.main, tune.main, neighbours.main):
            where = [] if command is evaluate.main else ["--out", str(tmp_path / "out")]
            assert refused([*labelled, *where], command).startswith(said)
        assert not (tmp_path / "out").exists()
    monkeypatch.setenv("REID_MEMORY_CHECK", "0")  # the user may know better
    assert run.main([*arguments, "--dry-run"]) == 0
    capsys.readouterr()
    assert run.main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("predicted: about ")
    assert "note: memory: wanted at most the 0.01 GB that are free" in printed.err


def test_what_takes_long_says_so_first(city, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ensemble.pipeline.forecast.is_quick", lambda prediction: False)
    monkeypatch.setattr("ensemble.pipeline.rates.of_machine", lambda threads: SLOWEST)
    assert run.main(["--features", str(city), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    wanted = r"predicted: about \d+ s; at most 0\.\d\d GB of memory, .* are free\n"
    assert re.match(wanted, capsys.readouterr().out)


def test_what_is_soon_over_says_nothing(city, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ensemble.pipeline.rates.measured", lambda threads: 1 / 0)  # nothing is measured for it
    assert run.main(["--features", str(city), "--out", str(tmp_path / "out")]) == 0
    assert "predicted" not in capsys.readouterr().out


def test_sizes_need_a_unit(tmp_path):
    nowhere = ["--features", str(tmp_path / "none")]  # options are looked at whatever the folder holds
    for given in ("4", "0.5", "4000000000"):
        text = refused([*nowhere, "--memory", given])
        assert f"--memory: wanted a size with its unit, such as 4GB, found '{given}'; write {given}GB" in text
    assert "wanted 1MB or more, found '4KB'" in refused([*nowhere, "--memory", "4KB"])
    for given in ("GB", "-4GB", "4 parsecs", "", "nanGB", "1e400GB", "4GBGB"):
        assert "--memory: wanted a size such as 4GB" in refused([*nowhere, f"--memory={given}"])


def test_lists(capsys):
    assert run.main(["--list-steps"]) == 0
    assert run.main(["--list-recipes"]) == 0
    printed = capsys.readouterr().out
    assert "track_mean: Replace each gallery feature by the mean over its track" in printed
    assert "    lambda_value = 0.3" in printed
    assert "aicity2020_5th: AI City 2020" in printed


def test_a_device_that_is_not_there(city, tmp_path, monkeypatch):
    options = ["--features", str(city), "--out", str(tmp_path / "out"), "--device"]
    assert refused([*options, "gpu"]) == "--device: wanted cpu, cuda or cuda:N, found 'gpu'"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    wanted = "--device: wanted a CUDA device for 'cuda:1', found none; "
    for main in (run.main, evaluate.main, tune.main):
        found = refused(
            [*options, "cuda:1"] if main is not evaluate.main else [*options[:2], "--device", "cuda:1"], main
        )
        assert found.startswith(wanted)
        assert "-m pip install " in found
        assert "numba-cuda[cu" in found
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "wanted the packages for 'cuda', found no torch; " in refused([*options, "cuda"])
    assert not (tmp_path / "out").exists()


def test_as_a_process(city, tmp_path):
    """Exit status, stderr, and no progress output where nobody watches."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "ensemble.run",
        "--features",
        str(city),
        "--out",
        str(tmp_path),
        "--recipe",
        "baseline",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == str(tmp_path / "run.json")
    done = forked.command("run", "--features", str(city), "--out", str(tmp_path), "--recipe", "nope")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: 1 problem\n  recipe: wanted one of")


@each(
    ("model", "rank1"),
    [("osnet_x0_25", 36.08), ("omz0288", 39.08), ("omz0287", 53.96), ("omz0286", 58.23), ("omz0277", 65.19)],
)
def test_viper_at_its_known_levels(shared, tmp_path, capsys, model, rank1):
    viper = np.load(shared / "viper_feats.npz")
    sides = {"query": viper["cam"] == viper["cam"].min(), "gallery": viper["cam"] == viper["cam"].max()}
    content = {}
    for side, rows in sides.items():
        content |= {side: viper[model][rows], f"{side}_pid": viper["id"][rows], f"{side}_cam": viper["cam"][rows]}
    np.savez(tmp_path / f"{model}.npz", **content)
    assert evaluate.main(["--features", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 100 * found["rank1"] == pytest.approx(rank1, abs=0.16)  # one query of 632 is 0.16
