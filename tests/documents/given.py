"""What a page takes for granted: names of Python, files in the folder in which its blocks run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ensemble.city import folder, traffic
from ensemble.city.traffic import Size
from postproc.testing import world

SMALL = Size(vehicles=14, cameras=6, tracks=30, gallery=330, queries=36, width=24, learners=12, passes=4)


def prepare(page: Path, where: Path, monkeypatch: pytest.MonkeyPatch, names: dict[str, Any]) -> None:
    """Make ``where`` the folder of the process, and put into it and into ``names`` what the page begins with."""
    monkeypatch.chdir(where)
    monkeypatch.setenv("HOME", str(where))
    monkeypatch.setitem(traffic.SIZES, "small", SMALL)
    names.update(arrays())
    if "DIR" in page.read_text(encoding="utf-8"):
        folder.make(where / "DIR")
    OF_A_PAGE.get(page.stem, lambda *given: None)(where, names)


def arrays() -> dict[str, Any]:
    """``query``, ``gallery`` and their columns, by the names of the vocabulary; one set, ``images``."""
    given = world(nq=24, ng=90, people=12)
    return {**given, "images": given["gallery"]}


OF_A_PAGE: dict[str, Callable[[Path, dict[str, Any]], None]] = {}
