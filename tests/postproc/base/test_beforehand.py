"""Who has no room says so before the work begins."""

from unittest.mock import patch

import numpy as np
import pytest

from postproc import distances, l2_normalize, rerank
from postproc.base import machine
from tests.support.each import each


def free(count):
    return patch.object(machine, "free_memory", lambda: count)


def wide(count, width=4):
    """Features that take no memory: one row, seen ``count`` times."""
    return np.broadcast_to(np.ones(width, np.float32), (count, width))


def test_a_matrix_that_does_not_fit_is_refused_with_its_size_and_a_remedy():
    """60,000 x 50,000 x 4 bytes are 12 GB."""
    with free(10**9), pytest.raises(MemoryError) as found:
        distances(wide(60_000), wide(50_000))
    said = str(found.value)
    assert said.startswith("distances: wanted 12.")
    assert "60,000 x 50,000 distances" in said
    assert "found 1.00 GB free; set top_k, so that no matrix of all distances exists" in said
    assert "REID_MEMORY_CHECK=0" in said


def test_with_top_k_it_is_not_about_the_matrix():
    with (
        free(10**8),
        pytest.raises(MemoryError, match=r"^rerank: wanted .* GB beside the data, for what it holds"),
    ):
        rerank(wide(200_000), top_k=10)


def test_a_copy_of_what_is_no_float32_counts():
    """2 * 10^6 x 64 float64 become .51 GB of float32, and the answer is as large."""
    array = np.broadcast_to(np.ones(64), (2 * 10**6, 64))
    with free(10**9), pytest.raises(MemoryError, match=r"^l2_normalize: wanted 1.0\d GB"):
        l2_normalize(array)


def test_the_variable_lets_it_begin(monkeypatch):
    monkeypatch.setenv("REID_MEMORY_CHECK", "0")
    with free(0):
        assert l2_normalize(np.ones((140_000, 4), np.float32)).shape == (140_000, 4)


@each("count", [None, 0])
def test_small_calls_are_nobody_s_business(count):
    with free(count):
        assert distances(np.eye(3, dtype=np.float32)).shape == (3, 3)


def test_where_nobody_says_what_is_free_every_call_begins():
    with free(None):
        assert l2_normalize(np.ones((140_000, 4), np.float32)).shape == (140_000, 4)


def test_this_machine_says_it():
    found = machine.free_memory()
    assert found is None or found > 0


def test_a_control_group_has_its_own_limit(tmp_path):
    """1000 allowed, 900 used, of these 300 of files that nobody has looked at lately: 400 are left."""
    group = tmp_path / "box"
    group.mkdir()
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("900\n")
    (group / "memory.stat").write_text("anon 500\ninactive_file 300\nactive_file 100\n")
    assert list(machine._left("0::/box\n", tmp_path)) == [400]
    (group / "memory.max").write_text("max\n")
    assert list(machine._left("0::/box\n", tmp_path)) == []
