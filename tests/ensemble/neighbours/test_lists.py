"""Lists in tasks in this process: the bits of one walk, from files that may be lost or damaged."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import postproc
from ensemble.base.errors import InputError
from ensemble.neighbours import lists, plan, tasks
from postproc.base import machine
from postproc.pairs import forecast
from tests.postproc.pairs.test_parted import features
from tests.support.disk import little_room
from tests.support.each import each

SMALL = 10**9


def same(found, wanted):
    for name in ("rows", "distances", "largest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    for name in ("sizes", "one_set", "unit_length", "exact", "recall", "digest"):
        assert getattr(found, name) == getattr(wanted, name), name


def made(sides, out, **settings):
    """The lists, what was said, and the tasks that were done."""
    said, seen = [], []
    found = lists.exact(*sides, out=out, **{"k": 9, **settings}, say=said.append, seen=seen.append)
    return found, said, [done.number for done in seen]


def cut_off(sides, out, after):
    """Lists whose run ends after some tasks; the work folder."""

    class Enough(Exception):
        pass

    seen = []

    def stop(done):
        seen.append(done)
        if len(seen) == after:
            raise Enough

    with pytest.raises(Enough):
        lists.exact(*sides, out=out, k=9, seen=stop)
    return lists.work_of(out)


@each(("kind", "one_set"), [("as they are", False), ("copies", True), ("half", False), ("mapped", True)])
def test_they_are_those_of_one_walk(tmp_path, kind, one_set):
    rows = features(
        1200, 16, copies=300 if kind == "copies" else 0, dtype=np.float16 if kind == "half" else np.float32
    )
    sides = [rows] if one_set else [rows[:200], rows[200:]]
    wanted = postproc.neighbours(*(side.astype(np.float32) for side in sides), k=9)
    if kind == "mapped":
        for number, side in enumerate(sides):
            np.save(tmp_path / f"{number}.npy", side)
        sides = [np.load(tmp_path / f"{number}.npy", mmap_mode="r") for number in range(len(sides))]
    out = tmp_path / f"graph {kind} {one_set}"
    found, said, done = made(sides, out)
    same(found, wanted)
    same(postproc.NeighbourLists.load(out), wanted)
    assert said == []
    assert len(done) > 3
    assert not lists.work_of(out).exists()


@pytest.mark.skipif(not machine.int8(), reason="the processor has no AVX-512 VNNI")
@each(("kind", "one_set"), [("as they are", False), ("copies", True), ("half", False), ("mapped", True)])
def test_they_are_those_of_whole_numbers(tmp_path, monkeypatch, kind, one_set):
    """Where one process finds them so, tasks do, also those without the instruction."""
    for name, value in {"FEWEST": 1, "NARROWEST": 1, "TILE": 1e9}.items():
        monkeypatch.setattr(forecast, name, value)
    rows = features(
        700,
        24,
        copies=200 if kind == "copies" else 0,
        dtype=np.float16 if kind in ("half", "mapped") else np.float32,
    )
    sides = [rows] if one_set else [rows[:200], rows[200:]]
    wanted = postproc.neighbours(*(side.astype(np.float32) for side in sides), k=9)
    if kind == "mapped":
        np.save(tmp_path / "0.npy", rows)
        sides = [np.load(tmp_path / "0.npy", mmap_mode="r")]
    out = tmp_path / f"graph {kind} {one_set}"
    folder = cut_off(sides, out, after=1)
    assert plan.read(folder).whole
    monkeypatch.setenv(machine.NO_INT8, "1")
    found, said, done = made(sides, out)
    same(found, wanted)
    assert said == []
    assert len([number for number in done if len(number) == 2]) > 1, "several pairs of parts"


def test_features_in_memory_are_written_once_and_mapped_ones_stay_where_they_are(tmp_path):
    rows = features(400, 8)
    folder = cut_off([rows], tmp_path / "graph", after=1)
    assert plan.read(folder).sources == ("gallery.npy",)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    folder = cut_off([mapped], tmp_path / "other", after=1)
    assert plan.read(folder).sources == (str((tmp_path / "rows.npy").resolve()),)
    assert not (folder / "gallery.npy").exists()


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path):
    rows, out = features(1200, 16), tmp_path / "graph"
    np.save(tmp_path / "rows.npy", rows)
    code = """
import os, signal, sys
import numpy as np
from ensemble.neighbours import lists
seen = []
def stop(done):
    seen.append(done)
    if len(seen) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
