"""A reader of feature files, and a format of submissions."""

from pathlib import Path

import numpy as np

from ensemble.io import beside
from ensemble.io.readers.reader import Reader, Wanted
from ensemble.submissions.format import Format
from ensemble.submissions.ranklist import EMPTY, RankList, from_lists


def _load(path: Path, wanted: Wanted) -> dict[str, np.ndarray]:
    """``name value value …``, an image a line."""
    entries = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *values = line.split()
        entries[name] = np.array(values, np.float32)
    return entries


def _write(path: Path, ranking: RankList, *, top_k: int | None) -> None:
    """``query;nearest;next``, a query a line."""
    best = ranking.first(top_k)
    assert best.query_names is not None
    with beside(path, "w") as stream:
        for row, query in enumerate(best.query_names):
            images = best.rows[best.starts[row] : best.starts[row + 1]]
            stream.write(";".join([query, *(best.gallery_names[image] for image in images.tolist())]) + "\n")


def _parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    lines = [line.split(";") for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines:
        return EMPTY, [f"{path}: wanted a line for every query, found none; write it again"]
    return from_lists((query, images, None) for query, *images in lines), []


LINES = Reader("lines of numbers", _load, (".vec",), holds="side")
SEMICOLONS = Format("semicolons", "ranking.scsv", parse=_parse, write=_write, suffixes=(".scsv",))
