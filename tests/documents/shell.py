"""Commands as they stand on a page, run in this process where they are the project's own.

``reid-ensemble NAME`` and ``python -m ensemble NAME`` call what the program calls, so that nothing is imported
twice. ``cd`` changes the folder of this process, ``> FILE`` keeps what is printed; HARMLESS commands are started.
Anything else is refused: such a block wants a mark.
"""

import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from ensemble.cli import start

HARMLESS = ("ls", "mkdir", "cp", "cat")
# Numbers of a page that are for real data. Less of the same is asked for here, so that all pages run in a minute.
LESS = {
    r"--trials \d+": "--trials 2",
    r"--minutes \d+": "--minutes 5 --trials 2 --folds 2",
    r"--splits 10": "--splits 2",
    r"--clusters \d+": "--clusters 8",
    r"--workers 2": "",
}


class Failed(AssertionError):
    """A command of a page did not end with 0."""


def run(text: str) -> str:
    """Run all commands of a block; what they have printed."""
    return "".join(command(line) for line in lines(text))


def lines(text: str) -> Iterator[str]:
    """The commands of a block, each in one line, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield shlex.join(words) if "#" in line else line.strip()


def command(line: str) -> str:
    """Run one; what it has printed."""
    for many, few in LESS.items():
        line = re.sub(many, few, line)
    words = shlex.split(line)
    into = None
    if ">" in words:
        words, (into,) = words[: words.index(">")], words[words.index(">") + 1 :]
    said = started(words)
    if into:
        Path(into).expanduser().write_text(said, encoding="utf-8")
        return ""
    return said


def started(words: list[str]) -> str:
    """Run the words of a command."""
    match words:
        case ["reid-ensemble", *rest]:
            return ours("reid-ensemble", rest)
        case ["python", "-m", "ensemble", *rest]:
            return ours("python -m ensemble", rest)
        case ["cd", folder]:
            os.chdir(folder)
            return ""
        case [name, *_] if name in HARMLESS:
            words = [os.path.expanduser(word) for word in words]
            return subprocess.run(words, check=True, capture_output=True, text=True).stdout
    raise Failed(f"{shlex.join(words)}: wanted a command of the project or one of {', '.join(HARMLESS)}")


def ours(program: str, words: list[str]) -> str:
    """Run a command of the project in this process."""
    said, complained = io.StringIO(), io.StringIO()
    status: object = 0
    with redirect_stdout(said), redirect_stderr(complained):
        try:
            start.start(program, words)
        except SystemExit as end:
            status = end.code
    if status not in (0, None):
        raise Failed(f"{shlex.join(words)}: ended with {status}\n{said.getvalue()}{complained.getvalue()}")
    return complained.getvalue() + said.getvalue()
