"""What there is to know about one format of rank lists, and what a file looks like before it is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ensemble.base.errors import InputError
from ensemble.submissions import numbers
from ensemble.submissions.ranklist import RankList
from postproc.base.cached import cached_property

HEAD = 65536  # bytes that tell what a file is


class Parse(Protocol):
    def __call__(self, path: Path, similarity: bool = False) -> tuple[RankList, list[str]]: ...


class Write(Protocol):
    def __call__(self, path: Path, ranking: RankList, *, top_k: int | None) -> None: ...


class Faults(Protocol):
    def __call__(
        self, path: Path, query_names: Sequence[str], gallery_names: Sequence[str], *, top_k: int | None
    ) -> list[str]: ...


Doubts = Callable[[Path, Sequence[str], Sequence[str]], list[str]]


@dataclass(frozen=True)
class Head:
    """The beginning of a file: its path, its first bytes, and these as text."""

    path: Path
    content: bytes

    @property
    def suffix(self) -> str:
        """What the file's name ends in, in small letters, with the dot."""
        return self.path.suffix.lower()

    @cached_property
    def lines(self) -> list[str]:
        """The lines in which something stands."""
        return [line for line in numbers.parse(self.content).lines if line.strip()]

    @cached_property
    def start(self) -> str:
        """The first letters without spaces and tabs."""
        return "".join(self.lines[:50]).replace(" ", "").replace("\t", "")[:2000]

    @cached_property
    def words(self) -> list[str]:
        """The words of the first line."""
        return self.lines[0].split() if self.lines else []

    @property
    def is_archive(self) -> bool:
        """Whether it is a zip file."""
        return self.content[:2] == b"PK"

    @property
    def is_numbers(self) -> bool:
        """Whether the first line holds whole numbers and nothing else."""
        return bool(self.start) and all(numbers.DIGITS.fullmatch(word) for word in self.words)


def _nothing() -> list[str]:
    return []


@dataclass(frozen=True)
class Format:
    """A format of rank lists.

    name:       what recipes and ``--format`` call it.
    file:       what a run calls the file that it writes.
    parse:      what can be read of a file and what is wrong with it; None: it is only written.
    write:      None: it is only read.
    top_k:      images a query that its server wants; None: any number.
    absent:     a query without an answer has no line in it, so that one that is lacking has none.
    suffixes:   what its files may end in, in small letters with the dot, for a file whose content tells nothing.
    recognises: whether a file is of this format, by its beginning.
    faults:     looks more closely than :func:`ensemble.submissions.faults` does for every format with names.
    doubts:     the same for :func:`ensemble.submissions.doubts`.
    lacking:    what of this machine it lacks, such as a package, in sentences.
    refuse:     raises InputError for names of gallery images that it cannot spell.
    also:       what may be answered beside the gallery, as a word for the unknown.
    """

    name: str
    file: str
    parse: Parse | None = None
    write: Write | None = None
    top_k: int | None = None
    absent: bool = False
    suffixes: tuple[str, ...] = ()
    recognises: Callable[[Head], bool] = lambda head: False
    faults: Faults | None = None
    doubts: Doubts | None = None
    lacking: Callable[[], list[str]] = _nothing
    refuse: Callable[[Sequence[str]], object] = lambda gallery_names: None
    also: tuple[str, ...] = ()

    def parsed(self, path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
        """What can be read of a file and what is wrong with it. Raises InputError where it is only written."""
        if self.parse is None:
            raise InputError([f"format: wanted one that can be read, found {self.name}; choose csv or json"])
        return self.parse(path, similarity)


def head_of(path: Path) -> Head:
    """The beginning of a file. Raises InputError where there is none."""
    try:
        with path.open("rb") as stream:
            return Head(path, stream.read(HEAD))
    except OSError as error:
        problem = f"{path}: wanted a submission to read, found: {error.strerror}; check the name"
        raise InputError([problem]) from error
