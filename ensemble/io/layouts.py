"""What people put into feature files: from the containers of a file to what belongs to one side, unchecked.

One array, batches in a list, a dictionary of name and vector, pairs of the two, records, columns under the usual
spellings (``features`` beside ``names`` and ``pids``), and any of these in a dictionary by sides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, printable
from ensemble.base.features import SIDES
from ensemble.base.labels import of_values
from ensemble.base.spellings import best
from ensemble.io.arrays import is_name, stacked, texts, vector, what
from ensemble.io.bounds import DEEP
from ensemble.io.codes import LENGTHS, are_bits, is_pyramid
from ensemble.io.divided import first_rows, rows_of_sides
from ensemble.io.keys import PIXELS, WEAK_NAMES, Split, column_of, has_both, slot, split_of
from ensemble.io.lists import repeated
from postproc.base import temporary

DISTANCES = re.compile(r"(?i)dist|simil|score|rank|prob|logit")  # matrices that are no features
WANTED = "features, feats, embeddings or arr_0"


@dataclass
class Part:
    """One side as a file holds it: what rows, names and columns are made of; ``ordered``: somebody chose it.

    ``lengths``: of binary codes, where the file says them.
    """

    rows: Any = None
    names: Any = None
    ordered: bool = True
    columns: dict[str, Any] = field(default_factory=dict)
    lengths: Any = None


def vectors_alone(content: Mapping[Any, Any]) -> bool:
    """Whether a dictionary is one of names and vectors."""
    shapes = {getattr(value, "shape", None) for value in content.values()}
    return len(shapes) == 1 and len(shapes.pop() or ()) == 1


def has_vectors(content: Mapping[Any, Any]) -> bool:
    """Whether any value of a dictionary is a vector."""
    return any(vector(value) is not None for value in content.values())


def sides(where: str, content: object, *, half: bool = False) -> dict[str, Part]:
    """The sides that a file tells apart by itself; none where it holds one side, or something else.

    ``half``: it is called like one side, which no number of queries divides.
    """
    content = opened(content)
    if not isinstance(content, dict):
        return {}
    split = split_of(content)
    if split is not None and not has_both(content) and not (half and split.count):
        return _by_split(where, content, split)
    found: dict[str, Part] = {}
    again = []
    for key, value in content.items():
        place = slot(key)
        if place is None:
            continue
        side, column = place
        value = opened(value)
        here = found.setdefault(side, Part())
        if column == "" and isinstance(value, (dict, list, tuple)) and here.rows is None:
            nested = part(f"{where}, {key}", value)
            again += [key for name in nested.columns if name in here.columns]
            here.columns |= nested.columns
            here.rows, here.ordered, here.lengths = nested.rows, nested.ordered, nested.lengths
            here.names = nested.names if here.names is None else here.names
        elif (
            here.rows if column == "" else here.names if column == "name" else here.columns.get(column)
        ) is not None:
            again.append(key)
        elif column == "":
            here.rows = value
        elif column == "name":
            here.names = _as_texts(value)
        else:
            here.columns[column] = value
    if again:
        raise InputError(
            [f"{where}: wanted every entry once, found {examples(again)} again; leave one of the spellings"]
        )
    for here in found.values():
        here.lengths = content.get(LENGTHS) if here.lengths is None else here.lengths
    return {side: here for side, here in found.items() if side in SIDES}


def part(where: str, content: object) -> Part:
    """What a file, or an entry of it, says about one side."""
    content = opened(content)
    if isinstance(content, dict):
        return _of_dictionary(where, content)
    if isinstance(content, (list, tuple)) and content:
        return _of_list(where, content)
    return Part(content)


def opened(value: Any) -> Any:
    """An array of Python objects as what it holds: one object, or a list of them."""
    for _ in range(3):
        if not isinstance(value, np.ndarray) or value.dtype != object:
            break
        value = value.item() if value.ndim == 0 else value.tolist() if value.ndim == 1 else list(value)
    return value


def _of_dictionary(where: str, content: dict) -> Part:
    values = {key: opened(value) for key, value in content.items()}
    lengths = values.pop(LENGTHS, None)
    keys = [key for key, value in values.items() if column_of(key) == "" and _is_many(value, lengths)]
    sided = [
        key
        for key, value in values.items()
        if (place := slot(key)) and place[1] == "" and _is_many(value, lengths)
    ]
    keys = keys or sided or _only_matrix(values)
    if len(keys) > 1:
        said = examples([f"{key} {what(values[key])}" for key in keys])
        raise InputError(
            [f"{where}: wanted one entry with features, found {said}; leave one, or call it features"]
        )
    if keys:
        found = _of_columns(where, values, keys[0])
        return replace(found, lengths=lengths if found.lengths is None else found.lengths)
    if values and all(isinstance(value, dict) for value in values.values()):
        first = next(iter(values.values()))
        if any(column_of(key) == "" and vector(value) is not None for key, value in first.items()):
            return _of_records(where, [{"name": name, **record} for name, record in values.items()])
        return _of_dictionary(where, flat(values))
    known = [key for key in values if column_of(key) is not None or DISTANCES.search(str(key))]
    if known and all(vector(value) is None for value in values.values()):
        said = examples([f"{printable(str(key), 40)} {what(value)}" for key, value in values.items()], 6)
        whole = [key for key in known if column_of(key) == "" and np.ndim(values[key]) == 2]
        remedy = f"write {whole[0]}.astype('float32')" if whole else "rename the entry with the features"
        raise InputError([f"{where}: wanted features as {WANTED}, in floats, found {said}; {remedy}"])
    return Part(values, ordered=False, lengths=lengths)


def _of_columns(where: str, values: dict, features: object) -> Part:
    """Features beside names and labels; what else there is, is nobody's."""
    rows = values[features]
    found = part(f"{where}, {features}", rows) if isinstance(rows, (dict, list, tuple)) else Part(rows)
    candidates: dict[str, list] = {}
    for key in values:
        column = column_of(key) or (slot(key) or ("", ""))[1]
        if column and key != features and (key not in PIXELS or texts(values[key]) is not None):
            candidates.setdefault(column, []).append(key)
    for column, keys in candidates.items():
        own = best(column, keys)
        if len(own) > 1 or column in found.columns or (column == "name" and found.names is not None):
            raise InputError(
                [f"{where}: wanted one entry for {column}, found {examples(keys)}; leave one, or call it {column}"]
            )
        if column == "name":
            found.names = _as_texts(values[own[0]])
        else:
            found.columns[column] = values[own[0]]
    weak = [key for key in values if str(key).casefold() in WEAK_NAMES]
    if found.names is None and len(weak) == 1:
        found.names = _of_ids(where, weak[0], values[weak[0]], found.columns.get("pid"))
    return found


