"""JSON: ``{"query.png": ["nearest.png", …], …}`` for the NAIC, the same with distances for everybody else.

With distances an entry is a pair: ``{"query.png": [["nearest.png", 0.12], …]}``. Read are also
``{"query.png": {"nearest.png": 0.12, …}}``, ordered by the numbers, and a list of one-key objects of any of these.
Files are plain ASCII (other letters as ``\\u…``), a line a query, keys in the order of the queries.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import examples
from ensemble.io import beside
from ensemble.submissions.format import Format, Head
from ensemble.submissions.ranklist import EMPTY, RankList, from_lists
from ensemble.submissions.text import exact, read_text

NAIC_FILE, FILE = "result.json", "ranking.json"
NAIC_TOP_K = 200
SHAPE = "lists of names, lists of [name, distance], or {name: distance}"


class _Object(tuple):
    """The pairs of a JSON object, so that a key given twice is seen."""


def write_naic(
    path: Path, ranking: RankList, *, top_k: int | None = NAIC_TOP_K, objects_in_list: bool = False
) -> None:
    """Write names only: one object, or (``objects_in_list``) a list of objects with one key each."""
    _write(path, ranking.first(top_k), distances=False, objects_in_list=objects_in_list)


def write(path: Path, ranking: RankList, *, top_k: int | None = None) -> None:
    """Write names with their distances, names only where there are none; infinitely far is ``1e999``."""
    _write(path, ranking.first(top_k), distances=ranking.distances is not None, objects_in_list=False)


def parse_names(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """As :func:`parse`; numbers are a fault."""
    ranking, problems = parse(path, similarity)
    if ranking.distances is not None:
        problems.append(f"{path}: wanted names only, found numbers with them; write it with the format naic")
    return ranking, problems


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """What the file holds and what is wrong with it; ``similarity``: its numbers are larger for nearer images."""
    text, problems = read_text(path)
    if text is None:
        return EMPTY, problems
    try:
        content = json.loads(text, object_pairs_hook=_Object)
    except RecursionError:
        return EMPTY, [*problems, f"{path}: wanted lists in an object, found far deeper nesting; write it again"]
    except ValueError as error:
        printed = text.lstrip()[:200].replace(" ", "").startswith(("[{'", "{'"))
        remedy = "found printed Python (single quotes)" if printed else f"found {error}"
        return EMPTY, [*problems, f"{path}: wanted JSON, {remedy}; write it again with a JSON writer"]
    wrong: list[str] = []
    lists = [_read_list(query, value, wrong) for query, value in _pairs(content, wrong)]
    kinds = {kind for _, images, _, kind in lists if images}
    if len(kinds) > 1:
        wrong.append(f"both {' and '.join(sorted(kinds))}")
    if wrong:
        return EMPTY, [
            *problems,
            f"{path}: wanted {SHAPE}, the same for every query, found {examples(wrong)}; write it again",
        ]
    if not lists:
        return EMPTY, [*problems, f"{path}: wanted a list for every query, found none; write it again"]
    found = ((query, images, values) for query, images, values, _ in lists)
    return from_lists(found, similarity=similarity, nearest_first=kinds == {"objects"}), problems


def _write(path: Path, best: RankList, *, distances: bool, objects_in_list: bool) -> None:
    assert best.query_names is not None
    spelled = [json.dumps(name) for name in best.gallery_names]
    before, after = ("[", "]") if objects_in_list else ("{", "}")
    left, right = ("{", "}") if objects_in_list else ("", "")
    with beside(path, "w") as stream:
        stream.write(f"{before}\n")
        last = len(best) - 1
        for row, query in enumerate(best.query_names):
            span = slice(best.starts[row], best.starts[row + 1])
            entries = [spelled[image] for image in best.rows[span].tolist()]
            if distances and best.distances is not None:
                values = best.distances[span].tolist()
                entries = [f"[{name}, {_number(value)}]" for name, value in zip(entries, values, strict=True)]
            comma = "," if row < last else ""
            stream.write(f"{left}{json.dumps(query)}: [{', '.join(entries)}]{right}{comma}\n")
        stream.write(f"{after}\n")


def _number(value: float) -> str:
    return exact(value) if value != np.inf else "1e999"


def _pairs(content: Any, wrong: list[str]) -> Iterator[tuple[str, Any]]:
    objects = [content] if isinstance(content, _Object) else content
    if not isinstance(objects, list) or not all(isinstance(item, _Object) for item in objects):
        wrong.append(f"{type(content).__name__} without objects")
        return
    for item in objects:
        yield from item


def _read_list(query: str, value: Any, wrong: list[str]) -> tuple[str, list[str], list[float] | None, str]:
    """A query's names, its distances, and how they were written."""
    if isinstance(value, list) and all(type(name) is str for name in value):
        return query, value, None, "names"
    kind = "objects" if isinstance(value, _Object) else "pairs"
    pairs = value if isinstance(value, (list, _Object)) else [value]
    if not all(_is_pair(pair) for pair in pairs):
        odd = next(pair for pair in pairs if not _is_pair(pair))
        wrong.append(f"{query}: {str(odd)[:40]}")
        return query, [], None, kind
    return query, [name for name, _ in pairs], [_float(number) for _, number in pairs], kind


def _is_pair(pair: Any) -> bool:
    sized = isinstance(pair, (list, tuple)) and not isinstance(pair, _Object) and len(pair) == 2
    return sized and type(pair[0]) is str and type(pair[1]) in (int, float)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf


def _is_json(head: Head) -> bool:
    """Not what Python prints, which has single quotes."""
    return head.start[:1] in ("{", "[") and not head.start.startswith(("[(", "{'", "[{'"))


def _is_naic(head: Head) -> bool:
    return _is_json(head) and head.start.partition(":")[2].startswith(('["', "[]"))


NAIC = Format("naic", NAIC_FILE, parse_names, write_naic, NAIC_TOP_K, recognises=_is_naic)
JSON = Format("json", FILE, parse, write, suffixes=(".json",), recognises=_is_json)  # asked after NAIC
