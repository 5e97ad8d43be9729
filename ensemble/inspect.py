"""Print what is inside feature files, lists and folders. Nothing in them is ever executed.

    python -m ensemble.inspect DIR

Of a folder, which of its files are models, and why others are not read.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.cli import outputs, program
from ensemble.io import Contents, Entry, Folder, containers, contents
from ensemble.io.looking import look

TASK = "begin"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """Describe every file, then refuse with exit status 2 if one cannot be read or holds more than data."""
    options = parser().parse_args(arguments)
    problems: list[str] = []
    folders: list[Folder] = []
    files: list[Contents] = []
    for path in options.paths:
        with collecting(problems):
            inputs: tuple[Path, ...] = (path,)
            if path.is_dir():
                folder, found = look(path)
                if folder.models or not containers.is_known(path):  # else it is a folder as a model is one
                    problems += found
                    folders.append(folder)
                    inputs = (*folder.inputs, *folder.multi_queries)
            for file in inputs:
                with collecting(problems):
                    files.append(contents(file))
    print(_json(folders, files) if options.json else "\n".join(_text(folders, files)))
    refuse_if_any(list(dict.fromkeys(problems)))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.inspect", __doc__)
    p.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="a feature file, a list or a folder")
    outputs.add_json(p)
    return p


def _text(folders: list[Folder], files: list[Contents]) -> list[str]:
    lines = []
    for folder in folders:
        lines.append(f"{folder.path}: folder, {len(folder.models)} models: {', '.join(folder.models) or 'none'}")
        lines += [f"  not read: {file.name} ({reason})" for file, reason in folder.ignored.items()]
    for file in files:
        lines.append(f"{file.path}: {file.format}")
        lines += [f"  {_line(entry)}" for entry in file.entries]
    return lines


def _line(entry: Entry) -> str:
    """``query_cam (40,) int64: 1, 2, 1, …``; of features what is wrong with them."""
    count = f"{entry.count} x " if entry.count > 1 else ""
    parts = [part for part in (entry.name, f"{count}{entry.shape}", entry.dtype) if part]
    line = " ".join(parts)
    if entry.examples:
        values = entry.count if entry.count > 1 else math.prod(entry.shape)
        more = ", …" if values > len(entry.examples) else ""
        line += f": {', '.join(entry.examples)}{more}"
    if entry.not_finite is not None:
        line += f"; {entry.not_finite} NaN or infinite"
    if entry.zero_rows is not None:
        line += f", {entry.zero_rows} rows of zeros"
    return line


def _json(folders: list[Folder], files: list[Contents]) -> str:
    found = {
        "folders": [
            {
                "path": str(folder.path),
                "models": {model: [str(path) for path in paths] for model, paths in folder.models.items()},
                "columns": sorted(folder.columns),
                "ignored": {str(path): reason for path, reason in folder.ignored.items()},
            }
            for folder in folders
        ],
        "files": [{**asdict(file), "path": str(file.path)} for file in files],
    }
    return json.dumps(found, indent=2)


if __name__ == "__main__":
    program.main(main)
