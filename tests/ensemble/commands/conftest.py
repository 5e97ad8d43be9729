"""One drawn city for all commands; no test writes into it."""

from pathlib import Path

import pytest

from tests.support import cities


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cities.few(tmp_path_factory.mktemp("commands") / "city")
