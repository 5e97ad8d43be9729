"""A process that forks while a thread works: the child works too, to the same bits, and waits for nobody."""

import multiprocessing
import os
import pickle
import select
import signal
import threading
import time
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import sklearn.exceptions  # noqa: F401 - adds filters of warnings
from numba.core.compiler_lock import global_compiler_lock

from postproc import rerank, using
from postproc.base import blas, forks
from postproc.base.cache import Cache
from postproc.base.cached import cached_property
from postproc.base.runtime import current
from postproc.features.metrics import silence
from postproc.kernels.compiled import compiled
from tests.support.each import each
from tests.support.worlds import world

PATIENCE = 30  # seconds after which a child hangs

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def in_child(work):
    """What ``work()`` gives back in a forked child; fails if that takes too long."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later advise against it
        child = os.fork()
        if not child:
            try:
                found = work()
            except BaseException as error:
                found = repr(error)
            try:
                os.write(writing, pickle.dumps(found))
            finally:
                os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
            pytest.fail("the child hangs")
        return pickle.loads(os.read(reading, 1 << 16))
    finally:
        os.waitpid(child, 0)
        os.close(reading)


@contextmanager
def thread(work):
    """Call ``work()`` in a thread, again and again, until the block ends."""
    end, begun = threading.Event(), threading.Event()

    def loop():
        while not end.is_set():
            begun.set()
            work()

    running = threading.Thread(target=loop)
    running.start()
    try:
        assert begun.wait(PATIENCE)
        yield
    finally:
        end.set()
        running.join(PATIENCE)


@contextmanager
def held(enter):
    """Another thread is inside ``enter()`` while the block runs."""
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with enter():
            inside.set()
            leave.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert inside.wait(PATIENCE)
        yield
    finally:
        leave.set()
        holder.join(PATIENCE)


def answer(seed=3, nq=20, ng=200):
    data = world(nq=nq, ng=ng, seed=seed)
    return rerank(data["query"], data["gallery"], k1=8).tobytes()[:4096]


def test_while_a_thread_reranks():
    wanted = answer()
    with thread(lambda: answer(seed=4, ng=900)):
        for moment in range(4):
            time.sleep(0.013 * moment)
            assert in_child(answer) == wanted


def put_answer(queue):
    queue.put(answer())


def test_by_multiprocessing():
    wanted, context = answer(), multiprocessing.get_context("fork")
    with thread(lambda: answer(seed=4, ng=900)), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        queue = context.SimpleQueue()
        child = context.Process(target=put_answer, args=(queue,))
        child.start()
        child.join(PATIENCE)
        if child.is_alive():
            child.kill()
            pytest.fail("the child hangs")
    assert (child.exitcode, queue.get()) == (0, wanted)


def test_a_child_keeps_the_settings_of_where_it_was_forked():
    with using(threads=7, memory=1 << 20):
        assert in_child(current) == current()


def test_blas_gets_its_setting_back_in_the_child():
    def threads():
        return {library["num_threads"] for library in blas.libraries().info()}

    def inside_and_after():
        before = threads()
        with blas.one_thread():
            inside = threads()
        return before, inside, threads()

    limit = blas.libraries().limit(limits=3)
    blas._let_another_thread_restore()
    try:
        with held(blas.one_thread):
            assert in_child(inside_and_after) == ({3}, {1}, {3})
            assert threads() == {1}
        assert threads() == {3}
    finally:
        limit.restore_original_limits()
        blas._let_another_thread_restore()


def test_a_thread_that_forks_while_it_is_inside_stays_inside():
    with blas.one_thread():
        assert in_child(lambda: dict(blas._holders)) == {threading.get_ident(): 1}
    assert not blas._holders


def test_while_somebody_fits():
    def fit():
        filters = list(warnings.filters)
        with silence.silence():
            return filters

    before = list(warnings.filters)
    with held(silence.silence):
        assert in_child(fit) == before != warnings.filters
    assert warnings.filters == before


@compiled
def double(x):
    return 2 * x


@each("lock", [forks.loading, blas._lock, global_compiler_lock])
def test_a_lock_that_is_held_for_a_moment_is_waited_for(lock):
    released = []

    def moment():
        lock.acquire()
        taken.set()
        time.sleep(0.1)
        released.append(True)
        lock.release()

    taken = threading.Event()
    holder = threading.Thread(target=moment)
    holder.start()
    assert taken.wait(PATIENCE)

    def use():
        double(1)
        Cache().put("a", np.zeros(3))
        return answer(), list(released)

    assert in_child(use) == (answer(), [True])
    holder.join(PATIENCE)


class Slow:
    @cached_property
    def value(self):
        """Takes its time in the first object."""
        Slow.asked.set()
        Slow.go.wait(PATIENCE)
        return 5


def test_while_a_property_is_computed():
    Slow.asked, Slow.go = threading.Event(), threading.Event()

    def other():
        Slow.go.set()
        return Slow().value

    asking = threading.Thread(target=lambda: Slow().value)
    asking.start()
    assert Slow.asked.wait(PATIENCE)
    assert in_child(other) == 5
    Slow.go.set()
    asking.join(PATIENCE)


def test_a_property_is_computed_once():
    Slow.asked, Slow.go = threading.Event(), threading.Event()
    Slow.go.set()
    one = Slow()
    assert one.value == one.value == vars(one)["value"] == 5
    assert Slow.value.__doc__ == "Takes its time in the first object."
