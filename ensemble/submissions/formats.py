"""All formats of rank lists by name: which file, how to write and read it, what can be wrong with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ensemble.base.errors import InputError, examples, near, refuse_if_any
from ensemble.submissions import arrays, json_lists, numbers, python_text, tables, track2, trec, visda
from ensemble.submissions.joining import flaws, joined, strangers
from ensemble.submissions.ranklist import RankList

Parse = Callable[[Path, bool], tuple[RankList, list[str]]]
HEAD = 65536  # bytes that tell what a file is


class Write(Protocol):
    def __call__(self, path: Path, ranking: RankList, *, top_k: int | None) -> None: ...


@dataclass(frozen=True)
class Format:
    """One format. ``top_k``: images a query that its server wants; None: any number.

    ``parse`` gives what can be read and what is wrong; ``faults`` and ``doubts`` look more closely than
    :func:`faults` and :func:`doubts` do for every format with names.
    """

    file: str
    parse: Parse
    write: Write | None = None
    top_k: int | None = None
    faults: Callable[..., list[str]] | None = None
    doubts: Callable[[Path, Sequence[str], Sequence[str]], list[str]] | None = None


FORMATS = {
    "track2": Format(track2.FILE, track2.parse, track2.write, track2.TOP_K, track2.faults, track2.doubts),
    "visda": Format(visda.FILE, visda.parse, visda.write, visda.TOP_K, visda.faults, visda.doubts),
    "naic": Format(
        json_lists.NAIC_FILE, json_lists.parse_names, json_lists.write_naic, top_k=json_lists.NAIC_TOP_K
    ),
    "trec": Format(trec.FILE, trec.parse, trec.write),
    "csv": Format(tables.CSV_FILE, tables.parse_csv, tables.write_csv),
    "json": Format(json_lists.FILE, json_lists.parse, json_lists.write),
    "parquet": Format(tables.PARQUET_FILE, tables.parse_parquet, tables.write_parquet),
    "npz": Format(arrays.FILE, arrays.parse, arrays.write),
    "text": Format("distances.txt", python_text.parse),
}
"""``text`` is printed Python and only read. SYSU-MM01's files hold features: :mod:`ensemble.submissions.sysu`."""


def write(path: Path, ranking: RankList, name: str, *, top_k: int | None = None) -> None:
    """Write rank lists, ``top_k`` images a query (None: as many as the format's server wants, else all)."""
    used = named(name)
    if used.write is None:
        raise InputError([f"format: wanted one that can be written, found {name}; choose csv or json"])
    used.write(path, ranking, top_k=used.top_k if top_k is None else top_k)


def read(path: Path, name: str | None = None, *, similarity: bool = False) -> RankList:
    """Read rank lists; the format is guessed where ``name`` is None.

    similarity: the file's numbers are larger for nearer images (``score`` of CSV and TREC always is).
    Raises:     InputError with everything that is wrong, in one message.
    """
    used = named(name or guess(path))
    ranking, problems = used.parse(path, similarity)
    if not len(ranking) and not problems:
        problems = [f"{path}: wanted a list for every query, found none; write it again"]
    refuse_if_any([*problems, *flaws(str(path), ranking)])
    return ranking


def faults(
    path: Path,
    name: str,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    *,
    top_k: int | None = None,
    similarity: bool = False,
) -> list[str]:
    """Everything that is wrong with a file of rank lists, one line for each kind; empty when nothing is."""
    used = named(name)
    count = used.top_k if top_k is None else top_k
    if used.faults is not None:
        return used.faults(path, query_names, gallery_names, top_k=count)
    ranking, problems = used.parse(path, similarity)
    if not len(ranking):
        return problems
    problems += flaws(path.name, ranking) + strangers(path.name, ranking, query_names, gallery_names)
    return problems + _count_faults(path.name, ranking, len(gallery_names), count)


def doubts(path: Path, name: str, query_names: Sequence[str], gallery_names: Sequence[str]) -> list[str]:
    """What is accepted and yet is probably a mistake, one line each."""
    used = named(name)
    if used.doubts is not None:
        return used.doubts(path, query_names, gallery_names)
    ranking, _ = used.parse(path, False)
    if ranking.query_names is None or not len(ranking):
        return []
    place = {query: row for row, query in enumerate(query_names)}
    order = [place[query] for query in ranking.query_names if query in place]
    if order == sorted(order):
        return []
    return [f"{path.name}: wanted the queries in the order of their list, found another; most servers do not mind"]


