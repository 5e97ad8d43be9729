"""Text files of rank lists: decoded once, with what is wrong about their encoding; numbers as they are printed."""

from pathlib import Path

from ensemble.submissions.numbers import BYTE_ORDER_MARKS, read_bytes


def read_text(path: Path, *, blank: bool = False) -> tuple[str | None, list[str]]:
    """The text of a file, None where it is none, and what is wrong with its encoding.

    blank:  a file in which nothing stands says something: nobody has an answer.
    Raises InputError where there is no such file.
    """
    content = read_bytes(path)
    mark = next((mark for mark in BYTE_ORDER_MARKS if content.startswith(mark)), b"")
    problems = []
    if mark:
        found = f"a byte-order mark ({BYTE_ORDER_MARKS[mark]})"
        problems.append(f"{path}: wanted UTF-8 without a mark, found {found}; save the file without it")
    try:
        text = content[len(mark) :].decode(BYTE_ORDER_MARKS.get(mark, "utf-8"))
    except UnicodeDecodeError as error:
        found = f"another byte at {error.start + len(mark)}"
        return None, [*problems, f"{path}: wanted UTF-8 text, found {found}; save it again"]
    if not blank and not text.strip():
        return None, [*problems, f"{path}: wanted rank lists, found an empty file; write it again"]
    return text, problems


def exact(value: float) -> str:
    """A float32 in as few digits as bring it back; no ``-0``."""
    return f"{value + 0.0:.9g}"
