"""Tables with a row an answer, ``query, rank, gallery, distance``, ranks from 1: CSV and Parquet.

In CSV commas separate, or semicolons or tabs, as the first line has them; then a decimal point may be a comma.

Read are also tables of pairs, ``query, gallery, score`` with larger numbers for nearer images, or ``distance``; in
the usual spellings (``query_id``, ``image0``, ``inliers``, …). Where there is a score, it counts alone: ranks and
distances beside it say how the pairs were chosen. A pair whose score is empty is not known.
So is a row a query, ``id, images``, with the images' names and spaces between in one cell (Google Landmarks).
Rows may come in any order. Without ``rank`` the numbers order a list, without both the order of the rows. A query
without an answer has one row with nothing but its name.
"""

import csv
import importlib.util
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress, islice
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import examples, refuse_if_any
from ensemble.io import beside
from ensemble.io.lists import separator_of
from ensemble.io.readers.csv_files import THOUSANDS
from ensemble.submissions.format import Format, Head
from ensemble.submissions.numbers import read_bytes
from ensemble.submissions.ranklist import EMPTY, RankList, from_columns, from_lists
from ensemble.submissions.text import exact, read_text
from postproc.base.extras import install

CSV_FILE, PARQUET_FILE = "ranking.csv", "ranking.parquet"
_OF = ("", "id", "ids", "name", "names", "image", "img", "path", "file", "filename", "imageid", "imagename")
SPELLINGS = {
    "query": ("q", "qid", "probe", *(f"query{of}" for of in _OF)),
    "gallery": ("g", "gid", "reference", "ref", "database", "db", "candidate", *(f"gallery{of}" for of in _OF)),
    "rank": ("rank",),
    "distance": ("distance", "distances", "dist"),
    "score": (
        *("score", "scores", "similarity", "sim", "confidence", "probability", "prob"),
        *("inliers", "numinliers", "ninliers", "matches", "nummatches", "nmatches"),
    ),
}
MEANT = {spelling: column for column, spellings in SPELLINGS.items() for spelling in spellings}
BOTH = [(f"{what}{first}", f"{what}{first + 1}") for what in ("image", "img", "id", "name") for first in (0, 1)]
WIDE = "images"  # all answers of a query in one cell
COLUMNS = ("query", "rank", "gallery", "distance", "score")
QUOTED = re.compile(r"[,\"\r\n]")
MOST_ROWS = 1000  # a byte of a Parquet file; what repeats takes little, but not nothing


def write_csv(path: Path, ranking: RankList, *, top_k: int | None = None) -> None:
    """Write a line an answer; the column ``distance`` only where there are distances. UTF-8, LF."""
    best = ranking.first(top_k)
    known = best.distances is not None
    with beside(path, "w") as stream:
        stream.write("query,rank,gallery,distance\n" if known else "query,rank,gallery\n")
        answers = best.entries()
        for query, count in zip(best.query_names or (), best.counts.tolist(), strict=True):
            if not count:
                stream.write(f"{cell(query)},,{',' if known else ''}\n")
            for _, rank, image, distance in islice(answers, count):
                end = "" if distance is None else f",{exact(distance)}"
                stream.write(f"{cell(query)},{rank},{cell(image)}{end}\n")


def cell(name: str, comma: str = ",") -> str:
    """A name as a cell; Python's writer leaves a lone carriage return without quotes."""
    if QUOTED.search(name) is None and comma not in name:
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def write_parquet(path: Path, ranking: RankList, *, top_k: int | None = None) -> None:
    """Write text, int32, text and float32 columns; the same bytes for the same lists and version of pyarrow.

    Raises: InputError where pyarrow is not installed.
    """
    refuse_if_any(parquet_problems())
    import pyarrow

    best = ranking.first(top_k)
    assert best.query_names is not None
    empty = np.flatnonzero(best.counts == 0)
    at = best.starts[empty]
    lacking = np.insert(np.zeros(len(best.rows), bool), at, True)

    def column(values: np.ndarray, kind: str) -> Any:
        return pyarrow.array(np.insert(values.astype(kind), at, 0), mask=lacking if len(empty) else None)

    def names(codes: Any, of: list[str]) -> Any:
        return pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array(of, pyarrow.string())).cast(
            pyarrow.string()
        )

    columns = {
        "query": names(np.insert(best.query_of, at, empty).astype(np.int32), best.query_names),
        "rank": column(best.places + 1, "int32"),
        "gallery": names(column(best.rows, "int32"), best.gallery_names),
    }
    if best.distances is not None:
        columns["distance"] = column(best.distances, "float32")
    write_columns(path, columns)


def write_columns(path: Path, columns: Mapping[str, Any]) -> None:
    """Write arrays of pyarrow as a Parquet file; the same bytes for the same arrays and version of pyarrow."""
    import pyarrow
    import pyarrow.parquet as parquet

    content = io.BytesIO()
    parquet.write_table(pyarrow.table(dict(columns)), content, compression="snappy", store_schema=False)
    with beside(path, "wb") as stream:
        stream.write(content.getvalue())


