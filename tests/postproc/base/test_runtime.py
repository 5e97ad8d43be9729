"""Threads, borrowed BLAS settings, failures and progress: how a computation runs."""

import io
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from threadpoolctl import OpenBLASController

from postproc import rerank, using
from postproc.base import blas
from postproc.base.progress import Progress
from postproc.base.runtime import Runtime, current, over_rows, run, within
from tests.support.each import each
from tests.support.worlds import world

PATIENCE = 20  # seconds after which a test that waits for a thread gives up


def blas_threads():
    """Of the library that NumPy calls; SciPy may bring one of its own, which nothing here uses."""
    return {library["num_threads"] for library in blas.libraries().info()}


@pytest.fixture
def three_blas_threads():
    """One thread would be what the pool sets itself, and nothing could be seen."""
    before = blas.libraries().limit(limits=3)
    give_up_control()
    assert blas_threads() == {3}
    yield
    before.restore_original_limits()
    give_up_control()


def give_up_control():
    """Let any thread change the setting next; some versions of threadpoolctl heed only the last that did."""
    getattr(OpenBLASController, "clear_controlling_thread", lambda: None)()


class Terminal(io.StringIO):
    """A text stream that says that somebody is watching."""

    def isatty(self):
        return True


def test_using_changes_what_is_named_and_gives_it_back():
    before = current()
    with using(threads=3):
        assert (current().threads, current().memory, current().progress) == (3, before.memory, before.progress)
        with using(memory="2MB", progress=False):
            assert (current().threads, current().memory, current().progress) == (3, 2_000_000, None)
        assert current().memory == before.memory
        with pytest.raises(KeyError), using(threads=7):
            raise KeyError
        assert current().threads == 3
    assert current() == before


@each(
    ("setting", "message"),
    [
        ({"threads": 0}, "threads: wanted a whole number, 1 or more, got 0"),
        ({"threads": 1.5}, "threads: wanted a whole number, 1 or more, got 1.5"),
        ({"memory": "lots"}, "memory: wanted a size such as 4GB, found 'lots'"),
        ({"memory": "4"}, "memory: wanted a size with its unit, such as 4GB, found '4'; write 4GB, 4MB or 4KB"),
        ({"memory": 4}, 'memory: wanted bytes, 1000000 or more, or a size with its unit, got 4; write "4GB".*'),
        ({"memory": 1.5}, 'memory: wanted bytes, or a size with its unit such as "4GB", got 1.5'),
        ({"memory": "4KB"}, "memory: wanted 1MB or more, found '4KB'"),
        ({"progress": "no"}, "progress: wanted true or false, got 'no'"),
    ],
)
def test_using_refuses(setting, message):
    with pytest.raises(ValueError, match=f"^{message}$"), using(**setting):
        pass


@each("threads", [1, 2, 5])
@each("count", [0, 1, 3, 40])
def test_every_task_runs_once(threads, count):
    done = []
    with using(threads=threads):
        run(done.append, range(count), what="tasks")
    assert sorted(done) == list(range(count))


@given(count=st.integers(0, 3000), block=st.none() | st.integers(1, 700), threads=st.sampled_from([1, 2, 5]))
def test_ranges_cover_every_row_once(count, block, threads):
    visits = np.zeros(count, int)

    def visit(start, stop):
        assert 0 <= start < stop <= count
        assert block is None or stop - start <= block
        visits[start:stop] += 1

    with using(threads=threads):
        over_rows(visit, count, what="rows", block=block)
    assert_array_equal(visits, 1)


def meet(parties):
    """A task that ends only when ``parties`` of its kind run at the same time."""
    barrier = threading.Barrier(parties, timeout=PATIENCE)
    return lambda task: barrier.wait()


def most_at_once(tasks, **options):
    """How many of the tasks were at work at one time."""
    lock, working, most = threading.Lock(), [0], [0]

    def work(task):
        with lock:
            working[0] += 1
            most[0] = max(most[0], working[0])
        time.sleep(0.002)
        with lock:
            working[0] -= 1

    run(work, tasks, what="work", **options)
    return most[0]


