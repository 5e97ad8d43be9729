"""One cluster for all tests that want one: it takes seconds to start."""

from collections.abc import Iterator

import pytest

import postproc
from ensemble.neighbours import engines
from ensemble.neighbours.engines import Engine


@pytest.fixture(scope="package")
def two() -> Iterator[Engine]:
    """An engine of two processes of a thread each; one of them is killed by the last test of test_cluster.py."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    with postproc.using(threads=2), engines.local(2) as engine:
        yield engine
