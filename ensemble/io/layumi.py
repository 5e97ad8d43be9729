"""``pytorch_result.mat`` and ``multi_query.mat``, as layumi's code and those that follow it open them.

``SIDE_f`` (n, d) float32, ``SIDE_label``, ``SIDE_cam`` and, where there are any, ``SIDE_frames`` (1, n) int64,
gallery first; ``mquery_f``, ``mquery_label`` and ``mquery_cam`` likewise. Rows belong together by their places,
as there are no names.
"""

from pathlib import Path

import numpy as np

from ensemble.base.errors import examples, refuse_if_any
from ensemble.base.features import SIDES, FeatureSet
from ensemble.base.labels import as_numbers
from ensemble.io import matlab5
from ensemble.io.keys import MULTI
from ensemble.io.write import beside

HEADER = "MATLAB 5.0 MAT-file, features of reid-ensemble"
COLUMNS = {"pid": "label", "cam": "cam", "frame": "frames"}
LARGEST = 2**32  # bytes of a variable that its length in the file can say


def write_mat(path: Path, features: FeatureSet) -> None:
    """Write a model as ``pytorch_result.mat`` has it; the same bytes for the same set.

    Raises InputError where an image has no identity or camera, or a text, and for more than MATLAB 5 can hold.
    """
    entries: dict[str, np.ndarray] = {}
    problems: list[str] = []
    for side in ("gallery", "query"):
        entries |= _entries(features, side, f"{side}_", problems)
    refuse_if_any([f"{features.model}: {problem}" for problem in problems])
    with beside(path, "wb") as file:
        file.write(matlab5.dumped(entries, HEADER))


def write_multi_mat(path: Path, images: FeatureSet) -> None:
    """Write the queries of a set as ``multi_query.mat`` has them. Raises as :func:`write_mat`."""
    problems: list[str] = []
    entries = _entries(images, "query", MULTI, problems)
    refuse_if_any([f"{images.model}: {problem}" for problem in problems])
    with beside(path, "wb") as file:
        file.write(matlab5.dumped(entries, HEADER))


def write_multi_npz(path: Path, images: FeatureSet) -> None:
    """The same with keys of NumPy's, in which labels may be text."""
    table = images.query_table
    labels = {f"{MULTI}{COLUMNS[name]}": table[name].to_numpy() for name in ("pid", "cam")}
    text = {key: values.astype(np.str_) if values.dtype == object else values for key, values in labels.items()}
    with beside(path, "wb") as file:
        np.savez(file, **{f"{MULTI}f": images.query}, **text)  # type: ignore[arg-type]


def lost(features: FeatureSet) -> str | None:
    """What ``pytorch_result.mat`` has no place for, in a sentence; None where nothing is lost."""
    tables = [table for side in SIDES if (table := getattr(features, f"{side}_table")) is not None]
    columns = {column: None for table in tables for column in table.columns if column not in COLUMNS}
    if not features.named:
        columns.pop("name")
    there = [*columns, *(["train"] if features.train is not None else [])]
    if features.codes:
        there.append("lengths of codes")
    if not there:
        return None
    return (
        f"{features.model}: not written, as the format has no place for it: {examples(there, 20)}; rows keep "
        "their order, and --format npz keeps everything"
    )


def _entries(features: FeatureSet, side: str, start: str, problems: list[str]) -> dict[str, np.ndarray]:
    rows, table = getattr(features, side), getattr(features, f"{side}_table")
    if rows.nbytes >= LARGEST:
        problems.append(
            f"wanted less than 4 GiB in a variable, as MATLAB 5 has it, found {rows.nbytes / 2**30:.1f} GiB of "
            f"{side}; write --format npz"
        )
    entries = {f"{start}f": rows}
    for column, name in COLUMNS.items():
        if column not in table.columns or (start == MULTI and column == "frame"):
            if column != "frame":
                problems.append(f"wanted the {column} of the {side} images, found none; add it in {side}.csv")
            continue
        values = as_numbers(table[column].to_numpy())
        if values is None:
            told = examples(sorted(set(table[column])))
            problems.append(
                f"wanted whole numbers for the {column} of {side}, found text ({told}); "
                f"number them in {side}.csv, or write --format npz, which keeps text"
            )
            continue
        entries[f"{start}{name}"] = values.astype(np.int64)[None]
    return entries
