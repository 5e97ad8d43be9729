"""Every page that a command writes, as axe-core sees it: on a desk and on a phone, light and dark."""

import numpy as np
import pytest

import ensemble.report as package
from ensemble import run
from ensemble.cluster.__main__ import main as cluster
from ensemble.identify.__main__ import main as identify
from ensemble.report import timelines
from ensemble.report.__main__ import main as report
from tests.support import browsing, pages

for module in (*package.PACKAGES, "selenium"):
    pytest.importorskip(module, reason=f"{module} is not installed")
pytestmark = [pytest.mark.browser, browsing.needed]
OF_COLOURS = ("color-contrast", "link-in-text-block")  # rules of axe-core that look at them


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The pages of all commands, of a few images with pictures; by what they are of."""
    root = tmp_path_factory.mktemp("pages")
    random = np.random.default_rng(0)
    pid = {"query": np.arange(12) % 6, "gallery": np.arange(48) % 6, "train": 6 + np.arange(20) % 5}
    centres = random.normal(size=(11, 16))
    for model in ("one", "two"):
        given = {}
        for side, who in pid.items():
            given |= {
                side: (centres[who] + random.normal(size=(len(who), 16))).astype(np.float32),
                f"{side}_pid": who,
                f"{side}_cam": np.arange(len(who)) // 6 % 3,
                f"{side}_name": np.array([f"{side}_{i}.png" for i in range(len(who))]),
            }
        given["gallery"][7] = given["query"][2]  # a leak, so that the page speaks of it
        (root / "features").mkdir(exist_ok=True)
        np.savez(root / "features" / f"{model}.npz", **given)
    for side in ("query", "gallery"):
        pages.draw(root / "pictures" / side, [f"{side}_{i}.png" for i in range(len(pid[side]))])
    asked = ["--features", str(root / "features"), "--report"]
    shown = ["--images", str(root / "pictures")]
    for recipe in ("baseline", "default"):
        assert run.main([*asked, *shown, "--recipe", recipe, "--out", str(root / recipe)]) == 0
    assert report([str(root / "baseline"), str(root / "default"), "--out", str(root / "two.html")]) == 0
    assert report(["--submission", str(root / "default/ranking.csv"), "--out", str(root / "alone.html")]) == 0
    assert cluster([*asked, *shown, "--out", str(root / "clusters")]) == 0
    assert identify([*asked, "--unknown", "none", "--out", str(root / "identities")]) == 0
    bars = [timelines.Bar(1 + i % 3, 1 + i % 4, 10.0 * i, 10.0 * i + 30) for i in range(9)]
    (root / "timelines.html").write_text(timelines.page("Tracks", "about", bars))
    return {
        "run": root / "default/report.html",
        "two runs": root / "two.html",
        "submission": root / "alone.html",
        "clusters": root / "clusters/clusters.html",
        "identities": root / "identities/identities.html",
        "timelines": root / "timelines.html",
    }


def test_axe_finds_nothing(browser, written):
    source, found = browsing.axe(), []
    for kind, path in written.items():
        for width in (1280, 390):
            browsing.show(browser, path, width)
            light = browsing.violations(browser, source)
            browsing.paint(browser, dark=True)
            dark = browsing.violations(browser, "", *OF_COLOURS)  # the scheme changes colours and nothing else
            for scheme, problems in (("light", light), ("dark", dark)):
                found += [f"{kind}, {width} px, {scheme}: {one}" for one in problems]
    assert found == []


def test_axe_would_find_something(browser, tmp_path):
    grey = "<style>p { color: #000; background: #fff } @media (prefers-color-scheme: dark) { p { color: #bbb } }"
    page = f"<!doctype html><title>t</title>{grey}</style><img src='data:,'><input><p>words"
    (tmp_path / "bad.html").write_text(page)
    browsing.show(browser, tmp_path / "bad.html")
    found = " ".join(browsing.violations(browser, browsing.axe()))
    assert "image-alt" in found
    assert "label" in found
    browsing.paint(browser, dark=True)
    (found,) = browsing.violations(browser, "", *OF_COLOURS)
    assert "color-contrast" in found


def test_no_page_is_wider_than_a_phone(browser, written):
    for kind, path in written.items():
        browsing.show(browser, path, 390)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, kind
