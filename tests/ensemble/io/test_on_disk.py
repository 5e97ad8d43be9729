"""What is large stays in files, from the reader to the answer: the same numbers and faults as in memory."""

import tracemalloc
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow
import pytest
from numpy.testing import assert_array_equal
from pyarrow import parquet

from ensemble import io, run
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.io.readers import parquet_rows
from postproc.base import temporary
from postproc.base.stored import is_mapped
from tests.support.disk import content, little_room
from tests.support.each import each
from tests.support.folders import listed

QUERIES, IMAGES, WIDTH = 5, 40, 6


@contextmanager
def on_disk():
    """Everything is large, and is read a few rows at a time."""
    with (
        patch.multiple(temporary, LARGE=0, ROWS=7, BLOCK=1),
        patch.object(parquet_rows, "BATCH", 9),
    ):
        yield


def features(count, kind="f4"):
    return np.random.default_rng(count).standard_normal((count, WIDTH)).astype(kind)


def names(side, count):
    return [f"{side}{row:03d}.jpg" for row in range(count)]


def tables(folder):
    """The images in another order than the features have."""
    for side, count in (("query", QUERIES), ("gallery", IMAGES)):
        order = np.random.default_rng(1).permutation(count)
        frame = pd.DataFrame({"name": np.array(names(side, count))[order], "pid": order % 5, "cam": order % 3})
        frame.to_csv(folder / f"{side}.csv", index=False)


def npy(folder, kind):
    for side, count in (("query", QUERIES), ("gallery", IMAGES)):
        np.save(folder / f"{side}_m.npy", features(count, kind))
        listed(folder / f"{side}_m.txt", names(side, count))


def places(folder, kind):
    """(n, d, 1, 1), and no list: the table names the rows."""
    for side, count in (("query", QUERIES), ("gallery", IMAGES)):
        np.save(folder / f"{side}_m.npy", features(count, kind)[:, :, None, None])


def npz(folder, kind):
    sides = {"query": features(QUERIES, kind), "gallery": features(IMAGES, kind)}
    said = {f"{side}_name": names(side, len(rows)) for side, rows in sides.items()}
    np.savez(folder / "m.npz", **sides, **said)


def values(folder, kind):
    """A column a value, in row groups."""
    for side, count in (("query", QUERIES), ("gallery", IMAGES)):
        rows = features(count, "f4" if kind == "f2" else kind)
        columns = {"name": names(side, count), **{f"f{number}": rows[:, number] for number in range(WIDTH)}}
        parquet.write_table(pyarrow.table(columns), folder / f"{side}_m.parquet", row_group_size=16)


def lists(folder, kind):
    """A column of lists, both sides in one file."""
    rows = np.concatenate([features(QUERIES, kind), features(IMAGES, kind)])[::-1]
    named = [*names("query", QUERIES), *names("gallery", IMAGES)][::-1]
    split = ["gallery"] * IMAGES + ["query"] * QUERIES
    columns = {"name": named, "split": split, "features": [*rows]}
    parquet.write_table(pyarrow.table(columns), folder / "m.parquet", row_group_size=16)


@each("write", [npy, places, npz, values, lists])
@each("kind", ["f2", "f4", "f8"])
def test_reading_gives_the_same(write, kind, tmp_path):
    folder = tmp_path / write.__name__ / kind
    folder.mkdir(parents=True)
    write(folder, kind)
    tables(folder)
    (wanted,) = io.read_folder(folder)
    assert not is_mapped(wanted.gallery)
    with on_disk():
        scanned = io.scan(folder)
        sizes = io.sizes(scanned, scanned.joined)
        (found,) = io.read(scanned)
        some = np.array([3, 1, 0])
        taken = found.take(query=some).query
    assert all(size.on_disk == {"query", "gallery"} for size in sizes.values())
    assert sizes or write is lists  # a column says there who is where
    for side in ("query", "gallery"):
        there = getattr(found, side)
        assert is_mapped(there)
        assert there.flags.aligned
        assert there.flags.c_contiguous
        assert_array_equal(there, getattr(wanted, side))
        assert getattr(found, f"{side}_table").equals(getattr(wanted, f"{side}_table"))
    assert_array_equal(taken, wanted.query[some])
    assert is_mapped(taken)


