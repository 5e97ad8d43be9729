"""Docstrings of this project as reStructuredText: what is taken, given, refused; literals, formulas, examples."""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from docs.site import formulas

TITLES = ("Takes", "Returns", "Gives", "Raises", "Cost", "Differs")
ENTRY = re.compile(rf"^((?:{'|'.join(TITLES)})\b[^:`]*|\w+(?:, \w+)*):(?: +(\S.*))?$")
MARKED = re.compile(r"``(.+?)``|:\w+:`~?([^`]+)`|`([^`\n]+)`", re.S)
AFTER = re.compile(r'^\s*("\w+"(?:, "\w+")*): (\S.*)$')  # further ones in such a list
CHOICE = re.compile(r'^\s*("\w+"(?:, "\w+")*) {2,}(\S.*)$')
TERM = re.compile(r"^(\S+) {2,}(\S.*)$")
FORMULA = re.compile(r"``(.+?)``([,.;:]?)", re.S)
LISTED = re.compile(r"^(?:\d+\.|\*) ", re.M)
BEGINS, LONG = 24, 44  # letters from which on a formula has a line of its own: at the beginning, and later


@dataclass(frozen=True)
class Block:
    """A piece of a docstring: ``kind`` is text, entry (with its ``title``), example or verbatim."""

    kind: str
    lines: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True)
class Links:
    """What names in a docstring lead to: ``pages`` maps the last part of a name to all of it."""

    pages: Mapping[str, str]
    settings: Container[str] = ()


def blocks(text: str, names: Container[str]) -> Iterator[Block]:
    """The pieces of a docstring in their order; ``names`` are those of parameters, which have entries."""
    lines = text.splitlines()
    while lines:
        if not lines[0].strip():
            lines.pop(0)
        elif lines[0].lstrip().startswith(">>>"):
            yield Block("example", tuple(_while(lines, lambda line: bool(line.strip()))))
        elif (found := _entry(lines[0], names)) is not None:
            title, first = found
            lines.pop(0)
            yield Block("entry", (first, *_while(lines, lambda line: line.startswith("   "))), title)
        elif lines[0].startswith(" "):
            yield Block("verbatim", tuple(_while(lines, lambda line: line.startswith(" ") or not line.strip())))
        else:
            yield Block(
                "text",
                tuple(_while(lines, lambda line: bool(line.strip()) and _entry(line, names) is None)),
            )


def _entry(line: str, names: Container[str]) -> tuple[str, str] | None:
    found = ENTRY.match(line)
    if not found or not (found[1].startswith(TITLES) or all(name in names for name in found[1].split(", "))):
        return None
    return found[1], found[2] or ""


def _while(lines: list[str], holds) -> Iterator[str]:
    taken = []
    while lines and holds(lines[0]):
        taken.append(lines.pop(0))
    while taken and not taken[-1].strip():
        taken.pop()
    return iter(taken)


def rendered(found: list[Block], links: Links) -> Iterator[str]:
    """Lines of reStructuredText; entries as a list of definitions."""
    for block in found:
        if block.kind == "example":
            yield from ("", ".. code-block:: pycon", "", *(f"   {line.strip()}" for line in block.lines), "")
        elif block.kind == "verbatim":
            yield from ("", "::", "", *(f"   {line}" for line in block.lines), "")
        elif block.kind == "entry":
            title = block.title if block.title.startswith(TITLES) else _names(block.title)
            yield from ("", title, *(f"   {line}" for line in body(block.lines, links)), "")
        elif TERM.match(block.lines[0]):
            yield from _terms(block.lines, links)
        else:
            yield from ("", *paragraph("\n".join(block.lines), links), "")


def _terms(lines: tuple[str, ...], links: Links) -> Iterator[str]:
    """Lines of a word and what it means, which may go on below, as definitions."""
    found: list[list[str]] = []
    for line in lines:
        begins = TERM.match(line)
        if begins:
            found.append([begins[1], begins[2]])
        else:
            found[-1][1] += " " + line.strip()
    for term, said in found:
        yield from ("", inline(term, links), f"   {inline(said, links)}", "")


def _names(title: str) -> str:
    return ", ".join(f"``{name}``" for name in title.split(", "))


def body(lines: tuple[str, ...], links: Links) -> Iterator[str]:
    """The text of an entry; choices that stand in rows, each with its meaning, become a list."""
    text: list[str] = []
    listed: list[list[str]] = []
    for line in lines:
        found = CHOICE.match(line) or (AFTER.match(line) if listed else None)
        if found:
            listed.append([found[1], found[2]])
        elif listed:
            listed[-1][1] += " " + line.strip()
        else:
            text.append(line.strip())
    yield inline(" ".join(filter(None, text)), links)
    if listed:
        yield ""
        for name, said in listed:
            yield f"* ``{name}``: {inline(said, links)}"


def paragraph(text: str, links: Links) -> Iterator[str]:
    """A paragraph; a long formula in it, or a formula that it begins with, gets a line of its own."""
    place = 0
    for found in () if LISTED.search(text) else FORMULA.finditer(text):
        plain = " ".join(found[1].split())
        before = text[place : found.start()].strip()
        long = len(plain) >= (LONG if before else BEGINS)
        if long and (shown := formulas.read(plain, links.settings)):
            yield from inline(before, links).splitlines()
            yield from ("", ".. math::", "", f"   {shown}{found[2]}", "")
            place = found.end()
    for line in inline(text[place:].strip(), links).splitlines():
        yield re.sub(r"^\\\* ", "* ", line)  # a list stays one


def inline(text: str, links: Links) -> str:
    """Words with their literals, formulas and links; what reStructuredText would read as marks is escaped."""
    parts, place = [], 0
    for found in MARKED.finditer(text):
        parts += [_escaped(text[place : found.start()]), _marked(found, links)]
        place = found.end()
        if place < len(text) and (text[place].isalnum() or text[place] in "²ᵀ"):
            parts.append("\\ ")
    return "".join([*parts, _escaped(text[place:])])


def _marked(found: re.Match[str], links: Links) -> str:
    literal, role, single = found.groups()
    if role:
        last = role.rpartition(".")[2].removesuffix("()")
        known = links.pages.get(last)
        return f":py:obj:`{last} <{known}>`" if known else f"``{last}``"
    text = " ".join((literal or single).split())
    if literal and (shown := formulas.read(text, links.settings)):
        return f":math:`{shown}`"
    return f"``{text}``"


_escaped = partial(re.compile(r"([\\*|`]|(?<=\w)_(?!\w))").sub, r"\\\1")