def test_as_many_threads_work_at_once_as_asked_for():
    with using(threads=3):
        run(meet(3), range(6), what="meeting")
        assert most_at_once(range(30)) <= 3


def test_memory_bounds_how_many_tasks_run_at_once():
    with within(Runtime(4, memory=1000)):
        assert most_at_once(range(30), bytes_each=400) <= 2
        run(meet(2), range(4), what="meeting", bytes_each=400)
        assert most_at_once(range(5), bytes_each=5000) == 1  # less than one tile: one all the same


@each("threads", [1, 2])
def test_a_failure_is_raised_and_cancels_the_rest(threads, three_blas_threads):
    started = []

    def work(task):
        started.append(task)
        if task == 3:
            raise ZeroDivisionError("task 3")
        time.sleep(0.002)

    with using(threads=threads), pytest.raises(ZeroDivisionError, match="task 3"):
        run(work, range(2000), what="work")
    assert len(started) < 1000
    count = len(started)
    time.sleep(0.02)
    assert len(started) == count  # nobody is still at work
    assert blas_threads() == {3}


@each("threads", [1, 2])
def test_blas_has_one_thread_inside_and_its_own_setting_outside(threads, three_blas_threads):
    inside = []
    with using(threads=threads):
        run(lambda task: inside.append(blas_threads()), range(2), what="work")
    assert inside == [{1}, {1}]
    assert blas_threads() == {3}


def test_blas_setting_comes_back_when_the_last_of_two_callers_leaves(three_blas_threads):
    both_in, seen = threading.Barrier(2, timeout=PATIENCE), []
    first_in, first_left, second_left = (threading.Event() for _ in range(3))

    def enter(task):
        first_in.set()
        both_in.wait()

    def leave_first():
        run(enter, [0], what="first")
        first_left.set()
        assert second_left.wait(PATIENCE)  # this thread lives on, as those of a server do

    def stay(task):
        both_in.wait()
        assert first_left.wait(PATIENCE)
        seen.append(blas_threads())

    first = threading.Thread(target=leave_first)
    first.start()
    assert first_in.wait(PATIENCE)
    run(stay, [0], what="second")
    seen.append(blas_threads())
    second_left.set()
    first.join(PATIENCE)
    assert seen == [{1}, {3}]


def test_two_callers_get_the_answers_that_each_would_get_alone(three_blas_threads):
    worlds = [world(nq=20, ng=150, seed=seed) for seed in (1, 2)]
    alone = [rerank(data["query"], data["gallery"]) for data in worlds]
    together = [None, None]

    def work(at):
        together[at] = [rerank(worlds[at]["query"], worlds[at]["gallery"]) for _ in range(5)]

    callers = [threading.Thread(target=work, args=(at,)) for at in (0, 1)]
    [caller.start() for caller in callers]
    [caller.join(PATIENCE) for caller in callers]
    for wanted, found in zip(alone, together, strict=True):
        assert all(wanted.tobytes() == answer.tobytes() for answer in found)
    assert blas_threads() == {3}


def test_nobody_is_told_who_has_not_asked(capfd):
    run(lambda task: None, range(5), what="tidying up")
    assert capfd.readouterr() == ("", "")


def test_what_is_quick_is_done_in_silence(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with using(progress=True):
        run(lambda task: None, range(50), what="quick")
    assert terminal.getvalue() == ""


def test_parts_of_what_runs_are_counted():
    seen, watcher = [], Progress()
    with using(threads=1, progress=watcher):
        assert current().progress is watcher
        run(lambda task: seen.append((watcher.tasks[0].what, watcher.tasks[0].done)), range(3), what="tidying up")
        with using(progress=False):
            run(lambda task: seen.append(len(watcher.tasks)), range(1), what="in silence")
    assert seen == [("tidying up", 0), ("tidying up", 1), ("tidying up", 2), 0]
    assert not watcher.tasks
