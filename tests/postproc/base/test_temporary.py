"""What is made of features on disk: the same numbers, in files where it is large."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from postproc import camera_whitening, l2_normalize, learned_metric, learned_whitening, signed_power, whiten
from postproc.base import machine, temporary
from postproc.base.stored import is_mapped
from tests.support.disk import little_room
from tests.support.each import each

CAM, PID = np.arange(40) % 2, np.arange(40) // 4


def mapped(path, rows):
    np.save(path, rows)
    return np.load(path, mmap_mode="r")


def images():
    """One of them twice, so that it is mapped once for both."""
    x = np.random.default_rng(0).standard_normal((40, 5), np.float32)
    x[7] = x[31]
    return x


CALLS = {
    "whiten": lambda q, g: whiten(q, g, components=3),
    "camera_whitening": lambda q, g: camera_whitening(q, g, CAM[:9], CAM[9:], min_images=2),
    "learned_whitening": lambda q, g: learned_whitening(q, g, np.array(g), PID[9:]),
    "learned_metric": lambda q, g: learned_metric(q, g, np.array(g), PID[9:]),
}


@each("call", CALLS.values())
def test_steps_leave_what_is_large_on_disk(call, tmp_path):
    there, x = mapped(tmp_path / "x.npy", images()), images()
    wanted = call(x[:9], x[9:])
    assert not is_mapped(wanted[1])
    for least, stays in ((0, True), (10**6, False)):
        with patch.object(temporary, "LARGE", least):
            for found, same in zip(call(there[:9], there[9:]), wanted, strict=True):
                assert is_mapped(found) == stays
                assert_array_equal(found, same)
    with patch.object(temporary, "LARGE", 0), little_room(99), pytest.raises(temporary.NoRoom, match="set TMPDIR"):
        call(there[:9], there[9:])


@each("step", [l2_normalize, signed_power])
def test_row_by_row_is_the_same(step, tmp_path):
    """Blocks of 7 rows of 40: the last one has 5."""
    there = mapped(tmp_path / "x.npy", images())
    with patch.multiple(temporary, LARGE=0, ROWS=7, BLOCK=1):
        found = temporary.by_rows(lambda parts: step(*parts), [there], "rows")
    assert is_mapped(found)
    assert_array_equal(found, step(images()))


def test_rows_in_another_order(tmp_path):
    there, x = mapped(tmp_path / "x.npy", images()), images()
    with patch.multiple(temporary, LARGE=0, ROWS=7, BLOCK=1):
        part = temporary.rows(there, np.arange(3, 20))
        assert np.shares_memory(part, there)
        assert_array_equal(part, x[3:20])
        order = np.random.default_rng(1).permutation(40)
        assert_array_equal(temporary.rows(there, order), x[order])
        found = temporary.rows(there, np.array([3, -1, 5]), np.nan)
        assert is_mapped(found)
        assert_array_equal(found, np.stack([x[3], np.full(5, np.nan, np.float32), x[5]]))
        assert_array_equal(temporary.rows(there, CAM == 1), x[CAM == 1])


def test_who_says_from_where_on_is_heard(monkeypatch):
    assert temporary.is_large(1000, 10_000)
    monkeypatch.setenv(temporary.VARIABLE, "1GB")
    assert not temporary.is_large(1000, 10_000)
    monkeypatch.setenv(temporary.VARIABLE, "7")
    with pytest.raises(machine.BadVariable, match="REID_ON_DISK_FROM: wanted a size with its unit"):
        temporary.is_large(1, 1)
