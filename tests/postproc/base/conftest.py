"""Here it matters how many threads there are where nobody says how many."""

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As many as the machine gives."""
