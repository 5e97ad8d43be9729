"""Files of numbers, a line a query: taken apart, and looked through for everything that a server would refuse."""

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from ensemble.base.errors import InputError, examples

Item = TypeVar("Item", str, int)
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
    """What a line has to be, and what to do where it is not; ``{count}``, ``{range}`` … are filled in."""

    wanted: str
    remedy: str


ASCII = Rule("digits and spaces only", "save the file as plain ASCII")
TABS = Rule("single spaces between numbers", "replace every tab by a space")
DOUBLE = Rule("single spaces between numbers", "remove the others")
LEADING = Rule("a number first", "remove the spaces before it")
TRAILING = Rule("a number last", "remove the spaces after it")
EMPTY = Rule("{count} numbers", "return the best images of every query, however far they are")
COUNT = Rule("{count} numbers", "write exactly the best {count}")
WHOLE = Rule("whole numbers", "write {example}")
KNOWN = Rule("numbers of gallery images ({range})", "write {known}")
ONCE = Rule("every image once", "remove the copies and fill up with the next best")


class Text(NamedTuple):
    """A text file by its lines; ``encoding`` is that of the byte-order mark, empty without one."""

    encoding: str
    lines: list[str]
    ends: list[str]


class Numbering(NamedTuple):
    """How a format spells its images.

    known:   the spelling of every gallery image.
    digits:  numbers have this many digits at least, filled up with zeros in front.
    padding: the rule that another number of zeros breaks.
    example: what to write instead of something that is no number; ``unknown``: instead of an unknown number.
    """

    known: Sequence[str]
    digits: int
    padding: Rule
    example: str
    unknown: str

    def spelled(self, word: str) -> str:
        """Digits as the format wants them."""
        return (word.lstrip("0") or "0").zfill(self.digits)


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises InputError where there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"{path}: wanted a submission to read, found: {error.strerror}; check the name"
        raise InputError([problem]) from error


def parse(content: bytes) -> Text:
    """Bytes -> lines, whatever their ends and encoding."""
    mark = next((mark for mark in BYTE_ORDER_MARKS if content.startswith(mark)), b"")
    encoding = BYTE_ORDER_MARKS.get(mark, "")
    text = content[len(mark) :].decode(encoding or "utf-8", errors="replace")
    lines = LINE_END.split(text)
    return Text(encoding, lines if lines[-1] else lines[:-1], LINE_END.findall(text))


def integers(where: str, file: Text) -> tuple[list[list[int]], list[str]]:
    """The numbers of every line, whatever stands between them, and what is no number."""
    lines = [line.split() for line in file.lines]
    wrong = [
        f"{short(word)} (line {number})"
        for number, words in enumerate(lines, 1)
        for word in words
        if not DIGITS.fullmatch(word) or len(word) > MOST_DIGITS
    ]
    if wrong:
        return [], [f"{where}: wanted whole numbers only, found {examples(wrong)}; remove them"]
    return [[int(word) for word in words] for words in lines], []


def faults(where: str, file: Text, queries: int, numbering: Numbering, *, top_k: int) -> list[str]:
    """Everything that is wrong, one line for each kind, with its first lines and the number of lines."""
    count = min(top_k, len(numbering.known))
    filled = {
        "count": str(count),
        "range": " to ".join(extremes(numbering.known)),
        "example": numbering.example,
        "known": numbering.unknown,
    }
    found: dict[Rule, list[tuple[int, str]]] = {}
    acceptable = set(numbering.known)
    for number, line in enumerate(file.lines, 1):
        for rule, example in _line_faults(line, acceptable, count, numbering):
            found.setdefault(rule, []).append((number, example))
    kinds = sorted(found.items(), key=lambda kind: kind[1][0][0])
    return [
        *_file_faults(where, file, queries),
        *(_described(where, rule, places, filled) for rule, places in kinds),
    ]


