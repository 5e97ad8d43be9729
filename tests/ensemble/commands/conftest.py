"""One drawn city for all commands; no test writes into it."""

import shutil
from pathlib import Path

import pytest

from tests.support import cities


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = cities.few(tmp_path_factory.mktemp("commands") / "city")
    shutil.rmtree(made / "side")  # models that no recipe takes here, at which every command would look
    return made
