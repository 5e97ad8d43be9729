"""What the page says beside scores: where it comes from, copies, uncertain queries, places of rewritten lists."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import ensemble.report as package
from ensemble.cli import program
from ensemble.pipeline import results
from ensemble.report import page, sections
from ensemble.report.pictures import Album
from tests.support import pages

for module in package.PACKAGES:
    pytest.importorskip(module, reason="the report's packages are not installed")
ROWS = np.array([[0, 1, 2], [2, 1, 0]])


def made(history, **settings) -> str:
    return page.html([history], **settings)[0].decode()


def views(text: str) -> list[dict]:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])["views"]


def test_where_it_comes_from_stands_at_the_top():
    record = {
        "features": "data/<b>",
        "date": "2026-12-01T10:20:30Z",
        "command": "python -m ensemble.run --out 'a b'",
    }
    text = made(replace(pages.history([pages.step("only", ROWS)], 3), record=record))
    top = text[: text.index("</header>")]
    for said in ("data/&lt;b&gt;", "2026-12-01 10:20:30 UTC", "python -m ensemble.run --out &#39;a b&#39;"):
        assert said in top
    assert 'class="origin"' not in made(pages.history([pages.step("only", ROWS)], 3))  # nobody knows


def test_the_date_can_be_said(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert results.date() == "1970-01-02T00:00:00Z"
    for other in ("", "yesterday", "-1"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", other)
        assert results.date() > "2024"


def test_a_command_as_it_was_typed():
    with program.called_by("reid-ensemble"):
        assert program.command_line("ensemble.run", ["--features", "a b"]) == "reid-ensemble run --features 'a b'"


def test_lists_stand_before_curves():
    text = made(pages.history([pages.step("only", ROWS, ap=[0.5, 1.0])], 3))
    order = [text.index(f'<section id="{name}"') for name in ("scores", "browser", "uncertain", "curves", "data")]
    assert order == sorted(order)


def test_rewritten_lists_have_places():
    """0, 1, 2 and, of images of one track, 0, 1, 1 are places; 0, 1, 1.5 and 0, 2, 2 are distances."""
    for far, wanted in (([0, 1, 2], True), ([0, 1, 1], True), ([0, 1, 1.5], False), ([0, 2, 2], False)):
        step = replace(pages.step("only", ROWS), distances=np.array([far, far], np.float32))
        assert views(made(pages.history([step], 3)))[0]["placed"] == wanted
    far = np.array([[0, np.inf, np.inf], [0, 1, np.inf]], np.float32)
    assert sections.are_places(replace(pages.step("only", ROWS), distances=far))
    unknown = np.full((2, 3), np.nan, np.float32)
    assert not sections.are_places(replace(pages.step("only", ROWS), distances=unknown))


def test_most_uncertain_queries_lead_to_their_lists():
    """u of 1, 2, 3 is 0 (1 is the smallest of all), of 3, 3, 5 it is 2 / 4; a rewritten list has none."""
    far = np.array([[1, 2, 3], [3, 3, 5]], np.float32)
    first = replace(pages.step("first", ROWS, ap=[0.5, 1.0]), distances=far)
    last = replace(
        pages.step("last", ROWS, ap=[0.5, 1.0], after=0), distances=np.array([[0, 1, 2]] * 2, np.float32)
    )
    found = pages.history([first, last], 3, ["a&b c.png", "d.png"])
    told = sections.most_uncertain(found)
    assert [(row["name"], row["value"], row["first"], row["what"]) for row in told] == [
        ("d.png", 0.5, "g2.png", "right"),
        ("a&b c.png", 0.0, "g0.png", "right"),
    ]
    assert 'href="#query=a%26b%20c.png"' in made(found)
    assert sections.most_uncertain(pages.history([last], 3)) == []


def test_copies_are_told_and_escaped(tmp_path):
    pairs = [
        {"sides": ["query", "train"], "names": ["<i>q.png", "t.png"], "share": 0.0, "same": False},
        {"sides": ["gallery", "gallery"], "names": ["g.png", "h.png"], "share": 0.2, "same": None},
    ]
    told = {"pairs": pairs, "count": 2, "kinds": {"query and train": 1, "gallery": 1}, "asked": 9, "images": 9}
    told |= {"usual": 0.5, "note": "", "model": "net"}
    found = replace(pages.history([pages.step("only", ROWS)], 3), extras={"copies": told})
    text = made(found)
    section = text[text.index('<section id="copies"') : text.index('<section id="data"')]
    for said in ("&lt;i&gt;q.png", "<b>1</b> pair between query and train", "two identities", "20% of the usual"):
        assert said in section
    assert section.count('class="leak"') == 1
    none = replace(found, extras={"copies": {**told, "pairs": [], "count": 0, "kinds": {}}})
    assert "No image is a copy of another." in made(none)
    pages.draw(tmp_path / "query", ["q0.png"])
    pages.draw(tmp_path / "gallery", ["g0.png"])
    assert "query q0.png, gallery g0.png" in made(found, album=Album([tmp_path]))
