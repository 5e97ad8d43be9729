"""What rows are called: names for rows without any, and one spelling for names of the same images.

Rows that have no names are joined by position, with a list of names, a table of as many rows, or with each other;
names that differ by folder, suffix, capitals and the like, one to one, are joined without that. Both are noted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ensemble.base.alike import alike
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples
from ensemble.io.blocks import Block, named
from ensemble.io.folder import Folder
from ensemble.io.lists import Labels

MANY = 20  # files that are named in a note


def with_names(labels: Labels, listed: list[str] | None, source: str, notes: list[str]) -> Labels:
    """A table; one without names has those of the list, row by row. InputError where these are not as many."""
    if not labels.nameless or listed is None:
        return labels
    if len(listed) != len(labels.names):
        raise InputError(
            [
                f"{labels.where}: wanted a row for each name of {source}, since its rows have none, found "
                f"{len(labels.names)} rows for {len(listed)} names; add a column name"
            ]
        )
    notes.append(
        f"joined by position: {labels.where} has no column of names, row by row it is about those of {source}"
    )
    return replace(labels, names=list(listed), nameless=False)


def called(labels: Labels, names: Sequence[str], source: str, notes: list[str]) -> Labels:
    """A table that calls its images by ids and paths: by paths where ``names`` are these and no ids."""
    if not labels.paths or not names or _meets(labels.names, names) or not _meets(labels.paths, names):
        return labels
    notes.append(f"{labels.where}: its images are called by their paths, as {source} calls them, not by their ids")
    return replace(labels, names=list(labels.paths))


def _meets(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether any names of two lists are of the same image."""
    return bool({*names} & {*others}) or alike(names, others) is not None


def unnamed(labels: Labels | None, side: str) -> list[str]:
    """A problem where a table has no names and others have."""
    if labels is None or not labels.nameless:
        return []
    return [
        f"{labels.where}: wanted a column name with the names of the {side} images, as others have, found none; "
        "add it"
    ]


def unordered(path: Path, side: str) -> Labels:
    """Refuse a column without names where nothing says in which order the images are."""
    raise InputError(
        [
            f"{path}: wanted the order of the {side} images that it is about, found names in the features alone; "
            f"write {side}.csv with their names in its place"
        ]
    )


def remedy(side: str) -> str:
    """How to tell the names of rows."""
    given = "" if side == "train" else f"--{side}-names, "
    return f"{given}{side}.csv, {side}_names.txt, or {side}_MODEL.txt beside the file"


def name_rows(
    side: str,
    have: dict[str, Block],
    folder: Folder,
    listed: list[str] | None,
    labels: Labels | None,
    problems: list[str],
    notes: list[str],
) -> bool | None:
    """Give every block names: from the list, else the table, else by position alone.

    Returns whether it was by position alone, ``None`` where it is impossible.
    """
    before = len(problems)
    nameless = [model for model, block in have.items() if block.names is None]
    source, names = _source(side, nameless, have, folder, listed, labels)
    for model in nameless if names is not None else ():
        with collecting(problems):
            have[model] = named(have[model], names or [], source, remedy(side))
    without = [block.where for block in have.values() if block.names is None]
    if without and len(without) < len(have):
        others = [block.where for block in have.values() if block.names is not None]
        problems.append(
            f"{examples(without)}: wanted names for the {side} as in {others[0]}, found rows without; "
            f"give a list ({remedy(side)})"
        )
    for model, block in have.items():
        if block.names is None:
            have[model] = replace(block, names=[str(row) for row in range(len(block.rows))])
    if len(problems) > before:
        return None
    notes += _by_position(side, have, without, labels, folder)
    return bool(without)


def _source(
    side: str,
    nameless: Sequence[str],
    have: Mapping[str, Block],
    folder: Folder,
    listed: list[str] | None,
    labels: Labels | None,
) -> tuple[str, list[str] | None]:
    """What names the rows that have no names: where it stands, and the names."""
    if listed is not None:
        return str(folder.names[side]), listed
    if labels is None or not nameless:
        return "", None
    count = max(len(have[model].rows) for model in nameless)
    if labels.nameless or set(labels.names) == {
        str(row) for row in range(count)
    }:  # it calls them by their numbers
        return "", None
    return labels.where, labels.names


def _by_position(
    side: str, have: Mapping[str, Block], without: Sequence[str], labels: Labels | None, folder: Folder
) -> list[str]:
    """A sentence for every list by which rows were named, and where there was none."""
    notes = []
    by: dict[str, list[str]] = {}
    for block in have.values():
        if block.named_by:
            by.setdefault(block.named_by, []).append(block.where)
    for source, files in by.items():
        notes.append(
            f"{side}: joined by position: {examples(files, MANY)} {_verb(files)} no names, row by row they are "
            f"those of {source}, in its order"
        )
    files = list(without)
    if files and labels is not None:
        what = "they are those of" if labels.nameless else "counted from 0 they are those that are numbers in"
        notes.append(
            f"{side}: joined by position: {examples(files, MANY)} {_verb(files)} no names, row by row {what} "
            f"{labels.where}"
        )
    elif len(files) > 1 or (files and side == "gallery" and folder.tracks):
        beside = [*(str(path) for path in folder.tracks if side == "gallery")]
        also = f", ids in {examples(beside)} count rows from 1" if beside else ""
        one = f"; nothing tells whether their rows are in one order: give {remedy(side)}" if len(files) > 1 else ""
        notes.append(
            f"{side}: joined by position: {examples(files, MANY)} {_verb(files)} no names, and no list has "
            f"them{also}{one}"
        )
    return notes


def _verb(files: Sequence[str]) -> str:
    return "has" if len(files) == 1 else "have"


def respelt(found: Labels, names: Sequence[str], source: str, notes: list[str]) -> Labels:
    """The same rows under the names of ``source`` where these differ in spelling alone, one to one."""
    like = alike(found.names, names)
    if like is None or not like.renamed:
        return found
    notes.append(f"{found.where}: its names differ from those of {source} {like}: joined without that")
    return replace(found, names=[like.renamed.get(name, name) for name in found.names])


def usual(have: Mapping[str, Block]) -> Block:
    """The block whose names most blocks have; the larger of two that as many have."""
    counts = Counter(frozenset(block.names or ()) for block in have.values())
    return max(have.values(), key=lambda b: (counts[frozenset(b.names or ())], len(b.names or ())))


def uneven(found: Labels, names: Sequence[str], side: str, source: str) -> list[str]:
    """A problem where rows that are joined by position are not as many."""
    if len(found.names) == len(names):
        return []
    return [
        f"{found.where}: wanted as many {side} rows as {source}, since rows without names are joined by position, "
        f"found {len(found.names)} for {len(names)}; give {remedy(side)}, or extract both from the same images"
    ]


def differences(found: Labels, names: Sequence[str], side: str, source: str, *, lack: bool) -> list[str]:
    """Names that one source lacks, unless it may, or has too many."""
    wanted, present = set(names), set(found.names)
    missing = [name for name in names if name not in present]
    extra = [name for name in found.names if name not in wanted]
    like = alike(found.names, names) if extra else None
    hint = like.hint() if like else ""
    problems = []
    if missing and not lack:
        problems.append(
            f"{found.where}: wanted the {side} images of {source}, found {len(missing)} missing "
            f"({examples(missing)}); add them here or leave them out there{hint}"
        )
    if extra:
        problems.append(
            f"{found.where}: wanted only the {side} images of {source}, found {len(extra)} more "
            f"({examples(extra)}); leave them out here or add them there{hint}"
        )
    return problems
