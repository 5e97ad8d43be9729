"""A format of submissions: ``query;nearest;next``, a query a line."""

from pathlib import Path

from ensemble.io import beside
from ensemble.submissions.format import Format
from ensemble.submissions.ranklist import EMPTY, RankList, from_lists


def _write(path: Path, ranking: RankList, *, top_k: int | None) -> None:
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


SEMICOLONS = Format("semicolons", "ranking.scsv", parse=_parse, write=_write, suffixes=(".scsv",))
