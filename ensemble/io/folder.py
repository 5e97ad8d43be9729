"""What lies in a folder: which files are models, which lists and tables say what their rows are.

Rules. ``query_MODEL`` with ``gallery_MODEL`` (and ``train_MODEL``, where there is one) in .pkl, .pickle, .pt, .pth
or .npy is a model; every other .npz, .safetensors, .mat, .msat, .pkl, .pickle, .pt or .pth with query and gallery
inside is one too, called like the file. ``name_query.txt``, ``name_test.txt``, ``test_track_id.txt``,
``test_track.txt``, ``query.csv``, ``gallery.csv`` and ``train.csv`` describe the images of all models.
"""

from dataclasses import dataclass, field
from pathlib import Path

from ensemble.errors import InputError, examples
from ensemble.features import SIDES
from ensemble.io import containers
from ensemble.io.blocks import half, slot
from ensemble.io.collecting import collecting
from ensemble.io.lists import read_csv, read_lines, read_names, read_tracks

NAME_LISTS = {"query": "name_query.txt", "gallery": "name_test.txt"}
TRACK_LISTS = ("test_track_id.txt", "test_track.txt")
TABLES = {f"{side}.csv": side for side in SIDES}
OWN = (".npz", ".safetensors")
FOREIGN = (".mat", ".msat", ".pkl", ".pickle", ".pt", ".pth")


@dataclass(frozen=True)
class Folder:
    """What a look at a folder tells before any feature is read.

    ``models`` maps each model to its files; ``columns`` holds the names of the vocabulary that reading will
    provide (``query``, ``gallery_cam``, …); ``inputs`` every file that a run depends on; ``ignored`` the files
    that are no part of it, each with the reason.
    """

    path: Path
    models: dict[str, tuple[Path, ...]]
    columns: frozenset[str]
    inputs: tuple[Path, ...]
    names: dict[str, Path] = field(default_factory=dict)
    tables: dict[str, Path] = field(default_factory=dict)
    tracks: tuple[Path, ...] = ()
    ignored: dict[Path, str] = field(default_factory=dict)


def look(
    path: Path,
    query_names: Path | None = None,
    gallery_names: Path | None = None,
    tracks: Path | None = None,
) -> tuple[Folder, list[str]]:
    """The folder as far as it can be understood, and every problem found on the way.

    A list that is given takes the place of the one in the folder. Raises InputError if there is no such folder.
    """
    files = _files(path)
    names = {side: path / name for side, name in NAME_LISTS.items() if path / name in files}
    given = {"query": query_names, "gallery": gallery_names}
    names |= {side: Path(chosen) for side, chosen in given.items() if chosen is not None}
    track_lists = tuple(path / name for name in TRACK_LISTS if path / name in files)
    if tracks is not None:
        track_lists = (Path(tracks),)
    tables = {side: path / name for name, side in TABLES.items() if path / name in files}
    known = {path / name for name in (*NAME_LISTS.values(), *TRACK_LISTS, *TABLES)}
    known |= {*names.values(), *track_lists}
    models, columns, ignored, problems = _models([file for file in files if file not in known])
    if not models and not problems:
        problems.append(_nothing(path, ignored))
    tables = {side: file for side, file in tables.items() if side in columns}
    label_columns, label_problems = _labels(names, tables, track_lists)
    features = [file for paths in models.values() for file in paths]
    folder = Folder(
        path=path,
        models=models,
        columns=frozenset(columns | label_columns),
        inputs=tuple(sorted({*features, *names.values(), *tables.values(), *track_lists})),
        names=names,
        tables=tables,
        tracks=track_lists,
        ignored=ignored,
    )
    return folder, problems + label_problems


def _files(path: Path) -> list[Path]:
    try:
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except NotADirectoryError:
        raise InputError([f"{path}: wanted a folder with feature files, found a file; give the folder"]) from None
    except OSError as error:
        raise InputError(
            [f"{path}: wanted a folder with feature files, found none ({error.strerror}); check the path"]
        ) from None


