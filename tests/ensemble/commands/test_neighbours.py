"""Lists on the command line, and runs that take them."""

import json
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import postproc
from ensemble import run
from ensemble.base.errors import InputError
from ensemble.neighbours import __main__ as command
from ensemble.neighbours import engines, lists, source
from postproc.pairs import long_lists
from tests.ensemble.neighbours.test_lists import same
from tests.postproc.pairs.test_parted import features
from tests.support import folders
from tests.support.each import each

RERANK = """about = "a trial"
[[branch]]
each = [{ use = "l2_normalize" }]
join = { use = "concat" }
steps = [{ use = "rerank", k1 = 6, k2 = 3, lambda_value = 0.3 }]
"""


def written(folder: Path, models: int = 1, *, seed: int = 0) -> Path:
    """Models ``m0``, … of 40 queries and 260 gallery images, labelled, not of unit length."""
    folder.mkdir(parents=True)
    for side, count, start in (("query", 40, 0), ("gallery", 260, 1)):
        for model in range(models):
            rows = features(count, 12, seed=seed * 100 + 10 * model + start) * 3
            np.save(folder / f"{side}_m{model}.npy", rows)
        lines = [f"{side}{i}.jpg,{i % 20},{i % 3}" for i in range(count)]
        folders.listed(folder / f"{side}.csv", ["name,pid,cam", *lines])
    return folder


def normal(folder: Path, model: str) -> list[np.ndarray]:
    return [postproc.l2_normalize(np.load(folder / f"{side}_{model}.npy")) for side in ("query", "gallery")]


def make(folder: Path, out: Path, *options: str) -> int:
    return command.main(["--features", str(folder), "--out", str(out), "--k", "12", *options])


def refused(*arguments: str, by=command.main) -> str:
    with pytest.raises(InputError) as caught:
        by(list(arguments))
    return str(caught.value)


def test_lists_of_what_the_recipe_compares(tmp_path, capsys):
    folder = written(tmp_path / "in", models=2)
    assert make(folder, tmp_path / "graph") == 0
    both = [np.concatenate(pair, axis=1) for pair in zip(normal(folder, "m0"), normal(folder, "m1"), strict=True)]
    same(postproc.NeighbourLists.load(tmp_path / "graph"), postproc.neighbours(*both, k=12))
    text = capsys.readouterr().out
    assert "40 + 260 x 24 as distances compares them, k = 12; 1 worker" in text
    assert text.splitlines()[-1].startswith(
        f"{tmp_path / 'graph'}: the 12 nearest of 40 queries and 260 gallery images"
    )
    assert make(folder, tmp_path / "one", "--model", "m1") == 0
    same(postproc.NeighbourLists.load(tmp_path / "one"), postproc.neighbours(*normal(folder, "m1"), k=12))


def test_a_run_takes_them_and_gives_the_same_bytes(tmp_path, capsys):
    folder, recipe = written(tmp_path / "in", models=2), tmp_path / "recipe.toml"
    recipe.write_text(RERANK)
    common = ["--features", str(folder), "--recipe", str(recipe)]
    assert make(folder, tmp_path / "graph", "--recipe", str(recipe)) == 0
    run.main([*common, "--out", str(tmp_path / "with"), "--neighbours", str(tmp_path / "graph")])
    assert f"note: --neighbours: {tmp_path / 'graph'}: the 12 nearest of 40 queries" in capsys.readouterr().out
    run.main([*common, "--out", str(tmp_path / "without")])
    names = {path.name for path in (tmp_path / "with").iterdir()} - {"run.json"}  # which has times
    assert len(names) > 2
    for name in names:
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    notes = json.loads((tmp_path / "with" / "run.json").read_text())["notes"]
    assert any("the 12 nearest of 40 queries and 260 gallery images" in note for note in notes)
    run.main(["--features", str(folder), "--neighbours", str(tmp_path / "graph"), "--dry-run"])
    assert capsys.readouterr().out.splitlines()[-1] == "everything fits; nothing was read or written"
    with pytest.raises(InputError, match="lists"):
        run.main(["--features", str(folder), "--neighbours", str(tmp_path / "graph"), "--recipe", "default"])


