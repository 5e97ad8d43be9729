"""Lists on real Dask clusters: the bits of one process, whatever happens to workers."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import postproc
from ensemble.base.errors import InputError
from ensemble.neighbours import engines, lists
from tests.ensemble.neighbours.test_lists import same
from tests.postproc.pairs.test_parted import features
from tests.support.each import each

pytest.importorskip("distributed", reason="the extra dask is not installed")


def on(engine, sides, out, k=9, **settings):
    done = []
    settings = {"memory": 10**9, "say": print, "seen": done.append, **settings}
    return lists.on(engine, sides, Path(out), k=k, **settings), done


@each("one_set", [True, False])
def test_two_workers_give_the_bits_of_one(two, tmp_path, one_set):
    rows = features(1500, 16, copies=200, dtype=np.float16)
    sides = [rows] if one_set else [rows[:300], rows[300:]]
    found, done = on(two, sides, tmp_path / f"graph {one_set}")
    same(found, postproc.neighbours(*(side.astype(np.float32) for side in sides), k=9))
    assert len({one.process for one in done}) == 2
    assert os.getpid() not in {one.process for one in done}


def test_a_client_from_python(two, tmp_path):
    rows = features(900, 8)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    found = lists.exact(mapped, out=tmp_path / "graph", k=5, client=two.client)
    same(found, postproc.neighbours(rows, k=5))


@each("seed", [0, 1])
def test_in_any_order_of_tasks(two, tmp_path, seed):
    class Shuffled:
        workers, threads = two.workers, two.threads

        def run(self, function, tasks):
            tasks = list(tasks)
            random.Random(seed).shuffle(tasks)
            return two.run(function, tasks)

    rows = features(1500, 16)
    found, done = on(Shuffled(), [rows], tmp_path / f"graph {seed}")
    same(found, postproc.neighbours(rows, k=9))
    assert [one.number for one in done] != sorted(one.number for one in done)


def test_a_worker_that_does_not_see_the_folder_says_so(two, tmp_path):
    task = (str(tmp_path / "elsewhere"), "key", 0, 0)
    from ensemble.neighbours import tasks

    with pytest.raises(FileNotFoundError, match=r"elsewhere"):
        list(two.run(tasks.pair, [task]))


def test_a_full_disk_far_away_loses_nothing(two, tmp_path):
    rows, out = features(1500, 16), tmp_path / "graph"
    two.client.run(_room, 20_000)
    try:
        with pytest.raises(InputError, match=r"but File too large; .*; finished tasks stay in .*graph\.work"):
            on(two, [rows], out)
    finally:
        two.client.run(_room, -1)
    found, _ = on(two, [rows], out)
    same(found, postproc.neighbours(rows, k=9))


def _room(most):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@each(("address", "words"), [
    ("tcp://127.0.0.1:1", "wanted a Dask scheduler at tcp://127.0.0.1:1, found none"),
    ("nonsense://x", "wanted a Dask scheduler at nonsense://x, found none"),
])  # fmt: skip
def test_a_scheduler_that_is_not_there(monkeypatch, address, words):
    monkeypatch.setattr(engines, "PATIENCE", 1.0)
    with pytest.raises(InputError, match=words), engines.at(address):
        pass


def test_any_scheduler_by_its_address(two, tmp_path):
    rows = features(600, 8)
    with engines.at(two.client.scheduler.address) as engine:
        assert engine.workers == 2
        found, _ = on(engine, [rows], tmp_path / "graph")
    same(found, postproc.neighbours(rows, k=9))


def test_a_scheduler_without_workers(tmp_path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(engines, "PATIENCE", 1.0)
    words = r"wanted a scheduler with workers, found none in 1 seconds"
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", local_directory=str(tmp_path)) as empty,
        pytest.raises(InputError, match=words),
        engines.at(empty.scheduler_address),
    ):
        pass


def test_a_run_on_workers_that_is_killed_goes_on(tmp_path, two):
    rows, out = features(1500, 16), tmp_path / "graph"
    np.save(tmp_path / "rows.npy", rows)
    code = """
import os, signal, sys
import numpy as np
from pathlib import Path
from ensemble.neighbours import engines, lists
with engines.at(sys.argv[3]) as engine:
    seen = []
    def stop(done):
        seen.append(done)
        if len(seen) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
    lists.on(engine, [np.load(sys.argv[1])], Path(sys.argv[2]), k=9, memory=10**9, say=print, seen=stop)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "rows.npy"), str(out), two.client.scheduler.address]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(lists.__file__).parents[2]
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    finished = {path: path.stat().st_mtime_ns for path in (lists.work_of(out) / "pairs").glob("*.npz")}
    assert len(finished) >= 4
    left = set()
    found, _ = on(two, [rows], out, seen=lambda one: left.add(one.number))
    same(found, postproc.neighbours(rows, k=9))
    assert not {tuple(map(int, path.stem.split("-"))) for path in finished} & left


def test_a_worker_that_is_killed(two, tmp_path):
    rows, seen = features(2500, 16), []

    def kill(done):
        if not seen:
            os.kill(done.process, signal.SIGKILL)
        seen.append(done)

    found, _ = on(two, [rows], tmp_path / "graph", seen=kill)
    same(found, postproc.neighbours(rows, k=9))
    assert len({one.process for one in seen}) > 1
    assert sorted({one.number for one in seen}) == sorted(one.number for one in seen)  # each is told of once
