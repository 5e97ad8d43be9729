"""Features on disk are the numbers of the same features in memory, and are never read as a whole."""

import tracemalloc
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from postproc import csls, distances, l2_normalize, rerank, using
from postproc.base import stored, temporary
from postproc.base.sizes import Sizes
from postproc.base.step import with_defaults
from postproc.pairs import held, long_lists, pairwise
from postproc.pairs.tiles import PairwiseTiles
from tests.support.disk import little_room
from tests.support.each import each


def on_disk(path, array, kind):
    np.save(path, array.astype(kind))
    return np.load(path, mmap_mode="r")


def images(shift=0.0, count=120):
    """With copies, near pairs and a row of zeros."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((12, 20))[rng.integers(0, 12, count)] + 0.3 * rng.standard_normal((count, 20))
    x[7], x[100], x[9] = x[3], x[3], x[60] + 1e-3
    x[5] = 0
    return x + shift


def same(found, wanted):
    if isinstance(wanted, tuple):
        assert_array_equal(found.rows, wanted.rows)
        assert_array_equal(found.distances, wanted.distances)
    else:
        assert_array_equal(found, wanted)


@each("kind, shift, overlap", [("f2", 0, True), ("f2", 40.0, False), ("f4", 0, False), ("f4", 40.0, True)])
def test_rerank_has_the_same_bits(kind, shift, overlap, tmp_path):
    """``shift``: a large common part, which is taken off block by block."""
    there = on_disk(tmp_path / "x.npy", images(shift), kind)
    x = np.array(there, np.float32)
    cam = np.arange(120) % 3
    with patch.object(long_lists, "cheaper", lambda *sizes: overlap):
        for chosen in ({}, {"top_k": 9}, {"top_k": 9, "camera_penalty": 0.2}):
            cams = {"query_cam": cam} if "camera_penalty" in chosen else {}
            same(rerank(there, **cams, **chosen), rerank(x, **cams, **chosen))
            cams = {"query_cam": cam[:30], "gallery_cam": cam[30:]} if cams else {}
            wanted = rerank(x[:30], x[30:], **cams, **chosen)
            for query, gallery in ((there[:30], there[30:]), (x[:30], there[30:]), (there[:30], x[30:])):
                same(rerank(query, gallery, **cams, **chosen), wanted)


@each("kind, first", [("f2", "features"), ("f4", "neighbours")])
def test_the_answer_of_one_large_set_is_in_a_file(kind, first, tmp_path):
    """``first``: what has no room on a full disk; float32 in rows, without copies, is read as it is."""
    there = on_disk(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((120, 20)), kind)
    with patch.object(long_lists, "cheaper", lambda *sizes: True), patch.object(temporary, "LARGE", 0):
        wanted = rerank(np.array(there, np.float32), top_k=9)
        found = rerank(there, top_k=9)
        with little_room(99), pytest.raises(temporary.NoRoom, match=rf"^{first}: wanted .* set TMPDIR"):
            rerank(there, top_k=9)
    assert stored.is_mapped(found.rows)
    assert stored.is_mapped(found.distances)
    same(found, wanted)


@each("metric", ["sqeuclidean", "euclidean", "cosine"])
def test_distances_have_the_same_bits(metric, tmp_path):
    there = on_disk(tmp_path / "x.npy", images(), "f2")
    x = np.array(there, np.float32)
    for chosen in ({}, {"top_k": 4}):
        same(distances(there, metric=metric, **chosen), distances(x, metric=metric, **chosen))
        same(
            distances(there[:9], there[9:], metric=metric, **chosen),
            distances(x[:9], x[9:], metric=metric, **chosen),
        )


def test_very_small_features_keep_their_distances(tmp_path):
    there = on_disk(tmp_path / "x.npy", np.array([[3e-30, 0], [0, 4e-30]]), "f4")
    assert distances(there, metric="euclidean")[0, 1] == np.float32(5e-30)


def test_other_steps_take_it_into_memory(tmp_path):
    there = on_disk(tmp_path / "x.npy", images(), "f2")
    same(csls(there), csls(np.array(there, np.float32)))
    same(l2_normalize(there), l2_normalize(np.array(there, np.float32)))


def test_unit_length_is_that_of_l2_normalize(tmp_path):
    there = stored.on_disk(on_disk(tmp_path / "x.npy", images(3.0), "f2"))
    wanted = l2_normalize(there[:])
    unit = there.of_unit_length()
    assert_array_equal(unit[:], wanted)
    assert_array_equal(unit[[3, 3, 0]], wanted[[3, 3, 0]])
    assert_array_equal(unit.rows(np.array([4, 2]))[:1], wanted[4:5])
    assert_array_equal(unit.of_unit_length()[:], l2_normalize(wanted))


@each("kind", ["f2", "f4"])
def test_rows_for_who_looks_here_and_there(tmp_path, kind):
    """What is float32 already is the file itself; anything else is mapped from a file without a name."""
    mapped = on_disk(tmp_path / f"{kind}.npy", images(3.0, count=2 * temporary.ROWS + 5), kind)
    there = stored.on_disk(mapped)
    for side in (there, there.rows(np.array([4, 2, 4])), there.of_unit_length(), stored.on_disk(mapped[:, ::2])):
        found = temporary.in_rows(side)
        assert_array_equal(found, side[:])
        assert type(found) is np.ndarray
        assert stored.is_mapped(found)
        assert found.flags.c_contiguous
        assert not found.flags.writeable
        assert np.shares_memory(found, mapped) == (kind == "f4" and side is there)


def test_what_stays_on_disk(tmp_path):
    there = on_disk(tmp_path / "x.npy", images(), "f2")
    assert isinstance(stored.on_disk(there), stored.Stored)
    assert isinstance(stored.on_disk(np.asarray(there)[3:]), stored.Stored)  # a view of it
    for other in (np.array(there), there[0], there[:0], [[1.0]], on_disk(tmp_path / "y.npy", images(), "f8")):
        assert not isinstance(stored.on_disk(other), stored.Stored)


def test_nan_is_found_where_it_stands(tmp_path):
    x = images(count=3000)
    x[2500, 1] = np.nan
    with pytest.raises(
        ValueError, match=r"^query: wanted finite numbers, found NaN or infinity first in row 2500$"
    ):
        rerank(on_disk(tmp_path / "x.npy", x, "f2"), top_k=3)


def test_nothing_as_large_as_the_features_is_in_memory(tmp_path):
    """32 MB of float32; in memory are blocks of rows, 6.5 MB, and some 64 bytes an image, 2.5 MB."""
    rng = np.random.default_rng(0)
    there = on_disk(tmp_path / "x.npy", rng.standard_normal((40_000, 200), np.float32), "f2")
    pairs = pairwise.sqeuclidean(stored.on_disk(there))
    numbers = np.arange(40_000, dtype=np.int32)
    tracemalloc.start()
    with using(threads=2):
        tiles = PairwiseTiles(pairs)
        tiles.between(numbers, numbers[::-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert tiles.layout.distinct
    assert peak < 16e6


def test_copies_stay_on_disk_beside_a_side_in_memory(tmp_path):
    """So that what is predicted for either side holds, whatever the other is."""
    x = images()
    there = stored.on_disk(on_disk(tmp_path / "x.npy", x, "f4"))
    tiles = PairwiseTiles(pairwise.sqeuclidean(x[:30].astype(np.float32), there))
    assert not tiles.layout.distinct
    assert [isinstance(part, stored.Stored) for part in tiles.parts] == [False, True]


def test_no_copy_of_what_stays_on_disk_is_predicted():
    """500 and 30,000 x 1024 are 2 and 123 MB; two threads have 2,000 rows in work, 16 bytes a value: 66 MB."""
    chosen = with_defaults(distances, {"metric": "cosine", "top_k": 100})
    sizes = Sizes(nq=500, ng=30_000, width=1024, threads=2)
    needed = [
        held.measured(replace(sizes, on_disk=frozenset(sides)), chosen)
        for sides in ((), ("gallery",), ("query", "gallery"))
    ]
    assert needed[0] - needed[1] > 40e6
    assert needed[1] - needed[2] == 4 * 500 * 1024
    assert needed[2] > 4 * 500 * 30_000 + 2 * 16 * 2000 * 1024
    euclidean = with_defaults(distances, {})
    plain = [held.measured(replace(sizes, on_disk=frozenset(sides)), euclidean) for sides in ((), ("query",))]
    assert plain[0] == plain[1], "as they are, no copy is made anywhere"
