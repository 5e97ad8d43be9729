"""Google Landmark Retrieval: ``submission.csv`` with ``id,images``, a row a query, best first, spaces between.

At most 100 images a query. Names are written as they are: the competitions' are without ``.jpg``, and hold no
white space. Read as every such table (:mod:`ensemble.submissions.tables`). Source: the competitions' instructions;
the files that lyakaap's and WesleyZhang1991's code writes.
"""

from pathlib import Path

from ensemble.io import beside
from ensemble.submissions.format import Format, Head
from ensemble.submissions.ranklist import RankList, refuse_names
from ensemble.submissions.tables import WIDE, cell, parse_csv
from ensemble.submissions.trec import SPACE

FILE = "submission.csv"


def write(path: Path, ranking: RankList, *, top_k: int | None = None) -> None:
    """Write a row a query, the ``top_k`` best. Raises InputError for images with white space in their names."""
    best = ranking.first(top_k)
    assert best.query_names is not None
    refuse_names("gallery names", best.gallery_names, SPACE, "no white space, which separates images")
    with beside(path, "w") as stream:
        stream.write(f"id,{WIDE}\n")
        for query, rows in zip(best.query_names, best.lines(), strict=True):
            images = " ".join(best.gallery_names[row] for row in rows.tolist())
            stream.write(f"{cell(query)},{cell(images)}\n")


def recognises(head: Head) -> bool:
    """By its two titles."""
    return bool(head.lines) and [title.strip().strip('"') for title in head.lines[0].split(",")] == ["id", WIDE]


FORMAT = Format("landmarks", FILE, parse_csv, write, recognises=recognises)
