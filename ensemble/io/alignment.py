"""Models from their files, rows aligned by name: every set has the same images in the same order.

The order of a side is that of its name list (given, or in the folder), else of its table (``query.csv``), else the
order that all files which state one agree on (arrays without names, the own format), else the names sorted: by
their numbers where every name is one (``2.jpg`` before ``10.jpg``), as text otherwise. What rows without names are
called, and what becomes of names in several spellings, says :mod:`ensemble.io.naming`.

``missing`` says what becomes of images that some model lacks: "refuse"; "keep", in which case that model has a row
of NaN; or "drop" from the gallery. Without a list or table the images are those that any model has.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import examples
from ensemble.base.features import COLUMNS, SIDES, FeatureSet
from ensemble.base.labels import either, same
from ensemble.io import label_arrays
from ensemble.io.blocks import Block, blocks_of, read_blocks
from ensemble.io.codes import shared
from ensemble.io.folder import Folder, is_side
from ensemble.io.lists import Labels, read_labels, read_tracks
from ensemble.io.name_lists import read_names
from ensemble.io.naming import (
    called,
    differences,
    name_rows,
    respelt,
    uneven,
    unnamed,
    unordered,
    usual,
    with_names,
)
from ensemble.parsers import columns as columns_of
from postproc.base import temporary
from postproc.base.one_set import same as same_images

if TYPE_CHECKING:
    import pandas as pd

Blocks = dict[str, dict[str, Block]]  # model -> side -> block
TWICE = (
    "{}: query and gallery are the same {} images, so each counts twice; leave the query files out for one set, "
    "each image against all others"
)


def aligned(
    folder: Folder, models: Sequence[str], problems: list[str], *, missing: str = "refuse"
) -> dict[str, FeatureSet]:
    """The sets of ``models``, as far as they can be read; what is wrong is added to ``problems``."""
    blocks: Blocks = {}
    notes: list[str] = []
    for model in models:
        divided = folder.catalogue is not None and folder.catalogue.sides and not is_side(model)
        division = folder.catalogue if divided else None
        if model in folder.held:
            held = folder.held[model]
            blocks[model] = blocks_of(held, {side: f"{model}, {side}" for side in held}, problems)
        else:
            files = folder.models[model]
            blocks[model] = read_blocks(files, problems, division, one_set=folder.one_set, notes=notes)
    before = len(problems)
    tables: dict[str, Any] = {
        f"{side}_table": _side(folder, side, blocks, problems, notes, missing != "refuse") for side in SIDES
    }
    if folder.one_set:
        tables["query_table"] = tables["gallery_table"]
    asked = {"gallery"} if folder.one_set else {"query", "gallery"}
    codes: dict[str, tuple[int, ...]] = {}
    for model, sides in blocks.items():
        with collecting(problems):
            if not is_side(model):
                codes[model] = shared(model, {side: block.codes for side, block in sides.items()}, notes)
    broken = len(problems) > before
    sets = {}
    for model in list(blocks):
        sides = blocks.pop(model)
        with collecting(problems):
            if broken or not asked <= set(sides):
                _check(model, sides, codes.get(model, ()))
            else:
                arrays: dict[str, Any] = {side: block.rows for side, block in sides.items()}
                arrays.setdefault("query", arrays["gallery"])
                of = tables if "train" in sides else tables | {"train_table": None}
                if not folder.one_set and same_images(arrays["query"], arrays["gallery"]):
                    notes.append(TWICE.format(model, len(arrays["query"])))
                sets[model] = FeatureSet(
                    model=model,
                    **arrays,
                    **of,
                    auxiliary=is_side(model),
                    partial=missing != "refuse",
                    codes=codes.get(model, ()),
                    notes=tuple(notes),
                    named=not all(_numbered(of[f"{side}_table"]["name"]) for side in ("query", "gallery")),
                    one_set=folder.one_set,
                )
    return _dropped(sets, problems) if missing == "drop" and len(sets) == len(models) else sets


def _numbered(names: "pd.Series") -> bool:
    """Whether names are but the numbers of rows, as those are called that have none."""
    return all(name == str(row) for row, name in enumerate(names))


def _dropped(sets: dict[str, FeatureSet], problems: list[str]) -> dict[str, FeatureSet]:
    """Only the gallery images that every model knows; a query that some model lacks is a problem."""
    for model, features in sets.items():
        lacking = features.query_table["name"][~features.known("query")]
        if len(lacking):
            problems.append(
                f"{model}: wanted every query, since only gallery images can be dropped, found {len(lacking)} "
                f"missing ({examples(list(lacking))}); add them, or keep what is missing"
            )
    kept = np.logical_and.reduce([features.known("gallery") for features in sets.values()])
    if not kept.any():
        problems.append(f"{examples(list(sets))}: wanted a gallery image that all models know, found none")
        return sets
    return {model: features.take(gallery=np.flatnonzero(kept)) for model, features in sets.items()}


def _side(
    folder: Folder, side: str, blocks: Blocks, problems: list[str], notes: list[str], partial: bool
) -> "pd.DataFrame | None":
    """Put one side of all models into one order and make its table; ``None`` if nobody has it or it is broken."""
    import pandas as pd

    have = {model: sides[side] for model, sides in blocks.items() if side in sides}
    listed = labels = None
    before = len(problems)
    with collecting(problems):
        listed = read_names(folder.names[side]) if side in folder.names else None
    if not have or len(problems) > before:
        return None
    with collecting(problems):
        table = folder.tables.get(side)
        labels = read_labels(table, folder.wanted, folder.keys) if table else None
        labels = labels and with_names(labels, listed, str(folder.names.get(side)), notes)
        most = usual(have)
        names, where = (most.names, most.where) if listed is None else (listed, str(folder.names[side]))
        labels = labels and called(labels, names or (), where, notes)
    without = [model for model in blocks if model not in have and not is_side(model)]
    if side == "train" and without:
        problems.append(
            f"{examples(without)}: wanted train features as {next(iter(have))} has them, found none; "
            "add them or remove the others"
        )
    _with_suffixes(have, listed or (labels.names if labels else None))
    positional = name_rows(side, have, folder, listed, labels, problems, notes)
    if positional is None:
        return None
    if not positional and (wrong := unnamed(labels, side)):
        problems += wrong
        return None
    partial = partial and not positional and side != "train"
    given, source = _given(folder, side, have, listed, labels)
    sources = {} if labels is None else {"": labels}
    sources |= {model: Labels(block.where, block.names or [], block.columns) for model, block in have.items()}
    if not positional:
        sources = {model: respelt(found, given, source, notes) for model, found in sources.items()}
        have |= {model: replace(block, names=sources[model].names) for model, block in have.items()}
    names = given if listed is not None or labels is not None else _order(have, given, partial)
    for model, found in sources.items():
        if positional:
            problems += uneven(found, names, side, source)
        else:
            problems += differences(found, names, side, source, lack=partial and model != "")
    also = []
    if side == "gallery":
        for path in folder.tracks:
            with collecting(problems):
                also.append(read_tracks(path, names, positional, notes=notes))
    given_order = positional or listed is not None or labels is not None
    for column, path in folder.columns_of.get(side, {}).items():
        with collecting(problems):
            also.append(label_arrays.read(path, column, names, source) if given_order else unordered(path, side))
            notes.append(
                f"{side}: joined by position: {path} has no names, row by row it is about those of {source}"
            )
    if folder.parser is not None and side not in folder.tables:
        with collecting(problems):
            told = columns_of(names, folder.parser, notes=notes)
            also.append(Labels(f"names of the {side}", names, told))
    if folder.catalogue is not None and side not in folder.tables:
        with collecting(problems):
            also.append(folder.catalogue.of(names, side))
    if len(problems) > before:
        return None
    while have:  # one after the other, so that only one model is there twice
        model, block = have.popitem()
        blocks[model][side] = replace(block, rows=_rows(block.rows, block.names or [], names, np.nan), names=names)
    columns = merge(names, [*sources.values(), *also], problems)
    kept = [column for column in (*COLUMNS, *folder.wanted) if column in columns]
    return pd.DataFrame({"name": names, **{column: columns[column] for column in kept}})


def _with_suffixes(have: dict[str, Block], names: Sequence[str] | None) -> None:
    """Give names of files their pictures' suffixes, from the list or table, else from a model that has them."""
    for model, block in have.items():
        if not block.stems or block.names is None:
            continue
        others = [other.names for other in have.values() if other.names and not other.stems]
        wanted = dict.fromkeys(names or next(iter(others), ()))
        places = Counter(PurePath(name).with_suffix("").as_posix() for name in wanted)
        full = {PurePath(name).with_suffix("").as_posix(): name for name in wanted}
        own = [name if name in wanted else full.get(name, name) for name in block.names]
        if len(set(own)) == len(own) and all(places[name] < 2 for name in block.names):
            have[model] = replace(block, names=own)


