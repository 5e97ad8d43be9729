"""Pages in headless Chromium, for the tests of the reports: opened, waited for, looked at by axe-core."""

import shutil
import time
from collections.abc import Iterator
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
AXE = ("axe_playwright_python", "axe_core_python")  # packages that bring axe-core, the newer one first
needed = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")


def driven(profile: Path) -> Iterator[Any]:
    """A browser that reaches no network."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--proxy-server=127.0.0.1:9",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def show(browser, path: Path, width: int = 1280, dark: bool = False, fragment: str = "") -> None:
    """Open a page anew and wait until it is usable."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    paint(browser, dark)
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(f"{path.as_uri()}{fragment}")
    scripted = "!document.querySelector('script') || document.documentElement.dataset.ready !== undefined"
    assert wait(browser, f"return {scripted}")


def paint(browser, dark: bool) -> None:
    """What the reader's system prefers, dark or light, on the open page too."""
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


def wait(browser, script: str, seconds: float = 10):
    """What a script returns, as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := browser.execute_script(script)) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def axe() -> str:
    """The source of axe-core, of the package that is installed."""
    there = [name for name in AXE if find_spec(name)]
    if not there:
        pytest.skip("axe-core is not installed (axe-core-python)")
    return (resources.files(there[0]) / "axe.min.js").read_text("utf-8")


def violations(browser, source: str, *rules: str) -> list[str]:
    """What axe-core finds on the open page, of any impact: rule, impact, and the first places of it.

    rules: those to look at; without any, all of them. ``source`` is axe-core, "" where the page has it already.
    """
    browser.set_script_timeout(60)
    browser.execute_script(source)
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    script = "const done = arguments[1]; axe.run(document, arguments[0])"
    script = f"{script}.then((all) => done(all.violations), (e) => done(String(e)))"
    found = browser.execute_async_script(script, options)
    assert isinstance(found, list), found
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {[node['target'] for node in one['nodes'][:3]]}"
        for one in found
    ]
