"""Re-ranking of mapped lists in tasks: the bits of one process, from files that may be lost or damaged."""

import os
import shutil
import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import postproc
from ensemble.base.errors import InputError
from ensemble.neighbours import files, lists, reranking
from postproc.base import runtime
from postproc.pairs import long_lists
from tests.postproc.context.test_overlaps import images
from tests.postproc.pairs.test_parted import features
from tests.support.disk import little_room
from tests.support.each import each

BY_CANDIDATES = patch.object(long_lists, "cheaper", lambda *sizes: True)  # as for a large set


def drawn(count=900, width=8):
    """Images around identities, some of them copies."""
    return images(np.random.default_rng(count), count, width)


def one_process(sides, known, top_k, **settings):
    with BY_CANDIDATES:
        return postproc.rerank(
            *(side.astype(np.float32) for side in sides), neighbours=known, top_k=top_k, **settings
        )


def in_tasks(sides, known, out, top_k=12, **settings):
    """The answer, what was said, and the tasks that were done."""
    said, seen = [], []
    found = reranking.reranked(
        known, *sides, out=out, top_k=top_k, say=said.append, **{"seen": seen.append, **settings}
    )
    return found, said, seen


def same(found, wanted):
    assert_array_equal(found.rows, wanted.rows)
    assert_array_equal(found.distances, wanted.distances)


@each(("kind", "settings"), [
    ("one set", {}),
    ("two sides", {"k1": 7, "k2": 1}),
    ("half", {"normalize": False, "count_self": True, "power": 4.0}),
    ("two sides, half", {"lambda_value": 0.0}),
    ("ties", {"k1": 4, "k2": 2, "lambda_value": 1.0}),
])  # fmt: skip
def test_they_are_those_of_one_process(tmp_path, kind, settings):
    rows = drawn()
    if kind == "ties":  # 30 images, each 30 times: nobody can tell who is in a list, and who is not
        rows = np.tile(features(30, 8), (30, 1))
    rows = rows.astype(np.float16) if "half" in kind else rows
    sides = [rows[:200], rows[200:]] if "two" in kind else [rows]
    known = postproc.neighbours(*(side.astype(np.float32) for side in sides), k=40)
    found, said, seen = in_tasks(sides, known, tmp_path / kind, **settings)
    same(found, one_process(sides, known, 12, **settings))
    same(reranking.load(tmp_path / kind), found)
    assert said == []
    assert len(seen) > 15, "several ranges"
    if kind in ("half", "ties"):  # looked at again: some by single pairs, or many in whole tiles
        assert {one.number[1] for one in seen if len(one.number) == 2} == {int(kind == "ties")}
    assert not lists.work_of(tmp_path / kind).exists()


def test_lists_that_are_just_long_enough_have_the_same_answer(tmp_path):
    """As long as the answer: more are looked at again, and distances are found in other ways."""
    rows = np.unique(drawn(), axis=0)
    found, _, _ = in_tasks([rows], postproc.neighbours(rows, k=12), tmp_path / "out", k1=5, k2=3)
    wanted = one_process([rows], postproc.neighbours(rows, k=40), 12, k1=5, k2=3)
    np.testing.assert_allclose(found.distances, wanted.distances, atol=1e-6)
    assert (found.rows == wanted.rows).mean() > 0.999


def test_lists_and_features_where_they_are(tmp_path):
    rows = drawn(300)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    known = postproc.neighbours(rows, k=30)
    known.save(tmp_path / "graph")
    sizes = []

    def look(done):
        work = lists.work_of(tmp_path / "out")
        sizes.append(sum(path.stat().st_size for path in work.rglob("gallery.npy")))
        assert not (work / "graph").exists()

    found, _, _ = in_tasks([mapped], tmp_path / "graph", tmp_path / "out", seen=look)
    same(found, one_process([rows], known, 12))
    assert set(sizes) == {0}


def test_two_workers_a_run_that_is_ended_and_a_worker_that_is_killed(two, tmp_path):
    rows, out = drawn(), tmp_path / "out"
    known = postproc.neighbours(rows, k=40)
    chosen = {"top_k": 12, "memory": 10**9, "say": print, "settings": {}}
    seen, first = [], []

    def stop(done):
        first.append(done)
        if len(first) == 20:
            raise Enough

    with pytest.raises(Enough):
        reranking.on(two, known, [rows], out, seen=stop, **chosen)
    assert (lists.work_of(out) / "vectors" / "group.json").exists()

    def kill(done):
        if len(seen) == 3:
            os.kill(done.process, signal.SIGKILL)
        seen.append(done)

    found = reranking.on(two, known, [rows], out, seen=kill, **chosen)
    same(found, one_process([rows], known, 12))
    assert len(seen) < 5 * 8 - 15, "what was finished is not done again"
    assert len({one.process for one in seen}) > 1
    assert os.getpid() not in {one.process for one in seen}


def test_how_far_it_is_is_told(tmp_path, monkeypatch):
    told = []

    @contextmanager
    def counted(what, total):
        steps = []
        yield lambda: steps.append(1)
        assert len(steps) == total
        told.append(what)

    monkeypatch.setattr(runtime, "counted", counted)
    rows = drawn(300)
    in_tasks([rows], postproc.neighbours(rows, k=40), tmp_path / "out")
    stages = ["reciprocal neighbours", "weights", "means of weights", "columns of weights", "answers"]
    assert [what for what in told if what in stages or what == "putting together"][-1] == "putting together"
    assert set(stages) <= set(told)