def image_numbers(gallery_names: Sequence[str]) -> list[str]:
    """The number of every image as the AI City challenge spells it: ``000123.jpg`` -> ``123``.

    Raises:  InputError if there is no name, a name has no number, or two names have the same.
    """
    if not len(gallery_names):
        raise InputError(["gallery names: wanted at least one image, found none; give the list of all images"])
    stems = [stem(name) for name in gallery_names]
    wrong = [name for name, digits in zip(gallery_names, stems, strict=True) if not DIGITS.fullmatch(digits)]
    if wrong:
        wanted = "names like 000123.jpg, since track2.txt holds their numbers"
        raise InputError([f"gallery names: wanted {wanted}, found {examples(wrong)}; rename the images"])
    numbers = [digits.lstrip("0") or "0" for digits in stems]
    if twice := repeated(numbers):
        wanted = "a number for each image, since track2.txt holds it"
        raise InputError([f"gallery names: wanted {wanted}, found several with {examples(twice)}; rename them"])
    return numbers


def one_based(gallery_names: Sequence[str]) -> list[str]:
    """The numbers of images, from 1 where the names are nothing but positions (``0``, ``1``, …)."""
    if all(name == str(place) for place, name in enumerate(gallery_names)):
        return [str(place + 1) for place in range(len(gallery_names))] or image_numbers(gallery_names)
    return image_numbers(gallery_names)


def order_doubts(query_names: Sequence[str]) -> list[str]:
    """A sentence where numbered queries are not in the order of their numbers."""
    order = [int(digits) for digits in map(stem, query_names) if DIGITS.fullmatch(digits)]
    if order == sorted(order):
        return []
    return [
        "query names: wanted the order of their numbers, as the server has it, found another; "
        "line 1 is taken for the first name of the list"
    ]


def stem(name: str) -> str:
    """The name without folders and without what follows the last dot."""
    last = name.rstrip("/").rpartition("/")[2]
    dot = last.rfind(".")
    return last[:dot] if 0 < dot < len(last) - 1 else last


def short(word: str) -> str:
    """A word of a file for a message."""
    return ascii(word)[1:-1] if len(word) <= 20 else f"{ascii(word[:17])[1:-1]}..."


def extremes(numbers: Sequence[str]) -> tuple[str, str]:
    """Smallest and largest, compared as numbers of any length."""
    ordered = sorted(numbers, key=lambda number: (len(number), number))
    return ordered[0], ordered[-1]


def repeated(items: Sequence[Item]) -> list[Item]:
    """The items that come more than once."""
    return [item for item, times in Counter(items).items() if times > 1]


def _file_faults(where: str, file: Text, wanted: int) -> Iterator[str]:
    if file.encoding:
        found = f"a byte-order mark ({file.encoding})"
        yield f"{where}: wanted plain ASCII, found {found}; save the file without it"
    if not file.lines:
        yield f"{where}: wanted {wanted} lines, found an empty file; write it again"
        return
    if len(file.lines) != wanted:
        found = f"{len(file.lines)} lines for {wanted} queries"
        yield f"{where}: wanted one line a query, found {found}; write all of them, into a new file"
    for end, name in (("\r\n", "CR LF (Windows)"), ("\r", "CR (old Mac)")):
        if end in file.ends:
            found = f"{name} on {file.ends.count(end)} lines"
            yield f"{where}: wanted LF at the end of every line, found {found}; save with Unix line ends"
    if len(file.ends) < len(file.lines):
        yield f"{where}: wanted LF at the end of every line, found none on the last; add it"


def _line_faults(line: str, known: set[str], count: int, numbering: Numbering) -> Iterator[tuple[Rule, str]]:
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
        yield WHOLE, examples([short(word) for word in words if not DIGITS.fullmatch(word)])
    images = [numbering.spelled(word) for word in digits]
    if images != digits:
        yield numbering.padding, examples([short(word) for word in digits if word != numbering.spelled(word)])
    strangers = [image for image in images if image not in known]
    if strangers:
        yield KNOWN, examples([short(image) for image in dict.fromkeys(strangers)])
    if len(set(images)) < len(images):
        yield ONCE, examples([f"{short(image)} again" for image in repeated(images)])


def _described(where: str, rule: Rule, places: Sequence[tuple[int, str]], filled: dict[str, str]) -> str:
    first, found = places[0]
    lines, which = f"line {first}", ""
    if len(places) > 1:
        lines, which = f"lines {examples([number for number, _ in places], 5)}", f" (line {first})"
    wanted, remedy = rule.wanted.format(**filled), rule.remedy.format(**filled)
    return f"{where}, {lines}: wanted {wanted}, found {found}{which}; {remedy}"
