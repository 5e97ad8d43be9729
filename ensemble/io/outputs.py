"""Files that belong together: all of them come into their folder at once, or none does."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from ensemble.base.errors import InputError
from ensemble.io.write import Unwritable, unwritable

LAST = "run.json"  # says what the others are: the first to go and the last to come


@contextmanager
def together(folder: Path) -> Iterator[Path]:
    """A place to write files into that come into ``folder`` together at the end; a failure leaves it as it was.

    Raises InputError where the disk refuses, with the path that a file was to have.
    """
    stage = folder / f".{os.getpid()}.part"
    made = not folder.exists()
    try:
        try:
            stage.mkdir(parents=True)
        except OSError as error:
            raise unwritable(folder, error) from None
        yield stage
        _take_places(stage, folder)
    except InputError as error:  # several that were collected are no Unwritable any more
        if not any(str(stage) in problem for problem in error.problems):
            raise
        kind = Unwritable if isinstance(error, Unwritable) else InputError
        raise kind([problem.replace(str(stage), str(folder)) for problem in error.problems]) from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if made:
            with suppress(OSError):  # there is something in it now
                folder.rmdir()


@contextmanager
def all_together() -> Iterator[Callable[[Path], Path]]:
    """As :func:`together` for files of several folders: call what this gives with a path, and write where it says.

    What stands there and is no file, a device or a pipe, is written to as it is.
    """
    with ExitStack() as stack:
        stages: dict[Path, Path] = {}

        def place(path: Path) -> Path:
            if path.exists() and not path.is_file() and not path.is_dir():
                return path
            folder = path.parent.resolve()
            if folder not in stages:
                stages[folder] = stack.enter_context(together(path.parent))
            return stages[folder] / path.name

        yield place


def _take_places(stage: Path, folder: Path) -> None:
    """Move what is there aside and the new files in; whatever happens between the two is undone."""
    new = [path.relative_to(stage) for path in sorted(stage.rglob("*")) if path.is_file()]
    refused = refusals(folder / name for name in new)
    if refused:
        raise Unwritable(refused)
    aside = stage / ".aside"
    undo: list[tuple[Path, Path]] = []
    try:
        for name in sorted(new, key=lambda name: name.name != LAST):
            if os.path.lexists(folder / name):
                _move(folder / name, aside / name, undo)
        for name in sorted(new, key=lambda name: name.name == LAST):
            _move(stage / name, folder / name, undo)
    except BaseException as error:
        for source, target in reversed(undo):
            with suppress(OSError):
                os.replace(target, source)
        if isinstance(error, OSError):
            raise unwritable(folder, error) from None
        raise


def _move(source: Path, target: Path, undo: list[tuple[Path, Path]]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    undo.append((source, target))
    os.replace(source, target)


def refusals(paths: Iterable[Path]) -> list[str]:
    """What would keep these files from being written, tried on the disk; nothing is left behind."""
    problems = []
    tried: set[Path] = set()
    for path in paths:
        where = path
        try:
            if path.is_dir():
                raise IsADirectoryError(None, "there is a folder of that name")
            if path.exists() and not path.is_file():  # a device or a pipe: written to as it is
                continue
            where = path.parent
            if where not in tried:
                tried.add(where)
                _try(where)
        except OSError as error:
            problems += unwritable(where, error).problems
    return problems


def _try(place: Path) -> None:
    """Raise OSError if no file could be written into this folder, or the nearest one above that exists."""
    while not place.exists() and not place.is_symlink() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        reason = "is a file" if place.is_file() else "leads nowhere"
        raise NotADirectoryError(None, f"{place} {reason}")
    with TemporaryFile(dir=place) as file:
        file.write(bytes(4096))
