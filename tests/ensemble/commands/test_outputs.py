"""What commands leave behind: all of a run or nothing, and nothing of an earlier one that misleads."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ensemble import run, submissions
from ensemble.base.errors import InputError
from ensemble.io import Unwritable
from ensemble.pipeline import results
from ensemble.tune import __main__ as tune
from tests.support.disk import content
from tests.support.each import each
from tests.support.folders import listed


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Six queries and twelve gallery images of three identities, numbered as AI City's."""
    folder = tmp_path / "world"
    folder.mkdir()
    random = np.random.default_rng(0)
    for side, count, called in (("query", 6, "name_query.txt"), ("gallery", 12, "name_test.txt")):
        np.save(folder / f"{side}_m.npy", random.normal(size=(count, 4)).astype(np.float32))
        names = [f"{row + 1:06d}.jpg" for row in range(count)]
        listed(folder / called, names)
        listed(folder / f"{side}.csv", ["name,pid,cam", *(f"{n},{i % 3},{i % 2}" for i, n in enumerate(names))])
    return folder


def start(world: Path, out: Path, *more: str) -> int:
    return run.main(["--features", str(world), "--recipe", "baseline", "--out", str(out), *more])


def test_a_run_leaves_nothing_of_the_one_before(world, tmp_path, capsys):
    out = tmp_path / "out"
    assert start(world, out) == 0
    assert sorted(content(out)) == ["queries.csv", "recipe.toml", "run.json", "track2.txt"]
    assert "earlier" not in capsys.readouterr().err
    (out / "report.html").write_text("of the run before")
    (out / "mine.txt").write_text("mine")
    assert start(world, out, "--set", "submission=csv") == 0
    assert sorted(content(out)) == ["mine.txt", "queries.csv", "ranking.csv", "recipe.toml", "run.json"]
    assert json.loads((out / "run.json").read_text())["submission"] == "ranking.csv"
    told = f"{out}: an earlier run is there and will be replaced: track2.txt, recipe.toml, queries.csv, run.json"
    assert told in capsys.readouterr().err


def test_a_record_that_names_files_elsewhere_costs_nobody_a_file(world, tmp_path):
    out = tmp_path / "out"
    start(world, out)
    (tmp_path / "mine.txt").write_text("mine")
    said = json.loads((out / "run.json").read_text())
    said["files"] = ["../mine.txt", str(tmp_path / "mine.txt"), 3, None]
    (out / "run.json").write_text(json.dumps(said))
    start(world, out)
    assert (tmp_path / "mine.txt").exists()


def test_a_full_disk_is_no_other_format(world, tmp_path, monkeypatch):
    """Where track2.txt cannot be written, ranking.csv does not stand in its place."""
    monkeypatch.setattr(submissions, "write", full)
    with pytest.raises(InputError, match=r"track2.txt: no room"):
        start(world, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def full(path: Path, *ignored: object, **settings: object) -> None:
    raise Unwritable([f"{path}: no room"])


def test_a_full_disk_leaves_the_run_before(world, tmp_path, monkeypatch):
    """The submission is written, the record is not: neither takes its place."""
    out = tmp_path / "out"
    start(world, out)
    before = content(out)
    monkeypatch.setattr(results, "recipe_text", lambda checked: "caf\udcff")
    with pytest.raises(InputError, match=rf"{out}/recipe.toml: wanted text that UTF-8 can hold"):
        start(world, out, "--set", "distances.metric=euclidean")
    assert content(out) == before


@each("name", ["track2.txt", "ranking.csv", "recipe.toml", "queries.csv", "run.json"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_the_run(world, tmp_path, capsys, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(InputError, match=rf"{name}: wanted to write it, but there is a folder of that name"):
        start(world, tmp_path / "out")
    assert capsys.readouterr().out == ""  # nothing ran
    assert content(tmp_path / "out") == {}


def test_a_guess_does_not_take_the_place_of_what_was_tuned(world, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    arguments = ["--features", str(world), "--recipe", "kreciprocal", "--out", str(out), "--unlabelled"]
    assert tune.main(arguments) == 0
    (out / "recipe.toml").write_text("tuned")
    (out / "tuning.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"recipe.toml: wanted a place for a guess, found a recipe that was tuned"
    ):
        tune.main(arguments)
    assert (out / "recipe.toml").read_text() == "tuned"


PROGRAM = """
import sys, time
from pathlib import Path
from ensemble.cli import program
from ensemble.io import together

def command(arguments):
    with together(Path(sys.argv[1])) as stage:
        (stage / "half").write_text("half")
        print("started", flush=True)
        time.sleep(60)

program.main(command)
"""


@each(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_who_is_told_to_end_cleans_up(tmp_path, sent, status):
    out = tmp_path / "out"
    command = [sys.executable, "-c", PROGRAM, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(sent)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == status
    assert not out.exists()


def test_what_cannot_be_printed_is_a_failure():
    code = "from ensemble.cli import program; program.main(lambda arguments: print('x' * 10) or 0)"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: 1 problem\n")
    assert "No space left on device" in done.stderr


def test_a_terminal_shows_every_name_and_obeys_none():
    code = (
        "from ensemble.cli import program\n"
        "program.main(lambda arguments: print('0.5 ± 0.1 × 2 …', 'caf\\udcff', '\\x1b[31mred\\x9b', 'é') or 0)"
    )
    for encoding, letter in (("ascii", "\\xe9"), ("utf-8", "é")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=True,
        )
        text = done.stdout.decode(encoding)
        shown = "0.5 +- 0.1 x 2 ..." if encoding == "ascii" else "0.5 ± 0.1 × 2 …"
        assert text == f"{shown} caf\\udcff \\x1b[31mred\\x9b {letter}\n"
