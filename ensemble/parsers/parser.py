"""A parser is a value: a regular expression with named groups, and what its numbers mean.

A parser sees the base name of an image, without the suffix of its format; sets that keep cameras or identities in
folders see as many folders as they need. Nothing else of a path is looked at: a folder called ``12_c3`` labels
nobody. Names longer than ``LONGEST`` are not matched at all.
"""

import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, near, printable
from ensemble.base.kinds import Array
from ensemble.base.labels import LABELS, composed, of_cells

# What names can say, as tables call it.
COLUMNS = ("pid", "cam", "track", "order", "frame", "scene", "quality", "clothes")
GROUPS = (*COLUMNS, "sequence")  # what a pattern may name; a sequence is where the frames of a camera start anew
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm")
LONGEST = 200  # characters of a name that are matched
MOST_FOLDERS = 8  # that are tried for a user's pattern
SECONDS = 10.0  # that a user's pattern may take for all names together

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_PID_CAM = re.compile(r"-?[0-9]+_c[0-9]")

_PART = re.compile(r"_?[0-9]+$")  # behind the name of a group that is a part of a label

Numbers = dict[str, int]
Said = dict[str, Any]  # numbers, and labels as text where the pattern is a user's


@dataclass(frozen=True)
class Parser:
    """How one data set names its images.

    pattern:     fits the whole name without its image suffix, ``folders`` folders of its path included; the groups
                 called as ``GROUPS`` are whole numbers, any other group is for ``finish``. ``whole`` False: fits
                 the beginning of the name with its suffix (a user's pattern); labels are any text then, and
                 ``pid1`` with ``pid2`` make one.
    values:      the numbers that texts of a group stand for, as the cameras ``a`` and ``b``.
    finish:      turns the numbers of the groups into those of the columns, where the set does it its own way.
    cameras:     the numbers that the set's cameras have; None: it has none, or anybody's.
    distractors: identities that are nobody's: they stay in the gallery and match no query. Junk has pid -1; the
                 protocol ``market1501`` leaves it out of every ranking.
    line:        a line of the set's list files with groups ``name``, ``pid``, ``cam``, ``time``; None: a name.
    suffix:      added to the names of list files that leave it out.
    split_test:  "test" in the name of a list or folder means query and gallery together.
    note:        what the numbers do not show.
    source:      where the names are described.
    """

    name: str
    title: str
    example: str
    pattern: re.Pattern[str]
    source: str = ""
    folders: int = 0
    whole: bool = True
    values: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    finish: Callable[[Numbers], Numbers] | None = None
    cameras: range | None = None
    distractors: frozenset[int] = frozenset()
    line: re.Pattern[str] | None = None
    suffix: str = ""
    split_test: bool = False
    note: str = ""


@dataclass(frozen=True)
class Parsed:
    """What a parser made of names: whole numbers in ``columns``, -1 unknown, or labels as text, one row a name.

    ``sequence`` is the part of a recording (-1 unknown), ``failed`` the rows that do not fit with the reason,
    ``cut`` the rows where a group of a user's pattern ends or begins inside a number, ``changed`` those where a
    list of labels says otherwise than the name (the list counts).
    """

    names: list[str]
    columns: dict[str, np.ndarray]
    sequence: np.ndarray
    failed: dict[int, str]
    cut: list[int]
    changed: list[int]


