"""NumPy files: ``ranking.npz`` with the matrices and the names, or a bare ``.npy`` of gallery rows.

``ranking`` (nq, k) int32 rows of the gallery, best first, -1 = no image; ``distances`` (nq, k) float32, NaN where
there is no image (only where distances are known); ``query_name``, ``gallery_name`` text. A bare array is taken
for rows of the gallery's list, from 0. Columns of one length, ``query``, ``gallery`` and ``score``, are a table of
pairs (:mod:`ensemble.submissions.tables`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.io import beside, containers
from ensemble.io.arrays import texts
from ensemble.submissions.format import Format, Head
from ensemble.submissions.numbers import read_bytes
from ensemble.submissions.ranklist import EMPTY, RankList, refuse_names
from ensemble.submissions.tables import from_table

FILE = "ranking.npz"
END_IN_NUL = re.compile("\0$")


def write(path: Path, ranking: RankList, *, top_k: int | None = None) -> None:
    """Write matrices as wide as the longest list; the same bytes for the same lists."""
    best = ranking.first(top_k)
    assert best.query_names is not None
    for what, names in (("query", best.query_names), ("gallery", best.gallery_names)):
        refuse_names(f"{what} names", names, END_IN_NUL, "names that NumPy keeps (no NUL at the end)")
    shape = len(best), int(best.counts.max(initial=0))
    entries: dict[str, np.ndarray] = {"ranking": np.full(shape, -1, np.int32)}
    entries["ranking"][best.query_of, best.places] = best.rows
    if best.distances is not None:
        entries["distances"] = np.full(shape, np.nan, np.float32)
        entries["distances"][best.query_of, best.places] = best.distances
    entries["query_name"] = np.array(best.query_names, np.str_)
    entries["gallery_name"] = np.array(best.gallery_names, np.str_)
    with beside(path, "wb") as stream:
        np.savez(stream, **entries)  # type: ignore[arg-type]


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """What the file holds and what is wrong with it; ``similarity``: its distances are similarities."""
    read_bytes(path)
    try:
        content = containers.load(path)
    except InputError as error:
        return EMPTY, error.problems
    entries: dict[str, Any] = content if isinstance(content, dict) else {"ranking": content}
    if "ranking" not in entries and len(pairs := _pairs(entries)) > 1:
        return from_table(path, pairs, similarity)
    rows, distances = entries.get("ranking"), entries.get("distances")
    names = [_names(entries.get(f"{side}_name")) for side in ("query", "gallery")]
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "iu":
        found = (
            f"shape {rows.shape} {rows.dtype}" if isinstance(rows, np.ndarray) else ", ".join(entries) or "nothing"
        )
        return EMPTY, [f"{path}: wanted (queries, k) whole numbers as ranking, found {found}; write it again"]
    if None in names and isinstance(content, dict):
        return EMPTY, [f"{path}: wanted query_name and gallery_name as text, found {', '.join(entries)}; add them"]
    rows = rows.astype(np.int64)
    kept = rows >= 0
    problems = []
    if distances is not None and (
        not isinstance(distances, np.ndarray) or distances.shape != rows.shape or distances.dtype.kind not in "fiu"
    ):
        problems.append(f"{path}: wanted distances of shape {rows.shape}, found others; write it again")
    if (rows < -1).any():
        problems.append(f"{path}: wanted rows from 0, or -1 for no image, found {rows.min()}; write it again")
    query_names, gallery_names = names
    if query_names is not None and len(query_names) != len(rows):
        problems.append(f"{path}: wanted {len(rows)} query names, found {len(query_names)}; write it again")
    if gallery_names is not None and (rows >= len(gallery_names)).any():
        problems.append(f"{path}: wanted rows of {len(gallery_names)} images, found {rows.max()}; write it again")
    if problems:
        return EMPTY, problems
    values = None if distances is None else (-distances if similarity else distances)[kept]
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    if gallery_names is None:
        return RankList(None, [], starts, rows[kept], values, by="place"), []
    return RankList(query_names, gallery_names, starts, rows[kept], values), []


def _pairs(entries: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The columns of a table of pairs; names may be places in ``query_name`` and ``gallery_name``."""
    columns = {}
    for key, value in entries.items():
        if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "iufUS":
            continue
        names = _names(entries.get(f"{key}_name"))
        if names is not None and value.dtype.kind in "iu" and len(value):
            inside = (value >= 0) & (value < len(names))
            columns[key] = [
                names[row] if ok else "" for row, ok in zip(value.tolist(), inside.tolist(), strict=True)
            ]
        elif not (key.endswith("_name") and key.removesuffix("_name") in entries):
            columns[key] = texts(value) or value.tolist()
    return columns if len({len(values) for values in columns.values()}) == 1 else {}


def _names(value: Any) -> list[str] | None:
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind != "U":
        return None
    return [str(name) for name in value.tolist()]


def _recognises(head: Head) -> bool:
    return head.content.startswith(b"\x93NUMPY") or (head.is_archive and head.suffix == ".npz")


FORMAT = Format("npz", FILE, parse, write, suffixes=(".npy", ".npz"), recognises=_recognises)