def _of_ids(where: str, key: object, values: Any, pid: Any) -> Any:
    """Names out of ids; None where they are identities, as ``pid`` has them, or numbers of rows."""
    names = _numbered(values)
    again = repeated(names) if isinstance(names, list) and all(map(is_name, names)) else []
    found = None if pid is None else of_values(pid)
    if not again or found is None:
        return names
    labels = found.tolist()
    pairs = {*zip(names, labels, strict=False)}
    if len(names) == len(labels) and len(pairs) == len({*names}) == len({*labels}):
        return None
    said = printable(str(key), 40)
    raise InputError(
        [
            f"{where}: wanted every image once in {said}, which names them as nothing else does, found again "
            f"{examples(again)}; write their names, or leave {said} out"
        ]
    )


def _of_list(where: str, content: list | tuple) -> Part:
    if all(isinstance(item, dict) for item in content):
        return _of_records(where, content)
    pairs = [_pair(item) for item in content]
    if None not in pairs:
        names = [name for pair in pairs if pair for name in pair[0]]
        return Part([pair[1] for pair in pairs if pair], names)
    if len(content) == 2:
        parts = [opened(item) for item in content]
        for names, rows in (parts, parts[::-1]):
            if texts(names) is not None and (_is_matrix(rows) or isinstance(rows, (list, tuple))):
                return Part(rows, names)
    mixed = next((items for items in (content, opened(content[0])) if _is_mixed(items)), None)
    if mixed is not None:
        said = ", ".join(what(item) for item in mixed[:6])
        raise InputError(
            [
                f"{where}: wanted features, found a {type(mixed).__name__} of {said}, which does not say what "
                "is what; write a dictionary, {'features': …, 'names': …, 'pids': …, 'camids': …}"
            ]
        )
    return Part(content)


def _is_mixed(content: Any) -> bool:
    """Whether features and something else, as names and labels, stand side by side in a list or tuple."""
    if not isinstance(content, (list, tuple)):
        return False
    items = [opened(item) for item in content]
    whole = any(_is_matrix(item) for item in items)
    return any(map(_are_features, items)) and any(_are_labels(item, beside_matrix=whole) for item in items)


def _are_features(item: Any) -> bool:
    if isinstance(item, np.ndarray):
        return item.ndim > 0 and item.dtype.kind == "f"
    return isinstance(item, (list, tuple)) and any(isinstance(value, float) for value in item)


def _are_labels(item: Any, *, beside_matrix: bool) -> bool:
    """Text, whole numbers, or several of them; a list of numbers may be a row, but not beside a matrix."""
    if isinstance(item, np.ndarray):
        return item.dtype.kind != "f"
    if not isinstance(item, (list, tuple)):
        return isinstance(item, (str, bytes, int))
    return bool(item) and all(
        isinstance(value, (str, bytes, int) if beside_matrix else (str, bytes)) for value in item
    )


def _of_records(where: str, content: list | tuple) -> Part:
    """``[{"name": …, "feature": …}, …]`` as columns."""
    keys = list(content[0])
    if any(list(item) != keys for item in content):
        odd = next(place for place, item in enumerate(content) if list(item) != keys)
        raise InputError(
            [f"{where}: wanted records of the same keys, found others in record {odd}; complete them"]
        )
    columns: dict = {key: [item[key] for item in content] for key in keys}
    return _of_dictionary(where, columns)


