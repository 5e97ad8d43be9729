"""The code blocks of a page, in order, and what runs each. Sybil finds them; what their fences mean:

    python   run, in one set of names for the whole page
    sh       commands (``shell``)
    toml     a recipe, rules, a part of pyproject.toml: parsed and checked (``tables``)
    csv      a table: as many cells in every line
    output   what the block before it prints; ``…`` stands for anything
    text     a drawing, or words that nothing here prints; not run

A block whose first line is a comment with the name of a file (``# mine.toml``) is that file for what follows. A
block that cannot run has a comment before it, ``<!-- skip: next "why" -->``, which a rendered page does not show.
"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from sybil import Document, Example
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from tests.documents import shell, tables

ROOT = Path(__file__).parents[2]
FILE = re.compile(r"# ([\w.-]+\.\w+)\n")
SAID = "_said"  # among a page's names: what its last block has printed


@dataclass(frozen=True)
class Mark:
    """A block that is not run: where the mark stands, and why; "" if it does not say."""

    where: str
    why: str


def pages() -> list[Path]:
    """The documents whose blocks run, but for pages that are made of notebooks, which run by themselves."""
    notebooks = {script.stem for script in (ROOT / "docs" / "tutorials" / "source").glob("*.py")}
    docs = (page for page in (ROOT / "docs").rglob("*.md") if page.stem not in notebooks)
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(docs)]


def parsed(page: Path) -> Document:
    """A page with its blocks and marks."""
    return Document.parse(str(page), SkipParser(), *(CodeBlockParser(name, run) for name, run in RUN.items()))


def marks(page: Path) -> Iterator[Mark]:
    """The blocks of a page that are not run."""
    for example in parsed(page):
        if isinstance(example.parsed, tuple):
            yield Mark(f"{called(page)}:{example.line}", (example.parsed[1] or "").strip('" '))


def called(page: Path) -> str:
    """A page in messages: its folder and its name."""
    return "/".join(page.parts[-2:])


def unknown_fences(page: Path) -> list[str]:
    """Blocks whose fence says nothing of what they are, or something else than above."""
    openings = re.findall(r"^ *```(.*)$", page.read_text(encoding="utf-8"), flags=re.M)[::2]
    return [f"{called(page)}: ```{name}" for name in openings if name not in RUN]


def python(example: Example) -> None:
    """Run the lines; tracebacks have the page's own numbers."""
    save(example)
    said = io.StringIO()
    with redirect_stdout(said):
        PythonEvaluator()(example)
    example.namespace[SAID] = said.getvalue()


def sh(example: Example) -> None:
    """Run the commands, one after the other, up to the first that fails."""
    example.namespace[SAID] = shell.run(example.parsed)


def toml(example: Example) -> None:
    """Parse and check it."""
    save(example)
    tables.check_toml(example.parsed, whole=not FILE.match(example.parsed))


def csv(example: Example) -> None:
    """Check that all lines have as many cells."""
    save(example)
    tables.check_csv(example.parsed)


def output(example: Example) -> str:
    """Compare it with what the last block has printed: "" where it fits, else both."""
    said = example.namespace.get(SAID, "")
    parts = (re.escape(" ".join(part.split())) for part in example.parsed.split("…"))
    if re.search(".*?".join(parts).replace(r"\ ", r"\s+"), said, flags=re.S):
        return ""
    return f"wanted to be printed:\n{example.parsed}\nwas printed:\n{said}"


def text(example: Example) -> None:
    """Nothing: words for people."""


def save(example: Example) -> None:
    """Write the block to the file that its first line names."""
    if named := FILE.match(example.parsed):
        Path(named[1]).write_text(example.parsed, encoding="utf-8")


RUN: dict[str, Callable[[Example], str | None]] = {
    each.__name__: each for each in (python, sh, toml, csv, output, text)
}
