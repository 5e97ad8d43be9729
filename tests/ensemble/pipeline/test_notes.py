"""What a run does not use is said before it runs."""

from pathlib import Path

import numpy as np
import pytest

from ensemble import run
from tests.support.folders import names, pair, rows


def labelled(folder: Path, header: str) -> None:
    for side in ("query", "gallery"):
        lines = "".join(f"{name},{at % 2},{at},1\n" for at, name in enumerate(names(4)))
        (folder / f"{side}.csv").write_text(f"{header}\n{lines}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vectors = dict(zip(names(4), rows(4), strict=True))
    pair(tmp_path, "a", vectors, vectors)
    (tmp_path / "mine.toml").write_text(
        '[[branch]]\nsteps = [{ use = "distances" }, { use = "camera_penalty", optional = true }]\n'
    )
    return tmp_path


def noted(folder: Path, capsys: pytest.CaptureFixture) -> str:
    options = ["--features", str(folder), "--recipe", str(folder / "mine.toml"), "--dry-run"]
    assert run.main(options) == 0
    return str(capsys.readouterr().err)


def test_columns_and_steps_that_are_not_used(folder: Path, capsys: pytest.CaptureFixture) -> None:
    labelled(folder, "name,pid,camra,weather")
    text = noted(folder, capsys)
    assert "query.csv: columns that are not used: camra (did you mean 'cam'?), weather" in text
    assert "branch 1, steps 2 (camera_penalty): left out, as it is optional: wanted query_cam, gallery_cam" in text


def test_usual_spellings_bring_the_step_back(folder: Path, capsys: pytest.CaptureFixture) -> None:
    labelled(folder, "Path,identity,Camera ID,quality")
    assert noted(folder, capsys) == ""


def test_spellings_in_files(tmp_path: Path) -> None:
    from ensemble import io

    sides = {f"{side}_{key}": np.arange(2) for side in ("query", "gallery") for key in ("camid", "identity")}
    pictures = {"query_images": np.zeros((2, 3, 3))}
    np.savez(tmp_path / "m.npz", query=rows(2), gallery=rows(2), **sides, **pictures)
    assert {"query_cam", "query_pid", "gallery_cam", "gallery_pid"} <= set(io.read_folder(tmp_path)[0].data())