class Enough(Exception):
    pass


def cut_off(rows, known, out, after):
    """The work folder of a run that ended after some tasks."""
    seen = []

    def stop(done):
        seen.append(done)
        if len(seen) == after:
            raise Enough

    with pytest.raises(Enough):
        reranking.reranked(known, rows, out=out, top_k=12, seen=stop)
    return lists.work_of(out), [one.number for one in seen]


@each(("whose", "after"), [
    ("parts/heads/00001.npz", 3), ("parts/averages/00002.npz", 9), ("heads/rows.npy", 6),
    ("vectors/group.json", 10), ("columns/weights.npy", 14), ("known/norms.npy", 6), ("gallery.npy", 6),
])  # fmt: skip
def test_a_run_that_ended_goes_on_and_damaged_files_are_made_again(tmp_path, whose, after):
    rows, out = drawn(300), tmp_path / whose.replace("/", " ")
    known = postproc.neighbours(rows, k=40)
    work, _ = cut_off(rows, known, out, after)
    file = work / whose
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    found, said, again = in_tasks([rows], known, out)
    same(found, one_process([rows], known, 12))
    assert len(again) < 4 * 5, "what was finished is not done again"
    if whose != "gallery.npy":  # features are held against those that are given
        assert len(said) == 1
        assert said[0].endswith("; it is made again")
        assert str(work / Path(whose).parts[0]) in said[0]


def test_a_full_disk_loses_nothing(tmp_path):
    rows, out = drawn(300), tmp_path / "out"
    known = postproc.neighbours(rows, k=40)
    known.save(tmp_path / "graph")
    work, _ = cut_off(rows, tmp_path / "graph", out, 5)
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    words = r"parts.*npz: wanted to write it, but File too large.*; finished tasks stay in .*out\.work"
    with little_room(4096), pytest.raises(InputError, match=words):
        in_tasks([rows], tmp_path / "graph", out)
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before
    found, _, _ = in_tasks([rows], known, out)
    same(found, one_process([rows], known, 12))


def test_what_cannot_be_is_refused(tmp_path):
    rows, out = drawn(300), tmp_path / "out"
    known = postproc.neighbours(rows, k=30)
    short = postproc.neighbours(rows, k=11)
    holes = replace(known, rows=np.where(np.arange(31) > 15, -1, known.rows).astype(np.int32))
    for lists_, settings, words in (
        (known, {"camera_penalty": 1.0}, "settings: wanted k1, .*, found camera_penalty"),
        (known, {"top_k": 31}, r"wanted lists of k = 31 or more for top_k = 31, found k = 30; .*k = 39 is best"),
        (known, {"power": 64.0}, "power: wanted distances whose power float32 can hold"),
        (known, {"normalize": False, "power": 32.0}, "normalize: wanted distances"),
        (short, {"top_k": 5}, "wanted lists of k = 20 or more for top_k = 5, found k = 11"),
        (postproc.neighbours(drawn(301)[1:], k=30), {}, "wanted lists of the distances that are used here"),
        (replace(known, digest=""), {}, "wanted lists that say of which features they are"),
        (
            holes,
            {},
            r"neighbours: wanted 21 images, itself one of them, in every list, found 16 in that of image 0",
        ),
        (tmp_path / "nothing", {}, "neighbours: .*nothing: wanted a folder with neighbours.json, found none"),
        (known, {"memory": 10**8}, r"--memory: wanted \d+MB or more for a worker of"),
    ):
        with pytest.raises(InputError, match=words):
            in_tasks([rows], lists_, out, **settings)
        assert not out.exists()
        files_left = list(lists.work_of(out).rglob("*.npz"))
        assert files_left == [] or lists_ is holes
        shutil.rmtree(lists.work_of(out), ignore_errors=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(
        InputError, match=r"mine: wanted a new folder or one with nearest.json, found something else"
    ):
        in_tasks([rows], known, tmp_path / "mine")
    assert not lists.work_of(tmp_path / "mine").exists()
    work, _ = cut_off(rows, known, out, 2)
    with pytest.raises(
        InputError, match=r"wanted the unfinished re-ranking of .*k1 = 9.*, found that of .*k1 = 20"
    ):
        in_tasks([rows], known, out, k1=9)
    (work / "plan.json").write_text("{}")
    with pytest.raises(InputError, match=r"plan.json: wanted the plan of a re-ranking, found a damaged one"):
        in_tasks([rows], known, out)


def test_room_is_taken_before_anything_is_written(tmp_path):
    """Who writes to a mapped file on a full disk is ended by the system."""
    found = files.room(tmp_path / "a.npy", np.float32, (3, 2))
    found[:] = 7
    found.flush()
    assert_array_equal(np.load(tmp_path / "a.npy"), np.full((3, 2), 7))
    assert files.room(tmp_path / "none.npy", np.int32, (0, 4)).shape == (0, 4)
    with little_room(4096), pytest.raises(OSError, match=r"b.npy"):
        files.room(tmp_path / "b.npy", np.float32, (100, 100))
    assert not (tmp_path / "b.npy").exists()
