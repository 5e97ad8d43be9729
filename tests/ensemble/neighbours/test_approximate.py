"""Lists from an index of faiss: exact distances, measured recall, the same whatever the workers."""

import functools

import numpy as np
import pytest

import postproc
from ensemble.neighbours import lists, plan, told
from tests.postproc.pairs.test_parted import features
from tests.support.each import each

pytest.importorskip("faiss", reason="the extra faiss is not installed")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("approximate")


@pytest.fixture(autouse=True)
def one_thread():
    """Small as these sets are, threads of OpenMP would mostly wait for each other, busily."""
    with postproc.using(threads=1):
        yield


def clusters(people, each_of, width, seed=0, copies=0):
    """Unit vectors around centres: what features are like."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, width)), each_of, axis=0)
    rows = (rows + 0.5 * rng.normal(size=rows.shape)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if copies:
        rows[:copies] = rows[-copies:]
    return rows


def approximate(sides, out, **settings):
    said = []
    return lists.approximate(*sides, out=out, **{"k": 8, **settings}, say=said.append), said


def share(found, wanted):
    """Of the true others the share that stands in the lists."""
    hits = [
        len((set(a.tolist()) & set(b.tolist())) - {row}) / wanted.k
        for row, (a, b) in enumerate(zip(found.rows, wanted.rows, strict=True))
    ]
    return float(np.mean(hits))


@each("kind", ["one set", "two sides", "copies", "half"])
def test_distances_are_exact_and_recall_is_true(tmp_path, kind):
    rows = clusters(100, 10, 16, copies=60 if kind == "copies" else 0)
    rows = rows.astype(np.float16) if kind == "half" else rows
    sides = [rows[:200], rows[200:]] if kind == "two sides" else [rows]
    wanted = postproc.neighbours(*(side.astype(np.float32) for side in sides), k=8)
    found, said = approximate(sides, tmp_path / kind)
    assert said == []
    assert not found.exact
    assert (found.sizes, found.one_set, found.digest, found.k) == (wanted.sizes, wanted.one_set, wanted.digest, 8)
    assert found.recall is not None
    assert found.recall > 0.95
    assert abs(found.recall - share(found, wanted)) < 0.03
    near = rows.astype(np.float64)[found.rows] - rows.astype(np.float64)[:, None]
    np.testing.assert_allclose(found.distances, (near**2).sum(axis=2), rtol=1e-6, atol=1e-7)
    order = np.lexsort((found.rows, found.distances), axis=1)
    np.testing.assert_array_equal(order, np.broadcast_to(np.arange(9), order.shape))
    assert ((found.rows == np.arange(len(rows))[:, None]).any(axis=1)).all()
    if kind == "half":  # their lengths are 1 to half precision
        assert (found.largest >= wanted.largest).all()
    else:
        np.testing.assert_array_equal(found.largest, 4)


def test_all_cells_find_all(tmp_path):
    rows = clusters(100, 8, 12)
    found, _ = approximate([rows], tmp_path / "graph", probes=10**6)
    wanted = postproc.neighbours(rows, k=8)
    assert found.recall == 1
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_allclose(found.distances, wanted.distances, atol=1e-6)


def test_the_same_at_any_number_of_threads_and_parts(tmp_path):
    rows = clusters(100, 10, 16)
    found = []
    for threads, memory in ((1, 10**9), (2, 10**9), (1, plan.task_bytes(400, 16, 4, 9, 1, True))):
        with postproc.using(threads=threads):
            found.append(approximate([rows], tmp_path / f"graph {threads} {memory}", probes=4, memory=memory)[0])
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].rows, other.rows)
        np.testing.assert_array_equal(found[0].distances, other.distances)
        assert other.recall == found[0].recall


def test_few_cells_are_warned_of(tmp_path):
    found, _ = approximate([features(1200, 32)], tmp_path / "graph", probes=1)  # nobody is near anybody
    assert found.recall is not None
    assert found.recall < 0.98
    warning = told.warning(found)
    assert warning is not None
    assert warning.startswith(f"recall {found.recall:.4f} is below 0.98")
    assert told.warning(postproc.neighbours(features(30, 4), k=3)) is None


@each("whose", ["index/00000.npz", "index/cells.npz", "sample/00000.npz", "pairs/00000-00001.npz"])
def test_damage_is_made_again(tmp_path, base, whose):
    rows, out = clusters(100, 8, 12), tmp_path / "graph"
    wanted, seen = few_cells(base), []
    with pytest.raises(KeyboardInterrupt):
        lists.approximate(rows, out=out, k=8, probes=4, seen=lambda done: (seen.append(done), _after(seen, 10)))
    file = lists.work_of(out) / whose
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    found, said = approximate([rows], out, probes=4)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    assert said[0].startswith(f"{file}: wanted what a task has written, found a damaged file")


@functools.cache
def few_cells(base):
    """Lists of the same images by four cells; made once."""
    return lists.approximate(clusters(100, 8, 12), out=base / "alone", k=8, probes=4)


def _after(seen, count):
    if len(seen) == count:
        raise KeyboardInterrupt


def test_on_workers(two, tmp_path, base):
    rows = clusters(100, 8, 12)
    found = lists.on(two, [rows], tmp_path / "graph", k=8, memory=10**9, say=print, seed=0, probes=4)
    wanted = few_cells(base)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.distances, wanted.distances)


def test_graphs_in_the_place_of_cells(tmp_path):
    """Distances are exact, recall is measured, threads change nothing; more in hand find more."""
    rows = clusters(100, 10, 16, copies=60)
    wanted = postproc.neighbours(rows, k=8)
    found, said = approximate([rows], tmp_path / "graph", index="faiss-hnsw")
    assert said == []
    assert not found.exact
    assert abs(found.recall - share(found, wanted)) < 0.03
    assert found.recall > 0.9
    near = rows.astype(np.float64)[found.rows] - rows.astype(np.float64)[:, None]
    np.testing.assert_allclose(found.distances, (near**2).sum(axis=2), rtol=1e-6, atol=1e-7)
    with postproc.using(threads=2):
        other, _ = approximate([rows], tmp_path / "other", index="faiss-hnsw")
    np.testing.assert_array_equal(found.rows, other.rows)
    np.testing.assert_array_equal(found.distances, other.distances)
    most, _ = approximate([rows], tmp_path / "most", index="faiss-hnsw", probes=1000)
    assert share(most, wanted) >= share(found, wanted)