def test_a_run_refuses_what_fits_nowhere(tmp_path):
    folder, recipe = written(tmp_path / "in"), tmp_path / "recipe.toml"
    recipe.write_text(RERANK)
    make(written(tmp_path / "other", seed=1), tmp_path / "graph", "--recipe", str(recipe))
    common = ["--features", str(folder), "--out", str(tmp_path / "out"), "--neighbours"]
    found = refused(*common, str(tmp_path / "graph"), "--recipe", str(recipe), by=run.main)
    digest = postproc.NeighbourLists.load(tmp_path / "graph").digest
    assert f"found lists of 40 queries and 260 gallery images, features {digest[:8]}, where rerank has 40" in found
    found = refused(*common, str(tmp_path / "graph"), "--recipe", "baseline", by=run.main)
    assert "wanted a recipe with a step that takes neighbour lists, as kreciprocal, found none" in found
    found = refused(*common, str(tmp_path / "nothing"), "--recipe", str(recipe), by=run.main)
    assert "wanted a folder with neighbours.json, found none" in found
    assert not (tmp_path / "out").exists()
    make(folder, tmp_path / "own", "--recipe", str(recipe))
    path = tmp_path / "own" / "distances.npy"
    path.write_bytes(path.read_bytes()[:-7])
    found = refused(*common, str(tmp_path / "own"), "--recipe", str(recipe), by=run.main)
    assert "wanted a whole .npy file, found a damaged one" in found


def test_lists_that_are_too_short_are_refused(tmp_path):
    folder, recipe = written(tmp_path / "in"), tmp_path / "recipe.toml"
    recipe.write_text(RERANK)
    make(folder, tmp_path / "graph", "--recipe", str(recipe), "--k", "4")
    found = refused(
        "--features", str(folder), "--out", str(tmp_path / "out"), "--recipe", str(recipe), "--neighbours",
        str(tmp_path / "graph"), by=run.main,
    )  # fmt: skip
    assert "wanted lists of k = 6 or more, found k = 4" in found


def test_approximate_lists_are_told_of(tmp_path, capsys):
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    folder, recipe = written(tmp_path / "in"), tmp_path / "recipe.toml"
    recipe.write_text(RERANK)
    options = ["--recipe", str(recipe), "--approximate", "faiss", "--probes", "1"]
    assert make(folder, tmp_path / "graph", *options) == 0
    told = capsys.readouterr()
    assert "on a sample" in told.out
    assert "is below 0.98: re-ranking by these lists will differ" in told.err
    common = ["--features", str(folder), "--recipe", str(recipe), "--out", str(tmp_path / "out")]
    run.main([*common, "--neighbours", str(tmp_path / "graph")])
    assert "the lists are approximate, of recall 0." in capsys.readouterr().out


