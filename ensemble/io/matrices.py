"""Files with a matrix of distances: which they are, what they hold, and what rows and columns are called.

A pickle with one array, or a tuple or dictionary of it with names; ``.npy``; ``.npz``, ``.mat``, HDF5 and torch
files with the matrix under a usual word (``distances``, ``dist``, ``distmat``, ``q_g_dist``; what is called
``similarity`` or ``scores`` is one of similarities), names under ``query_name(s)`` and ``gallery_name(s)``, and
labels as in files of features. Lists of names may lie beside: ``MODEL_query.txt`` and ``MODEL_gallery.txt``, or
``MODEL_names.txt`` for both sides of a square matrix.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples
from ensemble.base.features import COLUMNS
from ensemble.base.labels import LABELS
from ensemble.base.labels import read as read_column
from ensemble.io import containers
from ensemble.io.arrays import texts, vector, what, whole_numbers
from ensemble.io.keys import column_of, slot
from ensemble.io.layouts import opened
from ensemble.io.name_lists import PACKED, TEXT, read_names
from ensemble.io.readers.reader import Stored
from postproc.base.checks import made_equal

LISTS = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".feather", ".arrow", ".zip", ".trec", ""}
)
SIDES = ("query", "gallery")
SOME, FEW = 50, 5  # rows that are looked at; images of which an order says nothing
NO_LISTS: Mapping[str, Path] = MappingProxyType({})
_BEFORE = (
    "(?:reranked|rerank|rr|final|euclidean|cosine|cos|jaccard|original|orig|global|local|all|qg|querygallery)?"
)
_BEHIND = "(?:mat|matrix|matrices)?(?:qg|querygallery)?"
_DISTANCES = re.compile(
    rf"{_BEFORE}(?:d|dm|dis|dist|dists|distance|distances){_BEHIND}|qg|querygallery|matrix|mat"
)
_SIMILARITIES = re.compile(rf"{_BEFORE}(?:sim|sims|similarity|similarities|score|scores){_BEHIND}")
_OWN = re.compile(
    r"(.+?)[._\- ](?:(query|q|rows?|probe)|(gallery|g|columns?|cols?|test))?[._\- ]?"
    r"(?:names?|paths?|files?|list)?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix as a file holds it, and what is known of its rows and columns.

    ``values`` (n, m) float32, perhaps mapped from the file. ``names`` by side, where file or list have them;
    ``columns``: labels by side and column; ``similar``: by its own word they are similarities.
    """

    where: str
    values: np.ndarray
    names: Mapping[str, list[str]] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    similar: bool = False


def is_matrix(path: Path) -> bool:
    """Whether a file holds a matrix, by its suffix, header and keys; rank lists and tables of pairs are none."""
    suffix = containers.suffix(path)
    if suffix in LISTS or suffix not in containers.suffixes():
        return False
    try:
        if suffix == ".npy":
            return containers.kind(path) == "f"
        if suffix != ".npz":
            return True
        stored = containers.stored(path)
    except InputError:
        return False  # whoever reads it says what is wrong
    return "ranking" not in stored and any(len(part.shape) == 2 for part in stored.values())


def labels_in(path: Path) -> set[str]:
    """The columns of labels beside a file's matrix, as ``query_pid``; a pickled dictionary is read for them."""
    keys = containers.keys(path)
    if keys is None and _may_have_keys(path):
        content = opened(containers.load(path))
        keys = tuple(key for key in content if isinstance(key, str)) if isinstance(content, dict) else ()
    places = [place for place in map(slot, keys or ()) if place]
    return {f"{side}_{column}" for side, column in places if side in SIDES and column in COLUMNS}


def _may_have_keys(path: Path) -> bool:
    """Whether a file whose keys nobody knows may be a dictionary; plain pickles say so in their first bytes."""
    if path.suffix.lower() not in (".pkl", ".pickle", ".joblib"):
        return path.suffix.lower() != ".npy"
    with path.open("rb") as stream:
        head = stream.read(64)
    return b"}" in head[:16] or head.startswith((b"(dp", b"(d.")) or b"OrderedDict" in head


