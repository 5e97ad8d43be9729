"""What describes the images of all models of a folder: lists of names, tables of labels, lists of tracks."""

from collections.abc import Sequence
from pathlib import Path

from ensemble.base.collecting import collecting
from ensemble.base.errors import examples
from ensemble.base.features import SIDES
from ensemble.io import name_lists
from ensemble.io.keys import side_called
from ensemble.io.lists import TABLES, Keys, read_labels, read_lines, read_tracks
from ensemble.io.name_lists import read_names


def lists(
    files: list[Path], given: dict[str, Path], problems: list[str]
) -> tuple[dict[str, Path], dict[Path, str]]:
    """The list of names of each side, and the files that are name lists: with the reason if they are left out."""
    names, known = dict(given), dict[Path, str]()
    for side, found in name_lists.lists(files).items():
        if side in given:
            known |= {file: f"--{side}-names is given" for file in found if file != given[side]}
            continue
        with collecting(problems):
            problems += name_lists.only_one(side, found)
        names[side], *others = found
        known |= dict.fromkeys(others, f"says the same as {found[0].name}")
    return names, known


def tables(files: list[Path], problems: list[str]) -> dict[str, Path]:
    """The table of each side."""
    chosen = {}
    for side in SIDES:
        found = [file for file in files if side_called(file.stem) == side and file.suffix.lower() in TABLES]
        if found:
            chosen[side] = found[0]
        if len(found) > 1:
            names = examples([file.name for file in found])
            problems.append(f"{found[0].parent}: wanted one table of {side}, found {names}; leave one")
    return chosen


def columns(
    names: dict[str, Path], labelled: dict[str, Path], tracks: tuple[Path, ...], wanted: Sequence[str], keys: Keys
) -> tuple[set[str], list[str], list[str]]:
    """The columns that lists and tables provide, what is wrong with these files, and what to know about them."""
    notes: list[str] = []
    given = {f"gallery_{column}" for column in ("track", "order")} if tracks else set()
    problems: list[str] = []
    gallery: list[str] | None = None
    for side, file in names.items():
        with collecting(problems):
            listed = read_names(file)
            gallery = listed if side == "gallery" else gallery
    for side, file in labelled.items():
        with collecting(problems):
            table = read_labels(file, wanted, keys)
            given |= {f"{side}_{column}" for column in table.columns}
            if table.unused:
                notes.append(f"{file}: columns that are not used: {examples(table.unused, 20)}")
            gallery = table.names if side == "gallery" and gallery is None else gallery
    for file in tracks:
        with collecting(problems):
            if gallery is None:  # the names of the gallery are not known before its features are read
                read_lines(file)
            else:
                read_tracks(file, gallery)
    return given, problems, notes