def _given(
    folder: Folder, side: str, have: dict[str, Block], listed: list[str] | None, labels: Labels | None
) -> tuple[list[str], str]:
    """The names that everybody is to have, and where they come from: list, table, or what most models say."""
    if listed is not None:
        return listed, str(folder.names[side])
    if labels is not None:
        return labels.names, labels.where
    most = usual(have)
    return most.names or [], most.where


def _order(have: dict[str, Block], given: list[str], partial: bool) -> list[str]:
    """The names in the order of the result, where only models tell them."""
    sets = [frozenset(block.names or ()) for block in have.values()]
    if partial and len(set(sets)) > 1:
        return sorted_names(frozenset().union(*sets))
    orders = {tuple(b.names or ()) for b in have.values() if b.ordered and frozenset(b.names or ()) == set(given)}
    return list(orders.pop()) if len(orders) == 1 else sorted_names(given)


def sorted_names(names: Iterable[str]) -> list[str]:
    """``2.jpg`` before ``10.jpg`` where all names are numbers; text order otherwise."""
    stems = {name: PurePath(name).stem for name in names}
    if all(re.fullmatch("[0-9]{1,18}", stem) for stem in stems.values()):
        return sorted(stems, key=lambda name: (int(stems[name]), name))
    return sorted(stems)