def own_lists(files: Iterable[Path]) -> dict[Path, dict[str, Path]]:
    """The lists of names that lie beside matrices, by matrix and side."""
    files = list(files)
    lists = [file for file in files if file.suffix.lower() in (*TEXT, *PACKED)]
    by_stem = {containers.stem(file): file for file in files if is_matrix(file)}
    found: dict[Path, dict[str, Path]] = {}
    for file in lists:
        match = _OWN.fullmatch(file.stem)
        if match is None or match[1] not in by_stem or file.stem == match[1] or not _is_list(file):
            continue
        sides = SIDES if not (match[2] or match[3]) else ("query",) if match[2] else ("gallery",)
        found.setdefault(by_stem[match[1]], {}).update(dict.fromkeys(sides, file))
    return found


def _is_list(path: Path) -> bool:
    if path.suffix.lower() in TEXT:
        return True
    try:
        return bool(read_names(path))
    except InputError:
        return False


def stored(path: Path) -> Stored | None:
    """Shape and size of a file's matrix from its header; None where there is no telling."""
    found = [part for key, part in containers.stored(path).items() if len(part.shape) == 2 and kind_of(key or "d")]
    return found[0] if len(found) == 1 else None


def read(path: Path, lists: Mapping[str, Path]) -> Matrix:
    """The matrix of a file; ``lists`` are its own lists of names by side.

    Raises: InputError with everything that is wrong with the file and its lists.
    Cost:   ``.npy`` of float32 is mapped; other files are read once, and copied only to become float32.
    """
    content = _mapped(path)
    content = opened(containers.load(path)) if content is None else content
    found = of_content(path, content, lists)
    refuse_places(path, found.values, lists="write a rank list as whole numbers in .npy")
    return found


def refuse_places(where: object, values: np.ndarray, *, lists: str) -> None:
    """Refuse rows that hold every number up to their length once: rows of a rank list, or places of images?

    lists: how to hand over a rank list. Where both would be the same order, nothing is refused.
    """
    some, count = values[:SOME], values.shape[1]
    rows = np.sort(some, axis=1)
    if count < FEW or not any((rows == np.arange(first, first + count)).all() for first in (0, 1)):
        return
    if (np.argsort(some, axis=1) == some - rows[:, :1]).all():
        return
    raise InputError(
        [
            f"{where}: wanted distances, found every number up to {count} once a row, which may be a rank list or "
            f"the places of images; {lists}, and places divided by their number"
        ]
    )


def single(where: object, values: np.ndarray) -> np.ndarray:
    """Distances as float32; InputError where that makes many different ones of a row the same."""
    with np.errstate(over="ignore", invalid="ignore"):  # too large for float32 is infinitely far
        found = values.astype(np.float32)
    if values.dtype == np.float64 and (said := made_equal(values)):
        raise InputError([f"{where}: {said}"])
    return found


def of_content(path: Path, content: Any, lists: Mapping[str, Path] = NO_LISTS) -> Matrix:
    """The matrix that a file holds, or that is in memory and called like one."""
    values, names, columns, similar = _taken_apart(str(path), content)
    problems: list[str] = []
    for side, file in lists.items():
        with collecting(problems):
            names[side] = read_names(file)
    for side, listed in names.items():
        count = values.shape[SIDES.index(side)]
        if len(listed) != count:
            problems.append(
                f"{lists.get(side, path)}: wanted {count} {side} names for {path.name} of {_size(values)}, found "
                f"{len(listed)}; give the list that was written with it"
            )
    for side, of in columns.items():
        count = values.shape[SIDES.index(side)]
        problems += [
            f"{path}: wanted {count} values of {side}_{column}, found {len(given)}; write it again"
            for column, given in of.items()
            if len(given) != count
        ]
    if problems:
        raise InputError(problems)
    return Matrix(str(path), values, names, columns, similar)


def _mapped(path: Path) -> np.ndarray | None:
    """The array of an ``.npy`` file as it lies on the disk; None for all others."""
    if containers.suffix(path) != ".npy" or not containers.stored(path):
        return None
    found = containers.mapped(path)
    return found if found.dtype == np.float32 and found.flags.c_contiguous else None


def _taken_apart(
    where: str, content: Any
) -> tuple[np.ndarray, dict[str, list[str]], dict[str, dict[str, Any]], bool]:
    """Values, names, labels, and whether they are similarities."""
    if isinstance(content, dict):
        return _of_dictionary(where, content)
    if isinstance(content, (list, tuple)) and not _is_rows(content):
        return _of_tuple(where, content)
    return _values(where, content), {}, {}, False


