"""Which files and folders are models, and what each provides, before their features are read."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import numpy as np

from ensemble.base import spellings
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.io import camera_files, containers, draws, matrices, name_lists, travel_times
from ensemble.io.allowed import ATOMS
from ensemble.io.arrays import is_name
from ensemble.io.blocks import ALWAYS_NAMED, UNNAMED, half, loose, unused
from ensemble.io.catalogue import Catalogue
from ensemble.io.codes import LENGTHS
from ensemble.io.keys import WEAK_NAMES as WEAK
from ensemble.io.keys import column_of, has_both, is_multi, side_called, slot, split_of
from ensemble.io.layouts import Part, has_vectors, opened, part, sides, vectors_alone
from ensemble.io.readers import unread
from ensemble.io.readers.table import FEATURES
from ensemble.io.readers.table import SUFFIXES as TABLES
from ensemble.parsers.parser import SUFFIXES

Found = tuple[dict[str, tuple[Path, ...]], dict[str, set[str]], dict[Path, str], list[str], list[str]]

ENDS_ANYWHERE = (".mat", ".msat", ".csv", ".tsv", ".jsonl")  # a file cut off may still be one, without its queries
MATRIX = "a matrix of distances is for --rankings, from a folder of its own"
MULTI_QUERIES = "multi-query features, which only evaluate --multi-query asks with"


def is_folder(path: Path) -> bool:
    """Whether a folder is a model, or one side of one."""
    if containers.is_known(path):
        return True
    alone = [
        (place[0], containers.stem(file))
        for file in path.iterdir()
        if file.is_file() and (place := half(file)) and place[1] == UNNAMED
    ]
    stems, called = ({part[at] for part in alone} for at in (0, 1))
    return {"query", "gallery"} <= stems or any(side_called(stem) != stem for stem in called)


def find(files: Sequence[Path], tables: Sequence[Path] = (), catalogue: Catalogue | None = None) -> Found:
    """Models with their files, the names that each provides, the files left out with the reason, problems,
    and notes on keys that are not used.

    ``query.csv`` and its like (``tables``) say what the images are; where nothing else is a model, their features
    count as well. ``catalogue``: divides files that do not tell their sides apart.
    """
    unnamed = [file for file in files if _is_table(file)]
    found = _find([file for file in files if file not in unnamed], catalogue)
    if (tables or unnamed) and not found[0] and not found[3]:
        more = _find([*tables, *unnamed], catalogue)
        left_out = found[2] | {f: why for f, why in more[2].items() if f in unnamed}
        return more[0], more[1], left_out, more[3], more[4]
    left = "a table that is no model's"
    return found[0], found[1], found[2] | dict.fromkeys(unnamed, left), *found[3:]


def unused_columns(files: Iterable[Path]) -> list[str]:
    """Notes about the columns of tables with features that nobody looks at."""
    notes = []
    for file in files:
        if containers.suffix(file) in TABLES:
            titles = [
                key for key in containers.keys(file) or () if column_of(key) != "" and key.casefold() not in WEAK
            ]
            split = split_of((*titles, FEATURES))
            _, left, _ = spellings.columns([title for title in titles if not split or title not in split.titles])
            notes += [f"{file}: columns that are not used: {examples(left, 20)}"] if left else []
    return notes


def _is_table(file: Path) -> bool:
    pair = half(file)
    return bool(pair and pair[1] == UNNAMED and containers.suffix(file) in TABLES)


def _find(files: Sequence[Path], catalogue: Catalogue | None = None) -> Found:
    found: dict[str, list[Path]] = {}
    columns: dict[str, set[str]] = {}
    ignored: dict[Path, str] = {}
    problems: list[str] = []
    notes: list[str] = []
    beside = {file: place for file in files if (place := loose(file))}
    own = name_lists.own(file for file in files if file.is_file())
    cameras = camera_files.sets(files)
    for model, paths in cameras.items():
        found[model], columns[model] = [*paths], set(camera_files.COLUMNS)
    by_camera = {path for paths in cameras.values() for path in paths}
    for file in files:
        if file in beside or file in by_camera:
            continue
        if file in own.values():
            is_text = file.suffix.lower() == ".txt"
            ignored[file] = unread.reason(file) if is_text else "a list of names without its features"
            continue
        with collecting(problems):
            inner = _inside(file)
            if inner:
                found[file.name], columns[file.name] = inner
                _refuse_name(file, file.name)
                continue
            told = _told(file, notes, catalogue)
            if isinstance(told, str):
                ignored[file] = told
                continue
            model, provided = told
            _refuse_name(file, model)
            found.setdefault(model, []).append(file)
            columns.setdefault(model, set()).update(provided)
    for file, (side, column) in beside.items():
        if side in columns.get(UNNAMED, ()):
            found[UNNAMED].append(file)
            columns[UNNAMED] |= {f"{side}_{column}"} - {f"{side}_name"}
        else:
            ignored[file] = f"labels beside features called {side[0]}f, which are not there"
    for model, paths in found.items():
        if any(path.parent.name == model and path.parent in files for path in paths):
            continue  # its folder was looked into
        if cameras.get(model) == paths:
            continue
        problems += _pair_problems(model, [path for path in paths if path not in beside])
        stems = [containers.stem(path) for path in paths if half(path)]
        lists = [own[stem] for stem in stems if stem in own]
        paths += dict.fromkeys(path for path in lists if ignored.pop(path, None))
    return (
        {model: tuple(sorted(paths)) for model, paths in sorted(found.items())},
        columns,
        ignored,
        problems,
        notes,
    )


def _inside(folder: Path) -> tuple[list[Path], set[str]] | None:
    """The files of a folder that is a model itself, as ``MODEL/query.npy`` with ``MODEL/gallery.npy``."""
    if not folder.is_dir() or containers.is_known(folder):
        return None
    files = sorted(file for file in folder.iterdir() if file.is_file() and (half(file) or loose(file)))
    models, columns, _, problems, _ = _find(
        [file for file in files if (half(file) or ("", UNNAMED))[1] == UNNAMED]
    )
    refuse_if_any(problems)
    return ([*models[UNNAMED]], columns[UNNAMED]) if UNNAMED in models else None


def _refuse_name(file: Path, model: str) -> None:
    """A model's name stands in recipes and records: it has to be text, and visible as a file's name."""
    if not is_name(model):
        raise InputError([f"{file.parent}: wanted names of files in UTF-8, found {file.name!a}; rename it"])
    if model.startswith("."):
        raise InputError(
            [f"{file}: wanted a model's name that does not begin with a point, found {model}; rename it"]
        )


def _told(file: Path, notes: list[str], catalogue: Catalogue | None) -> tuple[str, set[str]] | str:
    """A model and the names of the vocabulary that a file provides to it, or why it is no part of one."""
    pair = half(file)
    if (
        pair is None
        and not file.is_dir()
        and containers.suffix(file) not in containers.suffixes("model", "either")
    ):
        known = containers.suffix(file) in containers.suffixes("side")
        return _not_called(file) if known else unread.reason(file)
    keys = containers.keys(file)
    if pair is not None and keys and all(map(is_multi, keys)):
        return MULTI_QUERIES
    if keys and travel_times.are(keys):
        return travel_times.TRAVEL_TIMES
    if kind := draws.kind_of(file, keys):
        return draws.WHAT[kind]
    if pair is not None and not (keys and has_both(keys)):
        return _half(file, *pair, keys, notes)
    return _whole(file, keys, notes, catalogue)


def _not_called(file: Path) -> str:
    return f"not called query_MODEL{file.suffix} or gallery_MODEL{file.suffix}"


def _half(
    file: Path, side: str, model: str, keys: tuple[str, ...] | None, notes: list[str]
) -> tuple[str, set[str]] | str:
    if keys is None:
        columns = set()
        if containers.is_labelled(file) or containers.suffix(file) in ALWAYS_NAMED:
            content = containers.load(file)
            found = part(str(file), content)
            if isinstance(found.rows, dict) and not has_vectors(found.rows):
                return "no features inside"
            columns = set(found.columns)
            if isinstance(content, dict):
                notes += _keys_left(file, [key for key in content if isinstance(key, str)])
    elif containers.suffix(file) in TABLES and not any(column_of(key) == "" for key in keys):
        return f"no features among its columns ({examples(keys)})"
    else:
        columns = {column_of(key) or (slot(key) or ("", ""))[1] for key in keys} - {"", "name"}
        if containers.suffix(file) not in TABLES:
            notes += _keys_left(file, keys)
    return model, {side, *(f"{side}_{column}" for column in columns)}


def _keys_left(file: Path, keys: Sequence[str]) -> list[str]:
    """A note about the keys of one side that nobody looks at, where one of them is that of the features."""
    if not any(column_of(key) == "" for key in keys):
        return []
    known = [key for key in keys if slot(key) is not None or key == LENGTHS or key.casefold() in WEAK]
    _, left, _ = spellings.columns([key for key in keys if column_of(key) != "" and key not in known])
    return [f"{file}: keys that are not used: {examples(left, 20)}"] if left else []


def _whole(
    file: Path, keys: tuple[str, ...] | None, notes: list[str], catalogue: Catalogue | None
) -> tuple[str, set[str]] | str:
    found: dict[str, Part] = {}
    if keys is None or (split_of(keys) and not has_both(keys)):
        content = opened(containers.load(file))
        if not isinstance(content, dict):
            is_matrix = isinstance(content, np.ndarray) and content.ndim == 2
            if is_matrix and catalogue and catalogue.orders:
                return _in_order(file, content, catalogue, notes)
            hint = f"; {MATRIX}" * is_matrix
            return f"neither query nor gallery by its name, and no dictionary with both{hint}"
        split = split_of(content)
        divide = split.titles if split else ()  # of which the number of queries is an atom
        keys = tuple(
            key
            for key, value in content.items()
            if isinstance(key, str) and (key in divide or not isinstance(value, ATOMS))
        )
        if catalogue and catalogue.divides(keys):
            return _divided(file, catalogue, notes)
        if vectors_alone(content) and not any(map(slot, keys)):
            raise _either(file, len(content))
        found = sides(str(file), content)
        provided = {(side, column) for side, one in found.items() for column in ("", *one.columns)}
    elif containers.suffix(file) in TABLES:
        provided = set()
    else:
        provided = {place for place in map(slot, keys) if place}
        if keys == () and not file.is_dir():
            if catalogue and catalogue.orders and containers.suffix(file) == ".npy":
                return _in_order(file, containers.mapped(file), catalogue, notes)
            hint = f"; {MATRIX}" * (containers.suffix(file) == ".npy" and containers.kind(file) == "f")
            return _not_called(file) + hint
    if any(column == "" for _, column in provided):
        if containers.suffix(file) not in TABLES and (left := unused(keys)):
            notes.append(f"{file}: keys that are not used: {examples(left, 20)}")
        return containers.stem(file), {"_".join(filter(None, place)) for place in provided if place[1] != "name"}
    if any(map(is_multi, keys)):
        return MULTI_QUERIES
    if travel_times.are(keys):
        return travel_times.TRAVEL_TIMES
    columns = set(map(column_of, keys))
    if catalogue and catalogue.sides and (catalogue.divides(keys) or {"", "name"} <= columns):
        return _divided(file, catalogue, notes)
    if catalogue and catalogue.orders and "" in columns:
        return _in_order(file, part(str(file), containers.load(file)).rows, catalogue, notes)
    if containers.suffix(file) in (".csv", ".tsv"):  # tables about anything lie about
        return f"no query_ or gallery_ before its name, and no column split ({examples(keys)})"
    if any(column_of(key) == "" for key in keys):
        name = f"{containers.stem(file)}{containers.suffix(file)}"
        raise InputError(
            [
                f"{file}: wanted query and gallery, found {examples(keys)} of nobody says which; call it "
                f"query_{name}, with gallery_{name} beside it, or add a column split; images_{name} is one set, "
                "each image against all others"
            ]
        )
    pictures = [key for key in keys if PurePath(key).suffix.lower() in SUFFIXES]
    if len(pictures) > 1 and len(pictures) == len(keys):  # a data set an image
        raise _either(file, len(keys))
    if containers.suffix(file) in containers.suffixes(strict=True):
        raise InputError(
            [
                f"{file}: wanted query and gallery as keys, found {examples(keys) or 'none'}; rename them or "
                f"move it away{f', as {MATRIX}' * any(map(matrices.kind_of, keys))}"
            ]
        )
    return "no features inside"


def _divided(
    file: Path, catalogue: Catalogue, notes: list[str], names: Sequence[str] | None = None
) -> tuple[str, set[str]]:
    """A model whose images a catalogue divides; ``names``, where it does not have all."""
    notes += [note for note in catalogue.notes if note not in notes]
    return containers.stem(file), set(catalogue.sides_of(names))


def _in_order(file: Path, rows: np.ndarray, catalogue: Catalogue, notes: list[str]) -> tuple[str, set[str]] | str:
    """The same of rows without names, which are as many as the catalogue has images."""
    names = catalogue.names_of(len(rows))
    if names is None:
        return f"{len(rows)} rows for {catalogue.counts()} images of {catalogue.path.name}"
    notes.append(f"joined by position: {file} has no names, row by row they are those of {catalogue.path}")
    return _divided(file, catalogue, notes, names)


def _either(file: Path, count: int) -> InputError:
    """That nobody says which images these vectors are of."""
    found = f"{count} vectors that could be either"
    return InputError(
        [
            f"{file}: wanted query_ or gallery_ before its name, found {found}; rename it (images_{file.name} is "
            "one set, each image against all others), or put open-reid's meta.json and splits.json beside it"
        ]
    )


def _pair_problems(model: str, paths: list[Path]) -> list[str]:
    pairs = [half(path) for path in paths]
    halves = [pair[0] for pair in pairs if pair and pair[1] == model]
    one_file = len(halves) < len(pairs)
    if len(paths) > 1 if one_file else len(set(halves)) < len(halves):
        names = ", ".join(path.name for path in paths)
        return [f"{model}: wanted one file, or one a side, found {names}; leave one of them"]
    return lacks("gallery", model, paths) if halves and "gallery" not in halves else []


def may_be_cut(paths: Iterable[Path]) -> bool:
    """Whether a whole model may have lost one of its sides without a trace."""
    return any(half(path) is None and containers.suffix(path) in ENDS_ANYWHERE for path in paths)


def lacks(side: str, model: str, paths: Sequence[Path]) -> list[str]:
    """A problem where a model has a file a side, and none of this one."""
    if not any(half(path) for path in paths):
        return []  # the file itself says what it lacks when it is read
    return [f"{paths[0]}: wanted a {side} file beside it, found none; add {_other(paths[0], model, side)}"]


def _other(path: Path, model: str, side: str) -> str:
    """What the file of the other side would be called."""
    if containers.stem(path).endswith(f"_{model}"):
        return f"{side}_{model}{containers.suffix(path)}"
    return f"{side}{containers.suffix(path)}"
