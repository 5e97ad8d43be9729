"""Values in folders: whole or not there."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from postproc.base import saved

ARRAYS = {"rows": np.arange(12).reshape(4, 3), "far": np.linspace(0, 1, 5, dtype=np.float32)}


def load(folder, **options):
    return saved.load(folder, "lists", ("rows", "far"), **options)


def test_comes_back_as_it_was(tmp_path):
    saved.save(tmp_path / "a", "lists", ARRAYS, {"k": 3})
    found, said = load(tmp_path / "a")
    assert said["k"] == 3
    assert isinstance(found["rows"], np.memmap)
    assert not isinstance(load(tmp_path / "a", in_memory=True)[0]["rows"], np.memmap)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["far.npy", "lists.json", "rows.npy"]


def test_a_reader_keeps_the_old_value(tmp_path):
    saved.save(tmp_path, "lists", ARRAYS, {})
    old, _ = load(tmp_path)
    saved.save(tmp_path, "lists", {name: array + 1 for name, array in ARRAYS.items()}, {})
    new, _ = load(tmp_path)
    np.testing.assert_array_equal(old["rows"], ARRAYS["rows"])
    np.testing.assert_array_equal(new["rows"], ARRAYS["rows"] + 1)
    assert len(list(tmp_path.iterdir())) == 3  # nothing of the old one is left


WRITER = """
import sys, numpy as np
from postproc.base import saved
for value in range(1, 10**6):
    saved.save(__import__("pathlib").Path(sys.argv[1]), "lists", {"rows": np.full((500, 500), value)}, {})
"""


def test_a_writer_that_is_killed_leaves_a_whole_value(tmp_path):
    folder = tmp_path / "a"
    for wait in (0.05, 0.12, 0.2):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)])
        while not (folder / "lists.json").exists():
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        found, _ = saved.load(folder, "lists", ("rows",))
        assert len(np.unique(found["rows"])) == 1


def damage(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: damage(folder / "far.npy"), "far.npy: wanted the array that belongs to the others here"),
        (lambda folder: (folder / "far.npy").write_bytes(b"\x93NUMPY"), "wanted a whole .npy file"),
        (lambda folder: (folder / "far.npy").unlink(), "found none"),
        (lambda folder: np.save(folder / "rows.npy", np.eye(3)), "found a damaged one"),
        (lambda folder: (folder / "lists.json").write_text("{"), "found another or a damaged file"),
        (lambda folder: (folder / "lists.json").write_text("[]"), "found another or a damaged file"),
    ],
)
def test_what_is_damaged_is_said(tmp_path, change, message):
    saved.save(tmp_path, "lists", ARRAYS, {})
    change(tmp_path)
    with pytest.raises(ValueError, match=re.escape(message)):
        load(tmp_path)


def test_what_is_not_there_and_what_is_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"wanted a folder with lists.json, found none"):
        load(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="found something else there"):
        saved.save(tmp_path, "lists", ARRAYS, {})
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(FileExistsError, match="found something else there"):
        saved.save(tmp_path / "notes.txt", "lists", ARRAYS, {})
    saved.save(tmp_path / "a", "lists", ARRAYS, {})
    with pytest.raises(FileNotFoundError, match=r"wanted a folder with index.json"):
        saved.load(tmp_path / "a", "index", ("rows",))
    with pytest.raises(ValueError, match="found nothing of other"):
        saved.load(tmp_path / "a", "lists", ("rows", "other"))


def test_a_full_disk_leaves_the_old_value(tmp_path, monkeypatch):
    saved.save(tmp_path / "a", "lists", ARRAYS, {})
    real = np.save

    def full(path, array, **options):
        real(path, array[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    for folder in (tmp_path / "a", tmp_path / "new"):
        with pytest.raises(OSError, match="No space"):
            saved.save(folder, "lists", ARRAYS, {})
    monkeypatch.undo()
    np.testing.assert_array_equal(load(tmp_path / "a")[0]["rows"], ARRAYS["rows"])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert len(list((tmp_path / "a").iterdir())) == 3
