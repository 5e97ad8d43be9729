"""Wide lines, only read: a query and behind it the names of its images, nearest first, a line a query.

``q1.jpg 7.jpg 3.jpg``, with tabs where the file holds any, else with commas, else with white space between. A line
with the query alone says that there is no answer. Names here have a digit or a dot in them, which tells the file
from prose.
"""

import re
from collections.abc import Callable
from pathlib import Path

from ensemble.submissions.format import Format, Head
from ensemble.submissions.ranklist import EMPTY, RankList, from_lists
from ensemble.submissions.text import read_text

NAME = re.compile(r".*[0-9].*|.*[^.]\.[^.].*")
BRACKETS = tuple("[{(<")  # JSON, printed Python, web pages
LOOKED_AT = 20  # lines, to tell what a file is


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """The lists as they stand there; empty lines are passed over."""
    text, problems = read_text(path)
    if text is None:
        return EMPTY, problems
    lines = [words for words in map(_splitter(text), text.splitlines()) if words]
    return from_lists((query, images, None) for query, *images in lines), problems


def _splitter(text: str) -> Callable[[str], list[str]]:
    between = "\t" if "\t" in text else "," if "," in text else None
    return lambda line: [word.strip() for word in line.split(between) if word.strip()]


def _recognises(head: Head) -> bool:
    lines = head.lines[:LOOKED_AT]
    words = list(map(_splitter("\n".join(lines)), lines))
    if not any(len(line) > 1 for line in words) or any(line[1:2] == ["Q0"] for line in words):
        return False
    return not head.start.startswith(BRACKETS) and all(NAME.fullmatch(word) for line in words for word in line)


FORMAT = Format("lines", "ranking.lines", parse, suffixes=(".lines",), recognises=_recognises)
