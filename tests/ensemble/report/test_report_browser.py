"""The page in headless Chromium: it opens, sorts, filters, moves by keyboard, compares, and trusts no name."""

import csv
import json
import re
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import ensemble.report as package
from ensemble.report import page
from ensemble.report.history import GOOD, JUNK, WRONG
from ensemble.report.pictures import Album
from tests.support import browsing, pages
from tests.support.browsing import show, wait
from tests.support.each import each

for module in (*package.PACKAGES, "selenium"):
    pytest.importorskip(module, reason=f"{module} is not installed")
pytestmark = [pytest.mark.browser, browsing.needed]


def names(browser) -> list[str]:
    """The queries in sight, from the top."""
    script = "return [...document.querySelectorAll('#rows .t')].map((e) => e.textContent)"
    return browser.execute_script(script)


def chosen(browser) -> str:
    return browser.execute_script("return document.querySelector('#detail h3').textContent")


def pick(browser, name: str, value: str) -> None:
    script = """
        const [id, value] = arguments, element = document.getElementById(id);
        element.value = value;
        element.dispatchEvent(new Event(id === "text" ? "input" : "change"));
    """
    browser.execute_script(script, name, value)


def press(browser, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def quiet(browser) -> None:
    """No error on the console, and nothing asked of anybody."""
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    assert [url for url in urls if not url.startswith(("file://", "data:", "about:", "blob:"))] == []
    assert len([url for url in urls if url.startswith("file://")]) <= 1


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Path:
    """Four queries, two rankings, pictures; the second ranking gains for q1 and loses for q2."""
    folder = tmp_path_factory.mktemp("three")
    before = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [0, 1, 2, 3], [4, 5, 0, 1]])
    after = np.array([[0, 1, 2, 3], [0, 1, 2, 4], [5, 1, 2, 0], [4, 5, 0, -1]])
    relation = np.array([[GOOD, GOOD, WRONG, WRONG]] * 2 + [[WRONG, JUNK, GOOD, WRONG]] * 2)
    first = pages.step("first", before, relation.astype(np.int8), [0.9, 0.2, 0.8, np.nan])
    second = pages.step("second", after, relation.astype(np.int8), [0.9, 0.7, 0.1, np.nan], after=0)
    found = pages.history([first, second], 6)
    pages.draw(folder / "query", found.queries["name"])
    pages.draw(folder / "gallery", found.images["name"])
    page.write(folder / "page.html", [found], album=Album([folder]))
    return folder / "page.html"


def test_opens_without_a_word(browser, three):
    show(browser, three)
    assert names(browser) == ["q0.png", "q1.png", "q2.png", "q3.png"]
    tiles = "return [...document.querySelectorAll('.strip')].map((e) => [...e.children].map((li) => li.className))"
    marks = ["good", "good", "wrong", "wrong"]
    assert browser.execute_script(tiles) == [marks, marks]
    loaded = "return [...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    assert browser.execute_script(loaded)
    assert browser.execute_script("return document.images.length") == 1 + 4 + 8
    quiet(browser)


def test_sorts_and_filters(browser, three):
    show(browser, three)
    for order, wanted in {
        "low": ["q2.png", "q1.png", "q0.png", "q3.png"],
        "high": ["q0.png", "q1.png", "q2.png", "q3.png"],
        "gain": ["q1.png", "q0.png", "q3.png", "q2.png"],
        "loss": ["q2.png", "q0.png", "q3.png", "q1.png"],
        "name": ["q0.png", "q1.png", "q2.png", "q3.png"],
    }.items():
        pick(browser, "sort", order)
        assert names(browser) == wanted
        assert chosen(browser) == wanted[0]
    for kind, wanted in {
        "worst": ["q2.png"],
        "wrong": ["q2.png", "q3.png"],
        "changed": ["q2.png"],
        "nothing": ["q3.png"],
        "all": ["q0.png", "q1.png", "q2.png", "q3.png"],
    }.items():
        pick(browser, "filter", kind)
        assert names(browser) == wanted
    pick(browser, "camera", "0")  # cameras 0, 1, 2, 0
    assert names(browser) == ["q0.png", "q3.png"]
    pick(browser, "text", "Q3")
    assert names(browser) == ["q3.png"]
    pick(browser, "text", "nothing like that")
    assert names(browser) == []
    assert "No query fits" in browser.execute_script("return document.getElementById('detail').textContent")
    quiet(browser)


