"""All formats of rank lists by name: which is which, written, read, looked through.

One format is one value at the end of its file and its name in :data:`OURS`; :func:`add` takes one of somebody
else's. SYSU-MM01's files hold features instead of lists: :mod:`ensemble.submissions.sysu`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError, examples, near, refuse_if_any
from ensemble.submissions import (
    arrays,
    identities,
    json_lists,
    landmarks,
    lines,
    numbers,
    python_text,
    tables,
    track2,
    trec,
    visda,
)
from ensemble.submissions.alignment import aligned, flaws, strangers
from ensemble.submissions.format import Format, Head, head_of
from ensemble.submissions.ranklist import RankList

OURS = (
    track2.FORMAT,
    visda.FORMAT,
    json_lists.NAIC,
    landmarks.FORMAT,
    trec.FORMAT,
    identities.HAPPYWHALE,
    identities.HOTEL,
    identities.ANIMALCLEF,
    identities.RECOGNITION,
    tables.CSV,
    json_lists.JSON,
    tables.PARQUET,
    arrays.FORMAT,
    python_text.FORMAT,
    lines.FORMAT,
)
_CELLS = re.compile(r"[,;\s]+")
_FRACTION = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.?[0-9]+(?=[eE])|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
FEATURES = "sysu"  # the one that holds features instead of lists


def add(used: Format, *, origin: str) -> None:
    """Let recipes hand in a format of somebody else's; ValueError where its name is taken or it does nothing.

    ``origin``: who brought it, for messages. The same format twice is one.
    """
    if used in _ADDED:
        return
    where = f"{origin}, {used.name}"
    if used.name in (*all_formats(), FEATURES):
        raise ValueError(f"{where}: wanted a name of its own, found a submission format of that name")
    if used.parse is None and used.write is None:
        raise ValueError(f"{where}: wanted parse or write, found neither")
    _ADDED.append(used)


_ADDED: list[Format] = []


def all_formats() -> dict[str, Format]:
    """Every format of rank lists by name: ours, then those that were added."""
    return {used.name: used for used in (*OURS, *_ADDED)}


def writable() -> tuple[str, ...]:
    """What a recipe may hand in: the formats that can be written, and the one that holds features."""
    ours, added = ([used.name for used in formats if used.write] for formats in (OURS, _ADDED))
    return (*ours, FEATURES, *added)


def lacking(name: str) -> list[str]:
    """What of this machine a format lacks, such as a package, in sentences."""
    return [] if name == FEATURES else named(name).lacking()


def write(path: Path, ranking: RankList, name: str, *, top_k: int | None = None) -> None:
    """Write rank lists, ``top_k`` images a query (None: as many as the format's server wants, else all).

    Raises: InputError for a name that stands for two queries or images, and for names that the format cannot hold.
    """
    used = named(name)
    if used.write is None:
        raise InputError([f"format: wanted one that can be written, found {name}; choose csv or json"])
    refuse_if_any(
        [
            f"{what} names: wanted every {what} once, found again {examples(again)}; rename them"
            for what, names in (("query", ranking.query_names), ("gallery", ranking.gallery_names))
            if (again := numbers.repeated(names or []))
        ]
    )
    used.write(path, ranking, top_k=used.top_k if top_k is None else top_k)


def read(path: Path, name: str | None = None, *, similarity: bool = False) -> RankList:
    """Read rank lists; the format is guessed where ``name`` is None.

    similarity: the file's numbers are larger for nearer images (``score`` of CSV and TREC always is).
    Raises:     InputError with everything that is wrong, in one message.
    """
    used = named(name or guess(path))
    ranking, problems = used.parsed(path, similarity)
    if not len(ranking) and not problems and not used.absent:
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
    ranking, problems = used.parsed(path, similarity)
    if not len(ranking) and (problems or not used.absent):
        return problems
    problems += flaws(path.name, ranking)
    problems += strangers(path.name, ranking, query_names, gallery_names, partial=used.absent)
    return problems + _count_faults(path.name, ranking, len(gallery_names), count)


def doubts(path: Path, name: str, query_names: Sequence[str], gallery_names: Sequence[str]) -> list[str]:
    """What is accepted and yet is probably a mistake, one line each."""
    used = named(name)
    if used.doubts is not None:
        return used.doubts(path, query_names, gallery_names)
    ranking, problems = used.parsed(path)
    if ranking.query_names is None or (not len(ranking) and (problems or not used.absent)):
        return []
    place = {query: row for row, query in enumerate(query_names)}
    order = [place[query] for query in ranking.query_names if query in place]
    found = []
    lacking = set(query_names) - {ranking.query_names[row] for row in np.flatnonzero(ranking.counts)}
    empty = [query for query in query_names if query in lacking] if used.absent or len(order) else []
    if empty and used.top_k is None:
        found.append(
            f"{path.name}: wanted an answer for every query, found none for {len(empty)} ({examples(empty)}); "
            "theirs count as missed"
        )
    if order != sorted(order):
        wanted = f"{path.name}: wanted the queries in the order of their list"
        found.append(f"{wanted}, found another; most servers do not mind")
    return found


def read_aligned(
    path: Path,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    *,
    similarity: bool = False,
    partial: bool = False,
) -> RankList:
    """Read a file and put it into the order of the names (:func:`~ensemble.submissions.alignment.aligned`)."""
    name = guess(path)
    ranking = read(path, name, similarity=similarity)
    return aligned(str(path), ranking, query_names, gallery_names, partial=partial or named(name).absent)


def named(name: str) -> Format:
    """The format of that name. Raises InputError for another."""
    known = all_formats()
    if name not in known:
        raise InputError([f"format: wanted one of {', '.join(known)}, found {name}{near(name, known)}"])
    return known[name]


def guess(path: Path) -> str:
    """The name of a file's format, by its first bytes and where these leave a doubt by its name; also ``sysu``.

    Raises: InputError where it is none that is known.
    """
    if path.is_dir():
        return FEATURES
    head = head_of(path)
    known = _added_one(head)
    if known is None and _is_matrix(head):
        raise InputError(
            [
                f"{path}: wanted rank lists or a table of pairs, found rows of numbers with a fraction, as in a "
                f"matrix of distances; write it as {path.stem}.npy"
            ]
        )
    known = known or _by_content(head) or _by_suffix(head)
    if known is None:
        names = ", ".join(all_formats())
        raise InputError([f"{path}: wanted a file of {names} or sysu, found another; name its format"])
    return known


def _is_matrix(head: Head) -> bool:
    """Whether a file of text holds a matrix, perhaps with names above its columns and before its rows."""
    if head.suffix not in (".txt", ".csv", ".tsv") or head.start[:1] in "[({":
        return False
    for line in head.lines[:2]:
        cells = _CELLS.split(line.strip())[:-1]  # the last one may be cut off
        if len(cells) > 2 and all(map(_FRACTION.fullmatch, cells[1:])):
            return True
    return False


def _added_one(head: Head) -> str | None:
    """A format that was added, by a suffix that none of ours has, by the file's name or by what it recognises."""
    ours = {suffix for used in OURS for suffix in used.suffixes}
    for used in _ADDED:
        own = head.suffix in set(used.suffixes) - ours
        if own or head.path.name == used.file or used.recognises(head):
            return used.name
    return None


def _by_content(head: Head) -> str | None:
    if head.content.startswith(b"MATLAB"):
        return FEATURES
    return next((used.name for used in OURS if used.recognises(head)), None)


def _by_suffix(head: Head) -> str | None:
    """For files whose content tells nothing, so that their own reader says what is wrong."""
    if head.suffix == ".mat":
        return FEATURES
    return next((name for name, used in all_formats().items() if head.suffix in used.suffixes), None)


def _count_faults(where: str, ranking: RankList, gallery: int, top_k: int | None) -> list[str]:
    counts = ranking.counts
    if top_k is None:
        return []
    wanted = min(top_k, gallery)
    off = np.flatnonzero(counts != wanted)
    if not len(off):
        return []
    named = [f"line {row + 1}" if ranking.query_names is None else ranking.query_names[row] for row in off[:4]]
    shown = examples([f"{name}: {counts[row]}" for name, row in zip(named, off, strict=False)])
    found = f"another number for {len(off)} quer{'y' if len(off) == 1 else 'ies'} ({shown})"
    return [f"{where}: wanted {wanted} images for every query, found {found}; write exactly the best"]