def _models(
    files: list[Path],
) -> tuple[dict[str, tuple[Path, ...]], set[str], dict[Path, str], list[str]]:
    """Models with their files, the names that these provide, the files left out with the reason, problems."""
    found: dict[str, list[Path]] = {}
    columns: set[str] = set()
    ignored: dict[Path, str] = {}
    problems: list[str] = []
    for file in files:
        with collecting(problems):
            provided = _provided(file)
            if isinstance(provided, str):
                ignored[file] = provided
                continue
            pair = half(file)
            found.setdefault(pair[1] if pair else file.stem, []).append(file)
            columns |= provided
    for model, paths in found.items():
        problems += _pair_problems(model, paths)
        lists = [path.with_suffix(".txt") for path in paths if half(path)]
        paths += dict.fromkeys(path for path in lists if ignored.pop(path, None))
    return {model: tuple(sorted(paths)) for model, paths in sorted(found.items())}, columns, ignored, problems


def _provided(file: Path) -> set[str] | str:
    """The names of the vocabulary that a file provides, or the reason why it is no part of a model."""
    suffix = file.suffix.lower()
    pair = half(file)
    if pair:
        return {pair[0]}
    if suffix not in OWN + FOREIGN:
        return "not a feature file" if suffix != ".npy" else "not called query_MODEL.npy or gallery_MODEL.npy"
    keys = containers.keys(file)
    if keys is None:
        content = containers.load(file)
        if not isinstance(content, dict):
            return "neither query nor gallery by its name, and no dictionary with both"
        keys = tuple(key for key in content if isinstance(key, str))
        if keys and not any(slot(key) for key in keys) and _is_keyed(content):
            found = f"{len(content)} vectors that could be either"
            raise InputError([f"{file}: wanted query_ or gallery_ before its name, found {found}; rename it"])
    slots = {place for place in map(slot, keys) if place}
    if not any(column == "" for _, column in slots):
        if suffix in OWN:
            found = examples(keys) or "none"
            raise InputError(
                [f"{file}: wanted query and gallery as keys, found {found}; rename them or move it away"]
            )
        multi = any(key.startswith("mquery_") for key in keys)
        return "only multi-query features" if multi else "no features inside"
    return {"_".join(filter(None, place)) for place in slots if place[1] != "name"}


def _is_keyed(content: dict) -> bool:
    shapes = {getattr(value, "shape", None) for value in content.values()}
    return len(shapes) == 1 and len(shapes.pop() or ()) == 1


def _pair_problems(model: str, paths: list[Path]) -> list[str]:
    sides = [half(path) for path in paths]
    halves = [pair[0] for pair in sides if pair]
    one_file = len(halves) < len(sides)
    if len(paths) > 1 if one_file else len(set(halves)) < len(halves):
        names = ", ".join(path.name for path in paths)
        return [f"{model}: wanted one file, or one a side, found {names}; leave one of them"]
    return [
        f"{paths[0]}: wanted a {side} file beside it, found none; add {side}_{model}{paths[0].suffix}"
        for side in ("query", "gallery")
        if halves and side not in halves
    ]


def _nothing(path: Path, ignored: dict[Path, str]) -> str:
    left = [f"{file.name}: {reason}" for file, reason in ignored.items()]
    found = f"only {examples(left)}" if left else "an empty folder"
    return f"{path}: wanted feature files (query_MODEL.pkl with gallery_MODEL.pkl, or MODEL.npz), found {found}"


def _labels(
    names: dict[str, Path], tables: dict[str, Path], tracks: tuple[Path, ...]
) -> tuple[set[str], list[str]]:
    """The columns that lists and tables provide, and what is wrong with these files."""
    columns = {f"gallery_{column}" for column in ("track", "order")} if tracks else set()
    problems: list[str] = []
    gallery: list[str] | None = None
    for side, file in names.items():
        with collecting(problems):
            listed = read_names(file)
            gallery = listed if side == "gallery" else gallery
    for side, file in tables.items():
        with collecting(problems):
            table = read_csv(file)
            columns |= {f"{side}_{column}" for column in table.columns}
            gallery = table.names if side == "gallery" and gallery is None else gallery
    for file in tracks:
        with collecting(problems):
            if gallery is None:  # the names of the gallery are not known before its features are read
                read_lines(file)
            else:
                read_tracks(file, gallery)
    return columns, problems
