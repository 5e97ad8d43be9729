"""The page of clusters: what it holds, that no name is markup, and answers that come back, in a browser."""

import csv
import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import ensemble.report as package
from ensemble.clusters.answers import Fit, answers
from ensemble.clusters.fitting import Rule
from ensemble.clusters.how import How
from ensemble.clusters.links import read_links
from ensemble.clusters.one_set import OneSet
from postproc.clusters.known_pairs import given
from tests.support.pages import HOSTILE, draw

for module in package.PACKAGES:
    pytest.importorskip(module, reason=f"{module} is not installed")
AT = np.array([0.0, 0.1, 0.3, 1.0, 1.1, 5.0, 9.0, 9.1])
NAMES = [f"{row}.png" for row in range(6)]


def page(path: Path, names=HOSTILE, pictures: Path | None = None, **settings) -> str:
    """The page of eight images, or of the first six, in clusters of three and two, and the rest."""
    from ensemble.report import clusters

    at = AT[: len(names)]
    images = OneSet(list(names), given("d", np.abs(at[:, None] - at)), np.full(len(names), -1), **settings)
    found = answers(images, How(), {"": Rule("given", 0.3)}, parts={"": np.arange(len(names))}, fit=Fit())
    content = {
        "recipe": {"name": "<b>mine</b>"}, "notes": ["<i>note</i>"], "scores": None,
        "sets": {"": {"images": len(names), "clusters": 3, "alone": 1, "largest": 3, "threshold": 0.3,
                      "about": "as given", "scores": None}},
    }  # fmt: skip
    called = [f"cluster_{row}" for row in range(len(names))]
    clusters.write(path, found, content, called, album=clusters.album([pictures] if pictures else []))
    return path.read_bytes().decode("utf-8")


def data(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    assert found
    loaded: dict = json.loads(found[1])
    return loaded


def test_no_name_is_markup(tmp_path):
    text = page(tmp_path / "clusters.html")
    assert text.count("<script") == 2
    assert "<b>mine" not in text
    assert "<i>note" not in text
    assert data(text)["names"] == HOSTILE
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org\S*", "", text)  # nothing from elsewhere


def test_clusters_what_holds_them_and_what_is_asked(tmp_path):
    (part,) = data(page(tmp_path / "clusters.html", NAMES))["parts"]
    assert [cluster["images"] for cluster in part["clusters"]] == [[0, 1, 2], [3, 4]]
    assert part["clusters"][0]["called"] == "cluster_0"
    assert part["clusters"][0]["holding"] == [[1, 2, 0.2, 1], [0, 1, 0.1, 1]]
    assert part["alone"] == [5]
    assert part["doubts"][:2] == [[1, 2, 0.2, 1], [2, 3, 0.7, 0]]


def test_pictures_and_their_room(tmp_path):
    draw(tmp_path / "pictures", NAMES[:4])
    found = data(page(tmp_path / "clusters.html", NAMES, tmp_path / "pictures"))
    assert [bool(picture) for picture in found["pictures"]] == [True] * 4 + [False] * 2
    assert data(page(tmp_path / "clusters.html", NAMES))["pictures"] == []


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.browser
@pytest.mark.skipif(
    not (CHROMIUM and shutil.which("chromedriver")), reason="chromium and chromedriver are not installed"
)
def test_answers_come_back_as_links(tmp_path):
    """Three answers, one of them taken back, beside one from before."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--proxy-server=127.0.0.1:9", f"--user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    page(tmp_path / "clusters.html", HOSTILE, must=np.array([[0, 1]]))
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        loaded = tmp_path / "loaded"
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(loaded)})
        browser.get((tmp_path / "clusters.html").as_uri())
        assert browser.title.endswith("who belongs together")
        assert browser.execute_script("return document.documentElement.dataset.ready !== undefined")
        pairs = browser.find_elements("css selector", ".pair")
        asked = [pair.find_elements("css selector", "button") for pair in pairs[:3]]
        for button in (asked[0][1], asked[1][0], asked[2][0], asked[2][0]):
            browser.execute_script("arguments[0].click()", button)
        assert asked[0][1].get_attribute("aria-pressed") == "true"
        assert pairs[0].get_attribute("class") == "pair no"
        assert browser.find_element("id", "said").text == "2 answers given here, 1 from before"
        browser.execute_script("arguments[0].click()", browser.find_element("id", "save"))
        for _ in range(100):
            if (loaded / "links.csv").exists():
                break
            time.sleep(0.05)
        assert browser.get_log("browser") == []
    finally:
        browser.quit()
    with (loaded / "links.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["image", "other", "answer"]
    assert rows[1] == [HOSTILE[0], HOSTILE[1], "yes"]
    assert [row[2] for row in rows[1:]] == ["yes", "no", "yes"]
    safe = [name.encode("utf-8", "replace").decode() for name in HOSTILE]
    assert len(read_links(loaded / "links.csv", safe, []).must) == 2