lists.exact(np.load(sys.argv[1]), out=sys.argv[2], k=9, seen=stop)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "rows.npy"), str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(lists.__file__).parents[2]
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    folder = lists.work_of(out)
    finished = sorted((folder / "pairs").glob("*.npz"))
    assert len(finished) == 4
    left = {pair for pair in plan.read(folder).pairs if not tasks.pair_file(folder, *pair).exists()}
    found, said, again = made([rows], out)
    same(found, postproc.neighbours(rows, k=9))
    assert {number for number in again if len(number) == 2} == left
    assert said == []


@each("harm", ["a byte", "cut short", "of another plan"])
@each("whose", ["pairs", "lists", "parts", "copies", "features"])
def test_a_damaged_file_is_named_and_made_again(tmp_path, whose, harm):
    rows, out = features(1200, 16, copies=100), tmp_path / f"{whose} {harm}"
    folder = cut_off([rows], out, after=12)  # 10 pairs, 2 lists
    file = folder / "gallery.npy" if whose == "features" else folder / "copies.npz"
    if whose in ("pairs", "lists", "parts"):
        file = sorted((folder / whose).glob("*.npz"))[-1]
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(
        {
            "a byte": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "cut short": content[:middle],
            "of another plan": b"nothing of the kind",
        }[harm]
    )
    if harm == "of another plan" and whose != "features":
        other = cut_off([features(1200, 16, seed=1, copies=100)], tmp_path / f"{whose} {harm} 2", after=12)
        shutil.copy(other / file.relative_to(folder), file)
    found, said, _ = made([rows], out)
    same(found, postproc.neighbours(rows, k=9))
    if whose != "features":  # these are compared with those that are given
        assert len(said) == 1
        assert said[0].startswith(f"{file}: wanted what a task has written, found ")
        assert said[0].endswith("; it is made again")


def test_the_work_of_others_is_not_touched(tmp_path):
    out = tmp_path / "graph"
    folder = cut_off([features(600, 8)], out, after=2)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    for rows, settings, words in (
        (features(600, 8, seed=1), {}, "features "),
        (features(600, 8), {"k": 5}, "k = 5, .* found those of .* k = 9"),
    ):
        with pytest.raises(InputError, match=rf"wanted the unfinished lists of 600 images x 8, .*{words}"):
            made([rows], out, **settings)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    other = tmp_path / "mine"
    (tmp_path / "mine.work").mkdir()
    (tmp_path / "mine.work" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"mine.work: wanted a new folder or one with plan.json"):
        made([features(600, 8)], other)
    (folder / "plan.json").write_text("{}")
    with pytest.raises(InputError, match=r"plan.json: wanted the plan of neighbour lists, found a damaged one"):
        made([features(600, 8)], out)


def test_memory_sets_the_parts_and_too_little_is_refused(tmp_path):
    rows = features(1200, 512)
    words = r"--memory: wanted \d+MB or more for a worker of 1 threads, found 300MB"
    with pytest.raises(InputError, match=words), postproc.using(threads=1):
        made([rows], tmp_path / "graph", memory=300 * 10**6)
    assert not (tmp_path / "graph.work").exists()
    some = plan.task_bytes(200, 512, 4, 10, 1, False)
    with postproc.using(threads=1):
        _, _, few = made([rows], tmp_path / "graph", memory=10 * some)
        _, _, many = made([rows], tmp_path / "graph", memory=some)
    assert len(many) > len(few)


def test_a_disk_that_is_full_loses_nothing(tmp_path):
    rows, out = features(1200, 16), tmp_path / "graph"
    folder = cut_off([rows], out, after=3)
    before = sorted((folder / "pairs").iterdir())
    with little_room(4096), pytest.raises(InputError, match=r"pairs.*npz: wanted to write it, but File too large"):
        made([rows], out)
    assert sorted((folder / "pairs").iterdir()) == before
    assert not out.exists()
    found, _, done = made([rows], out)
    same(found, postproc.neighbours(rows, k=9))
    assert len([number for number in done if len(number) == 2]) == 10 - 3


def test_lists_are_as_long_as_there_are_images(tmp_path):
    rows = features(6, 4)
    found, _, _ = made([rows], tmp_path / "graph", k=50)
    wanted = postproc.neighbours(rows, k=50)
    same(found, wanted)
    assert found.rows.shape == (6, 6)


def test_bad_features_are_refused(tmp_path):
    rows = features(300, 4)
    rows[3, 1] = np.inf
    with pytest.raises(InputError, match=r"features: wanted finite numbers, found NaN or infinity in row 3"):
        made([rows], tmp_path / "graph")
    assert list(tmp_path.iterdir()) == []


def test_somebody_elses_folder_is_not_replaced(tmp_path):
    out = tmp_path / "graph"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"graph: wanted a new folder or one with neighbours"):
        made([features(300, 4)], out)
    assert (out / "thesis.txt").read_text() == "mine"
    assert os.listdir(out) == ["thesis.txt"]
