"""From what a file holds to blocks: the features and labels of one side of one model, in the file's order.

One file a side, ``query_MODEL.pkl`` with ``gallery_MODEL.pkl``, or one file a model that tells its sides apart;
what is in them :mod:`ensemble.io.layouts` knows. A text file of the same name (``query_MODEL.txt`` beside
``query_MODEL.npy``) lists the names of the rows of that very file.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base import spellings
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import COLUMNS, SIDES
from ensemble.base.labels import LABELS
from ensemble.base.labels import read as read_column
from ensemble.io import camera_files, containers, name_lists
from ensemble.io.arrays import rounded, texts, vectors, what, whole_numbers
from ensemble.io.catalogue import Catalogue
from ensemble.io.codes import LENGTHS, NONE, Codes, features
from ensemble.io.keys import ONE_SET, column_of, divides, side_called, sided, slot, split_of
from ensemble.io.layouts import Part, opened, part, sides, unbatched
from ensemble.io.lists import repeated
from postproc.base import temporary

_PAIR = re.compile(rf"({'|'.join((*SIDES, ONE_SET))})_(.+)", re.DOTALL)
LOOSE = (".npy", ".npz", ".pt", ".pth", ".pkl", ".pickle", ".joblib")  # of files with one column alone
ALWAYS_NAMED = (".json", ".jsonl")  # query.json is anything
UNNAMED = "features"  # the model of query.npy and gallery.npy


@dataclass(frozen=True)
class Block:
    """One side of one model as one file holds it: ``rows`` (n, d) float32 and whole numbers in ``columns``.

    ``names`` is ``None`` where the format has none; ``ordered`` says that somebody chose the order of the rows;
    ``named_by`` is the list that names rows without names, by position; ``codes`` says whether they are bits.
    """

    where: str
    rows: np.ndarray
    names: list[str] | None = None
    ordered: bool = True
    stems: bool = False  # the names lack the suffixes of pictures
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    named_by: str = ""
    codes: Codes = NONE


def half(path: Path) -> tuple[str, str] | None:
    """Side and model of a file or folder that holds one side, by its name; ``None`` for a whole model."""
    suffix = containers.suffix(path)
    if suffix not in containers.suffixes("side", "either") and not path.is_dir():
        return None
    name = containers.stem(path)
    match = _PAIR.fullmatch(name)
    if match:
        return side_called(match[1]), match[2]
    if name == ONE_SET:
        return side_called(name), UNNAMED
    place = None if suffix in ALWAYS_NAMED else slot(name)
    return (place[0], UNNAMED) if place and place[1] == "" else None


def loose(path: Path) -> tuple[str, str] | None:
    """Side and column of a file that holds labels or names alone, as ``q_pids.npy``; ``None`` for all others."""
    name = containers.stem(path)
    if path.suffix.lower() not in LOOSE or _PAIR.fullmatch(name):
        return None
    place = slot(name)
    return place if place and place[1] else None


def unused(keys: Sequence[str]) -> list[str]:
    """The keys of a whole model that nobody looks at, with the nearest name that is not there."""
    there = {place for place in map(slot, keys) if place}
    split = split_of(keys)
    left = []
    for key in keys:
        if (
            slot(key) is not None
            or key == LENGTHS
            or (split and (key in split.titles or column_of(key) is not None))
        ):
            continue
        side, title = sided(key) or ("query", key)
        near = spellings.nearest(title, {column for of, column in there if of == side})
        left.append(spellings.unused(key, near and f"{side}_{near}"))
    return left


def read_blocks(
    paths: Sequence[Path],
    problems: list[str],
    division: Catalogue | None = None,
    *,
    one_set: bool = False,
    notes: list[str] | None = None,
) -> dict[str, Block]:
    """The sides of one model, as far as they can be read; what is wrong is added to ``problems``.

    ``division``: which images each side has, for a file that does not tell its sides apart by itself. ``one_set``:
    there are no queries, and nobody misses them. ``notes`` takes how names came together.
    """
    if camera_files.are(paths):
        with collecting(problems):
            by_camera = camera_files.parts(paths)
            return {side: block(f"{paths[0].parent}, {side}", part) for side, part in by_camera.items()}
        return {}
    parts: dict[str, Part] = {}
    where: dict[str, str] = {}
    by: dict[str, str] = {}  # the lists that name rows
    lists = name_lists.own(paths)
    columns = {place: path for path in paths if (place := loose(path))}
    for path in paths:
        if path in lists.values() or path in columns.values():
            continue
        with collecting(problems):
            pair = half(path)
            content = containers.load(path, None if pair or division else _is_wanted)
            found = sides(str(path), content, half=pair is not None)
            if pair is None and not found and division:
                whole = block(str(path), part(str(path), content))
                return _divided(path, whole, division, [] if notes is None else notes)
            if pair is None or {"query", "gallery"} <= found.keys():
                parts |= _complete(str(path), content, found, problems, SIDES[1:2] if one_set else SIDES[:2])
                where |= {side: f"{path}, {side}" for side in found}
            else:
                own, unnamed = lists.get(containers.stem(path)), part(str(path), content)
                parts[pair[0]] = _listed(str(path), unnamed, own)
                by |= {pair[0]: str(own)} if parts[pair[0]] is not unnamed else {}
                where[pair[0]] = str(path)
    for (side, column), path in columns.items():
        with collecting(problems):
            _put(parts, side, column, path)
            by |= {side: str(path)} if column == "name" else {}
    blocks = blocks_of(parts, where, problems)
    stems = any(path.is_dir() and containers.reader_of(path).stems for path in paths)
    return {side: replace(one, stems=stems, named_by=by.get(side, "")) for side, one in blocks.items()}


def blocks_of(parts: Mapping[str, Part], where: Mapping[str, str], problems: list[str]) -> dict[str, Block]:
    """The sides of a model that is taken apart already; what is wrong is added to ``problems``."""
    blocks = {}
    for side in SIDES:
        if side in parts:
            with collecting(problems):
                blocks[side] = block(where[side], parts[side])
    return blocks


def _divided(path: Path, whole: Block, division: Catalogue, notes: list[str]) -> dict[str, Block]:
    """The sides of a file with all images, by their names, or in the order of the table that says the sides."""
    listed = None
    if whole.names is None and division.orders:
        listed = division.names_of(len(whole.rows))
        if listed is None:
            raise InputError(
                [
                    f"{path}: wanted {division.counts()} rows, one for each image of {division.path}, found "
                    f"{len(whole.rows)}; extract them again"
                ]
            )
        whole = replace(whole, names=listed)
    if whole.names is None:
        raise InputError(
            [f"{path}: wanted the names of the images, to tell sides apart by them, found none; add them"]
        )
    whole = replace(whole, names=division.called(str(path), whole.names, notes))
    place = {division.key(name): row for row, name in enumerate(whole.names or ())}
    found, problems = {}, []
    for side, names in division.sides_of(listed).items():
        lacking = [name for name in names if name not in place]
        if lacking:
            problems.append(
                f"{path}: wanted all images of {side}, found {len(lacking)} missing ({examples(lacking)}); "
                "extract them"
            )
            continue
        rows = np.array([place[name] for name in names], np.intp)
        columns = {column: values[rows] for column, values in whole.columns.items()}
        found[side] = replace(
            whole, where=f"{path}, {side}", rows=temporary.rows(whole.rows, rows),
            names=[(whole.names or [])[row] for row in rows], ordered=True, columns=columns,
        )  # fmt: skip
    refuse_if_any(problems)
    return found


def _is_wanted(key: str) -> bool:
    """Whether an entry of a file with a whole model is any of our business."""
    return slot(key) is not None or column_of(key) is not None or key == LENGTHS or divides(key)


def named(block: Block, names: list[str], source: str, remedy: str = "") -> Block:
    """The block with the names of a list that belongs to it, line i for row i."""
    if len(names) != len(block.rows):
        found = f"{len(block.rows)} rows for {len(names)} names"
        raise InputError(
            [
                f"{block.where}: wanted a row for each name of {source}, since its rows have none, found {found}; "
                f"give the list that was written with it{f' ({remedy})' if remedy else ''}"
            ]
        )
    return replace(block, names=names, named_by=source)


def _listed(where: str, found: Part, names: Path | None) -> Part:
    """The part with the names of the list beside it, where it has none itself."""
    if names is not None and found.names is None and not _is_keyed(found):
        listed = name_lists.read_names(names)
        rows, codes = features(where, found.rows, found.lengths)
        named(Block(where, rows), listed, str(names))
        return replace(found, names=listed, rows=rows if codes == NONE else found.rows)  # converted once
    return found


def _is_keyed(found: Part) -> bool:
    """Whether the rows are a dictionary of name and vector."""
    return isinstance(found.rows, dict)


def _complete(
    where: str, content: Any, found: dict[str, Part], problems: list[str], wanted: Sequence[str]
) -> dict[str, Part]:
    """The sides of a whole model; what it lacks of those that are wanted is a problem."""
    if not found and not isinstance(content, dict):
        raise InputError([f"{where}: wanted a dictionary with query and gallery, found {what(content)}"])
    for side in wanted:
        if side not in found or found[side].rows is None:
            problems.append(f"{where}: wanted the features of the {side}, found none; add {side}")
    return {side: one for side, one in found.items() if one.rows is not None}


def _put(parts: dict[str, Part], side: str, column: str, path: Path) -> None:
    """Names or labels out of a file of their own beside the features."""
    value = opened(containers.load(path))
    if side not in parts:
        return  # its features are a problem of their own
    if parts[side].names is not None if column == "name" else column in parts[side].columns:
        raise InputError([f"{path}: wanted one source of the {column} of the {side}, found another; remove one"])
    if column == "name":
        parts[side].names = value
    else:
        parts[side].columns[column] = value


def block(where: str, found: Part) -> Block:
    """One side out of what a file says about it. Raises InputError with all that is wrong with it."""
    problems: list[str] = []
    columns: dict[str, Any] = {}
    rows, keys, codes = np.empty((0, 0), np.float32), None, NONE
    with collecting(problems):
        if isinstance(found.rows, dict):
            keys, vectors_of = vectors(where, found.rows)
            rows, codes = features(where, vectors_of, found.lengths)
        else:
            rows, codes = features(where, found.rows, found.lengths)
    values = dict(found.columns) if found.names is None else {"name": found.names, **found.columns}
    for column in ("name", *COLUMNS):
        if column not in values or problems:
            continue
        value = unbatched(values[column])
        if column in LABELS:
            columns[column] = read_column(column, value)
        else:
            columns[column] = texts(value) if column == "name" else whole_numbers(value)
        if columns[column] is None or len(columns[column]) != len(rows):
            is_text = isinstance(columns[column], np.ndarray) and columns[column].dtype == object
            wanted = "texts" if column == "name" else "labels" if is_text else "whole numbers"
            given = f"{what(value)}{rounded(value)}"
            problems.append(f"{where}_{column}: wanted {len(rows)} {wanted}, found {given}; write them again")
    names = columns.pop("name", keys)
    twice = repeated(names or ())
    if twice:
        problems.append(f"{where}_name: wanted every name once, found again {examples(twice)}; remove the copies")
    refuse_if_any(problems)
    return Block(where, rows, names, ordered=keys is None and found.ordered, columns=columns, codes=codes)