def _rows(values: np.ndarray, present: list[str], names: list[str], absent: float = -1) -> np.ndarray:
    """Rows of ``values``, which belong to ``present``, in the order of ``names``, ``absent`` where it has none."""
    if present == names:
        return values
    place = {name: row for row, name in enumerate(present)}
    chosen = np.array([place.get(name, -1) for name in names])
    return temporary.rows(values, chosen, "" if values.dtype == object else absent)


def merge(names: list[str], sources: list[Labels], problems: list[str]) -> dict[str, np.ndarray]:
    """One value an image and column; sources that contradict each other are a problem."""
    merged: dict[str, np.ndarray] = {}
    known: dict[str, np.ndarray] = {}
    first: dict[str, str] = {}
    for source in sources:
        present = np.isin(names, source.names)
        for column, values in source.columns.items():
            ordered = _rows(values, source.names, names)
            if column not in merged:
                merged[column], known[column], first[column] = ordered, present, source.where
                continue
            rows = np.flatnonzero(~same(merged[column], ordered) & known[column] & present)
            if len(rows):
                shown = [f"{names[row]}: {merged[column][row]} and {ordered[row]}" for row in rows]
                problems.append(
                    f"{source.where}: wanted the {column} that {first[column]} gives, found another for "
                    f"{len(rows)} images ({examples(shown)}); correct one of them"
                )
            merged[column] = either(known[column], merged[column], ordered)
            known[column] = known[column] | present
    return merged


def _check(model: str, sides: dict[str, Block], codes: tuple[int, ...]) -> None:
    """The checks of a FeatureSet on rows that could not be joined; a side that is missing is stood in for."""
    import pandas as pd

    if not sides:
        return
    width = next(iter(sides.values())).rows.shape[1]
    arrays: dict[str, Any] = {side: np.ones((1, width), np.float32) for side in ("query", "gallery")}
    tables: dict[str, Any] = {f"{side}_table": pd.DataFrame({"name": ["0"]}) for side in arrays}
    for side, block in sides.items():
        arrays[side] = block.rows
        names = block.names or [str(row) for row in range(len(block.rows))]
        tables[f"{side}_table"] = pd.DataFrame({"name": names})
    FeatureSet(model=model, **arrays, **tables, auxiliary=is_side(model), codes=codes)
