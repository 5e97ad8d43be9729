"""Rates of a machine: work over them is time; they are kept, and what is kept may be broken. Nothing is timed."""

import json
import os

import pytest

from ensemble.pipeline import rates
from ensemble.pipeline.rates import Rates
from postproc.base.work import Work
from tests.support.each import each

SOME = Rates(products=1e9, bytes=2e9, entries=3e6, sparse=4e6, objects=5e5)


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """How often the machine was measured, which takes no time here; a cache folder of its own."""
    seen = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(rates, "measured", lambda threads: seen.append(threads) or SOME)
    monkeypatch.setattr(rates.machine, "processors", lambda: 8)
    rates._of_machine.cache_clear()
    yield seen
    rates._of_machine.cache_clear()


def another_process():
    rates._of_machine.cache_clear()


def test_time_by_hand():
    work = Work(products=2e9, bytes=1e9, entries=3e6, sparse=2e6, objects=1e6)
    assert SOME.seconds(work) == 2 + 0.5 + 1 + 0.5 + 2
    assert SOME.seconds(Work()) == 0


def test_rates_are_measured_once_and_kept(measured, tmp_path):
    assert rates.of_machine(2) == rates.of_machine(2) == SOME
    another_process()
    assert rates.of_machine(2) == SOME
    assert measured == [2]
    assert rates.of_machine(3) == SOME
    assert measured == [2, 3]  # for other threads others hold
    assert len(json.loads((tmp_path / "cache/reid-ensemble/rates.json").read_text())) == 2
    assert os.listdir(tmp_path / "cache/reid-ensemble") == ["rates.json"]


def test_more_threads_than_processors_take_turns(measured):
    rates.of_machine(100)
    assert measured == [8]


@each(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"x": 1}', b"[" * 2000,
        b'{"KEY": {"products": 1}}', b'{"KEY": 1}',
        b'{"KEY": {"products": -1, "bytes": 9, "entries": 9, "sparse": 9, "objects": 9}}',
        b'{"KEY": {"products": NaN, "bytes": 9, "entries": 9, "sparse": 9, "objects": 9}}',
        b'{"KEY": {"products": "9", "bytes": 9, "entries": 9, "sparse": 9, "objects": 9}}',
    ],
)  # fmt: skip
def test_what_is_kept_may_be_broken(measured, content):
    another_process()
    measured.clear()
    file = rates.file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.replace(b"KEY", rates._key(2).encode()))
    assert rates.of_machine(2) == SOME
    assert measured == [2]
    another_process()
    rates.of_machine(2)
    assert measured == [2]  # it was mended


def test_nowhere_to_keep_them(measured, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert rates.of_machine(2) == rates.of_machine(2) == SOME
    assert measured == [2]


def test_a_folder_that_is_not_absolute_is_not_heeded(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert rates.file().is_absolute()


def test_a_machine_is_measured():
    found = rates.measured(1)
    assert all(1e4 < getattr(found, kind) < 1e15 for kind in rates.KINDS)
