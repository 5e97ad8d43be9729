"""Fixtures that many tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Where two processes share two cores, threads of OpenMP that spin while they wait take most of the time of torch
# and scikit-learn. Read when the first of them is imported, by commands that tests start as well.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import postproc

# The same every time. A test whose interesting cases are rare asks for more of them.
settings.register_profile("same every time", max_examples=60, derandomize=True, deadline=None, print_blob=False)
settings.load_profile("same every time")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: opens pages in headless Chromium; skipped where there is none")


SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real features, real competition files and golden outputs; they may not be distributed with the project."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return SHARED


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests run on a thread where they do not ask for more: of few images, half the work is to hand out tasks.

    That their number changes no bit is a law, of every step and setting; commands and functions that start threads
    themselves have tests that ask for several.
    """
    with postproc.using(threads=1):
        yield