@each(("options", "words"), [
    (["--k", "0"], "--k: wanted 1 or more, found 0"),
    (["--workers", "0"], "--workers: wanted 1 or more, found 0"),
    (["--memory", "4"], "--memory: wanted a size with its unit, such as 4GB, found '4'"),
    (["--memory", "20MB"], "--memory: wanted "),
    (["--device", "cuda"], "--device: "),
    (["--probes", "3"], "--probes: wanted --approximate too, found none"),
    (["--approximate", "hnsw"], "--approximate: wanted one of faiss, faiss-hnsw, found 'hnsw'"),
    (["--model", "m7"], "--model: wanted one of m0, found 'm7'"),
    (["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "not allowed with argument"),
])  # fmt: skip
def test_options_are_refused(tmp_path, options, words):
    folder = written(tmp_path / "in")
    with pytest.raises(InputError) as caught:
        make(folder, tmp_path / "graph", *options)
    assert words in str(caught.value)
    assert not (tmp_path / "graph").exists()
    assert not (tmp_path / "graph.work").exists()


def test_lists_are_as_long_as_an_answer_in_tasks_wants():
    query, gallery = np.zeros((40, 2)), np.zeros((260, 2))
    assert source.enough([gallery], 200) == 208  # everybody but the image itself, and 8 more
    assert source.enough([query, gallery], 200) == -(-208 * 300 // 260) - 1
    assert source.enough([query, gallery], 20) == source.FEWEST
    assert source.enough([np.zeros((9000, 2)), gallery], 200) == long_lists.LONGEST


def test_several_kinds_of_features_are_refused(tmp_path):
    folder, recipe = written(tmp_path / "in", models=2), tmp_path / "recipe.toml"
    recipe.write_text(
        'about = "two"\n[[branch]]\neach = [{ use = "distances" }]\njoin = { use = "weighted_sum" }\n'
    )
    found = refused("--features", str(folder), "--out", str(tmp_path / "graph"), "--recipe", str(recipe))
    assert "wanted one kind of features that are compared, found 2 kinds (m0, m1); give --model" in found
    assert make(folder, tmp_path / "graph", "--recipe", str(recipe), "--model", "m1") == 0


def test_a_scheduler_that_is_not_there_is_a_sentence(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    monkeypatch.setattr(engines, "PATIENCE", 1.0)
    folder = written(tmp_path / "in")
    found = refused("--features", str(folder), "--out", str(tmp_path / "g"), "--scheduler", "tcp://127.0.0.1:1")
    assert "--scheduler: wanted a Dask scheduler at tcp://127.0.0.1:1, found none" in found
    make(folder, tmp_path / "graph")
    found = refused(
        "--features", str(folder), "--out", str(tmp_path / "out"), "--neighbours", str(tmp_path / "graph"),
        "--recipe", "kreciprocal", "--scheduler", "tcp://127.0.0.1:1", by=run.main,
    )  # fmt: skip
    assert "--scheduler: wanted a Dask scheduler at tcp://127.0.0.1:1, found none" in found
    assert not (tmp_path / "out").exists()


def unlabelled(folder: Path) -> Path:
    written(folder)
    for side in ("query", "gallery"):
        (folder / f"{side}.csv").unlink()
    return folder


def test_a_run_in_tasks_gives_the_same_bytes(tmp_path, capsys):
    """As a large set, which goes by candidates in one process too."""
    folder, recipe = unlabelled(tmp_path / "in"), tmp_path / "recipe.toml"
    recipe.write_text(RERANK.replace('"a trial"', '"a trial"\ntop_k = 9'))
    make(folder, tmp_path / "graph", "--recipe", str(recipe), "--k", "30")
    common = ["--features", str(folder), "--recipe", str(recipe), "--neighbours", str(tmp_path / "graph")]
    run.main([*common, "--out", str(tmp_path / "tasks"), "--workers", "1"])
    assert "note: rerank: " in capsys.readouterr().err
    run.main([*common, "--out", str(tmp_path / "tasks"), "--workers", "1", "--dry-run"])
    assert "; rerank is done by workers, and is not in this" in capsys.readouterr().out
    with patch.object(long_lists, "cheaper", lambda *sizes: True):
        run.main([*common, "--out", str(tmp_path / "here")])
    written_files = ["ranking.csv", "recipe.toml"]
    for name in written_files:
        assert (tmp_path / "tasks" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph", "here", "in", "recipe.toml", "tasks"]


@each(("options", "lines", "words"), [
    ([], "", "--workers: wanted --neighbours too, found none"),
    (["--neighbours", "GRAPH", "--device", "cuda"], "", "--device: wanted cpu, where tasks run, found cuda"),
    (["--neighbours", "GRAPH", "--memory", "4"], "", "--memory: wanted a size with its unit"),
    (["--neighbours", "GRAPH"], "camera_penalty = 0.1", "camera_penalty: wanted 0 with --workers, found 0.1"),
    (["--neighbours", "GRAPH"], "baseline", "wanted a recipe that ends in rerank and compares features"),
    (["--neighbours", "GRAPH"], "", "wanted a run that looks at the first of every list alone, found"),
])  # fmt: skip
def test_runs_in_tasks_that_cannot_be(tmp_path, options, lines, words):
    folder, recipe = written(tmp_path / "in"), tmp_path / "recipe.toml"
    recipe.write_text(RERANK.replace("lambda_value = 0.3", f"lambda_value = 0.3{', ' * ('=' in lines)}{lines}"))
    if lines == "baseline":
        recipe.write_text('about = "one"\n[[branch]]\neach = [{ use = "distances" }]\n')
    if options == ["--neighbours", "GRAPH"]:
        make(folder, tmp_path / "graph", "--recipe", str(recipe))
    options = [str(tmp_path / "graph") if word == "GRAPH" else word for word in options]
    common = ["--features", str(folder), "--recipe", str(recipe), "--out", str(tmp_path / "out")]
    assert words in refused(*common, "--workers", "1", *options, by=run.main)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.rerank.work").exists()


def test_two_workers_as_a_process(tmp_path):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    folder = written(tmp_path / "in")
    module = [sys.executable, "-W", "error", "-m", "ensemble.neighbours"]
    options = ["--features", str(folder), "--out", str(tmp_path / "graph"), "--k", "12", "--workers", "2"]
    done = subprocess.run([*module, *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    same(postproc.NeighbourLists.load(tmp_path / "graph"), postproc.neighbours(*normal(folder, "m0"), k=12))
    assert not lists.work_of(tmp_path / "graph").exists()