@each("recipe", ["default", "best"])
def test_a_run_writes_the_same(recipe, tmp_path):
    (tmp_path / "in").mkdir()
    npy(tmp_path / "in", "f2")
    for side, count in (("query", QUERIES), ("gallery", IMAGES)):
        np.save(tmp_path / "in" / f"{side}_n.npy", features(count)[:, ::-1])  # columns first: read
        listed(tmp_path / "in" / f"{side}_n.txt", names(side, count))
    tables(tmp_path / "in")
    arguments = ["--features", str(tmp_path / "in"), "--recipe", recipe, "--out"]
    assert run.main([*arguments, str(tmp_path / "memory")]) == 0
    with on_disk():
        assert run.main([*arguments, str(tmp_path / "disk")]) == 0
    found, wanted = (content(tmp_path / place) for place in ("disk", "memory"))
    assert found.keys() == wanted.keys()
    for name in found.keys() - {"run.json"}:
        assert found[name] == wanted[name], name


def test_faults_are_found_far_down(tmp_path):
    rows = features(IMAGES)
    rows[30, 1], rows[33] = np.nan, 0
    np.save(tmp_path / "gallery_m.npy", rows)
    np.save(tmp_path / "query_m.npy", np.full((QUERIES, WIDTH), 1e300))
    with pytest.raises(InputError) as memory:
        io.read_folder(tmp_path)
    with on_disk(), pytest.raises(InputError) as disk:
        io.read_folder(tmp_path)
    assert disk.value.problems == memory.value.problems
    assert any("values that float32 can hold" in problem for problem in disk.value.problems)


def test_what_is_unknown_is_nan(tmp_path):
    on_disk()
    np.savez(
        tmp_path / "m.npz", query=features(3), query_name=list("abc"), gallery=features(2), gallery_name=list("uv")
    )
    np.savez(
        tmp_path / "n.npz", query=features(3), query_name=list("abc"), gallery=features(2), gallery_name=list("vw")
    )
    with on_disk():
        first, second = io.read(io.scan(tmp_path), missing="keep")
    assert is_mapped(second.gallery)
    assert first.known("gallery").tolist() == [True, True, False]
    assert second.known("gallery").tolist() == [False, True, True]
    assert_array_equal(second.gallery[1:], features(2))


def test_a_damaged_member_of_an_archive_is_refused(tmp_path):
    """Far behind the header, which is looked at by others."""
    rows = features(3000)
    np.savez(tmp_path / "m.npz", query=rows[:3], gallery=rows)
    broken = bytearray((tmp_path / "m.npz").read_bytes())
    broken[broken.index(rows[2500].tobytes())] ^= 1
    (tmp_path / "m.npz").write_bytes(broken)
    with (
        on_disk(),
        pytest.raises(InputError, match=r"m\.npz: wanted a whole feature file.*Bad CRC-32 for .gallery"),
    ):
        io.read_folder(tmp_path)


def test_lists_of_several_lengths_are_refused_with_the_row(tmp_path):
    for row in (12, 27):  # within a batch of nine, and where one begins
        rows = [*features(IMAGES)]
        rows[row:] = [each[:4] for each in rows[row:]]
        parquet.write_table(
            pyarrow.table({"name": names("", IMAGES), "features": rows}), tmp_path / "images_m.parquet"
        )
        with pytest.raises(
            InputError, match=f"wanted 6 values in every row of features, found another .* row {row}"
        ):
            io.read_folder(tmp_path)


def test_a_full_disk_is_one_sentence(tmp_path):
    npy(tmp_path, "f2")
    with (
        on_disk(),
        little_room(300),
        pytest.raises(temporary.NoRoom, match="make room there, or set TMPDIR"),
    ):
        io.read_folder(tmp_path)


def test_memory_holds_some_rows_alone(tmp_path):
    """20,000 x 500: 40 MB as float32, of which 4 MB are there at a time, twice, and a few bytes an image."""
    rows = np.lib.format.open_memmap(tmp_path / "images_m.npy", "w+", "f2", (20_000, 500))
    rows[:] = np.random.default_rng(0).standard_normal(500)
    rows[:, 0] = np.arange(20_000) % 50
    rows.flush()
    del rows
    scanned = io.scan(tmp_path)
    tracemalloc.start()
    (found,) = io.read(scanned)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(found, FeatureSet)
    assert is_mapped(found.gallery)
    assert most < 24e6
