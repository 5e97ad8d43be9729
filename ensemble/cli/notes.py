"""What the user should know of the files and of the run, a line each, the same in every command.

Of a folder: columns, keys and files that are not used. Of a recipe: optional steps that are left out. Of images:
rows that are joined by position, names in another spelling.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ensemble.base.errors import printable


def of_record(record: Mapping[str, Any]) -> list[str]:
    """The notes of a run as its record has them."""
    kept = record.get("notes")
    return [note for note in kept if isinstance(note, str)] if isinstance(kept, list) else []


def say(notes: Iterable[str], *, of: object = "", aside: bool = False) -> None:
    """Print notes, each once. ``of``: what they are about, where there is more than one; ``aside``: to stderr."""
    where = f"{of}: " if of else ""
    for note in dict.fromkeys(notes):
        print(f"note: {where}{printable(note, 4000)}", file=sys.stderr if aside else sys.stdout)
