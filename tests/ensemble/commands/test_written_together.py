"""Every command that writes several files writes all of them or none, and says so with exit status 2."""

from pathlib import Path

import numpy as np
import pytest

from ensemble import ablate, compare, convert, run
from ensemble.base.errors import InputError
from ensemble.names import __main__ as names
from ensemble.report import __main__ as report
from tests.support.disk import little_room
from tests.support.each import each


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Path:
    """Two models over a few images."""
    folder, rng = tmp_path_factory.mktemp("together"), np.random.default_rng(0)
    for model, width in (("a", 4), ("b", 40)):
        sides = {}
        for side, count in (("query", 6), ("gallery", 30)):
            pid = np.arange(count) % 6
            sides |= {
                side: rng.normal(size=(count, width)).astype(np.float32),
                f"{side}_name": np.array([f"{row % 6:04}_c{row // 6 + 1}_{side}.jpg" for row in range(count)]),
                f"{side}_pid": pid,
                f"{side}_cam": np.arange(count) // 6 + (side == "gallery"),
            }
        np.savez(folder / f"{model}.npz", **sides)
    return folder


@pytest.fixture(scope="module")
def done(city, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert run.main(["--features", str(city), "--recipe", "baseline", "--out", str(out), "--report"]) == 0
    return out


def commands(city: Path, done: Path, out: Path) -> dict:
    """Commands that write several files, each with the bytes after which its disk is full."""
    return {
        "convert": (convert.main, ["--features", city, "--out", out / "features"]),
        "names": (names.main, [city, "--pattern", "(?P<pid>[0-9]+)_c(?P<cam>[0-9]+)", "--out", out / "tables"]),
        "report": (report.main, [done, "--out", out / "page.html", "--export", out / "x"]),
        "compare": (compare.main, [done, done, "--csv", out / "a.csv", "--queries", out / "b.csv"]),
        "ablate": (
            ablate.main,
            ["--features", city, "--recipe", "baseline", "--csv", out / "a.csv", "--out", out / "t"],
        ),
    }


def files(folder: Path) -> dict[Path, int]:
    return {path.relative_to(folder): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@each("name", ["convert", "names", "report", "compare", "ablate"])
def test_all_or_none(name, city, done, tmp_path):
    command, arguments = commands(city, done, tmp_path / "whole")[name]
    command([str(argument) for argument in arguments])
    whole = files(tmp_path / "whole")
    assert len(whole) > 1
    command, arguments = commands(city, done, tmp_path / "half")[name]
    least, most = min(whole.values()), max(whole.values())
    assert least < most
    with (
        little_room(most - 1),
        pytest.raises(InputError, match="wanted to write it, but File too large") as refused,
    ):
        command([str(argument) for argument in arguments])
    assert ".part" not in str(refused.value)  # the file's own path, not where it is written first
    assert not files(tmp_path / "half")
