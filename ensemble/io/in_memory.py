"""Models that are in memory already: arrays, tensors and tables, read as the content of a file would be.

What is handed over becomes plain arrays, lists and dictionaries first (:func:`plain`), then the parts that a file
has too, under the same spellings: ``{"query": …, "gallery": …, "query_pid": …}``, ``{"qf": …, "gf": …}``, a table
with a column of vectors. No package is imported for a value that none of its types has made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, near, refuse_if_any
from ensemble.base.features import COLUMNS, SIDES
from ensemble.base.labels import LABELS, same
from ensemble.base.labels import read as read_column
from ensemble.io.arrays import texts, what, whole_numbers
from ensemble.io.blocks import UNNAMED, unused
from ensemble.io.folder import SIDE, Folder, is_side
from ensemble.io.keys import ONE_SET, column_of, slot, split_of
from ensemble.io.layouts import Part, opened, part, sides, vectors_alone
from ensemble.io.matrices import Matrix, kind_of, of_content, refuse_places
from ensemble.io.readers import table
from ensemble.parsers import Parser, gives
from postproc.base import arrays
from postproc.base.one_set import is_one_set

LISTS = "give lists of rows with their distances, as steps return them for top_k"
HERE = Path("features")  # what messages call the folder that there is not
WANTED = (
    "(query, gallery), one array of a set, a dictionary with query and gallery, or one of models by name, "
    "{name: {query: …, gallery: …}}"
)


def plain(value: Any) -> Any:
    """A tensor, column or table of any package as arrays, lists and dictionaries; what is plain as it is."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    if isinstance(value, list):
        return [each if isinstance(each, (str, int, float)) else plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    value = arrays.host(value)
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value) if value.ndim > 1 else value
    titles = _titles(value)
    if titles is not None:
        whole = value.with_format("numpy")[:] if hasattr(value, "with_format") else value  # of Hugging Face
        return _of_table({str(title): plain(whole[title]) for title in titles}, getattr(value, "index", None))
    for into in ("toarray", "to_numpy", "__array__"):  # sparse rows; columns; whatever else becomes an array
        if callable(getattr(value, into, None)):
            return _of_rows(np.asarray(getattr(value, into)()))
    if hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, (str, bytes)):
        return plain(list(value))  # a column that is read as it is asked for
    return value


def matrix(value: Any) -> Any:
    """The same of distances: a table whose titles say nothing of a matrix is one, with the names it calls its rows
    and columns by."""
    titles = _titles(value)
    if titles is None or not callable(getattr(value, "to_numpy", None)) or any(map(_says, titles)):
        return plain(value)
    called = [texts(_texts(plain(list(names)))) for names in (getattr(value, "index", ()), titles)]
    if not all(called) or not any(isinstance(title, str) for title in titles):
        return plain(value.to_numpy())
    return {"distances": plain(value.to_numpy()), "query_name": called[0], "gallery_name": called[1]}


def _says(title: Any) -> bool:
    """Whether a title is that of a matrix, or of names or labels beside one."""
    return isinstance(title, str) and bool(kind_of(title) or slot(title) or column_of(title))


def _of_table(columns: dict[str, Any], index: Any) -> dict[str, Any]:
    """A table's columns, those of one value each together as features; texts that call its rows as their names."""
    numbers = {
        title for title, cells in columns.items() if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf"
    }
    flat = [title for title in columns if title in numbers and columns[title].ndim == 1]
    titles = list(columns)
    values = [titles[place] for place in table.values(HERE, titles)]
    if not values and len(flat) == len(columns) and not any(map(_says, titles)):
        values = titles  # numbers and nothing else, as scikit-learn's tables are
    if values and {*values} <= {*flat}:
        rows = np.stack([columns.pop(title) for title in values], axis=1)
        columns[table.FEATURES] = rows if rows.dtype.kind == "f" else rows.astype(np.float64)
    names = None if index is None or callable(index) else plain(index)
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if names and all(isinstance(name, str) for name in names) and "name" not in map(column_of, columns):
        columns["name"] = names
    return columns


def _titles(value: Any) -> list[Any] | None:
    """The titles of a table; None for what is none."""
    for name in ("column_names", "columns"):  # pyarrow and Hugging Face; pandas and polars
        titles = getattr(value, name, None)
        if titles is not None and not callable(titles) and hasattr(value, "__getitem__"):
            return list(titles)
    return None


