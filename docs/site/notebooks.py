"""Notebooks as pages: their words as they are, their code, and what it printed and drew when they were run."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PICTURES = {"image/png": "png", "image/jpeg": "jpg"}


def convert_all(folder: Path) -> None:
    """Write a Markdown page, and its pictures, beside every notebook of a folder that has no such page yet."""
    for path in sorted(folder.glob("*.ipynb")):
        if path.with_suffix(".md").exists():
            continue
        page = "\n".join(_cells(json.loads(path.read_text(encoding="utf-8")), path))
        path.with_suffix(".md").write_text(page, encoding="utf-8")


def _cells(notebook: Mapping[str, Any], path: Path) -> Iterator[str]:
    for number, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield from (source, "")
        elif cell["cell_type"] == "code" and source.strip():
            yield from ("```python", source, "```", "")
            for part, output in enumerate(cell["outputs"]):
                yield from _output(output, path.with_name(f"{path.stem}-{number}-{part}"))


def _output(output: Mapping[str, Any], picture: Path) -> Iterator[str]:
    """What a cell gave: a picture as a file, a table as it is, else its text."""
    data = output.get("data", {})
    for kind, ending in PICTURES.items():
        if kind in data:
            file = picture.with_name(f"{picture.name}.{ending}")
            file.write_bytes(base64.b64decode("".join(data[kind])))
            yield from (f"![What the code above draws]({file.name})", "")
            return
    if "text/html" in data and "<script" not in "".join(data["text/html"]):
        yield from ("```{raw} html", "".join(data["text/html"]), "```", "")
        return
    text = "".join(output.get("text", data.get("text/plain", ""))).rstrip()
    if text:
        yield from ("```text", text, "```", "")