def tail(path: str, folders: int = 0) -> str:
    """The last part of a path and ``folders`` folders before it, with ``/`` between them."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts[-folders - 1 :])


def stem(name: str) -> str:
    """A name without the suffixes of image formats: ``0001_c1s1_01.jpg.jpg`` has two."""
    while name.lower().endswith(SUFFIXES):
        name = name[: name.rindex(".")]
    return name


def looks_like_pid_cam(folders: str) -> bool:
    """Whether a folder on the way looks like identity and camera, so that careless patterns would take it."""
    return any(_PID_CAM.match(part) for part in folders.split("/"))


def numbers(parser: Parser, path: str, explain: bool = True) -> tuple[Said | None, str, bool]:
    """What one name says, or None with the reason (to ``explain``); and whether a group cuts a number in two."""
    text = tail(path, parser.folders)
    if len(text) > LONGEST:
        return None, f"longer than {LONGEST} characters", False
    if text != text.strip() or not text.isprintable():
        return None, "blanks around it or control characters in it", False
    match = parser.pattern.fullmatch(stem(text)) if parser.whole else parser.pattern.match(text)
    if match is None:
        return None, _why(parser, path) if explain else "", False
    found: Said = {}
    for group, value in match.groupdict().items():
        if value is None:
            continue
        known = parser.values.get(group, {})
        if not parser.whole and _base(group) in LABELS and not _NUMBER.fullmatch(value):
            found[group] = value
            continue
        if value not in known and not _NUMBER.fullmatch(value):
            return None, f"{group} is {printable(value, 40)!r}, wanted a whole number of at most 18 digits", False
        found[group] = known[value] if value in known else int(value)
        if found[group] < -1:
            return None, f"{group} is {found[group]}, wanted -1 (unknown) or more", False
    cut = not parser.whole and any(_inside(match, group) for group in found)
    return (parser.finish(found) if parser.finish else found), "", cut


def parse(paths: Sequence[str], parser: Parser, labels: Sequence[Said | None] | None = None) -> Parsed:
    """Read names, all of them; those that do not fit are reported, not guessed.

    paths:   names as somebody wrote them, with or without folders.
    labels:  for each name what list files say (``ensemble.names.listings``), which counts more than the name; None
             for a name that they leave out: it fails.
    Raises:  InputError for a user's pattern that takes longer than ``SECONDS``.
    """
    rows: list[Said] = []
    failed: dict[int, str] = {}
    cut, changed = [], []
    with _hurried(parser):
        for row, path in enumerate(paths):
            found, reason, inside = numbers(parser, path)
            listed = labels[row] if labels is not None else {}
            if listed is None:
                found, reason = None, "not in the list of labels"
            elif listed:
                said = {group: number for group, number in (found or {}).items() if group in listed}
                if any(listed[group] != number for group, number in said.items()):
                    changed.append(row)
                found = {**(found or {}), **listed}
            if found is None:
                failed[row] = reason
            if inside:
                cut.append(row)
            rows.append(found or {})
    present = {group for found in rows for group in found}
    given = {group: [found.get(group, -1) for found in rows] for group in present}
    arrays = _columns({group: _array(group, values) for group, values in given.items()})
    sequence = arrays.get("sequence", np.full(len(rows), -1, np.int64))
    table = {column: arrays[column] for column in COLUMNS if column in arrays}
    return Parsed(list(paths), table, sequence, failed, cut, changed)


def columns(
    names: Sequence[str],
    parser: Parser,
    labels: Sequence[Said | None] | None = None,
    *,
    notes: list[str] | None = None,
) -> dict[str, np.ndarray]:
    """Names to columns (``pid``, ``cam``, …): (n,) int64, -1 unknown, or labels as text; only those they speak of.

    ``notes`` takes that a user's pattern reads a part of a number alone.
    Raises: InputError with how many names do not fit and the first of them with the reason, or with what the
            parser ``gives`` but no name says.

    >>> from ensemble.parsers import PARSERS
    >>> columns(["0002_c1s1_000451_03.jpg", "-1_c3s2_000012_00.jpg"], PARSERS["market1501"])
    {'pid': array([ 2, -1]), 'cam': array([1, 3]), 'frame': array([451,  12])}
    """
    parsed = parse(names, parser, labels)
    if parsed.failed:
        raise InputError([failure(parser, parsed)])
    missing = [column for column in gives(parser) if column not in parsed.columns]
    if missing and names:
        raise InputError(
            [
                f"names: wanted {examples(missing)} in {_like(parser)}, found none in {examples(list(names))}; "
                "give the names with their folders, a table of labels, or a pattern without that group"
            ]
        )
    if parsed.cut and notes is not None:
        notes.append(in_part([tail(names[row]) for row in parsed.cut]))
    return parsed.columns


def in_part(shown: Sequence[str]) -> str:
    """What there is to say of names in which a user's pattern reads a part of a number."""
    return (
        f"in {len(shown)} names a group takes only a part of a number ({examples(shown)}); take all of it, as "
        "[0-9]+ does, or -?[0-9]+ where -1 is junk"
    )


def failure(parser: Parser, parsed: Parsed) -> str:
    """One line about the names that do not fit."""
    shown = [f"{parsed.names[row]}: {reason}" for row, reason in parsed.failed.items()]
    example = f" ({parser.example})" if parser.example else ""
    return (
        f"names: wanted {parser.title}{example}, found {len(shown)} of {len(parsed.names)} that are not: "
        f"{examples(shown)}; see python -m ensemble.names --guess, or give a pattern of your own"
    )


def deeper(paths: Sequence[str], parser: Parser) -> int | None:
    """How many folders a user's pattern has to see to fit all of ``paths``, if it needs more than it was given."""
    if parser.whole or not paths:
        return None
    deepest = max(path.replace("\\", "/").count("/") for path in paths)
    for folders in range(parser.folders, min(deepest, MOST_FOLDERS) + 1):
        if not parse(paths, replace(parser, folders=folders)).failed:
            return folders if folders > parser.folders else None  # they fit, and lack something else
    return None


def gives(parser: Parser) -> tuple[str, ...]:
    """The columns that every name of this parser provides; lists of labels may provide more."""
    if parser.example:
        found, _, _ = numbers(parser, parser.example)
        return tuple(column for column in COLUMNS if column in (found or {}))
    return tuple(column for column in COLUMNS if column in map(_base, parser.pattern.groupindex))