def _of_dictionary(
    where: str, content: dict
) -> tuple[np.ndarray, dict[str, list[str]], dict[str, dict[str, Any]], bool]:
    held = {key: opened(value) for key, value in content.items()}
    keys = [key for key, value in held.items() if kind_of(key) and _is_rows(value)]
    keys = keys or [key for key, value in held.items() if _is_rows(value) and not slot(key) and not _is_block(key)]
    if len(keys) != 1:
        found = examples([f"{key} {what(value)}" for key, value in held.items()], 6) or "nothing"
        raise InputError(
            [
                f"{where}: wanted one matrix of distances, called distances or similarities, found {found}; "
                "rename the one that counts, with query_name and gallery_name beside it"
            ]
        )
    names: dict[str, list[str]] = {}
    columns: dict[str, dict[str, Any]] = {side: {} for side in SIDES}
    for key, value in held.items():
        side, column = slot(key) or _side_alone(key)
        if side not in SIDES or key in keys:
            continue
        listed = texts(value)
        if column in ("", "name") and listed is not None:
            names[side] = listed
        elif column in COLUMNS:
            columns[side][column] = read_column(column, value) if column in LABELS else whole_numbers(value)
    alone = [of for key, value in held.items() if column_of(key) == "name" and (of := texts(value))]
    values = _values(f"{where}, {keys[0]}", held[keys[0]])
    if not names and len(alone) == 1 and values.shape[0] == values.shape[1]:
        names = dict.fromkeys(SIDES, alone[0])
    unread = [f"{side}_{name}" for side, found in columns.items() for name, v in found.items() if v is None]
    if unread:
        raise InputError([f"{where}: wanted labels in {examples(unread)}, found something else; write it again"])
    return values, names, columns, kind_of(keys[0]) == "similarity"


def _of_tuple(
    where: str, content: Sequence[Any]
) -> tuple[np.ndarray, dict[str, list[str]], dict[str, dict[str, Any]], bool]:
    """A matrix and names of its rows, then of its columns, in whatever order the matrix stands."""
    parts = [opened(item) for item in content]
    matrices = [part for part in parts if texts(part) is None and _is_rows(part)]
    listed = [found for part in parts if (found := texts(part)) is not None]
    if len(matrices) != 1 or len(matrices) + len(listed) < len(parts) or len(listed) > 2:
        raise InputError(
            [
                f"{where}: wanted a matrix, query names and gallery names, found a {type(content).__name__} of "
                f"{', '.join(what(part) for part in parts[:6])}; write a dictionary with distances, query_name "
                "and gallery_name"
            ]
        )
    values = _values(where, matrices[0])
    names = dict(zip(SIDES, listed, strict=False)) if len(listed) != 1 else dict.fromkeys(SIDES, listed[0])
    return values, names, {}, False


def _values(where: str, value: Any) -> np.ndarray:
    if isinstance(value, (list, tuple)) and _is_rows(value):
        rows = [vector(row) for row in value]
        value = np.stack([row for row in rows if row is not None])
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind not in "iuf" or not value.size:
        raise InputError(
            [
                f"{where}: wanted a matrix of distances, (queries, images) numbers, found {what(value)}; "
                "write it again"
            ]
        )
    return value if value.dtype == np.float32 else single(where, value)


def _is_rows(value: Any) -> bool:
    """A matrix of numbers, or its rows in a list."""
    if isinstance(value, np.ndarray):
        return value.ndim == 2 and value.dtype.kind in "iuf"
    if not isinstance(value, (list, tuple)) or not value:
        return False
    rows = [vector(row) for row in value]
    return all(row is not None for row in rows) and len({row.size for row in rows if row is not None}) == 1


def kind_of(key: object) -> str:
    """``distance`` or ``similarity`` for a key that is called so, empty for others."""
    plain = _plain(key)
    return "distance" if _DISTANCES.fullmatch(plain) else "similarity" if _SIMILARITIES.fullmatch(plain) else ""


def _is_block(key: object) -> bool:
    """Distances inside queries, or inside the gallery, which stand beside those between the two."""
    return bool(re.search("qq|gg|queryquery|gallerygallery", _plain(key)))


def _side_alone(key: object) -> tuple[str, str]:
    """What a key that is but a side's name, or plural, means: its names."""
    plain = _plain(key)
    side = {"query": "query", "queries": "query", "gallery": "gallery", "galleries": "gallery"}.get(plain, "")
    return side, "name" if side else ""


def _plain(key: object) -> str:
    return re.sub(r"[\W_]", "", str(key).casefold())


def _size(values: np.ndarray) -> str:
    return " x ".join(map(str, values.shape))
