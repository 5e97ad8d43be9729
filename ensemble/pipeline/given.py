"""Models that are distances already: matrices, and rank lists and tables of pairs beside others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.distances import DistanceSet
from ensemble.base.errors import examples, refuse_if_any
from ensemble.base.features import FeatureSet
from ensemble.io import Folder, read_names, read_tables
from ensemble.io import matrices as files
from ensemble.io.alignment import sorted_names
from ensemble.io.lists import Labels
from ensemble.io.matrices import SIDES, Matrix
from ensemble.io.matrix_names import Order, named, placed
from ensemble.pipeline import labelled, rankings, turned
from ensemble.submissions import RankList, formats
from ensemble.submissions import aligned as aligned_list

if TYPE_CHECKING:
    import pandas as pd


def read(
    folder: Folder,
    models: Sequence[str],
    features: Sequence[FeatureSet],
    *,
    missing: str = "refuse",
    similarity: Sequence[str] = (),
    measured: bool = False,
) -> dict[str, DistanceSet]:
    """The models of a folder that are distances already, in the order of the features' images, by name.

    features:   what was read beside them. Without any, the images are those of the lists of names and tables, else
                those that the files name.
    missing:    what becomes of images that a matrix lacks; rank lists and tables of pairs know some pairs anyway.
    similarity: those whose numbers are larger for nearer images.
    measured:   somebody learns from how far labelled images are, to whom an order alone says nothing.
    Raises:     InputError with every problem of all files.
    Cost:       a matrix is mapped or read once; a list becomes a matrix, NaN where it names nothing.
    """
    problems, notes = list[str](), list[str]()
    matrices, lists = _opened(folder, models, similarity, problems, notes)
    refuse_if_any(problems)
    places = {model for model, ranking in lists.items() if ranking.distances is None}
    by_number = not features and _count_rows(folder, matrices, lists, notes)
    tables = _tables(folder, features, matrices, lists, by_number, missing, notes)
    images = {side: list(table["name"]) for side, table in tables.items()}
    found: dict[str, np.ndarray] = {}
    for model in models:
        with collecting(problems):
            if model in matrices:
                matrix = matrices.pop(model)  # one after the other, so that only one is there twice
                if by_number:
                    matrix, _ = named(matrix, {side: Order("the rows", images[side]) for side in SIDES})
                found[model] = _placed(folder, model, matrix, images, missing, model in similarity, notes)
            else:
                found[model] = _spread(folder, model, lists.pop(model), images, notes)
    refuse_if_any(problems)
    names = {model: folder.file(model).name for model in models}
    notes += turned.doubts(names, found, features, tables, similarity)
    sets = {}
    for model in models:
        similar = model in similarity
        asked = set(images["query"])
        with collecting(problems):
            pairs = labelled.read(folder, model, similar=similar, queries=asked, notes=notes, measured=measured)
            sets[model] = DistanceSet(
                model,
                found[model],
                tables["query"],
                tables["gallery"],
                named=not by_number,
                one_set=folder.one_set,
                labelled=pairs,
                places=model in places,
            )
    refuse_if_any(problems)
    return {model: replace(each, notes=tuple(notes)) for model, each in sets.items()}


def _opened(
    folder: Folder, models: Sequence[str], similarity: Sequence[str], problems: list[str], notes: list[str]
) -> tuple[dict[str, Matrix], dict[str, RankList]]:
    """What is a matrix, with the names of its rows and columns, and what is a list or a table of pairs."""
    matrices: dict[str, Matrix] = {}
    lists: dict[str, RankList] = {}
    orders = _orders(folder, problems)
    positional: dict[str, list[str]] = {}
    for model in models:
        path, *beside = folder.models[model] or (folder.file(model),)
        with collecting(problems):
            held = folder.matrices.get(model)
            if held is not None or files.is_matrix(path):
                own = {} if held else files.own_lists([path, *beside]).get(path, {})
                matrices[model], said = named(held or files.read(path, own), orders)
                positional.setdefault(said, []).append(path.name)
            else:
                lists[model] = formats.read(path, similarity=model in similarity)
    problems += [
        f"{matrix.where}: wanted one set of images, since there is no list or table of queries in {folder.path}, "
        "found other names of rows than of columns; add query.csv"
        for matrix in matrices.values()
        if folder.one_set and matrix.names and set(matrix.names["query"]) != set(matrix.names["gallery"])
    ]
    notes += [f"{examples(of, 8)}: {said}" for said, of in positional.items() if said]
    return matrices, lists


def _orders(folder: Folder, problems: list[str]) -> dict[str, Order]:
    """What the folder's lists, or else tables, say of the order of rows and columns."""
    found = {}
    for side, path in folder.orders.items():
        with collecting(problems):
            found[side] = Order(str(path), read_names(path))
    return found


