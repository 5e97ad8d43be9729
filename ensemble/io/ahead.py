"""How large the features of a folder are, before they are read: from headers, lists and the sizes of files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.io import containers, matrices, name_lists
from ensemble.io.blocks import half, loose
from ensemble.io.codes import LENGTHS, bytes_of, lengths_of
from ensemble.io.folder import Folder
from ensemble.io.keys import slot
from ensemble.io.layouts import Part
from ensemble.io.lists import read_table
from ensemble.io.readers.reader import Stored

FLOAT = 4
LIST = 6  # bytes in memory for a byte of a rank list or a table, while it is read
HEAD = 4096  # bytes of a file that are looked at
PACKED = re.compile(rb"code_lengths|\x02(?:\0\0\0)?[ubi]1|(?:Byte|Bool|Char)Storage")  # values of a byte each
NAMED = 140  # bytes of a pickle about one vector of a dictionary, its name included


@dataclass(frozen=True)
class ModelSize:
    """The features of a model: (images, values) by side, and bytes beside them while they are read.

    on_disk: the sides whose features stay in files, their own or temporary ones.
    codes: their lengths, where the file says that these are bits.
    distances: (queries, gallery images) of a model that is distances already; it has no shapes then. some: it does
            not know all pairs.
    """

    shapes: Mapping[str, tuple[int, int]]
    beside: int = 0
    codes: tuple[int, ...] = ()
    distances: tuple[int, int] | None = None
    some: bool = False
    on_disk: frozenset[str] = frozenset()

    @property
    def images(self) -> dict[str, int]:
        """How many images there are of each side."""
        if self.distances is not None:
            return dict(zip(("query", "gallery"), self.distances, strict=True))
        return {side: rows for side, (rows, _) in self.shapes.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of the features as they are computed with."""
        return FLOAT * sum(rows * width for rows, width in self.shapes.values())


def counts(folder: Folder) -> dict[str, int]:
    """Images of a side, as far as lists and tables tell."""
    found = {side: len(read_table(path)[1]) for side, path in folder.tables.items()}
    return found | {side: len(name_lists.read_names(path)) for side, path in folder.names.items()}


def sizes(folder: Folder, models: Sequence[str]) -> dict[str, ModelSize]:
    """The sizes of these models' features; models are left out of which nobody can tell."""
    known = counts(folder)
    found = {
        model: _of_parts(folder.held[model], folder.one_set)
        if model in folder.held
        else _of_model(folder.models[model], known, folder.one_set)
        for model in models
        if model not in folder.given
    }
    read = {model: size for model, size in found.items() if size is not None}
    images = next((size.images for size in read.values()), known)
    given = {
        model: _of_matrix(folder.matrices[model])
        if model in folder.matrices
        else _of_given(folder.models[model][0], images)
        for model in models
        if model in folder.given
    }
    read |= {model: size for model, size in given.items() if size is not None}
    return {model: read[model] for model in models if model in read}


def _of_given(path: Path, images: Mapping[str, int]) -> ModelSize | None:
    """The size of a model that is distances already: as many as there are images, else as its header says."""
    if not matrices.is_matrix(path):
        sides = images.get("query"), images.get("gallery")
        if None in sides:
            return None
        return ModelSize({}, LIST * path.stat().st_size, distances=sides, some=True)  # type: ignore[arg-type]
    stored = matrices.stored(path)
    nq, ng = images.get("query"), images.get("gallery")
    if nq is None or ng is None:
        if stored is None:
            return None
        nq, ng = stored.shape
    if stored is None:
        reader = containers.reader_of(path)
        return ModelSize({}, int((1 + reader.copies) * path.stat().st_size), distances=(nq, ng))
    as_it_is = stored[:2] == Stored((nq, ng), FLOAT)[:2]  # else it is taken out of another one, or made float32
    return ModelSize({}, 0 if as_it_is else stored.nbytes, distances=(nq, ng))