def custom(pattern: str, folders: int = 0) -> Parser:
    """A parser from a user's regular expression, matched from the beginning of the base name, suffix included.

    pattern: named groups for ``pid`` or ``cam``, and any of ``track order frame sequence scene quality clothes``.
             Labels (``pid cam track scene clothes``) are any text, and several groups make one, as ``pid1`` and
             ``pid2``; the others are whole numbers, -1 for unknown. ``$`` at the end makes it fit whole names
             only.
    folders: 0 or more folders of the path that the pattern sees before the base name, as in
             ``cam(?P<cam>[0-9])/(?P<pid>[0-9]+)/`` with 2.
    Raises:  InputError with all that is wrong with it.

    >>> parser = custom(r"(?P<pid>[0-9]+)-cam(?P<cam>[0-9]+)")
    >>> columns(["17-cam3.jpg"], parser)
    {'pid': array([17]), 'cam': array([3])}
    >>> columns(["lion_Dan_3.jpg"], custom("(?P<pid1>[a-z]+)_(?P<pid2>[A-Za-z]+)"))
    {'pid': array(['lion+Dan'], dtype=object)}
    """
    problems = []
    if folders < 0:
        problems.append(f"--folders: wanted 0 or more, found {folders}; say how many the pattern needs")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may mean another thing one day
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(
            [*problems, f"--pattern: wanted a regular expression, found one with a fault ({error}); mend it"]
        ) from None
    groups = list(compiled.groupindex)
    unknown = [group for group in groups if group not in GROUPS and _base(group) not in LABELS]
    for group in unknown:
        hint = near(group, GROUPS) or "; write (?:…) for a group that is no column"
        problems.append(f"--pattern: wanted groups called {', '.join(GROUPS)}, found {group}{hint}")
    if not {"pid", "cam"} & set(map(_base, groups)) and not unknown:
        found = f"{compiled.groups} groups without a name" if compiled.groups else "no groups"
        problems.append(
            f"--pattern: wanted (?P<pid>…) or (?P<cam>…), found {', '.join(groups) or found}; "
            "name the parts, for example (?P<pid>[-0-9]+)_c(?P<cam>[0-9]+)"
        )
    if problems:
        raise InputError(problems)
    return Parser("pattern", f"names that begin with {pattern}", "", compiled, folders=folders, whole=False)


def _inside(match: re.Match[str], group: str) -> bool:
    """Whether a group leaves a part of its number outside: ``c(?P<cam>[0-9])`` reads camera 1 in ``c12``."""
    begin, end = match.span(group)
    before, after = match.string[:begin], match.string[end : end + 1]
    first, last = match[group][:1].isdecimal(), match[group][-1:].isdecimal()
    minus = before.endswith("-") and before[-2:-1] in ("", "_", "/")
    return (first and (before[-1:].isdecimal() or minus)) or (last and after.isdecimal())


def _base(group: str) -> str:
    """The column that a group is about, or a part of."""
    return _PART.sub("", group)


def _array(group: str, values: Sequence[Any]) -> Array:
    """What a group says of all names: labels that are text as such, whole numbers otherwise."""
    text = any(isinstance(value, str) for value in values)
    return of_cells(map(str, values)) if text else np.array(values, np.int64)


def _columns(groups: Mapping[str, Array]) -> dict[str, Array]:
    """Columns from groups: those of several parts put together, in the order of their numbers."""
    found = {group: values for group, values in groups.items() if _base(group) == group}
    parts: dict[str, list[str]] = {}
    for group in sorted(groups, key=lambda group: (len(group), group)):
        if group not in found:
            parts.setdefault(_base(group), []).append(group)
    for column, names in parts.items():
        if column not in found:
            found[column] = composed([groups[name] for name in names]) if len(names) > 1 else groups[names[0]]
    return found


def _why(parser: Parser, path: str) -> str:
    """Why a name does not fit, for somebody who looks at it."""
    base = tail(path)
    folder = path.replace("\\", "/").rpartition("/")[0]
    dot = base.rpartition(".")[1]
    wanted = f"like {_like(parser)}"
    if dot and base.lower().endswith((".db", ".ds_store", ".txt", ".xml", ".mat", ".ini")):
        return "no image"
    if parser.folders and tail(path, parser.folders).count("/") < parser.example.count("/"):
        return f"its folders are missing, wanted {wanted}"
    if looks_like_pid_cam(folder):
        return f"only its folder looks like identity and camera, the base name is not {wanted}"
    return f"not {wanted}"


def _like(parser: Parser) -> str:
    return parser.example or parser.pattern.pattern


class _TooLong(Exception):
    pass


@contextmanager
def _hurried(parser: Parser) -> Iterator[None]:
    """End a user's pattern that takes for ever, where the system has an alarm; the own ones take linear time."""
    alarm = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if parser.whole or not alarm:
        yield
        return

    def ring(*_: object) -> None:
        raise _TooLong

    handler = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    except _TooLong:
        raise InputError(
            [
                f"--pattern: wanted one that reads all names in {SECONDS:g} seconds, found one that does not; "
                "repeated groups inside a repeated group, as ([0-9]+)+, take for ever"
            ]
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