def _count_rows(
    folder: Folder, matrices: Mapping[str, Matrix], lists: Mapping[str, RankList], notes: list[str]
) -> bool:
    """Whether nobody has names, so that rows are called by their numbers; a note says so."""
    if lists or folder.names or folder.tables or any(matrix.names for matrix in matrices.values()):
        return False
    if len({matrix.values.shape for matrix in matrices.values()}) > 1:
        return False
    notes.append(f"{folder.path}: no names: rows and columns are called by their numbers, from 0")
    return True


def _tables(
    folder: Folder,
    features: Sequence[FeatureSet],
    matrices: Mapping[str, Matrix],
    lists: Mapping[str, RankList],
    by_number: bool,
    missing: str,
    notes: list[str],
) -> "dict[str, pd.DataFrame]":
    """What the images are: the features' tables, or those of the folder."""
    if features:
        return {"query": features[0].query_table, "gallery": features[0].gallery_table}
    listed: dict[str, list[str]] = {}
    labels: dict[str, list[Labels]] = {side: [] for side in SIDES}
    for at, side in enumerate(SIDES):
        held = [matrix.names[side] for matrix in matrices.values() if side in matrix.names]
        if by_number:
            held = [[str(row) for row in range(next(iter(matrices.values())).values.shape[at])]]
        for matrix in matrices.values():
            if matrix.columns.get(side):
                names = held[0] if by_number else list(matrix.names.get(side, ()))
                labels[side].append(Labels(f"{matrix.where}, {side}", names, dict(matrix.columns[side])))
        if held:
            listed[side] = (
                list(dict.fromkeys(name for names in held for name in names)) if missing == "keep" else held[0]
            )
    if not listed and lists:
        listed = rankings.names_of(list(lists.values()), dumps=False)
        if folder.one_set and listed:
            listed = {"gallery": sorted_names(set().union(*listed.values()))}
    sides = SIDES[1:] if folder.one_set else SIDES
    found = read_tables(folder, listed, notes=notes, labels=labels, sides=sides)
    return {"query": found["gallery"], **found}


def _placed(
    folder: Folder,
    model: str,
    matrix: Matrix,
    images: Mapping[str, Sequence[str]],
    missing: str,
    similar: bool,
    notes: list[str],
) -> np.ndarray:
    """(nq, ng) distances of a matrix in the images' order; of one set no image is an answer to itself."""
    values = turned.round_if(placed(matrix, images, missing=missing, notes=notes), similar or matrix.similar)
    if matrix.similar and not similar:
        notes.append(f"{matrix.where}: taken for similarities, as its own word for them says")
    turned.refuse_far_copies(folder.file(model), model, values, images)
    if not folder.one_set:
        return values
    out = np.array(values)
    np.fill_diagonal(out, np.inf)
    return out


def _spread(
    folder: Folder, model: str, ranking: RankList, images: Mapping[str, Sequence[str]], notes: list[str]
) -> np.ndarray:
    """(nq, ng) float32 of a rank list or a table of pairs, NaN for what it does not name."""
    path = folder.models[model][0]
    pairs = ranking.partial
    partial = pairs or formats.named(formats.guess(path)).absent
    ranking = aligned_list(str(path), ranking, images["query"], images["gallery"], partial=partial, notes=notes)
    ranking = ranking.among_themselves(pairs=pairs) if folder.one_set else ranking
    out = np.full((len(images["query"]), len(images["gallery"])), np.nan, np.float32)
    told = ranking.distances if pairs else None  # a table of pairs is no list: equal scores go by gallery row
    out[ranking.query_of, ranking.rows] = ranking.telling(ties=True) if told is None else told
    if folder.one_set:
        np.fill_diagonal(out, np.inf)
    return out