def _of_parts(parts: Mapping[str, Part], one_set: bool) -> ModelSize | None:
    """The size of a model in memory; None where its rows are no arrays yet."""
    arrays = {side: one.rows for side, one in parts.items() if isinstance(one.rows, np.ndarray)}
    if len(arrays) < len(parts) or any(rows.ndim != 2 for rows in arrays.values()):
        return None
    shapes = {side: (len(rows), rows.shape[1]) for side, rows in arrays.items()}
    return ModelSize(shapes | ({"query": shapes["gallery"]} if one_set else {}))


def _of_matrix(held: matrices.Matrix) -> ModelSize:
    """The size of a matrix in memory."""
    nq, ng = held.values.shape
    return ModelSize({}, distances=(nq, ng))


def _of_model(paths: Sequence[Path], known: Mapping[str, int], one_set: bool) -> ModelSize | None:
    shapes: dict[str, tuple[int, int]] = {}
    beside = 0
    codes: tuple[int, ...] = ()
    lists = name_lists.own(paths).values()
    on_disk = set()
    for path in paths:
        if path in lists or loose(path):
            continue
        stored = _stored(path, known, one_set)
        if stored is None:
            return None
        reader = containers.reader_of(path)
        pair = half(path)
        codes = _codes(path, stored) or codes
        places = {key: (pair[0], "") if pair else slot(key) for key in stored}
        unpacked = 0
        for key, place in places.items():
            if place is not None and place[1] == "" and len(stored[key].shape) >= 2:
                rows, *rest = stored[key].shape
                width = Stored(tuple(rest), 1).nbytes
                if codes and stored[key].item == 1 and width == sum(bytes_of(codes)):
                    width = sum(codes)
                    unpacked += 2 * rows * width  # bits that are written out, a byte each
                shapes[place[0]] = rows, width
                on_disk |= {place[0]} if stored[key].mapped else set()
        held = {key: part for key, part in stored.items() if not part.mapped}
        raw = sum(part.nbytes for key, part in held.items() if (place := places[key]) and place[1] == "")
        other = sum(part.nbytes for part in held.values() if part.item != FLOAT)
        beside = max(beside, int(reader.copies * raw) + other + unpacked)
    if one_set and "gallery" in shapes:
        shapes["query"] = shapes["gallery"]
        on_disk |= {"query"} if "gallery" in on_disk else set()
    if not {"query", "gallery"} <= set(shapes):
        return None
    return ModelSize(shapes, beside, codes, on_disk=frozenset(on_disk))


def _codes(path: Path, stored: Mapping[str, Stored]) -> tuple[int, ...]:
    """The lengths of codes that a file with a header says."""
    if LENGTHS not in stored:
        return ()
    return lengths_of(containers.load(path, lambda key: key == LENGTHS).get(LENGTHS)) or ()


def _stored(path: Path, known: Mapping[str, int], one_set: bool) -> Mapping[str, Stored] | None:
    """The arrays of a file; of a format without a header as its size and the number of images say."""
    reader = containers.reader_of(path)
    if reader.stored is not None:
        return containers.stored(path) or None
    if not reader.raw:
        return None
    pair = half(path)
    asked = ["gallery"] if one_set else ["query", "gallery"]
    sides = [pair[0]] if pair else [*asked, *(["train"] if "train" in known else [])]
    if any(not known.get(side) for side in sides):
        return None
    rows, item = sum(known[side] for side in sides), _item(path)
    if item is None:
        return None
    values = path.stat().st_size // item
    width = max(1, values // rows)
    if pair and b"}" in _head(path)[:16]:
        width = max(1, (values - NAMED * rows // item) // rows)  # a dictionary: names stand beside
    return {"" if pair else side: Stored((known[side], width), item) for side in sides}


def _item(path: Path) -> int | None:
    """Bytes of a value, by what pickles and torch's files write before their first array; None of packed bits."""
    head = _head(path)
    if PACKED.search(head):
        return None
    if b"f8" in head or b"DoubleStorage" in head:
        return 8
    return 2 if b"f2" in head or b"HalfStorage" in head else FLOAT


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)
