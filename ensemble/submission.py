"""Submission files: written, read back, and looked through for everything that a server would refuse.

So far ``track2.txt`` of the AI City challenge (2019 to 2021): one line a query, in the order of the query
list; on it the numbers of the nearest gallery images, best first, single spaces, LF. The number of an image
is the whole number in its name: ``000123.jpg`` is 123. Another format is another set of these functions.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from ensemble.errors import InputError, examples
from ensemble.io import beside
from postproc.checks import whole

TRACK2 = "track2.txt"
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
LINE_END = re.compile("\r\n|\n|\r")
NOT_A_SPACE = re.compile(r"[^\S ]", re.ASCII)
DIGITS = re.compile("[0-9]+")
MOST_DIGITS = 18  # of a number that fits everywhere


class Rule(NamedTuple):
    """What a line has to be, and what to do where it is not; ``{count}`` and ``{range}`` are filled in."""

    wanted: str
    remedy: str


ASCII = Rule("digits and spaces only", "save the file as plain ASCII")
TABS = Rule("single spaces between numbers", "replace every tab by a space")
DOUBLE = Rule("single spaces between numbers", "remove the others")
LEADING = Rule("a number first", "remove the spaces before it")
TRAILING = Rule("a number last", "remove the spaces after it")
EMPTY = Rule("{count} numbers", "return the best images of every query, however far they are")
COUNT = Rule("{count} numbers", "write exactly the best {count}")
WHOLE = Rule("whole numbers", "write the number in the image's name: 123 for 000123.jpg")
ZEROS = Rule("numbers without leading zeros", "write 123, not 000123")
KNOWN = Rule("numbers of gallery images ({range})", "write the number in the image's name, not its position")
ONCE = Rule("every image once", "remove the copies and fill up with the next best")


def write_track2(
    path: Path,
    rows: np.ndarray,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    *,
    top_k: int = 100,
) -> None:
    """Write the ``top_k`` best gallery images of every query; the file appears only when it is complete.

    rows:    (nq, at least min(top_k, ng)) whole numbers: gallery rows, best first, -1 = no image. Row ``i``
             is that of ``query_names[i]`` and becomes line ``i + 1``; without any image an empty line.
    top_k:   1 or more.
    Raises:  InputError if a gallery name has no number or two share one, ValueError for rows that are not as
             above or name an image twice.
    Cost:    O(nq * top_k).
    """
    whole("top_k", top_k, 1)
    spelled = np.array(image_numbers(gallery_names), dtype=object)
    best = _best_rows(rows, len(query_names), len(gallery_names), top_k)
    with beside(path, "w") as stream:
        for row in best:
            stream.write(" ".join(spelled[row[row >= 0]]) + "\n")


def write_csv(
    path: Path,
    rows: np.ndarray,
    distances: np.ndarray,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
) -> None:
    """Write ``query,rank,gallery,distance``, one line an answer, ranks from 1, for whoever has no competition.

    rows, distances: (nq, k) gallery rows, best first, -1 = no image, and how far they are.
    """
    with beside(path, "w") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("query", "rank", "gallery", "distance"))
        for query, images, values in zip(query_names, rows.tolist(), distances.tolist(), strict=True):
            for rank, (image, value) in enumerate(zip(images, values, strict=True), 1):
                if image >= 0:
                    table.writerow((query, rank, gallery_names[image], f"{value:.9g}"))


def read_track2(path: Path) -> list[list[int]]:
    """The numbers of every line, whatever stands between them; :func:`faults` says what should not.

    Raises:  InputError if the file cannot be read or holds something that is not a number.
    """
    lines = [line.split() for line in _parse(path).lines]
    wrong = [
        f"{_short(word)} (line {number})"
        for number, words in enumerate(lines, 1)
        for word in words
        if not DIGITS.fullmatch(word) or len(word) > MOST_DIGITS
    ]
    if wrong:
        raise InputError([f"{path}: wanted whole numbers only, found {examples(wrong)}; remove them"])
    return [[int(word) for word in words] for words in lines]


def faults(path: Path, query_names: Sequence[str], gallery_names: Sequence[str], *, top_k: int = 100) -> list[str]:
    """Everything that is wrong with a ``track2.txt``, one line for each kind; empty when nothing is.

    Looked at: number of lines, ``min(top_k, ng)`` numbers on each (``top_k`` 1 or more), numbers of gallery
    images, none twice in a line, ASCII digits and single spaces only, no leading zeros, LF at the end of
    every line, no byte-order mark. A kind comes once, with its first lines and the number of lines.
    Raises:  InputError if the file cannot be read or the gallery's names have no numbers.
    Cost:    0.2 s for 1052 lines of 100.
    """
    whole("top_k", top_k, 1)
    known = image_numbers(gallery_names)
    count = min(top_k, len(known))
    filled = {"count": str(count), "range": " to ".join(_extremes(known))}
    file = _parse(path)
    found: dict[Rule, list[tuple[int, str]]] = {}
    acceptable = set(known)
    for number, line in enumerate(file.lines, 1):
        for rule, example in _line_faults(line, acceptable, count):
            found.setdefault(rule, []).append((number, example))
    kinds = sorted(found.items(), key=lambda kind: kind[1][0][0])
    return [
        *_file_faults(path, file, len(query_names)),
        *(_described(path, rule, places, filled) for rule, places in kinds),
    ]


def doubts(path: Path, query_names: Sequence[str], gallery_names: Sequence[str]) -> list[str]:
    """What a server accepts and yet is probably a mistake, one line each; empty when there is nothing.

    Another file name; numbers that look as if they were counted from 0 (0 occurs, or the largest never does
    and the one before it does); a query list that is not in the order of its numbers.
    """
    problems = []
    if path.name != TRACK2:
        problems.append(f"{path.name}: wanted the name {TRACK2}, as the server does; rename the file")
    known = image_numbers(gallery_names)
    used = {_spelled(word) for line in _parse(path).lines for word in line.split()}
    largest = _extremes(known)[1]
    if "0" in used and "0" not in known:
        problems.append(f"{path.name}: wanted numbers from 1, found 0; were they counted from 0?")
    elif largest not in used and str(int(largest) - 1) in used:
        problems.append(
            f"{path.name}: wanted numbers up to {largest}, found none above {int(largest) - 1}; "
            "were they counted from 0?"
        )
    order = [int(stem) for stem in map(_stem, query_names) if DIGITS.fullmatch(stem)]
    if order != sorted(order):
        problems.append(
            "query names: wanted the order of their numbers, as the server has it, found another; "
            "line 1 is taken for the first name of the list"
        )
    return problems


def image_numbers(gallery_names: Sequence[str]) -> list[str]:
    """The number of every image as a submission spells it: ``000123.jpg`` -> ``123``.

    Raises:  InputError if there is no name, a name has no number, or two names have the same.
    """
    if not len(gallery_names):
        raise InputError(["gallery names: wanted at least one image, found none; give the list of all images"])
    stems = [_stem(name) for name in gallery_names]
    wrong = [name for name, stem in zip(gallery_names, stems, strict=True) if not DIGITS.fullmatch(stem)]
    if wrong:
        wanted = f"names like 000123.jpg, since {TRACK2} holds their numbers"
        raise InputError([f"gallery names: wanted {wanted}, found {examples(wrong)}; rename the images"])
    numbers = [_spelled(stem) for stem in stems]
    if twice := _repeated(numbers):
        wanted = f"a number for each image, since {TRACK2} holds it"
        raise InputError([f"gallery names: wanted {wanted}, found several with {examples(twice)}; rename them"])
    return numbers


class _Parsed(NamedTuple):
    encoding: str  # that of the byte-order mark; empty without one
    lines: list[str]
    ends: list[str]


def _parse(path: Path) -> _Parsed:
    try:
        content = path.read_bytes()
    except OSError as error:
        problem = f"{path}: wanted a submission to read, found: {error.strerror}; check the name"
        raise InputError([problem]) from error
    mark = next((mark for mark in BYTE_ORDER_MARKS if content.startswith(mark)), b"")
    encoding = BYTE_ORDER_MARKS.get(mark, "")
    text = content[len(mark) :].decode(encoding or "utf-8", errors="replace")
    lines = LINE_END.split(text)
    return _Parsed(encoding, lines if lines[-1] else lines[:-1], LINE_END.findall(text))


def _file_faults(path: Path, file: _Parsed, wanted: int) -> Iterator[str]:
    if file.encoding:
        found = f"a byte-order mark ({file.encoding})"
        yield f"{path.name}: wanted plain ASCII, found {found}; save the file without it"
    if not file.lines:
        yield f"{path.name}: wanted {wanted} lines, found an empty file; write it again"
        return
    if len(file.lines) != wanted:
        found = f"{len(file.lines)} lines for {wanted} queries"
        yield f"{path.name}: wanted one line a query, found {found}; write all of them, into a new file"
    for end, name in (("\r\n", "CR LF (Windows)"), ("\r", "CR (old Mac)")):
        if end in file.ends:
            found = f"{name} on {file.ends.count(end)} lines"
            yield f"{path.name}: wanted LF at the end of every line, found {found}; save with Unix line ends"
    if len(file.ends) < len(file.lines):
        yield f"{path.name}: wanted LF at the end of every line, found none on the last; add it"


def _line_faults(line: str, known: set[str], count: int) -> Iterator[tuple[Rule, str]]:
    """Each rule that a line breaks, with what was found."""
    words = line.split()
    if not line.isascii():
        yield ASCII, examples([ascii(letter) for letter in line if not letter.isascii()])
    if NOT_A_SPACE.search(line):
        yield TABS, examples([ascii(space) for space in NOT_A_SPACE.findall(line)])
    if "  " in line.strip(" "):
        yield DOUBLE, "several in a row"
    if line.startswith(" "):
        yield LEADING, "a space"
    if line.endswith(" "):
        yield TRAILING, "a space"
    if not words:
        yield EMPTY, "none"
        return
    if len(words) != count:
        yield COUNT, str(len(words))
    digits = [word for word in words if DIGITS.fullmatch(word)]
    if len(digits) < len(words):
        yield WHOLE, examples([_short(word) for word in words if not DIGITS.fullmatch(word)])
    images = [_spelled(word) for word in digits]
    if images != digits:
        yield ZEROS, examples([_short(word) for word in digits if word != _spelled(word)])
    strangers = [image for image in images if image not in known]
    if strangers:
        yield KNOWN, examples([_short(image) for image in dict.fromkeys(strangers)])
    if len(set(images)) < len(images):
        yield ONCE, examples([f"{_short(image)} again" for image in _repeated(images)])


def _described(path: Path, rule: Rule, places: Sequence[tuple[int, str]], filled: dict[str, str]) -> str:
    first, found = places[0]
    where, which = f"line {first}", ""
    if len(places) > 1:
        where, which = f"lines {examples([number for number, _ in places], 5)}", f" (line {first})"
    wanted, remedy = rule.wanted.format(**filled), rule.remedy.format(**filled)
    return f"{path.name}, {where}: wanted {wanted}, found {found}{which}; {remedy}"


def _best_rows(rows: np.ndarray, queries: int, gallery: int, top_k: int) -> np.ndarray:
    wanted = f"({queries}, {min(top_k, gallery)} or more) whole numbers"
    if not np.issubdtype(rows.dtype, np.integer) or rows.ndim != 2 or len(rows) != queries:
        raise ValueError(f"rows: wanted {wanted}, one row a query, got shape {rows.shape} {rows.dtype}")
    if rows.shape[1] < min(top_k, gallery):
        raise ValueError(f"rows: wanted {wanted}, got shape {rows.shape}")
    best = rows[:, :top_k]
    if best.size and (best.min() < -1 or best.max() >= gallery):
        raise ValueError(f"rows: wanted -1 to {gallery - 1}, got {best.min()} to {best.max()}")
    ascending = np.sort(best, axis=1)
    twice = ((ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        raise ValueError(f"rows: wanted every image once, got one twice first in row {np.argmax(twice)}")
    return best


def _stem(name: str) -> str:
    return PurePath(name).stem


def _spelled(digits: str) -> str:
    return digits.lstrip("0") or "0"


def _short(word: str) -> str:
    return ascii(word)[1:-1] if len(word) <= 20 else f"{ascii(word[:17])[1:-1]}..."


def _extremes(numbers: Sequence[str]) -> tuple[str, str]:
    """Smallest and largest, compared as numbers of any length."""
    ordered = sorted(numbers, key=lambda number: (len(number), number))
    return ordered[0], ordered[-1]


def _repeated(items: Sequence[str]) -> list[str]:
    return [item for item, times in Counter(items).items() if times > 1]