def parquet_problems() -> list[str]:
    """A sentence where pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow"):
        return []
    return [f"Parquet: wanted the package pyarrow, found none; {install('parquet')}"]


def parse_csv(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """What the table holds and what is wrong with it; ``similarity``: its distances are similarities."""
    text, problems = read_text(path)
    if text is None:
        return EMPTY, problems
    try:
        separator = separator_of(text)
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    except (csv.Error, ValueError) as error:
        return EMPTY, [*problems, f"{path}: wanted a table with commas, found a line that is none ({error})"]
    ragged = [number for number, row in enumerate(rows, 2) if len(row) != len(header)]
    if ragged:
        found = f"another number in row {examples(ragged)}"
        problems.append(f"{path}: wanted {len(header)} values a row, found {found}; write the table again")
    whole = [row for row in rows if len(row) == len(header)]
    columns: dict[str, Sequence[str]] = {
        title.strip(): column for title, column in zip(header, zip(*whole, strict=True), strict=False)
    }
    if len(set(header)) < len(header) or not whole:
        found = "a title twice" if whole else "only titles"
        return EMPTY, [*problems, f"{path}: wanted a table with a row an answer, found {found}; write it again"]
    if separator != ",":
        columns, wrong = _with_points(path, columns)
        problems += wrong
    ranking, wrong = from_table(path, columns, similarity)
    return ranking, problems + wrong


def _with_points(path: Path, columns: Mapping[str, Sequence[str]]) -> tuple[dict[str, Sequence[str]], list[str]]:
    """Numbers with a point where they have a comma, and a problem where that may stand between thousands."""
    found, problems = dict(columns), []
    for title, meant in _meanings(columns).items():
        commas = [cell for cell in columns[title] if "," in cell] if meant in COLUMNS[3:] else []
        if commas and all(map(THOUSANDS.fullmatch, commas)):
            problems.append(
                f"{path}: wanted numbers with a decimal point or comma in {title}, found commas that may stand "
                f"between thousands ({examples(commas)}); write a decimal point"
            )
        found[title] = [cell.replace(",", ".") for cell in columns[title]] if commas else columns[title]
    return found, problems


def parse_parquet(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """As :func:`parse_csv`. Raises InputError where pyarrow is not installed."""
    content = read_bytes(path)
    refuse_if_any(parquet_problems())
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        if file.metadata.num_rows > MOST_ROWS * len(content):
            raise ValueError(f"{file.metadata.num_rows} rows cannot come from a file of this size")
        titles = [column.name for column in file.schema_arrow]
        wanted = [title for title in titles if title in _meanings(titles) or title in (WIDE, "id")]
        table = file.read(columns=wanted, use_threads=False)
        columns = {title: _listed(table.column(title)) for title in wanted}
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, LookupError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        return EMPTY, [f"{path}: wanted a Parquet table, found none that can be read ({reason}); write it again"]
    if not columns or not table.num_rows:
        return EMPTY, [f"{path}: wanted query, rank and gallery, found {examples(titles) or 'nothing'}"]
    return from_table(path, columns, similarity)


def _listed(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def from_table(path: Path, titled: Mapping[str, Sequence[Any]], similarity: bool) -> tuple[RankList, list[str]]:
    """Columns by title, text or numbers -> rank lists and what is wrong."""
    columns, problems = _by_meaning(path, titled)
    if {"query", "gallery"} & set(columns) == {"query"} or "id" in titled:
        wide = columns.get("query", titled.get("id", ()))
        if WIDE in titled and "gallery" not in columns:
            return _from_wide(path, wide, titled[WIDE])
    missing = [title for title in ("query", "gallery") if title not in columns]
    if missing:
        found = examples(list(titled), 6)
        return EMPTY, [f"{path}: wanted the columns query, rank, gallery and distance, found {found}; rename them"]
    query_names = columns["query"]
    columns, empty = _answers(columns)
    both = [name for name in dict.fromkeys(columns["query"]) if name in empty]
    if both:
        found = f"answers too for {len(both)} ({examples(both)})"
        problems.append(
            f"{path}: wanted a row without an image only where there is none, found {found}; remove it"
        )
    scored = "score" in columns
    if scored:
        columns = {title: values for title, values in columns.items() if title not in ("rank", "distance")}
        known = [not _blank(value) for value in columns["score"]]
        if columns["score"] and not any(known):
            problems.append(f"{path}: wanted a number in score, found it empty in every row; fill it in")
        columns = {title: list(compress(values, known)) for title, values in columns.items()}
    for title in ("query", "gallery"):
        values = query_names if title == "query" else columns[title]
        wrong = [str(value) for value in values if not isinstance(value, str) or not value]
        if wrong:
            found = f"{len(wrong)} others ({examples([name or 'an empty cell' for name in wrong])})"
            problems.append(f"{path}: wanted names in {title}, found {found}; fill them in as text")
    numbers = {}
    for title in ("rank", "distance", "score"):
        if title in columns:
            numbers[title], wrong = _numbers(columns[title])
            if wrong:
                problems.append(f"{path}: wanted numbers in {title}, found {examples(wrong)}; fill them in")
    if problems:
        return EMPTY, problems
    distances = -numbers["score"] if scored else numbers.get("distance")
    if distances is not None and similarity and not scored:
        distances = -distances
    order = [numbers["rank"]] if "rank" in numbers else [distances] if distances is not None else []
    queries, images = columns["query"], columns["gallery"]
    ranking = from_columns(queries, images, order, distances, query_names=query_names)
    if "rank" not in numbers:
        return replace(ranking, partial=distances is not None), []
    ordered = from_columns(queries, images, order, numbers["rank"], query_names=query_names).distances
    assert ordered is not None
    return ranking, _rank_problems(path, ranking, ordered)


def _rank_problems(path: Path, ranking: RankList, ordered: np.ndarray) -> list[str]:
    """A problem where the ranks of every list, in their order, are not 1, 2, 3, …."""
    off = np.flatnonzero(ordered != ranking.places + 1)
    if not len(off):
        return []
    assert ranking.query_names is not None
    named = list(dict.fromkeys(ranking.query_names[row] for row in ranking.query_of[off].tolist()))
    hint = "; were they counted from 0?" if (ordered == ranking.places).all() else ""
    return [
        f"{path}: wanted the ranks 1, 2, 3, … for every query, found others for {len(named)} "
        f"({examples(named)}){hint or '; number them again'}"
    ]


def _by_meaning(path: Path, titled: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """The columns that count by their usual names, and a problem where two of them mean the same."""
    titles: dict[str, list[str]] = {}
    for title, meant in _meanings(titled).items():
        titles.setdefault(meant, []).append(title)
    problems = []
    chosen = {}
    for meant, found in titles.items():
        own = [title for title in found if title == meant] or found
        if len(own) > 1:
            problems.append(
                f"{path}: wanted one column of {meant}, found {examples(own)}; leave one, or call it {meant}"
            )
        chosen[meant] = titled[own[0]]
    return chosen, problems


def _meanings(titles: Iterable[str]) -> dict[str, str]:
    """What each title that counts means: query, gallery, rank, distance or score."""
    plain = {title: re.sub(r"[\W_]", "", title.casefold()) for title in titles}
    found = {title: MEANT[spelt] for title, spelt in plain.items() if spelt in MEANT}
    if not {"query", "gallery"} & set(found.values()):
        place = {spelt: title for title, spelt in plain.items()}
        both = next((pair for pair in BOTH if set(pair) <= set(place)), None)
        found |= dict(zip(map(place.__getitem__, both), ("query", "gallery"), strict=True)) if both else {}
    return found


def _from_wide(path: Path, queries: Sequence[Any], cells: Sequence[Any]) -> tuple[RankList, list[str]]:
    wrong = [str(name) or "an empty cell" for name in queries if not isinstance(name, str) or not name]
    odd = [str(cell)[:20] for cell in cells if not isinstance(cell, str | list) and not _blank(cell)]
    if wrong or odd:
        found = examples([*wrong, *odd])
        return EMPTY, [f"{path}: wanted names in id and in {WIDE}, found {found}; fill them in as text"]
    lists = [cell.split() if isinstance(cell, str) else [] if _blank(cell) else cell for cell in cells]
    return from_lists(
        (query, list(map(str, images)), None) for query, images in zip(queries, lists, strict=True)
    ), []


def _answers(columns: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Sequence[Any]], set[Any]]:
    """The rows in which something stands beside the query, and the queries of the others."""
    beside_it = [values for title, values in columns.items() if title in COLUMNS[1:]]
    there = [not all(map(_blank, cells)) for cells in zip(*beside_it, strict=True)]
    empty = {query for query, answered in zip(columns["query"], there, strict=True) if not answered}
    if not empty:
        return dict(columns), empty
    return {title: list(compress(values, there)) for title, values in columns.items()}, empty


def _blank(cell: Any) -> bool:
    """Nothing, or NaN, in whatever way it is written."""
    return cell is None or cell != cell or (isinstance(cell, str) and cell.strip().lower() in ("", "nan"))


def _numbers(values: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """(n,) float64, and the values that are no numbers."""
    out, wrong = np.zeros(len(values)), []
    for row, value in enumerate(values):
        try:
            if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
                raise ValueError
            out[row] = float(value)
        except (ValueError, TypeError, OverflowError):
            wrong.append(str(value) or "an empty cell")
    return out, wrong


def _is_csv(head: Head) -> bool:
    first = head.lines[0] if head.lines else ""
    titles = [title.strip().strip('"') for title in first.split(separator_of(first))]
    known = set(_meanings(titles).values())
    return {"query", "gallery"} <= known or (WIDE in titles and bool({*known, *titles} & {"query", "id"}))


CSV = Format("csv", CSV_FILE, parse_csv, write_csv, suffixes=(".csv", ".tsv"), recognises=_is_csv)
PARQUET = Format(
    "parquet",
    PARQUET_FILE,
    parse_parquet,
    write_parquet,
    suffixes=(".parquet",),
    recognises=lambda head: head.content.startswith(b"PAR1"),
    lacking=parquet_problems,
)
