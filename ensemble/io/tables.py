"""What the images are where there are no features: names, and the columns of tables and track lists."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.base.features import COLUMNS
from ensemble.io.alignment import merge
from ensemble.io.folder import Folder
from ensemble.io.lists import Labels, read_labels, read_tracks
from ensemble.io.name_lists import read_names
from ensemble.io.naming import called, differences, respelt, unnamed, with_names
from ensemble.parsers import columns as columns_of

if TYPE_CHECKING:
    import pandas as pd


def read_tables(
    folder: Folder,
    named: Mapping[str, Sequence[str]] | None = None,
    *,
    notes: list[str] | None = None,
    labels: Mapping[str, Sequence[Labels]] | None = None,
    sides: Sequence[str] = ("query", "gallery"),
) -> "dict[str, pd.DataFrame]":
    """A table with ``name`` and whatever columns there are for ``query`` and ``gallery``, in the lists' order.

    named: names of a side that has neither a list of names nor a table, by side.
    notes: takes what the user should know of how names came together.
    sides: those that are wanted.
    labels: what else says something of the images, by side; of images in any order.
    Raises InputError with every problem, also where a side has neither a list of names nor a table.
    """
    problems: list[str] = []
    found = {}
    for side in sides:
        with collecting(problems):
            also = (labels or {}).get(side, ())
            found[side] = _table(folder, side, (named or {}).get(side), [] if notes is None else notes, also)
    refuse_if_any(problems)
    return found


def _table(
    folder: Folder, side: str, named: Sequence[str] | None, notes: list[str], also: Sequence[Labels]
) -> "pd.DataFrame":
    import pandas as pd

    listed = read_names(folder.names[side]) if side in folder.names else None
    table = folder.tables.get(side)
    sources: list[Labels] = [read_labels(table, folder.wanted, folder.keys)] if table else []
    if listed is not None:
        sources = [with_names(source, listed, str(folder.names[side]), notes) for source in sources]
    where = str(folder.names.get(side, folder.path))
    sources = [called(source, (listed or named or ()), where, notes) for source in sources]
    refuse_if_any([problem for source in sources for problem in unnamed(source, side)])
    if listed is None and not sources and named:
        listed = list(named)
    if listed is None and not sources:
        raise InputError(
            [
                f"{folder.path}: wanted the names of the {side} images, found none; give --{side}-names, or "
                f"{side}.csv in the folder"
            ]
        )
    names = sources[0].names if listed is None else listed
    problems: list[str] = []
    sources = [respelt(source, names, where, notes) for source in sources]
    for source in sources:
        problems += differences(source, names, side, where, lack=False)
    sources += also
    if side == "gallery":
        sources += [read_tracks(path, names, notes=notes) for path in folder.tracks]
    if folder.parser is not None and side not in folder.tables:
        sources.append(Labels(f"names of the {side}", names, columns_of(names, folder.parser, notes=notes)))
    refuse_if_any(problems)
    columns: dict[str, Any] = merge(names, sources, problems)
    refuse_if_any(problems)
    kept = [column for column in (*COLUMNS, *folder.wanted) if column in columns]
    return pd.DataFrame({"name": names, **{column: columns[column] for column in kept}})
