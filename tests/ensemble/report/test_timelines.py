"""Everybody's way over the cameras as a page: what is drawn, and that names cannot break out."""

import re
import xml.etree.ElementTree as ET

import pytest

from ensemble.report import timelines
from ensemble.report.timelines import Bar

BARS = [Bar(1, 41, 0.0, 10.0, "track 3, 9 boxes"), Bar(1, 42, 30.0, 40.0), Bar(2, 41, 5.0, 5.2)]


def picture(page):
    return ET.fromstring(re.search(r"<svg.*</svg>", page, re.DOTALL)[0])


def named(root, tag):
    return root.findall(f".//{{http://www.w3.org/2000/svg}}{tag}")


def test_a_row_an_identity_and_a_bar_a_track():
    root = picture(timelines.page("t", "about", BARS, ["said"]))
    bars = named(root, "rect")
    assert len(bars) == 3
    x = [float(bar.get("x")) for bar in bars]
    wide = [float(bar.get("width")) for bar in bars]
    scale = (timelines.WIDTH - timelines.LEFT - 16) / 40  # 40 seconds in all
    assert x == pytest.approx([timelines.LEFT, timelines.LEFT + 30 * scale, timelines.LEFT + 5 * scale], abs=0.06)
    assert wide == pytest.approx([10 * scale, 10 * scale, 0.2 * scale], abs=0.06)
    first, second, third = (bar.get("y") for bar in bars)
    assert first == second != third
    titles = [bar.find("{http://www.w3.org/2000/svg}title").text for bar in bars]
    assert titles[0] == "identity 1, camera 41, 0:00 to 0:10, track 3, 9 boxes"


def test_who_is_in_most_cameras_comes_first():
    texts = [text.text for text in named(picture(timelines.page("t", "", BARS[::-1])), "text")]
    assert [text for text in texts if "cam" in text] == ["1 · 2 cams", "2 · 1 cam"]


def test_cameras_have_colours_of_their_own():
    page = timelines.page("t", "", [Bar(1, cam, cam, cam + 1) for cam in range(30)])
    assert len({bar.get("fill") for bar in named(picture(page), "rect")}) == 30


def test_nothing_is_loaded_and_nothing_breaks_out():
    page = timelines.page(
        "<script>", "\x1b&", [Bar(1, 1, 0, 1, "</title><script>alert(1)</script>")], ["<img src=x>"]
    )
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"<[^>]*(src|href)=|url\(", page)


def test_very_many_and_nobody():
    page = timelines.page("t", "", [Bar(who, 1, who, who + 1) for who in range(timelines.MOST + 5)])
    assert f"{timelines.MOST} of {timelines.MOST + 5} identities are drawn" in page
    assert "<svg" not in timelines.page("t", "", [])