def _pair(item: object) -> tuple[list[str], Any] | None:
    """A name and its vector, or the names of a batch and their rows; ``None`` for anything else."""
    item = opened(item)
    if not isinstance(item, (list, tuple)) or len(item) != 2:
        return None
    for names, rows in (item, item[::-1]):
        if is_name(names) and vector(rows) is not None:
            return [names], vector(rows)
        listed = texts(names)
        if listed is not None and isinstance(rows, np.ndarray) and rows.ndim > 1 and len(rows) == len(listed):
            return listed, rows
    return None


def _by_split(where: str, content: Mapping[Any, Any], split: Split) -> dict[str, Part]:
    """Rows of all sides in one table, told apart by columns."""
    if split.count:
        return _by_count(where, content, split.count)
    cells = {title: _listed(content[title]) for title in split.titles}
    rows_of = rows_of_sides(where, split, cells)
    whole = part(where, {key: value for key, value in content.items() if key not in split.titles})
    return _of_rows(where, whole, rows_of, len(cells[split.titles[0]]))


def _by_count(where: str, content: Mapping[Any, Any], key: str) -> dict[str, Part]:
    """Queries before the gallery in one table, as fast-reid evaluates them; all may stand in batches."""
    whole = part(where, {other: value for other, value in content.items() if other != key})
    if isinstance(whole.rows, (list, tuple)) and not is_pyramid(whole.rows):
        whole.rows = stacked(where, whole.rows)
    whole.names, *values = map(unbatched, (whole.names, *whole.columns.values()))
    whole.columns = dict(zip(whole.columns, values, strict=True))
    levels = whole.rows if is_pyramid(whole.rows) else [whole.rows]
    count = len(levels[0]) if np.ndim(levels[0]) else 0
    return _of_rows(where, whole, first_rows(where, key, content[key], count), count)


def _of_rows(where: str, whole: Part, rows_of: Mapping[str, np.ndarray], count: int) -> dict[str, Part]:
    """The sides of a table of ``count`` images."""
    found = {}
    for side, chosen in rows_of.items():
        taken = {column: _taken(where, values, chosen, count) for column, values in whole.columns.items()}
        names = None if whole.names is None else _taken(where, whole.names, chosen, count)
        rows = whole.rows
        if is_pyramid(rows):
            rows = [_taken(where, level, chosen, count) for level in rows]
        else:
            rows = _taken(where, rows, chosen, count)
        found[side] = Part(rows, names, columns=taken, lengths=whole.lengths)
    return found


def unbatched(value: Any) -> Any:
    """Names or labels that stand in batches, of whatever lengths, one after the other."""
    if not isinstance(value, (list, tuple)) or not value:
        return value
    if all(isinstance(part, np.ndarray) and part.ndim == 1 for part in value):
        return np.concatenate(value)
    if all(isinstance(part, (list, tuple)) for part in value):
        return [entry for part in value for entry in part]
    return value


def _listed(values: Any) -> Any:
    """An array or list as a list, anything else as it is."""
    values = opened(values)
    return values.tolist() if isinstance(values, np.ndarray) else values


def _taken(where: str, values: Any, rows: np.ndarray, count: int) -> Any:
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) != count:
        raise InputError([f"{where}: wanted {count} values in every column, found {what(values)}; write it again"])
    if isinstance(values, np.ndarray):
        return temporary.rows(values, rows)
    return [values[row] for row in rows.tolist()]


def flat(values: Mapping[Any, Any], before: str = "") -> dict[str, Any]:
    """Dictionaries in dictionaries as one, keys joined by ``/``: groups of HDF5 are folders of names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and name.count("/") < DEEP:
            found |= flat(value, f"{name}/")
        else:
            found[name] = value
    return found


def _is_many(value: Any, lengths: Any = None) -> bool:
    """Whether a value can be the features of a whole side, or bits of codes of these ``lengths``."""
    if isinstance(value, np.ndarray) and value.ndim == 2 and (lengths is not None or are_bits(value)):
        return value.dtype.kind in "biuf"
    return _is_matrix(value) or (isinstance(value, (list, tuple, dict)) and vector(value) is None)


def _is_matrix(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 1 and value.dtype.kind == "f"


def _only_matrix(values: Mapping[Any, Any]) -> list:
    """The one matrix beside labels, whatever it is called; nothing where other vectors are there, or distances."""
    found = [key for key, value in values.items() if _is_matrix(value) and vector(value) is None]
    others = [key for key, value in values.items() if key not in found]
    alone = all(vector(values[key]) is None or column_of(key) for key in others)
    return found if len(found) == 1 and alone and not DISTANCES.search(str(found[0])) else []


def _as_texts(values: Any) -> Any:
    """Names that are whole numbers, as ``image_id`` has them, as text."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        values = values.reshape(-1).tolist()
    are_ids = isinstance(values, list) and all(type(value) is int for value in values)
    return [str(value) for value in values] if are_ids else values


def _numbered(values: Any) -> Any:
    """The same; numbers of the rows, which tables have, are no names."""
    listed = _as_texts(values.reshape(-1).tolist() if isinstance(values, np.ndarray) else values)
    return None if not isinstance(listed, list) or listed == [*map(str, range(len(listed)))] else listed
