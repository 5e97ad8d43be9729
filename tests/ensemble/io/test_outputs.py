"""Files that come together or not at all, and what is known before they are written."""

import os
from pathlib import Path

import pytest

from ensemble.base.errors import InputError
from ensemble.io import beside, refusals, together, write_csv
from tests.support.disk import content, little_room
from tests.support.each import each

NAMES = ("a.txt", "b.txt", "run.json")


def write(folder: Path, text: str, names: tuple[str, ...] = NAMES) -> None:
    with together(folder) as stage:
        for name in names:
            with beside(stage / name) as stream:
                stream.write(text)


def test_all_or_none(tmp_path: Path) -> None:
    write(tmp_path / "new", "one")
    assert content(tmp_path / "new") == dict.fromkeys(NAMES, "one")
    write(tmp_path / "new", "two", names=("b.txt", "run.json"))
    assert content(tmp_path / "new") == {"a.txt": "one", "b.txt": "two", "run.json": "two"}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(NAMES)  # nothing else is left


@each("failing", range(6))
def test_a_failure_between_two_files_is_undone(tmp_path, monkeypatch, failing):
    """Three files move aside and three in: whichever of the six moves fails, the old three are there."""
    write(tmp_path, "old")
    moves = iter(range(100))
    replace = os.replace

    def unlucky(source, target):
        moved = Path(target).name in NAMES and ".part" not in Path(target).name
        if moved and not (Path(target).parent == Path(source).parent) and next(moves) == failing:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", unlucky)
    with pytest.raises(InputError, match="No space left on device"):
        write(tmp_path, "new")
    assert content(tmp_path) == dict.fromkeys(NAMES, "old")


@each("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_whatever_ends_the_writing_leaves_the_folder(tmp_path, error):
    write(tmp_path, "old")

    def begin(folder: Path) -> None:
        with together(folder) as stage:
            (stage / "a.txt").write_text("new")
            raise error

    with pytest.raises(error):
        begin(tmp_path)
    assert content(tmp_path) == dict.fromkeys(NAMES, "old")
    with pytest.raises(error):
        begin(tmp_path / "made" / "by it")
    assert not (tmp_path / "made" / "by it").exists()


def test_a_full_disk_names_the_file_and_leaves_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "old")
    with little_room(100), pytest.raises(InputError) as caught:
        write(tmp_path, "x" * 10_000)
    assert caught.value.problems == [
        f"{tmp_path}/a.txt: wanted to write it, but File too large; choose another place or make room"
    ]
    assert content(tmp_path) == dict.fromkeys(NAMES, "old")


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(InputError, match=r"b.txt: wanted to write it, but there is a folder of that name"):
        write(tmp_path, "new")
    assert content(tmp_path) == {}


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    wanted = {
        tmp_path / "new" / "deep" / "a.txt": None,
        tmp_path / "file": None,
        tmp_path / "folder": "there is a folder of that name",
        tmp_path / "file" / "a.txt": f"{tmp_path}/file is a file",
        tmp_path / "file" / "deep" / "a.txt": f"{tmp_path}/file is a file",
        tmp_path / "loop" / "a.txt": f"{tmp_path}/loop leads nowhere",
        tmp_path / ("x" * 300) / "a.txt": "File name too long",
        Path("/proc/1/a.txt"): "",
        Path(os.devnull): None,
    }
    for path, reason in wanted.items():
        found = refusals([path])
        assert bool(found) == (reason is not None), (path, found)
        assert reason is None or reason in found[0]
    with little_room(0):
        assert "File too large" in refusals([tmp_path / "a.txt"])[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "loop"]


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with beside(tmp_path / "pipe") as stream:
        stream.write("through")
    assert os.read(reader, 100) == b"through"
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(InputError, match="No space left on device"), beside(Path("/dev/full")) as stream:
        stream.write("x")
    assert Path("/dev/full").is_char_device()


def test_a_table_for_the_eye_holds_no_formula(tmp_path: Path) -> None:
    """Text that begins like a formula gets an apostrophe, numbers do not; what is read back stays as it is."""
    cells = ["=1+1", "+x", "-1_c1.jpg", "@a", "\tb", "-0.5", "+1e3", -2, None, "a=b"]
    write_csv(tmp_path / "eye.csv", ["=h"], [cells])
    write_csv(tmp_path / "data.csv", ["=h"], [cells], data=True)
    assert (tmp_path / "eye.csv").read_text() == "'=h\n'=1+1,'+x,'-1_c1.jpg,'@a,'\tb,-0.5,+1e3,-2,,a=b\n"
    assert (tmp_path / "data.csv").read_text() == "=h\n=1+1,+x,-1_c1.jpg,@a,\tb,-0.5,+1e3,-2,,a=b\n"


def test_text_that_no_file_can_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found '\\udcff'; rename"), beside(tmp_path / "a.txt") as stream:
        stream.write("caf\udcff")
    assert content(tmp_path) == {}
