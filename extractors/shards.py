"""Features on their way to a file: pieces that survive a kill, joined at the end without being read into memory.

The pieces of one model lie in ``OUT/.extracting/NAME-KEY/``, one file for so many rows of a side, each
whole or not there. Which rows a piece holds is written into it (a digest of names and files), so that one
that belongs to other images is made again. Joining copies bytes: the same pieces give the same file.
"""

import os
import pickle
import shutil
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from ensemble.io import beside
from ensemble.io.codes import LENGTHS, packed

WORK = ".extracting"
PROTOCOL = 2  # of pickles: the last that Python 2 reads, as the scripts of 2020 do


@dataclass(frozen=True)
class Piece:
    """The rows of one shard: which of its images are left, their arrays by name, and what is broken."""

    kept: np.ndarray  # (k,) places in the shard
    arrays: dict[str, np.ndarray]  # "" the feature, others heads; k rows each
    broken: list[str]  # "PATH: reason"
    bad: np.ndarray  # (b,) places of the broken ones


def save(path: Path, digest: str, piece: Piece) -> None:
    """Write a piece, whole or not at all."""
    with beside(path, "wb") as file:
        np.savez(
            file,
            digest=np.array(digest),
            kept=piece.kept,
            bad=piece.bad,
            broken=np.array(piece.broken, np.str_),
            **{f"array_{name}": rows for name, rows in piece.arrays.items()},  # type: ignore[arg-type]
        )


def load(path: Path, digest: str) -> Piece | None:
    """A piece that was written before, if it is there, whole, and of these images."""
    try:
        with np.load(path) as file:
            if str(file["digest"]) != digest:
                return None
            arrays = {key[6:]: file[key] for key in file.files if key.startswith("array_")}
            return Piece(file["kept"], arrays, [str(text) for text in file["broken"]], file["bad"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def write_npz(
    path: Path, array: str, sides: dict[str, tuple[list[Path], list[str]]], codes: tuple[int, ...] = ()
) -> None:
    """Join pieces as the project's own format: ``SIDE`` float32 and ``SIDE_name`` for every side.

    codes:  lengths of the binary codes that the rows are; these are packed, with ``code_lengths`` beside them.
    Memory: one piece. The file is made in the folder of the pieces and moved when it is whole.
    """
    _moved(path, partial(_npz, array=array, sides=sides, codes=codes), next(iter(sides.values()))[0])


def write_pickles(paths: dict[str, Path], array: str, sides: dict[str, tuple[list[Path], list[str]]]) -> None:
    """Join pieces as a pair of pickles, image name -> (d,) float32, in the images' order.

    Python 2 and any NumPy can read them. Memory: the features of a side.
    """
    for side, (pieces, names) in sides.items():
        _moved(paths[side], partial(_pickle, array=array, pieces=pieces, names=names), pieces)


def remove(folder: Path) -> None:
    """Remove the pieces of a model, and the folder of all when it was the last."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.name == WORK and folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _moved(path: Path, write: Callable[[IO[bytes]], None], pieces: Sequence[Path]) -> None:
    temporary = pieces[0].parent / f"{path.name}.joined"
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(temporary, "wb") as file:
        write(file)
    os.replace(temporary, path)


def _npz(
    file: IO[bytes], array: str, sides: dict[str, tuple[list[Path], list[str]]], codes: tuple[int, ...]
) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        if codes:
            with _entry(archive, f"{LENGTHS}.npy") as entry:
                np.lib.format.write_array(entry, np.array(codes, np.int64), allow_pickle=False)
        for side, (pieces, names) in sides.items():
            with _entry(archive, f"{side}.npy") as entry:
                values = sum(-(-bits // 8) for bits in codes) if codes else width(pieces, array)
                kind = "|u1" if codes else "<f4"
                np.lib.format.write_array_header_1_0(
                    entry, {"descr": kind, "fortran_order": False, "shape": (len(names), values)}
                )
                for rows in _rows(pieces, array):
                    bits = packed(rows, codes) if codes else rows
                    entry.write(np.ascontiguousarray(bits, kind).tobytes())
            with _entry(archive, f"{side}_name.npy") as entry:
                np.lib.format.write_array(entry, np.array(names, np.str_), allow_pickle=False)


def _entry(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    return archive.open(
        zipfile.ZipInfo(name), "w", force_zip64=True
    )  # its date is 1980: the same bytes every time


def _pickle(file: IO[bytes], array: str, pieces: Sequence[Path], names: Sequence[str]) -> None:
    rows = np.concatenate(list(_rows(pieces, array)))
    content = pickle.dumps(OrderedDict((name, rows[row]) for row, name in enumerate(names)), PROTOCOL)
    # NumPy 2 calls its module numpy._core; every version knows the old name. It stands once, before all data.
    file.write(content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1))


def width(pieces: Sequence[Path], array: str) -> int:
    """How many values a row has."""
    return next((rows.shape[1] for rows in _rows(pieces, array)), 0)


def _rows(pieces: Sequence[Path], array: str) -> Iterator[np.ndarray]:
    for path in pieces:
        with np.load(path) as file:
            if len(file["kept"]):
                yield file[f"array_{array}"]