def test_moves_by_keyboard(browser, three):
    from selenium.webdriver.common.keys import Keys

    show(browser, three)
    press(browser, "j")
    assert chosen(browser) == "q1.png"
    press(browser, "j", "j", "j", "k")
    assert chosen(browser) == "q2.png"
    press(browser, "1")
    shown = "return [...document.querySelectorAll('.strips h4')].map((e) => e.textContent)"
    assert browser.execute_script(shown)[-1].startswith("first")
    press(browser, "2", "0")
    assert len(browser.execute_script(shown)) == 1
    browser.execute_script("document.querySelector('#rows [aria-current]').focus()")
    press(browser, Keys.ARROW_UP)
    assert chosen(browser) == "q1.png"
    assert browser.execute_script("return document.activeElement.getAttribute('aria-current')") == "true"
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    label = browser.execute_script("return document.activeElement.getAttribute('aria-label')")
    assert label.startswith("place 2, g1.png, right, identity 0, camera 1, track 0, distance 0.2000")
    assert "g1.png" in browser.execute_script("return document.getElementById('tell').textContent")
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert browser.execute_script("return document.activeElement.getAttribute('aria-label')").startswith("place 1")
    press(browser, "f")  # g0 and g1 are of one track
    assert browser.execute_script("return document.querySelector('.many').textContent") == "×2"
    assert browser.execute_script("return document.querySelectorAll('.strip li').length") == 3
    press(browser, "/", "q", "3")
    assert names(browser) == ["q3.png"]
    press(browser, Keys.ESCAPE, "j")  # empties the field and leaves it
    assert len(names(browser)) == 4
    assert browser.execute_script("return document.activeElement.id") != "text"
    quiet(browser)


def test_a_link_leads_to_its_query(browser, three):
    show(browser, three)
    press(browser, "j", "j", "1")
    address = browser.execute_script("return document.getElementById('link').href")
    show(browser, three, fragment="#" + address.partition("#")[2])
    assert chosen(browser) == "q2.png"
    assert browser.execute_script("return document.getElementById('show').value") == "0"
    browser.execute_script("location.hash = 'query=q1.png'")
    assert wait(browser, "return document.querySelector('#detail h3').textContent === 'q1.png'")
    browser.execute_script("location.hash = 'query=unknown&show=99&with=x'")
    assert chosen(browser) == "q1.png"
    quiet(browser)


def test_compares_two_runs(browser, tmp_path):
    one = pages.history([pages.step("a", np.array([[0, 1, 2], [2, 1, 0]]), ap=[0.5, 1.0])], 3, title="before")
    two = pages.history([pages.step("b", np.array([[1, 0, 3], [2, 1, 0]]), ap=[0.75, 1.0])], 4, title="after")
    page.write(tmp_path / "two.html", [one, two])
    show(browser, tmp_path / "two.html")
    assert [text[:10] for text in strips_of(browser)] == ["before · a", "after · b "]
    # of 0, 1, 2 and 1, 0, 3 two images are in both, each at another place
    assert browser.execute_script("return document.querySelectorAll('.links path').length") == 2
    assert "+25.0 against before" in browser.execute_script("return document.querySelector('.who').textContent")
    browser.execute_script("document.querySelector('.strip:last-of-type .tile').focus()")
    assert "place 2 in the other list" in browser.execute_script("return document.activeElement.ariaLabel")
    quiet(browser)


def strips_of(browser) -> list[str]:
    return browser.execute_script("return [...document.querySelectorAll('.strips h4')].map((e) => e.textContent)")


def test_without_labels_the_same_uncoloured(browser, tmp_path):
    found = pages.history(
        [pages.step("a", np.array([[0, 1], [1, 0]])), pages.step("b", np.array([[0, 1], [2, 1]]))], 3
    )
    page.write(tmp_path / "bare.html", [found])
    show(browser, tmp_path / "bare.html")
    assert "No scores" in browser.execute_script("return document.querySelector('#scores').textContent")
    classes = "return [...new Set([...document.querySelectorAll('.strip li')].map((e) => e.className))]"
    assert browser.execute_script(classes) == ["none"]
    pick(browser, "filter", "changed")
    assert names(browser) == ["q1.png"]
    assert browser.execute_script("return document.querySelector('.tile .no').textContent") == "g1.png"
    quiet(browser)


def test_survives_hostile_names(browser, tmp_path):
    count = len(pages.HOSTILE)
    rows = np.argsort(np.random.default_rng(0).random((count, count)), axis=1)
    found = pages.history(
        [pages.step(pages.HOSTILE[0], rows, ap=[0.5] * count)], count, pages.HOSTILE, pages.HOSTILE[1]
    )
    found.images["name"][:] = pages.HOSTILE
    page.write(tmp_path / "hostile.html", [found])
    show(browser, tmp_path / "hostile.html")
    for name in pages.HOSTILE:
        shown = chosen(browser)
        assert shown == re.sub("[\x00-\x1f\u202e\udc80]", lambda sign: f"\\u{ord(sign[0]):04x}", name)
        assert "\u202e" not in shown
        assert "\x1b" not in shown
        press(browser, "j")
    assert browser.execute_script("return document.querySelectorAll('script').length") == 2
    assert browser.execute_script("return document.images.length") == 0
    assert browser.execute_script("return document.title").endswith("report of a ranking")
    assert browser.execute_script("return document.querySelectorAll('[onmouseover], [onerror]').length") == 0
    quiet(browser)


@each("width", [390, 1280])
def test_nothing_moves_or_sticks_out(browser, three, width):
    show(browser, three, width)
    script = """
        const done = arguments[0];
        new PerformanceObserver((list) => { window.shift = (window.shift || 0)
            + list.getEntries().reduce((sum, entry) => sum + entry.value, 0); })
            .observe({ type: "layout-shift", buffered: true });
        document.getElementById("browser").scrollIntoView();
        setTimeout(() => done([window.shift || 0, document.documentElement.scrollWidth]), 150);
    """
    shift, wide = browser.execute_async_script(script)
    assert shift == 0
    assert wide <= width
    press(browser, "j")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@contextmanager
