"""JSON and JSON lines: a dictionary of name and list, records, or columns."""

import json
import re
from pathlib import Path
from typing import Any

from ensemble.io.readers.pickles import BEGINNING
from ensemble.io.readers.reader import Reader, Wanted

_TEXT = re.compile(rb'"([A-Za-z_ -]{1,40})"\s*:')


def _load(path: Path, wanted: Wanted) -> Any:
    text = path.read_bytes().decode("utf-8-sig")
    if path.suffix.lower() == ".jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return json.loads(text)


def _words(path: Path) -> list[str]:
    with path.open("rb") as file:
        return [text.decode() for text in _TEXT.findall(file.read(BEGINNING))]


JSON = Reader(
    "JSON",
    _load,
    (".json", ".jsonl"),
    recognises=lambda path, head: path.suffix.lower() in (".json", ".jsonl"),
    words=_words,
    holds="side",
)
