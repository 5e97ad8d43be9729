"""The shortlist that an outside matcher should look at: ``query, gallery, rank, distance``, a row a pair.

CSV, Parquet or npz, by the suffix. With a column ``score`` beside the others the same file is read back as a table
of pairs (:mod:`ensemble.submissions.tables`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, refuse_if_any
from ensemble.io import beside
from ensemble.submissions import tables
from ensemble.submissions.arrays import END_IN_NUL
from ensemble.submissions.ranklist import RankList, refuse_names
from ensemble.submissions.text import exact

COLUMNS = ("query", "gallery", "rank", "distance")


def write(path: Path, ranking: RankList, *, k: int) -> None:
    """Write the ``k`` nearest of every query; the same bytes for the same ranking. A query without any has no row.

    Raises: InputError for another suffix than .csv, .parquet and .npz, and for names that the format cannot hold.
    """
    refuse_if_any(problems(path))
    _WRITE[path.suffix.lower()](path, ranking.first(k))


def problems(path: Path) -> list[str]:
    """What keeps a file of this name from being written."""
    suffix = path.suffix.lower()
    if suffix not in _WRITE:
        return [
            f"{path}: wanted a name that ends in {', '.join(_WRITE)}, found {suffix or 'no suffix'}; rename it"
        ]
    return tables.parquet_problems() if suffix == ".parquet" else []


def _csv(path: Path, best: RankList) -> None:
    with beside(path, "w") as stream:
        stream.write(",".join(COLUMNS) + "\n")
        for query, rank, image, distance in best.entries():
            far = "" if distance is None else exact(distance)
            stream.write(f"{tables.cell(query)},{tables.cell(image)},{rank},{far}\n")


def _columns(best: RankList) -> dict[str, Any]:
    if best.query_names is None or best.distances is None:
        raise InputError(["pairs: wanted names and distances, found a list without"])
    return {
        "query": np.array(best.query_names, np.str_)[best.query_of],
        "gallery": np.array(best.gallery_names, np.str_)[best.rows],
        "rank": (best.places + 1).astype(np.int32),
        "distance": best.distances,
    }


def _npz(path: Path, best: RankList) -> None:
    for what, names in (("query", best.query_names or ()), ("gallery", best.gallery_names)):
        refuse_names(f"{what} names", names, END_IN_NUL, "names that NumPy keeps (no NUL at the end)")
    with beside(path, "wb") as stream:
        np.savez(stream, **_columns(best))


def _parquet(path: Path, best: RankList) -> None:
    import pyarrow

    columns = {name: pyarrow.array(values.tolist() if values.dtype.kind == "U" else values)
               for name, values in _columns(best).items()}  # fmt: skip
    tables.write_columns(path, columns)


_WRITE: dict[str, Callable[[Path, RankList], None]] = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
