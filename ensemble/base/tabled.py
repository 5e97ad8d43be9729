"""Values as small tables of HTML, for notebooks."""

from collections.abc import Iterable, Sequence
from html import escape

from ensemble.base.errors import printable

LONG = 160  # letters of a cell


def page(title: str, rows: Iterable[tuple[str, object]], notes: Sequence[str] = ()) -> str:
    """A title, a row a fact, and what there is to say; nothing in it is trusted."""
    body = "".join(
        f'<tr><th style="text-align:left">{_text(name)}</th><td style="text-align:left">{_text(value)}</td></tr>'
        for name, value in rows
    )
    said = "".join(f"<li>{_text(note)}</li>" for note in notes)
    return f"<div><b>{_text(title)}</b><table>{body}</table>{f'<ul>{said}</ul>' if said else ''}</div>"


def grid(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with titles."""
    head = "".join(f"<th>{_text(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _text(value: object) -> str:
    shown = f"{value:.4f}" if isinstance(value, float) else str(value)
    return escape(printable(shown, LONG))
