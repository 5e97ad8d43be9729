"""The notebooks of docs/tutorials hold what their scripts say, and run on small drawn data without a warning."""

import json
from pathlib import Path

import pytest

from tests.documents import given
from tests.support import notebooks

SOURCES = notebooks.sources()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_it_runs(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    if "import torch" in source.read_text(encoding="utf-8"):
        pytest.importorskip("torch")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    given.small(monkeypatch, tmp_path)
    for cell, _, value in notebooks.run(notebooks.read(source), {}):
        assert repr(value), cell.id


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_the_notebook_is_that_of_the_script(source: Path) -> None:
    made = json.loads((notebooks.TUTORIALS / f"{source.stem}.ipynb").read_text(encoding="utf-8"))
    text = ["".join(cell["source"]) for cell in made["cells"]]
    again = f"make it anew: python -m tests.support.notebooks {source.stem}"
    assert text == [cell.source for cell in notebooks.read(source).cells], again
    code = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] == number for number, cell in enumerate(code, 1)), again
    assert "/work/" not in json.dumps(made), "a path of a machine"


def test_pictures_are_small() -> None:
    large = [path.name for path in notebooks.TUTORIALS.rglob("*.png") if path.stat().st_size > notebooks.LARGEST]
    assert not large
