"""Every command that reads features says the same of them, and what reads runs says what these said."""

import json
from pathlib import Path

import numpy as np
import pytest

from ensemble import ablate, agreement, compare, evaluate, run, thresholds
from ensemble.tune import __main__ as tune
from tests.support.each import each
from tests.support.folders import arrays, listed

SIZES = {"query": 8, "gallery": 24}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models without names beside tables with a column of no use."""
    random = np.random.default_rng(0)
    path = tmp_path / "features"
    path.mkdir()
    people = random.normal(size=(8, 4))
    for model in ("a", "b"):
        noise = {side: 0.3 * random.normal(size=(count, 4)) for side, count in SIZES.items()}
        arrays(path, model, *((people[np.arange(len(n)) % 8] + n).astype(np.float32) for n in noise.values()))
    for side, count in SIZES.items():
        lines = [f"{side[0]}{at}.jpg,{at % 8},{at % 3 if side == 'gallery' else 7},sun" for at in range(count)]
        listed(path / f"{side}.csv", ["name,pid,cam,weather", *lines])
    return path


SAID = ("query.csv: columns that are not used: weather", "gallery: joined by position: ")


@each(
    ("main", "options"),
    [
        (run.main, []),
        (evaluate.main, ["--json"]),
        (tune.main, ["--on", "test", "--trials", "1", "--folds", "2"]),
        (tune.main, ["--unlabelled"]),
        (ablate.main, ["--json", "--resamples", "100"]),
        (thresholds.main, ["--json", "--folds", "2"]),
        (agreement.main, ["--json"]),
    ],
    ids=lambda value: value.__module__ if callable(value) else " ".join(value),
)
def test_every_command_says_it(
    main, options: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = ["--out", str(tmp_path / "out")] if main in (run.main, tune.main) else []
    recipe = [] if main is agreement.main else ["--recipe", "baseline"]
    if options == ["--unlabelled"]:
        recipe = ["--recipe", "kreciprocal"]
    assert main(["--features", str(folder), *recipe, *options, *out]) == 0
    printed = capsys.readouterr()
    for line in SAID:
        assert f"{line}" in (printed.err if "--json" in options else printed.out)
    if "--json" in options:
        json.loads(printed.out)


def test_a_run_keeps_it_for_who_reads_runs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        assert run.main(["--features", str(folder), "--recipe", "baseline", "--out", str(out)]) == 0
    capsys.readouterr()
    assert compare.main([*map(str, outs), "--resamples", "100"]) == 0
    printed = capsys.readouterr().out
    for out in outs:
        for line in SAID:
            assert any(part.startswith(f"note: {out}: ") and line in part for part in printed.splitlines())


def test_rank_lists_in_another_spelling(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "one.json").write_text(json.dumps({"Q/a.jpg": ["G/1.png", "G/2.png"], "Q/b.jpg": ["G/2.png"]}))
    listed(tmp_path / "query.csv", ["name,pid", "a.jpg,1", "b.jpg,2"])
    listed(tmp_path / "gallery.csv", ["name,pid", "1.jpg,1", "2.jpg,2"])
    listed(tmp_path / "gallery_names.txt", ["./2.jpg", "./1.jpg"])
    assert evaluate.main(["--rankings", str(tmp_path), "--protocol", "veri"]) == 0
    printed = capsys.readouterr().out
    assert "mAP 1.0000" in printed
    assert "gallery.csv: its names differ from those of" in printed
    assert "one.json: its query names differ from those wanted by folder (Q/a.jpg and a.jpg)" in printed
    assert (
        "one.json: its gallery names differ from those wanted by suffix and folder (G/1.png and ./1.jpg)"
        in printed
    )
