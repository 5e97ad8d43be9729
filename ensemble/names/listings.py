"""List files of data sets: lines of name and labels, and the XML lists of VeRi-776 and AI City.

XML is read as a stream of elements and only the attributes of ``Item`` are looked at. A document type, and with it
every entity, is refused before anything of it is expanded. The encoding that a file declares is not believed:
organisers wrote ``gb2312`` over plain ASCII, which Python cannot read; all text is taken for UTF-8.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from re import Match, compile
from xml.parsers import expat

from ensemble.base.errors import InputError, examples, printable, refuse_if_any
from ensemble.io.lists import read_entries
from ensemble.parsers.parser import Numbers, Parser, stem, tail

_ATTRIBUTES = {"vehicleID": "pid", "cameraID": "cam"}
_LABEL = compile(r"c?0*([0-9]{1,18})|(-1)")
_HEADER = compile(r"(?i)(id/image|image|name|path)\b")


@dataclass(frozen=True)
class Listing:
    """The names of a list file in its order, and for each what the list says of it (perhaps nothing)."""

    path: Path
    kind: str
    names: list[str]
    labels: list[Numbers]

    def look_up(self, paths: Sequence[str]) -> list[Numbers | None]:
        """For each path what the list says of its base name (suffixes do not matter), None where it says nothing.

        Raises: InputError where one base name has several labels.
        """
        labels = self.by_stem()
        return [labels.get(stem(tail(path))) for path in paths]

    def by_stem(self) -> dict[str, Numbers]:
        """Labels by base name without suffix. Raises InputError where one name has several."""
        found: dict[str, Numbers] = {}
        differ = []
        for name, labels in zip(self.names, self.labels, strict=True):
            if found.setdefault(stem(tail(name)), labels) != labels:
                differ.append(name)
        refuse_if_any(
            [f"{self.path}: wanted one label a name, found others for {examples(differ)}; correct it"]
            if differ
            else []
        )
        return found


def read_listing(path: Path, parser: Parser) -> Listing:
    """Read a list file of the parser's set: XML by its suffix, otherwise a name, or a name and labels, a line.

    Raises: InputError with all faults of the file.
    """
    if path.suffix.lower() == ".xml":
        return _xml(path)
    lines = read_entries(path)
    if _HEADER.match(lines[0]) and ";" in lines[0]:
        lines = lines[1:]
    names: list[str] = []
    labels: list[Numbers] = []
    problems: list[str] = []
    blank = [number for number, line in enumerate(lines, 1) if not line]
    if blank or not lines:
        problems.append(f"{path}: wanted no empty lines, found {examples(blank) or 'nothing else'}; remove them")
    odd = []
    for line in lines:
        match = parser.line.fullmatch(line) if parser.line else None
        if match is None and parser.line is not None and any(mark in line for mark in " \t,;"):
            odd.append(line)
            continue
        name = match["name"] if match else line
        try:
            labels.append(_labels(match) if match else {})
        except ValueError:
            odd.append(line)
            continue
        names.append(name if not parser.suffix or stem(name) != name else name + parser.suffix)
    if odd:
        shown = [repr(printable(line, 80)) for line in odd]
        problems.append(
            f"{path}: wanted lines as {parser.title} has them, found {len(odd)} others ({examples(shown)}); "
            "correct them, or choose another parser (list reads any list of name, pid and cam)"
        )
    without = [name for name, label in zip(names, labels, strict=True) if not label]
    if without and len(without) < len(names):
        problems.append(
            f"{path}: wanted labels in every line or in none, found {len(without)} without ({examples(without)}); "
            "add them"
        )
    refuse_if_any(problems)
    kind = "list of names" if not any(labels) else "list of names and labels"
    return Listing(path, kind, names, labels)


def _labels(match: Match[str]) -> Numbers:
    """The numbers of one line; ValueError where one is out of range."""
    found = match.groupdict()
    out: Numbers = {}
    for column in ("pid", "cam"):
        if found.get(column) is not None:
            text = found[column]
            if len(text) > 18 or int(text) < -1:
                raise ValueError(text)
            out[column] = int(text)
    if found.get("time"):
        out["frame"] = int(datetime.fromisoformat(found["time"]).replace(tzinfo=UTC).timestamp())
    return out


class _Refused(Exception):
    """A document type, or an entity."""


@dataclass
class _Items:
    """``<Item imageName="…" vehicleID="0001" cameraID="c001"/>``, anywhere; other attributes are left out."""

    names: list[str] = field(default_factory=list)
    labels: list[Numbers] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def start(self, element: str, attributes: dict[str, str]) -> None:
        """Take the next element."""
        if element != "Item":
            return
        name = attributes.get("imageName", "").strip()
        found: Numbers = {}
        for attribute, column in _ATTRIBUTES.items():
            text = attributes.get(attribute)
            if text is None:
                continue
            match = _LABEL.fullmatch(text.strip())
            if match is None:
                self.problems.append(f"{printable(name, 60)}: {attribute} {printable(text, 40)!r}")
            else:
                found[column] = int(match[1] or match[2])
        if name:
            self.names.append(name)
            self.labels.append(found)
        else:
            self.problems.append(f"item {len(self.names) + 1} has no imageName")


def _refuse(*_: object) -> int:
    raise _Refused


def _xml(path: Path) -> Listing:
    """The items of an XML list."""
    items = _Items()
    machine = expat.ParserCreate(encoding="utf-8")
    machine.StartElementHandler = items.start
    machine.StartDoctypeDeclHandler = _refuse
    machine.EntityDeclHandler = _refuse
    machine.ExternalEntityRefHandler = _refuse
    try:
        with path.open("rb") as file:
            machine.ParseFile(file)
    except _Refused:
        raise InputError(
            [f"{path}: wanted a plain list, found and refused a document type, which may hold entities; remove it"]
        ) from None
    except OSError as error:
        raise InputError([f"{path}: wanted an XML list, found none ({error.strerror}); check the path"]) from None
    except (expat.ExpatError, ValueError) as error:
        raise InputError(
            [f"{path}: wanted XML in UTF-8, found a file that is not ({error}); save it again as UTF-8"]
        ) from None
    if items.problems:
        found = f"{len(items.problems)} others ({examples(items.problems)})"
        raise InputError([f"{path}: wanted items with imageName and whole numbers, found {found}; correct them"])
    if not items.names:
        raise InputError(
            [f'{path}: wanted <Item imageName="…" vehicleID="…" cameraID="…"/>, found none; check the file']
        )
    return Listing(path, "XML list", items.names, items.labels)
