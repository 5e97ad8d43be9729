"""Names of the same image, written in two ways: with a folder, another suffix, in capitals, with backslashes.

Two lists of names are brought together by leaving out as little as brings the most of them together, and only
where that is one to one: no two names of a list may become the same.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ensemble.base.errors import examples

_SUFFIXES = re.compile(r"(?<=[^/\\])(\.[A-Za-z][A-Za-z0-9]{0,4})+$")
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_DEPTHS = (1, 2, 3, 4)  # parts of a path that may be kept
FOLDER = "folder"


def _spelled(name: str) -> str:
    parts = name.strip().replace("\\", "/").split("/")
    return ("/" if parts[0] == "" else "") + "/".join(part for part in parts if part not in ("", "."))


_FOLDS: Mapping[str, Callable[[str], str]] = {  # what leaves out least comes first
    "Unicode form": lambda name: unicodedata.normalize("NFC", name),
    "./, backslashes or blanks around": _spelled,
    "capitals": str.casefold,
    "zeros before numbers": lambda name: _ZEROS.sub("", name),
    "suffix": lambda name: _SUFFIXES.sub("", name),
    FOLDER: lambda name: name,  # by the parts that are kept, below
}


@dataclass(frozen=True)
class Alike:
    """How the names of one list are those of another.

    by:       what they differ by, in words.
    example:  a name, and what the other list calls the image.
    renamed:  the name in the other list of each that is found there; empty where several would be the same.
    clash:    names that cannot be told apart then.
    """

    by: str
    example: tuple[str, str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    clash: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"by {self.by} ({self.example[0]} and {self.example[1]})"

    def hint(self) -> str:
        """What to do where they cannot be brought together."""
        if not self.clash:
            return ""
        clash = examples(self.clash)
        return f"; they differ {self}, but without that {clash} are the same: write one form of the names"


def alike(found: Sequence[str], wanted: Sequence[str]) -> Alike | None:
    """How more of ``found`` are among ``wanted`` than as they are written; None where that is not so.

    >>> alike(["b.png", "a.png"], ["query/a.jpg", "query/b.jpg"]).renamed
    {'b.png': 'query/b.jpg', 'a.png': 'query/a.jpg'}
    """
    most = len(set(found) & set(wanted))
    if most == len(set(found)) or (bound := _bound(found, wanted)) <= most:
        return None
    best = unclear = None
    parts = max(len(re.split(r"[/\\]", name)) for name in (*found, *wanted))
    for folds, depth in _combinations(parts):
        mine, theirs = ([_key(name, folds, depth) for name in names] for names in (found, wanted))
        place = dict(zip(theirs, wanted, strict=True))
        shared = {key: name for key, name in zip(mine, found, strict=True) if key in place}
        if len(shared) <= most:
            continue
        other = [(name, place[key]) for key, name in shared.items() if name != place[key]]
        by = " and ".join(folds)
        if len(set(mine)) < len(mine) or len(place) < len(theirs):
            clash = _clash(mine, found) or _clash(theirs, wanted)
            unclear = unclear or Alike(by, other[0], clash=clash)
            continue
        best, most = Alike(by, other[0], {name: place[key] for key, name in shared.items()}), len(shared)
        if most >= bound:
            break
    return best or unclear


def _bound(found: Sequence[str], wanted: Sequence[str]) -> int:
    """How many names come together at most: where everything is left out, if that tells all apart."""
    mine, theirs = ({_key(name, tuple(_FOLDS), 1) for name in names} for names in (found, wanted))
    if not mine & theirs:
        return 0
    apart = len(mine) == len(found) and len(theirs) == len(wanted)
    return len(mine & theirs) if apart else min(len(found), len(wanted))


def _combinations(parts: int) -> Iterator[tuple[tuple[str, ...], int]]:
    """What to leave out, and how many of the parts of a path to keep (0: all): fewest first."""
    for count in range(1, len(_FOLDS) + 1):
        for folds in combinations(_FOLDS, count):
            for depth in _DEPTHS if FOLDER in folds else (0,):
                if depth < parts:
                    yield folds, depth


def _key(name: str, folds: Sequence[str], depth: int) -> str:
    for fold in folds:
        name = _FOLDS[fold](name)
    return "/".join(re.split(r"[/\\]", name)[-depth:]) if depth else name


def _clash(keys: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The first names of one list that are the same."""
    first: dict[str, str] = {}
    for key, name in zip(keys, names, strict=True):
        if first.setdefault(key, name) != name:
            return first[key], name
    return ()
