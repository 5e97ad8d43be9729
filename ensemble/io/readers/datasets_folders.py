"""Folders that ``datasets`` saved (``save_to_disk``): one set, or one a split, in Arrow streams."""

import json
from pathlib import Path
from typing import Any

from ensemble.base.errors import InputError, examples
from ensemble.io import bounds
from ensemble.io.keys import side_named
from ensemble.io.readers import arrow_columns, arrow_files
from ensemble.io.readers.reader import Reader, Wanted

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"


def is_one(path: Path) -> bool:
    """Whether a folder is one saved set, not one a split."""
    return (path / STATE).is_file() and (path / INFO).is_file()


def _is_saved(path: Path, head: bytes) -> bool:
    return is_one(path) or (path / SPLITS).is_file()


def _splits(path: Path) -> dict[str, Path]:
    """The folders of the splits that are sides; none for a folder that is one set."""
    if not (path / SPLITS).is_file():
        return {}
    names = json.loads((path / SPLITS).read_text("utf-8"))["splits"]
    found = {side: path / name for name in names if isinstance(name, str) and (side := side_named(name))}
    if not {"query", "gallery"} <= found.keys():
        raise InputError([f"{path}: wanted the splits query and gallery, found {examples(names)}; rename them"])
    return found


def _files(path: Path) -> list[Path]:
    state = json.loads((path / STATE).read_text("utf-8"))
    names = [part["filename"] for part in state["_data_files"]]
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise ValueError(f"{STATE} names no files of this folder")
    return [path / name for name in names]


def _set(path: Path) -> dict[str, Any]:
    files = _files(path)
    budget = bounds.Budget(sum(file.stat().st_size for file in files))
    pyarrow = arrow_files.needs_pyarrow(path)
    tables = [arrow_files.load_stream(file, budget) for file in files]
    return arrow_columns.columns(path, pyarrow.concat_tables(tables), budget)


def _load(path: Path, wanted: Wanted) -> dict[str, Any]:
    splits = _splits(path)
    return {side: _set(folder) for side, folder in splits.items()} if splits else _set(path)


def _keys(path: Path) -> tuple[str, ...]:
    splits = _splits(path)
    if not splits:
        return _titles(path)
    return tuple(f"{side}/{title}" for side, folder in splits.items() for title in _titles(folder))


def _titles(path: Path) -> tuple[str, ...]:
    file = _files(path)[0]
    return arrow_files.keys_of(file, arrow_files.schema_of(file))


DATASETS = Reader("saved datasets folder", _load, recognises=_is_saved, keys=_keys, folder=True)