def join(
    path: Path,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    *,
    similarity: bool = False,
    partial: bool = False,
) -> RankList:
    """Read a file and put it into the order of the names (:func:`~ensemble.submissions.joining.joined`)."""
    ranking = read(path, similarity=similarity)
    return joined(str(path), ranking, query_names, gallery_names, partial=partial)


def named(name: str) -> Format:
    """The format of that name. Raises InputError for another."""
    if name not in FORMATS:
        raise InputError([f"format: wanted one of {', '.join(FORMATS)}, found {name}{near(name, FORMATS)}"])
    return FORMATS[name]


def guess(path: Path) -> str:
    """The name of a file's format, by its first bytes and where these leave a doubt by its name; also ``sysu``.

    Raises: InputError where it is none that is known.
    """
    if path.is_dir():
        return "sysu"
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        problem = f"{path}: wanted a submission to read, found: {error.strerror}; check the name"
        raise InputError([problem]) from error
    suffix = path.suffix.lower()
    marks = ((b"PAR1", "parquet"), (b"\x93NUMPY", "npz"), (b"MATLAB", "sysu"))
    known = next((name for mark, name in marks if head.startswith(mark)), None)
    if known is None and head[:2] == b"PK":
        known = "npz" if suffix == ".npz" else "visda"
    known = known or _by_text(numbers.parse(head), path) or _by_suffix(suffix)
    if known is None:
        names = ", ".join(FORMATS)
        raise InputError([f"{path}: wanted a file of {names} or sysu, found another; name its format"])
    return known


def _by_text(file: numbers.Text, path: Path) -> str | None:
    lines = [line for line in file.lines if line.strip()]
    start = "".join(lines[:50]).replace(" ", "").replace("\t", "")[:2000]
    words = lines[0].split() if lines else []
    if not start:
        return None
    if start.startswith("[("):
        return "text"
    if start.startswith(("{'", "[{'")):
        return "text"
    if start[0] in "{[":
        lists = start.partition(":")[2]
        return "naic" if lists.startswith(('["', "[]")) else "json"
    if len(words) == 6 and words[1] == "Q0":
        return "trec"
    titles = [title.strip().strip('"') for title in lines[0].split(",")]
    if {"query", "gallery"} <= {tables.TITLES.get(title, title) for title in titles}:
        return "csv"
    if all(numbers.DIGITS.fullmatch(word) for word in words):
        padded = len(words) > 1 and {len(word) for word in words} in ({4}, {5}) and any(w[0] == "0" for w in words)
        name = path.name.lower()
        return "visda" if name.startswith("result") or (padded and not name.startswith("track2")) else "track2"
    return None


def _by_suffix(suffix: str) -> str | None:
    """For files whose content tells nothing, so that their own reader says what is wrong."""
    suffixes: dict[str, Any] = {
        ".txt": "track2",
        ".zip": "visda",
        ".json": "json",
        ".csv": "csv",
        ".parquet": "parquet",
        ".trec": "trec",
        ".run": "trec",
        ".npy": "npz",
        ".npz": "npz",
        ".mat": "sysu",
    }
    found: str | None = suffixes.get(suffix)
    return found


def _count_faults(where: str, ranking: RankList, gallery: int, top_k: int | None) -> list[str]:
    counts = ranking.counts
    wanted = None if top_k is None else min(top_k, gallery)
    off = np.flatnonzero(counts == 0 if wanted is None else counts != wanted)
    if not len(off):
        return []
    named = [f"line {row + 1}" if ranking.query_names is None else ranking.query_names[row] for row in off[:4]]
    shown = examples([f"{name}: {counts[row]}" for name, row in zip(named, off, strict=False)])
    found = f"another number for {len(off)} quer{'y' if len(off) == 1 else 'ies'} ({shown})"
    count = "at least one image" if wanted is None else f"{wanted} images"
    return [f"{where}: wanted {count} for every query, found {found}; write exactly the best"]