def _of_rows(array: np.ndarray) -> np.ndarray:
    """An array of objects that are vectors of one length, as columns of lists are, as a matrix."""
    if array.dtype != object or array.ndim != 1 or not len(array) or isinstance(array[0], (str, bytes)):
        return array
    rows = [np.asarray(row) for row in array if hasattr(row, "__len__")]
    if len(rows) < len(array) or len({row.shape for row in rows}) > 1 or rows[0].dtype.kind not in "biuf":
        return array
    return np.stack(rows)


def folder_of(features: object, described: Mapping[str, object]) -> Folder:
    """What a look at a folder with these features would tell.

    described: names and labels of all models' images, as ``query_name``, ``gallery_pid``.
    Raises:    InputError with every problem.
    """
    problems: list[str] = []
    notes: list[str] = []
    held: dict[str, dict[str, Part]] = {}
    for model, content in _models(plain(features)).items():
        with collecting(problems):
            held[model] = _parts(model, content, notes)
    refuse_if_any(problems)
    asked = {model for model, found in held.items() if "query" in found}
    problems += [
        f"{model}: wanted query and gallery, found no gallery; add it"
        for model in held
        if model in asked and "gallery" not in held[model]
    ]
    problems += [
        f"{model}: wanted query and gallery as {min(asked)} has them, found one set; add query"
        for model in held
        if asked and model not in asked
    ]
    for name, values in described.items():
        with collecting(problems):
            _describe(held, name, plain(values))
    refuse_if_any(problems)
    names = {
        "_".join(filter(None, (side, column)))
        for model, found in held.items()
        if not is_side(model)
        for side, one in found.items()
        for column in ("", *one.columns)
        if column in ("", *COLUMNS)
    }
    if not asked:
        names |= {name.replace("gallery", "query", 1) for name in names if name.startswith("gallery")}
        notes.append(f"{HERE}: one set: nothing in it is about queries, so each image is compared with all others")
    return Folder(
        path=HERE,
        models=dict.fromkeys(held, ()),
        columns=frozenset(names),
        inputs=(),
        learns=frozenset(model for model, found in held.items() if "train" in found),
        notes=tuple(notes),
        one_set=not asked,
        held=held,
    )


def folder_of_distances(rankings: object, described: Mapping[str, object]) -> Folder:
    """What a look at a folder with these matrices of distances would tell.

    rankings:  (nq, ng) matrices by the names of their models, several in a list, or one; each perhaps with names
               and labels, as a file would have them, or the nearest of each query, whose other pairs nobody knows.
    described: names and labels of all of them, as ``query_name``, ``gallery_pid``.
    Raises:    InputError with every problem.
    """
    problems: list[str] = []
    held: dict[str, Matrix] = {}
    sizes = described.get("gallery_name"), described.get("gallery_pid")
    count = next((len(plain(of)) for of in sizes if of is not None), None)
    for model, content in _matrices(rankings).items():
        with collecting(problems):
            held[model] = of_content(Path(model), _spread(model, content, count))
            refuse_places(model, held[model].values, lists=LISTS)
    refuse_if_any(problems)
    columns: dict[str, dict[str, Any]] = {side: {} for side in SIDES}
    names: dict[str, list[str]] = {}
    for name, values in described.items():
        side, _, column = name.partition("_")
        read = texts(_texts(plain(values))) if column == "name" else _label(column, plain(values))
        if read is None:
            wanted = "texts" if column == "name" else "labels" if column in LABELS else "whole numbers"
            problems.append(f"{name}: wanted {wanted}, found something else")
        elif column == "name":
            names[side] = list(read)
        else:
            columns[side][column] = read
    refuse_if_any(problems)
    one_set = all(is_one_set(matrix.values) for matrix in held.values()) and _are_of_one(names, columns)
    if one_set:  # said of one side, or of both alike
        names = dict.fromkeys(("query", "gallery"), names.get("gallery") or names["query"]) if names else {}
        columns |= {side: {**columns["query"], **columns["gallery"]} for side in ("query", "gallery")}
    for model, matrix in held.items():
        with collecting(problems):
            held[model] = _with(matrix, model, names, columns)
    refuse_if_any(problems)
    told = {f"{side}_{column}" for one in held.values() for side, of in one.columns.items() for column in of}
    return Folder(
        path=Path("rankings"),
        models=dict.fromkeys(held, ()),
        columns=frozenset(told),
        inputs=(),
        one_set=one_set,
        given=frozenset(held),
        matrices=held,
    )


