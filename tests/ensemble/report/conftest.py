"""One browser for all pages."""

import pytest

from tests.support import browsing


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium; it reaches no network."""
    yield from browsing.driven(tmp_path_factory.mktemp("profile"))
