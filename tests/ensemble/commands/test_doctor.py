"""``doctor``: what it looks at, when it says that something is wrong, and that it computes."""

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

import postproc
from ensemble.doctor import __main__ as doctor
from ensemble.doctor import machine, places, software, trial, variables
from ensemble.doctor.finding import Finding
from postproc.base import extras
from tests.support.each import each

ROOT = Path(postproc.__file__).parents[1]


def by_name(found: Iterable[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in found}


def test_everything_works_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["works"] is True
    assert list(told) == ["works", "software", "machine", "places", "environment", "trial"]
    found = {one["name"]: one for part in list(told)[1:] for one in told[part]}
    assert found["numpy"]["value"] == np.__version__
    assert {
        "Python",
        "threads",
        "BLAS",
        "processor",
        "memory",
        "CUDA",
        "compiled kernels",
        "temporary files",
    } <= set(found)
    assert found["re-ranking"]["said"].startswith("as defined, to ")
    assert "mAP 1.0000, ranking.csv without fault" in found["a run"]["said"]


def test_lines_and_the_exit_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [
        Finding("one", "well"),
        Finding("two", "so so", None, "note", "do this"),
        Finding("three", "bad", None, "wrong"),
    ]
    monkeypatch.setattr(doctor, "PARTS", {"software": lambda: found[:2], "trial": lambda: found[2:]})
    assert doctor.main(["--no-trial"]) == 0
    assert re.findall(r"(?m)^ +(\w+) +(.*)$", capsys.readouterr().out) == [
        ("one", "well"),
        ("two", "note: so so; do this"),
    ]
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.endswith("WRONG: bad\n1 wrong: three\n")


def test_extras_are_those_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(software.FOR) == set(project["optional-dependencies"])
    assert list(extras.core()) == project["dependencies"]
    monkeypatch.setattr(software, "_version", {"optuna": "3.6.0", "numpy": "1.21"}.get)
    found = by_name(software.found())
    assert found["numpy"].line() == "WRONG: 1.21; wanted numpy>=1.26; install such a one"
    assert found["scipy"].status == "wrong"
    assert found["[tune]"].line() == "note: optuna 3.6.0 (tune (Optuna)); wanted optuna>=4"
    assert found["[dask]"].said.startswith("not installed: dask, distributed (--workers")
    assert found["[dask]"].status == "fine"  # nobody has to have it


def test_every_variable_of_ours_is_told() -> None:
    used = set()
    for package in ("postproc", "ensemble", "extractors"):
        for path in (ROOT / package).rglob("*.py"):
            used |= set(re.findall(r"\bREID_[A-Z0-9_]*[A-Z0-9]\b", path.read_text(encoding="utf-8")))
    assert used == set(variables.OURS)


@each(
    ("name", "value", "line"),
    [
        ("REID_NUM_THREADS", "3", "'3': threads, where --threads says nothing"),
        ("REID_NUM_THREADS", "many", "WRONG: 'many': threads, .*; REID_NUM_THREADS: wanted a whole number"),
        ("REID_ON_DISK_FROM", "4", "WRONG: '4': .*; REID_ON_DISK_FROM: wanted "),
        ("REID_THREADS", "4", r"note: '4', which nobody reads; did you mean 'REID_NUM_THREADS'\?"),
        ("REID_XQ", "4", "note: '4', which nobody reads; unset it"),
    ],
)
def test_variables(name: str, value: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in variables.OURS:
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv(name, value)
    assert re.match(line, by_name(variables.found())[name].line())


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "kept"
    closed.mkdir()
    (closed / "a.kernel").write_bytes(b"12345")
    monkeypatch.setattr(places, "_folders", lambda: [closed])
    assert places.kernels().value == {"folders": [str(closed)], "files": 1, "bytes": 5}
    monkeypatch.setattr(places, "is_writable", lambda folder: False)
    assert "NUMBA_CACHE_DIR" in places.kernels().todo
    monkeypatch.setattr(places, "_folders", list)
    assert places.kernels().status == "note"
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    assert places.temporary().line().startswith("WRONG: wanted a folder to write into, found: No such file")


def test_where_a_file_can_be_made(tmp_path: Path) -> None:
    assert places.is_writable(tmp_path / "not" / "yet")
    (tmp_path / "file").write_text("")
    assert not places.is_writable(tmp_path / "file" / "below")


def test_a_wrong_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = postproc.rerank
    monkeypatch.setattr(trial.postproc, "rerank", lambda *data, **settings: right(*data, **settings) + 0.01)
    found = by_name(trial.found())
    assert (
        found["re-ranking"].line().startswith("WRONG: ValueError: distances differ from their definition by 0.01")
    )
    assert found["a run"].status == "fine"  # which re-ranks otherwise


def test_what_the_machine_has() -> None:
    found = by_name(machine.found())
    assert found["threads"].value >= 1
    assert all(one.status != "wrong" for one in found.values())