def _are_of_one(names: Mapping[str, list[str]], columns: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether what is said of queries and of gallery is the same, as far as both are described."""
    if "query" in names and names.get("gallery", names["query"]) != names["query"]:
        return False
    query, gallery = columns["query"], columns["gallery"]
    both = {*query} & {*gallery}
    return all(len(query[one]) == len(gallery[one]) and same(query[one], gallery[one]).all() for one in both)


def _matrices(rankings: Any) -> dict[str, Any]:
    """Matrices by the names of their models, those of a list by their numbers."""
    if _is_lists(rankings) or not isinstance(rankings, (list, tuple, Mapping)):
        return {"distances": rankings}
    if not isinstance(rankings, Mapping):
        return {str(number): each for number, each in enumerate(rankings, 1)}
    one = any(slot(key) or kind_of(key) for key in rankings) and not all(map(_is_lists, rankings.values()))
    return {"distances": rankings} if one else {str(model): each for model, each in rankings.items()}


def _is_lists(value: Any) -> bool:
    """Whether it is the nearest of every query: rows and how far they are."""
    return getattr(value, "rows", None) is not None and getattr(value, "distances", None) is not None


def _spread(model: str, content: Any, count: int | None) -> Any:
    """A matrix, and what is beside it; of the nearest of every query, NaN for what they do not say."""
    if not _is_lists(content):
        return matrix(content)
    rows, far = np.asarray(plain(content.rows)), np.asarray(plain(content.distances))
    called = getattr(content, "gallery_names", None)
    count = len(called) if called is not None else count
    if count is None:
        raise InputError(
            [f"{model}: wanted the size of the gallery beside lists of rows, found no names or labels; give them"]
        )
    out = np.full((len(rows), count), np.nan, np.float32)
    query, place = np.nonzero(rows >= 0)
    out[query, rows[query, place]] = far[query, place]
    if called is None:
        return out
    if content.images.one_set:
        np.fill_diagonal(out, np.inf)
    names = {"query_name": list(content.query_names), "gallery_name": list(called)}
    return {"distances": out, **names, **content.labels}


def _with(
    matrix: Matrix, model: str, names: Mapping[str, list[str]], columns: Mapping[str, Mapping[str, Any]]
) -> Matrix:
    """The matrix with names and labels that are given beside it, where it has none itself."""
    known = {**names, **matrix.names}
    problems = []
    size = " x ".join(map(str, matrix.values.shape))
    for at, side in enumerate(("query", "gallery")):
        count = matrix.values.shape[at]
        if known and side not in known:
            known[side] = [str(row) for row in range(count)]
        given = {"name": names.get(side), **columns[side]}
        problems += [
            f"{side}_{column}: wanted {count} for {model} of {size}, found {len(values)}"
            for column, values in given.items()
            if values is not None and len(values) != count
        ]
    problems += [
        f"{side}_{column}: wanted what {model} has itself, found another for {len(other)} images "
        f"({examples([known[side][row] if known else row for row in other])}); leave one of them out or correct it"
        for side, of in columns.items()
        for column in {*of} & {*matrix.columns.get(side, {})} & {*LABELS}
        if len(other := np.flatnonzero(~same(of[column], matrix.columns[side][column])))
    ]
    refuse_if_any(problems)
    both = {side: {**columns[side], **matrix.columns.get(side, {})} for side in ("query", "gallery")}
    return replace(matrix, names=known, columns=both)


def _label(column: str, values: Any) -> Any:
    return read_column(column, values) if column in LABELS else whole_numbers(values)


def with_parser(folder: Folder, parser: Parser | None) -> Folder:
    """The folder whose images' names tell labels."""
    if parser is None:
        return folder
    there = [side for side in SIDES if side in folder.columns]
    told = {f"{side}_{column}" for side in there for column in gives(parser)}
    return replace(folder, parser=parser, columns=folder.columns | told)


def _models(content: Any) -> dict[str, Any]:
    """Models by name out of what was handed over: one model, or several."""
    if isinstance(content, tuple) and len(content) == 2:
        return {UNNAMED: dict(zip(("query", "gallery"), content, strict=True))}
    if not isinstance(content, dict):
        _refuse_ambiguous(content)
        return {UNNAMED: content}
    if not content:
        raise InputError([f"{HERE}: wanted {WANTED}, found an empty dictionary"])
    if _is_one_model(content) or all(not isinstance(key, str) for key in content):
        return {UNNAMED: content}
    whole = {str(model): value for model, value in content.items()}
    beside = whole.pop(SIDE, {})
    if isinstance(beside, dict):
        whole |= {f"{SIDE}/{model}": value for model, value in beside.items()}
    return {
        model: dict(zip(("query", "gallery"), value, strict=True))
        if isinstance(value, tuple) and len(value) == 2
        else value
        for model, value in whole.items()
    }


def _refuse_ambiguous(content: Any) -> None:
    """Raise InputError for two matrices in a list, which may be queries and gallery, or batches of one set."""
    if isinstance(content, (tuple, Iterator)):
        said = f"a tuple of {len(content)}" if isinstance(content, tuple) else f"a {type(content).__name__}"
        raise InputError([f"{HERE}: wanted {WANTED}, found {said}"])
    if isinstance(content, list) and len(content) == 2 and all(np.ndim(each) == 2 for each in content):
        raise InputError(
            [
                f"{HERE}: wanted {WANTED}, found a list of two matrices, which may be queries and gallery or "
                "batches of one set; give a tuple, or np.concatenate(…)"
            ]
        )


def _is_one_model(content: Mapping[Any, Any]) -> bool:
    """Whether the keys are those of one model: sides, columns of a table, or names of vectors."""
    keys = [key for key in content if isinstance(key, str)]
    if ONE_SET in keys or any((place := slot(key)) and place[1] == "" for key in keys):
        return True
    if all(_has_sides(value) for value in content.values()):
        return False  # models by name, one of which may be called features
    return any(column_of(key) == "" for key in keys) or vectors_alone(content)


def _has_sides(value: Any) -> bool:
    """Whether a value is a model with both sides."""
    return (isinstance(value, tuple) and len(value) == 2) or (isinstance(value, dict) and _is_one_model(value))


def _parts(model: str, content: Any, notes: list[str]) -> dict[str, Part]:
    """The sides of a model; one that tells no sides apart is one set, which stands as the gallery."""
    content = opened(content)
    if isinstance(content, (str, bytes, int, float)) or content is None:
        raise InputError([f"{model}: wanted {WANTED}, found {what(content)}"])
    if isinstance(content, dict) and ONE_SET in content and "gallery" not in content:
        content = {"gallery" if key == ONE_SET else key: value for key, value in content.items()}
    found = sides(model, content)
    if not found:
        return {"gallery": part(model, content)}
    if isinstance(content, dict) and not split_of(content):
        left = unused([key for key in content if isinstance(key, str)])
        notes += [f"{model}: keys that are not used: {examples(left, 20)}"] if left else []
        _refuse_unknown_queries(model, content, found)
    lacking = [
        f"{model}, {side}: wanted features, found none; add {side}" for side in found if found[side].rows is None
    ]
    refuse_if_any(lacking)
    return found


def _refuse_unknown_queries(model: str, content: Mapping[Any, Any], found: Mapping[str, Part]) -> None:
    """Raise InputError for a gallery without queries beside a matrix that nobody knows: it may be they."""
    if "query" in found or "gallery" not in found:
        return
    others = [key for key, value in content.items() if slot(str(key)) is None and np.ndim(value) == 2]
    if others:
        raise InputError(
            [f"{model}: wanted query beside gallery, or a gallery alone, which is one set, found "
             f"{examples(others, 8)}; call the queries query, or leave it out"]
        )  # fmt: skip


def _describe(held: Mapping[str, dict[str, Part]], name: str, values: Any) -> None:
    """Names or labels that are given beside the features."""
    side, _, column = name.partition("_")
    there = [found for model, found in held.items() if side in found and (column == "name" or not is_side(model))]
    if not there:
        known = sorted({side for found in held.values() for side in found})
        raise InputError(
            [f"{name}: wanted one of {', '.join(known)}, found no features of the {side}{near(side, known)}"]
        )
    for found in there:
        one = found[side]
        if column == "name":
            if one.names is not None:
                raise InputError(
                    [f"{name}: wanted one source of names, found others beside the features; leave one"]
                )
            found[side] = replace(one, names=_texts(values))
        elif column in one.columns:
            raise InputError([f"{name}: wanted one source of labels, found others beside the features; leave one"])
        else:
            found[side] = replace(one, columns={**one.columns, column: values})


def _texts(values: Any) -> Any:
    """Names as a list of text; numbers as text, as they are in files."""
    listed = values.reshape(-1).tolist() if isinstance(values, np.ndarray) else values
    if isinstance(listed, (list, tuple)) and all(type(value) is int for value in listed):
        return [str(value) for value in listed]
    return listed
