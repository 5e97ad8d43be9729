"""``track2.txt`` of the AI City challenge, 2019 to 2021.

One line a query, in the order of the query list; on it the numbers of the nearest gallery images, best first,
single spaces, LF. The number of an image is the whole number in its name: ``000123.jpg`` is 123.
"""

from collections.abc import Sequence
from pathlib import Path

from ensemble.base.errors import refuse_if_any
from ensemble.io import beside
from ensemble.submissions import numbers, visda
from ensemble.submissions.format import Format
from ensemble.submissions.numbers import Numbering, Rule
from ensemble.submissions.ranklist import RankList, from_lines
from postproc.base.checks import whole

FILE = "track2.txt"
TOP_K = 100
ZEROS = Rule("numbers without leading zeros", "write 123, not 000123")


def write(path: Path, ranking: RankList, *, top_k: int | None = TOP_K) -> None:
    """Write the ``top_k`` best gallery images of every query; the file appears only when it is complete.

    Query ``i`` becomes line ``i + 1``; without any image an empty line. ``top_k`` is 1 or more, None: all.
    Raises:  InputError if a gallery name has no number or two share one.
    Cost:    O(nq * top_k).
    """
    best = ranking.first(top_k)
    spelled = numbers.one_based(best.gallery_names)
    with beside(path, "w") as stream:
        for rows in best.lines():
            stream.write(" ".join([spelled[row] for row in rows.tolist()]) + "\n")


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """The numbers of every line, and what is no number."""
    lines, problems = numbers.integers(str(path), numbers.parse(numbers.read_bytes(path)))
    return from_lines(lines, by="number"), problems


def read_lines(path: Path) -> list[list[int]]:
    """The numbers of every line, whatever stands between them; :func:`faults` says what should not.

    Raises:  InputError if the file cannot be read or holds something that is not a number.
    """
    lines, problems = numbers.integers(str(path), numbers.parse(numbers.read_bytes(path)))
    refuse_if_any(problems)
    return lines


def faults(
    path: Path, query_names: Sequence[str], gallery_names: Sequence[str], *, top_k: int | None = TOP_K
) -> list[str]:
    """Everything that is wrong with a ``track2.txt``, one line for each kind; empty when nothing is.

    Looked at: number of lines, ``min(top_k, ng)`` numbers on each (``top_k`` 1 or more), numbers of gallery
    images, none twice in a line, ASCII digits and single spaces only, no leading zeros, LF at the end of
    every line, no byte-order mark. A kind comes once, with its first lines and the number of lines.
    Raises:  InputError if the file cannot be read or the gallery's names have no numbers.
    Cost:    0.2 s for 1052 lines of 100.
    """
    top_k = TOP_K if top_k is None else top_k
    whole("top_k", top_k, 1)
    known = numbers.one_based(gallery_names)
    numbering = Numbering(
        known,
        1,
        ZEROS,
        example="the number in the image's name: 123 for 000123.jpg",
        unknown="the number in the image's name, not its position",
    )
    file = numbers.parse(numbers.read_bytes(path))
    return numbers.faults(path.name, file, len(query_names), numbering, top_k=top_k)


def doubts(path: Path, query_names: Sequence[str], gallery_names: Sequence[str]) -> list[str]:
    """What a server accepts and yet is probably a mistake, one line each; empty when there is nothing.

    Another file name; numbers that look as if they were counted from 0 (0 occurs, or the largest never does
    and the one before it does); a query list that is not in the order of its numbers.
    """
    problems = []
    if path.name != FILE:
        problems.append(f"{path.name}: wanted the name {FILE}, as the server does; rename the file")
    known = numbers.one_based(gallery_names)
    words = {word for line in numbers.parse(numbers.read_bytes(path)).lines for word in line.split()}
    used = {word.lstrip("0") or "0" for word in words}
    largest = numbers.extremes(known)[1]
    if "0" in used and "0" not in known:
        problems.append(f"{path.name}: wanted numbers from 1, found 0; were they counted from 0?")
    elif largest not in used and str(int(largest) - 1) in used:
        problems.append(
            f"{path.name}: wanted numbers up to {largest}, found none above {int(largest) - 1}; "
            "were they counted from 0?"
        )
    return problems + numbers.order_doubts(query_names)


FORMAT = Format(
    "track2",
    FILE,
    parse,
    write,
    TOP_K,
    suffixes=(".txt",),
    recognises=lambda head: head.is_numbers and not visda.recognises(head),
    faults=faults,
    doubts=doubts,
    refuse=numbers.one_based,
)
