"""Printed Python: the distance files and result files of released code, read without running anything.

Distance file: ``[('29_1_819287.png', OrderedDict([('9_3_160704.png', 1.49), ...])), ...]``; newer Pythons print
``OrderedDict({'9_3_160704.png': 1.49, ...})``, NumPy 2 prints ``np.float32(1.49)``.
Result file: ``[{'433629.png': ['883386.png', ...]}, ...]``, or ``array([...], dtype='<U10')`` for the lists.

Source: the distance and result files of Ranked Person Re-ID and multi-model-fusion (NAIC 2019), which were read
back by evaluating them. Here one pattern after the other takes the next piece or says what should have stood
there: time and memory are linear in the length of the file, nothing nests, nothing is evaluated.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ensemble.submissions.format import Format
from ensemble.submissions.ranklist import EMPTY, RankList, from_lists
from ensemble.submissions.text import read_text

STRING = r"""(?:'((?:[^'\\\n]|\\.)*+)'|"((?:[^"\\\n]|\\.)*+)")"""
NUMBER = r"([-+]?(?:(?:[0-9]{1,60}+(?:\.[0-9]{0,60}+)?|\.[0-9]{1,60}+)(?:[eE][-+]?[0-9]{1,4}+)?|inf|nan))"
PLAIN = rf"{NUMBER}\s*+"
WRAPPED = rf"(?:np|numpy)\.float(?:16|32|64)\(\s*+{NUMBER}\s*+\)\s*+"
VALUE = rf"(?:{PLAIN}|{WRAPPED})"

START = re.compile(r"\s*+\[\s*+")
QUERY = re.compile(rf"\(\s*+{STRING}\s*+,\s*+(?:OrderedDict\s*+\(\s*+)?([\[{{])?\s*+")
PAIR = re.compile(rf"\(\s*+{STRING}\s*+,\s*+{VALUE}\)\s*+(,\s*+)?")
ITEM = re.compile(rf"{STRING}\s*+:\s*+{VALUE}(,\s*+)?")
QUERY_END = re.compile(r"[\]}]?\s*+\)?\s*+\)\s*+(,\s*+)?")
END = re.compile(r"\]\s*+")

LISTS_START = re.compile(r"\s*+(?:\[\s*+)?\{\s*+")
LIST = re.compile(rf"(?:\{{\s*+)?{STRING}\s*+:\s*+(?:array\(\s*+)?\[\s*+")
NAME = re.compile(rf"{STRING}\s*+(,\s*+)?")
LIST_END = re.compile(r"\]\s*+(?:,\s*+dtype\s*+=\s*+'[^'\n]{1,20}'\s*+\)\s*+)?(?:\}\s*+)?(,\s*+)?")
LISTS_END = re.compile(r"(?:\]\s*+)?")

ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\\'\"ntr])|(.?))", re.DOTALL)
LETTERS = {"n": "\n", "t": "\t", "r": "\r"}
Lists = Iterator[tuple[str, list[str], list[float] | None]]


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """Either file; lists with numbers are ordered by them, a pair with ``nan`` counts as not listed.

    similarity: the numbers are larger for nearer images; their negatives are taken.
    Cost:       3 s for 40 MB; memory of 6 times the file.
    """
    text, problems = read_text(path)
    if text is None:
        return EMPTY, problems
    dump = re.match(r"\s*+\[\s*+[\(\]]", text)
    try:
        lists = _distances(text) if dump else _lists(text)
        ranking = from_lists(lists, similarity=similarity, nearest_first=True)
    except _Unexpected as error:
        found = repr(text[error.place : error.place + 30]) if error.place < len(text) else "the end of the file"
        where = f"{path}, character {error.place + 1}"
        return EMPTY, [*problems, f"{where}: wanted {error.wanted}, found {found}; write the file again"]
    if ranking.distances is not None:
        ranking = ranking.only(~np.isnan(ranking.distances))
    return ranking, problems


class _Unexpected(ValueError):
    def __init__(self, place: int, wanted: str) -> None:
        self.place, self.wanted = place, wanted


def _distances(text: str) -> Lists:
    place = _next(START, text, 0, "a list").end()
    more = True
    while more and text[place : place + 1] != "]":
        head = _next(QUERY, text, place, "('QUERY', OrderedDict(…))")
        item = {"[": PAIR, "{": ITEM}.get(head[3])
        place = head.end()
        names: list[str] = []
        values: list[float] = []
        going = item is not None
        while going and item is not None and text[place] not in "]}":
            pair = _next(item, text, place, "a gallery image and a number")
            names.append(_string(pair, text, 1))
            values.append(float(pair[3] or pair[4]))
            place, going = pair.end(), bool(pair[5])
            if place >= len(text):
                raise _Unexpected(place, "the end of a query's list")
        end = _next(QUERY_END, text, place, "the end of a query's list")
        yield _string(head, text, 1), names, values
        place, more = end.end(), bool(end[1])
    place = _next(END, text, place, "the end of the list").end()
    _nothing_after(text, place)


def _lists(text: str) -> Lists:
    place = _next(LISTS_START, text, 0, "a list of {'QUERY': ['IMAGE', …]}").end()
    more = True
    while more:
        head = _next(LIST, text, place, "'QUERY': ['IMAGE', …]")
        place, going = head.end(), True
        names: list[str] = []
        while going and text[place : place + 1] != "]":
            name = _next(NAME, text, place, "the name of an image")
            names.append(_string(name, text, 1))
            place, going = name.end(), bool(name[3])
        end = _next(LIST_END, text, place, "the end of a query's list")
        yield _string(head, text, 1), names, None
        place, more = end.end(), bool(end[1])
    _nothing_after(text, _next(LISTS_END, text, place, "the end of the list").end())


def _next(pattern: re.Pattern[str], text: str, place: int, wanted: str) -> re.Match[str]:
    found = pattern.match(text, place)
    if found is None:
        raise _Unexpected(place, wanted)
    return found


def _nothing_after(text: str, place: int) -> None:
    if place < len(text):
        raise _Unexpected(place, "nothing after the list (was a second run appended?)")


def _string(match: re.Match[str], text: str, group: int) -> str:
    """The text of a quoted name, in single quotes (``group``) or double ones (the next)."""
    quoted = match[group] if match[group] is not None else match[group + 1]
    if "\\" not in quoted:
        return quoted

    def letter(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2] or escape[3]
        if code and int(code, 16) <= 0x10FFFF:
            return chr(int(code, 16))
        if escape[4]:
            return LETTERS.get(escape[4], escape[4])
        raise _Unexpected(match.start(), "only the escapes of printed Python in a name")

    return ESCAPE.sub(letter, quoted)


FORMAT = Format("text", "distances.txt", parse, recognises=lambda head: head.start.startswith(("[(", "{'", "[{'")))
