"""Threads that stay: every task once, errors by order, tasks inside tasks, and nobody left waiting."""

import threading
import time

import pytest

from postproc.base import pool
from postproc.base.runtime import current, run, using

PATIENCE = 20  # seconds after which a test that waits for a thread gives up


def nothing():
    """After a task."""


def test_every_task_once_and_counted():
    done, counted = [], []
    pool.share(done.append, range(1000), 4, lambda: counted.append(None))
    assert sorted(done) == list(range(1000))
    assert len(counted) == 1000


def test_the_others_work_while_the_caller_does():
    both = threading.Barrier(2, timeout=PATIENCE)  # nobody passes alone
    pool.share(lambda _: both.wait(), range(2), 2, nothing)


def test_threads_stay():
    pool.share(lambda _: time.sleep(0.001), range(2), 2, nothing)
    before = threading.active_count()
    for _ in range(50):
        pool.share(lambda _: time.sleep(0.001), range(2), 2, nothing)
    assert threading.active_count() < before + 10  # not one a call


def test_the_first_error_by_order_is_raised_and_nothing_begins_after_it():
    second, begun = threading.Event(), []

    def fail(number):
        begun.append(number)
        if number == 0:
            second.wait(PATIENCE)
        if number == 1:
            second.set()
        raise ValueError(number)

    with pytest.raises(ValueError, match=r"^0$"):
        pool.share(fail, range(100), 2, nothing)
    assert sorted(begun) == [0, 1]


def test_who_ends_the_program_waits_for_who_has_begun():
    here, begun, over = threading.current_thread(), threading.Event(), []

    def task(_):
        if threading.current_thread() is here:
            begun.wait(PATIENCE)
            raise KeyboardInterrupt
        begun.set()
        time.sleep(0.05)
        over.append(None)

    with pytest.raises(KeyboardInterrupt):
        pool.share(task, range(100), 2, nothing)
    assert len(over) == 1


def test_whatever_a_helper_raises_is_raised():
    here, met = threading.current_thread(), threading.Event()

    def task(_):
        if threading.current_thread() is here:
            met.wait(PATIENCE)
        else:
            met.set()
            raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        pool.share(task, range(2), 2, nothing)


def test_tasks_inside_tasks_end_where_no_thread_is_left(monkeypatch):
    monkeypatch.setattr(pool, "MOST", 1)
    monkeypatch.setattr(pool, "_pool", None)
    done = []
    pool.share(lambda _: pool.share(done.append, range(10), 4, nothing), range(10), 4, nothing)
    assert sorted(done) == sorted(list(range(10)) * 10)


def test_the_caller_alone_where_no_thread_is_given(monkeypatch):
    class Ended:
        def submit(self, *_):
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(pool, "_pool", Ended())
    done = []
    pool.share(done.append, range(10), 4, nothing)
    assert done == list(range(10))


def test_a_thread_that_stays_takes_the_settings_of_each_call():
    seen = []
    for threads in (2, 3, 2):
        with using(threads=threads):
            run(lambda _: (time.sleep(0.001), seen.append(current().threads)), range(6), what="looking")
        assert set(seen[-6:]) == {threads}
