"""The first images of some queries: text, and in a notebook pictures where they are found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ensemble.base.errors import printable
from ensemble.report import pictures
from ensemble.report.history import GOOD, JUNK, UNKNOWN, WRONG
from ensemble.report.pictures import Album, Wanted

HEIGHT = 128  # pixels
SAID = {GOOD: "right", WRONG: "wrong", JUNK: "junk", UNKNOWN: ""}
COLOURS = {GOOD: "#0b7a4b", WRONG: "#c43a1d", JUNK: "#858c97", UNKNOWN: "#858c97"}


@dataclass(frozen=True)
class Answer:
    """A query and its nearest images: names, how far they are, what they are to it."""

    query: str
    images: Sequence[str]
    distances: Sequence[float]
    relations: Sequence[int]


@dataclass(frozen=True)
class Shown:
    """Some answers; as text, or as HTML with the pictures that are there."""

    answers: Sequence[Answer]
    album: Album | None = None
    _made: dict[Wanted, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        lines = []
        for answer in self.answers:
            lines.append(printable(answer.query))
            for place, entry in enumerate(zip(answer.images, answer.distances, answer.relations, strict=True), 1):
                image, distance, relation = entry
                lines.append(f"  {place:3}. {distance:10.4g}  {SAID[relation]:<5}  {printable(image)}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "".join(self._row(answer) for answer in self.answers)

    def _row(self, answer: Answer) -> str:
        cells = [self._cell("query", answer.query, "query", "#1d2229")]
        for image, distance, relation in zip(answer.images, answer.distances, answer.relations, strict=True):
            said = " ".join(filter(None, (f"{distance:.4g}", SAID[relation])))
            cells.append(self._cell("gallery", image, said, COLOURS[relation]))
        return f'<div style="display:flex;flex-wrap:wrap;gap:6px;margin:6px 0">{"".join(cells)}</div>'

    def _cell(self, side: str, name: str, said: str, colour: str) -> str:
        text = escape(printable(name, 60))
        picture = self._picture(side, name)
        shown = f'<img src="{picture}" alt="{text}" style="height:{HEIGHT}px">' if picture else ""
        style = f"border:3px solid {colour};padding:2px;font:12px sans-serif;max-width:{2 * HEIGHT}px"
        return (
            f'<figure style="margin:0;{style}">{shown}<figcaption>{text}<br>{escape(said)}</figcaption></figure>'
        )

    def _picture(self, side: str, name: str) -> str:
        """A small copy of the image as a data URI; empty where there is none."""
        if (side, name) not in self._made:
            own = Path(name) if Path(name).suffix.lower() in pictures.SUFFIXES else None
            path = self.album.find(side, name) if self.album else own if own and own.is_file() else None
            self._made[side, name] = pictures.thumbnail(path, HEIGHT) if path else ""
        return self._made[side, name]
