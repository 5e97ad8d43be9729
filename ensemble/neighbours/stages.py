"""Stages of tasks: each task has a file, those whose file is there are done, damaged files are made again."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ensemble.base.errors import InputError
from ensemble.io import Unwritable, unwritable
from ensemble.neighbours import files
from ensemble.neighbours.engines import Engine
from ensemble.neighbours.tasks import Done
from postproc.base import runtime

ROUNDS = 3  # in which damaged files are made again, before the storage is given up
Found = TypeVar("Found")


class Damage(Exception):
    """Files that tasks could not use: path and sentence."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files


@dataclass(frozen=True, eq=False)
class Stages:
    """Where the work of a folder is done; ``key`` is that of its plan, ``seen`` hears of every task."""

    folder: Path
    key: str
    engine: Engine
    seen: Callable[[Done], None]

    def run(self, function: Callable[..., Done], wanted: Mapping[tuple[int, ...], Path], what: str) -> None:
        """The tasks whose file is not there; ``what`` is their name where progress is shown. Raises Damage."""
        damaged: dict[str, str] = {}
        left = [(str(self.folder), self.key, *number) for number, path in wanted.items() if not path.exists()]
        with runtime.counted(what, len(left)) as step_on:
            for done in self.engine.run(function, left):
                self.seen(done)
                step_on()
                damaged |= dict(done.damaged)
        if damaged:
            raise Damage(damaged)

    def again(self, work: Callable[[], Found], mend: Callable[[], None], say: Callable[[str], None]) -> Found:
        """What ``work`` finds; files that are damaged are made again, ``mend`` those that no task writes."""
        for _ in range(ROUNDS):
            try:
                return work()
            except Damage as damage:
                for path, sentence in damage.files.items():
                    say(f"{sentence}; it is made again")
                    Path(path).unlink(missing_ok=True)
                mend()
        raise InputError(
            [f"{self.folder}: wanted files that stay as they are written, found damaged ones {ROUNDS} times; "
             "look at the storage, and run it again"]
        )  # fmt: skip


@contextmanager
def damage() -> Iterator[None]:
    """A damaged file is to be made again."""
    try:
        yield
    except files.Damaged as error:
        raise Damage({str(error.path): str(error)}) from None


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """A disk that refuses, here or far away, is an error that says what is left."""
    stays = f"finished tasks stay in {folder}, and the same command goes on with them"
    try:
        yield
    except Unwritable as error:
        raise Unwritable([f"{problem}; {stays}" for problem in error.problems]) from None
    except FileNotFoundError as error:
        raise InputError(
            [f"{error.filename}: wanted a file that every worker sees, found none there; --out and the features "
             "have to be on storage that all share"]
        ) from None  # fmt: skip
    except OSError as error:
        where = Path(str(error.filename)) if error.filename else folder
        (problem,) = unwritable(where, error).problems
        more = "" if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else f"; {stays}"
        raise Unwritable([f"{problem}{more}"]) from None
    except files.Damaged as error:
        raise InputError([f"{error}; run the same command again"]) from None