def downloads(browser, folder: Path):
    settings = {"behavior": "allow", "downloadPath": str(folder)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
    yield
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "default"})


def test_data_to_take_away(browser, three, tmp_path):
    show(browser, three)
    files = {"queries": "queries.csv", "rankings": "rankings.csv", "json": "report.json", "latex": "scores.tex"}
    with downloads(browser, tmp_path):
        for kind, file in files.items():
            browser.execute_script(f"document.querySelector('[data-save={kind}]').click()")
            end = time.monotonic() + 10
            while not (tmp_path / file).exists() and time.monotonic() < end:
                time.sleep(0.05)
    with (tmp_path / "queries.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [float(row["second"] or "nan") for row in table] == pytest.approx([0.9, 0.7, 0.1, np.nan], nan_ok=True)
    with (tmp_path / "rankings.csv").open(newline="") as stream:
        ranked = list(csv.DictReader(stream))
    assert [row["gallery"] for row in ranked if (row["step"], row["query"]) == ("second", "q3.png")] == [
        "g4.png",
        "g5.png",
        "g0.png",
    ]
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["lists"][1]["queries"][3]["images"] == ["g4.png", "g5.png", "g0.png"]
    assert r"\begin{tabular}" in (tmp_path / "scores.tex").read_text()


@each("dark", [False, True])
def test_can_be_read(browser, three, dark):
    """Contrast of 4.5 and more for every text on its ground (WCAG AA), labels for all controls, one h1."""
    show(browser, three, dark=dark)
    script = """
        const style = getComputedStyle(document.documentElement);
        const part = (hex, at) => { const v = parseInt(hex.slice(at, at + 2), 16) / 255;
            return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
        const light = (name) => { const hex = style.getPropertyValue(name).trim();
            return 0.2126 * part(hex, 1) + 0.7152 * part(hex, 3) + 0.0722 * part(hex, 5); };
        const found = {};
        for (const text of ["--ink", "--soft", "--accent", "--good", "--wrong"])
            for (const ground of ["--page", "--panel", "--wash"]) {
                const [a, b] = [light(text), light(ground)].sort((x, y) => y - x);
                found[text + " on " + ground] = (a + 0.05) / (b + 0.05);
            }
        return found;
    """
    contrasts = browser.execute_script(script)
    assert min(contrasts.values()) >= 4.5, contrasts
    unnamed = """
        return [...document.querySelectorAll("button, a, input, select")].filter((e) =>
            !(e.ariaLabel || e.textContent.trim() || e.closest("label")?.textContent.trim())).length
    """
    assert browser.execute_script(unnamed) == 0
    assert browser.execute_script("return document.querySelectorAll('h1').length") == 1
    assert browser.execute_script("return document.documentElement.lang") == "en"
    assert browser.execute_script(
        "return [...document.querySelectorAll('[tabindex]')].every((e) => e.tabIndex === 0)"
    )
    assert browser.execute_script(
        "return [...document.querySelectorAll('figure svg')].every((e) => e.querySelector('title'))"
    )


def many(count: int, path: Path) -> Path:
    """A page of that many queries of 20 tiles after 4 steps."""
    random = np.random.default_rng(0)
    steps = [
        pages.step(f"s{n}", np.argsort(random.random((count, 60)), axis=1)[:, :20] * 50, ap=random.random(count))
        for n in range(4)
    ]
    page.write(path, [pages.history(steps, 3000)])
    return path


MADE = """
    let made = 0;
    for (const name of ["createElement", "createElementNS"]) {
        const real = document[name].bind(document);
        document[name] = (...given) => { made += 1; return real(...given); };
    }
    for (let i = 0; i < 20; i++)
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
    const moved = made;
    for (const order of ["low", "gain", "name"]) {
        document.getElementById("sort").value = order;
        document.getElementById("sort").dispatchEvent(new Event("change"));
    }
    return [document.querySelectorAll("*").length, moved, made - moved];
"""


def test_a_thousand_queries_do_not_stall(browser, tmp_path):
    """Opening, moving and sorting make as many elements as on a page of a hundred."""
    show(browser, many(100, tmp_path / "hundred.html"))
    wanted = browser.execute_script(MADE)
    show(browser, many(1000, tmp_path / "thousand.html"))
    assert browser.execute_script("return document.querySelectorAll('#rows li').length") < 40
    found = browser.execute_script(MADE)
    assert min(wanted) > 0
    assert found == pytest.approx(wanted, rel=0.02)
    bottom = "const list = document.getElementById('list'); list.scrollTop = list.scrollHeight; return true"
    browser.execute_script(bottom)
    last = "return [...document.querySelectorAll('#rows .t')].at(-1).textContent === 'q999.png'"
    pick(browser, "sort", "name")
    browser.execute_script(bottom)
    assert wait(browser, last)
    quiet(browser)
