"""Where the settings of ``using`` hold: in threads that start inside, and nowhere else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from multiprocessing.pool import ThreadPool

from joblib import Parallel, delayed

from postproc import using
from postproc.base.runtime import current
from tests.support.each import each

PATIENCE = 20


def seen(*ignored):
    """The settings in force here and, one below the other, in a thread that is started here."""
    below = []
    thread = threading.Thread(target=lambda: below.append(current()))
    thread.start()
    thread.join(PATIENCE)
    return current().threads, below[0].threads


def in_executor():
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(seen, range(4)))


def in_pool():
    with ThreadPool(2) as pool:
        return pool.map(seen, range(4))


def in_joblib():
    return Parallel(n_jobs=2, backend="threading")(delayed(seen)() for _ in range(4))


@each("pool", [in_executor, in_pool, in_joblib])
def test_threads_that_start_inside_see_it(pool):
    with using(threads=7):
        assert set(pool()) == {(7, 7)}
        with using(memory=1 << 20):
            assert set(pool()) == {(7, 7)}


def test_the_innermost_one_counts_also_in_a_thread():
    found = []

    def work():
        with using(threads=3):
            found.append(seen())
        found.append(seen())

    with using(threads=7):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(PATIENCE)
    assert found == [(3, 3), (7, 7)]


def test_nobody_else_sees_it():
    before = current()
    with ThreadPoolExecutor(1) as running:
        assert running.submit(seen).result() == (before.threads, before.threads)  # the thread runs from now on
        with using(threads=before.threads + 6):
            assert running.submit(seen).result() == (before.threads, before.threads)
            inside = copy_context()
            assert set(running.submit(inside.run, seen).result()) == {before.threads + 6}
    assert seen() == (before.threads, before.threads)


def test_callers_side_by_side_do_not_disturb_each_other():
    meeting, found = threading.Barrier(3, timeout=PATIENCE), {}

    def work(count):
        with using(threads=count):
            meeting.wait()  # all are inside
            found[count] = in_executor()
            meeting.wait()

    callers = [threading.Thread(target=work, args=(count,)) for count in (3, 4, 5)]
    [caller.start() for caller in callers]
    [caller.join(PATIENCE) for caller in callers]
    assert found == {count: [(count, count)] * 4 for count in (3, 4, 5)}


def test_a_thread_keeps_what_it_was_started_with():
    go, found = threading.Event(), []
    thread = threading.Thread(target=lambda: (go.wait(PATIENCE), found.append(current().threads)))
    with using(threads=7):
        thread.start()
    go.set()
    thread.join(PATIENCE)
    assert found == [7]
