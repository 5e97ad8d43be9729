"""What lies in a folder: which files are models, which lists and tables say what their rows are.

Rules. ``query_MODEL`` with ``gallery_MODEL`` (and ``train_MODEL``, where there is one) in .pkl, .pickle, .pt, .pth
or .npy is a model; every other .npz, .safetensors, .mat, .msat, .pkl, .pickle, .pt or .pth with query and gallery
inside is one too, called like the file. ``name_query.txt``, ``name_test.txt``, ``test_track_id.txt``,
``test_track.txt``, ``query.csv``, ``gallery.csv`` and ``train.csv`` describe the images of all models.

The folder ``side`` inside holds side models in the same layouts: of cameras, orientation, attributes, parts. They
are called ``side/MODEL``, no pattern of a recipe takes them for models to join, and they need no ``train``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples
from ensemble.base.features import COLUMNS, SIDES
from ensemble.io import containers
from ensemble.io.arrays import is_name
from ensemble.io.blocks import half, slot
from ensemble.io.lists import read_csv, read_lines, read_names, read_tracks
from ensemble.io.write import LEFT_OVER
from ensemble.parsers import Parser, gives
from ensemble.parsers.parser import SUFFIXES

NAME_LISTS = {"query": "name_query.txt", "gallery": "name_test.txt"}
TRACK_LISTS = ("test_track_id.txt", "test_track.txt")
TABLES = {f"{side}.csv": side for side in SIDES}
SIDE = "side"  # the folder of side models


@dataclass(frozen=True)
class Folder:
    """What a look at a folder tells before any feature is read.

    ``models`` maps each model to its files, side models as ``side/MODEL``; ``learns`` names those with training
    images; ``columns`` holds the names of the vocabulary that reading will
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
    learns: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()  # what the user should know about these files, in sentences
    parser: Parser | None = None  # reads labels out of the names of a side that has no table
    wanted: tuple[str, ...] = ()  # columns of the tables that are kept beside those of a FeatureSet

    @property
    def joined(self) -> list[str]:
        """The models that are no side models."""
        return [model for model in self.models if not is_side(model)]


def is_side(model: str) -> bool:
    """Whether a model is a side model, by its name."""
    return model.startswith(f"{SIDE}/")


def look(
    path: Path,
    query_names: Path | None = None,
    gallery_names: Path | None = None,
    tracks: Path | None = None,
    *,
    rankings: bool = False,
    parser: Parser | None = None,
    wanted: Sequence[str] = (),
) -> tuple[Folder, list[str]]:
    """The folder as far as it can be understood, and every problem found on the way.

    A list that is given takes the place of the one in the folder. ``rankings``: whatever is no list of names or
    tracks and no table is a rank list, which stands in the place of a model and provides ``distances``.
    ``wanted``: columns of the tables that are kept as labels, beside those of a FeatureSet.
    Raises InputError if there is no such folder.
    """
    wanted = tuple(column for column in dict.fromkeys(wanted) if column not in ("name", *COLUMNS))
    found = _files(path)
    files = [file for file in found if not LEFT_OVER.fullmatch(file.name)]
    names = {side: path / name for side, name in NAME_LISTS.items() if path / name in files}
    given = {"query": query_names, "gallery": gallery_names}
    names |= {side: Path(chosen) for side, chosen in given.items() if chosen is not None}
    track_lists = tuple(path / name for name in TRACK_LISTS if path / name in files)
    if tracks is not None:
        track_lists = (Path(tracks),)
    tables = {side: path / name for name, side in TABLES.items() if path / name in files}
    known = {path / name for name in (*NAME_LISTS.values(), *TRACK_LISTS, *TABLES)}
    known |= {*names.values(), *track_lists}
    others = [file for file in files if file not in known]
    models, provided, ignored, problems = _lists(others) if rankings else _models(others)
    ignored |= {file: "left over from a write that was broken off" for file in found if file not in files}
    if not models and not problems:
        problems.append(f"{path}: wanted rank lists, found none" if rankings else _nothing(path, ignored))
    columns = set().union(*provided.values())
    learns = {model for model, names in provided.items() if "train" in names}
    if (path / SIDE).is_dir() and not rankings:
        beside, provided, more, side_problems = _models(_files(path / SIDE))
        models |= {f"{SIDE}/{model}": paths for model, paths in beside.items()}
        learns |= {f"{SIDE}/{model}" for model, names in provided.items() if "train" in names}
        ignored |= more
        problems += side_problems
    tables = {side: file for side, file in tables.items() if side in columns or (rankings and side != "train")}
    label_columns, label_problems, notes = _labels(names, tables, track_lists, wanted)
    if parser is not None:
        lists = ("query", "gallery") if rankings else ()
        named = [s for s in SIDES if s not in tables and (s in columns or s in names or s in lists)]
        label_columns |= {f"{side}_{column}" for side in named for column in gives(parser)}
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
        learns=frozenset(learns),
        notes=tuple(notes),
        parser=parser,
        wanted=wanted,
    )
    return folder, problems + label_problems


def _files(path: Path) -> list[Path]:
    try:
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except NotADirectoryError:
        raise InputError(
            [f"{path}: wanted a folder with feature files, found a file; give its folder, {path.parent}"]
        ) from None
    except OSError as error:
        raise InputError(
            [f"{path}: wanted a folder with feature files, found none ({error.strerror}); check the path"]
        ) from None


def _lists(
    files: list[Path],
) -> tuple[dict[str, tuple[Path, ...]], dict[str, set[str]], dict[Path, str], list[str]]:
    """Rank lists, as :func:`_models` has models: every file is one, called like it."""
    found: dict[str, tuple[Path, ...]] = {file.stem: (file,) for file in files}
    twice = [file for file in files if found[file.stem] != (file,)]
    problems = [f"{file}: wanted one file a name, found another called {file.stem}; rename it" for file in twice]
    return found, {name: {"distances"} for name in found}, {}, problems


def _models(
    files: list[Path],
) -> tuple[dict[str, tuple[Path, ...]], dict[str, set[str]], dict[Path, str], list[str]]:
    """Models with their files, the names that each provides, the files left out with the reason, problems."""
    found: dict[str, list[Path]] = {}
    columns: dict[str, set[str]] = {}
    ignored: dict[Path, str] = {}
    problems: list[str] = []
    for file in files:
        with collecting(problems):
            provided = _provided(file)
            if isinstance(provided, str):
                ignored[file] = provided
                continue
            _refuse_name(file)
            pair = half(file)
            model = pair[1] if pair else file.stem
            found.setdefault(model, []).append(file)
            columns.setdefault(model, set()).update(provided)
    for model, paths in found.items():
        problems += _pair_problems(model, paths)
        lists = [path.with_suffix(".txt") for path in paths if half(path)]
        paths += dict.fromkeys(path for path in lists if ignored.pop(path, None))
    return {model: tuple(sorted(paths)) for model, paths in sorted(found.items())}, columns, ignored, problems


def _refuse_name(file: Path) -> None:
    """A model's name stands in recipes and records: it has to be text, and visible as a file's name."""
    pair = half(file)
    model = pair[1] if pair else file.stem
    if not is_name(model):
        raise InputError([f"{file.parent}: wanted names of files in UTF-8, found {file.name!a}; rename it"])
    if model.startswith("."):
        raise InputError(
            [f"{file}: wanted a model's name that does not begin with a point, found {model}; rename it"]
        )


def _provided(file: Path) -> set[str] | str:
    """The names of the vocabulary that a file provides, or the reason why it is no part of a model."""
    suffix = file.suffix.lower()
    pair = half(file)
    if pair:
        return {pair[0]}
    if suffix not in containers.suffixes("model", "either"):
        known = suffix in containers.suffixes("side")
        return f"not called query_MODEL{suffix} or gallery_MODEL{suffix}" if known else "not a feature file"
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
        if suffix in containers.suffixes(strict=True):
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
    inner = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    found = (
        f"only {examples(left)}" if left else f"only folders ({examples(inner)})" if inner else "an empty folder"
    )
    remedy = "copy them there, or name their folder"
    files = (file for place in (path, *map(path.joinpath, inner)) for file in place.iterdir())
    if any(file.suffix.lower() in SUFFIXES for file in files):
        remedy = (
            "pictures become features by python -m extractors.dump, or in one go by sh run_track2.sh --images DIR"
        )
    elif inner:
        remedy = f"name the one with the files, as {path / inner[0]}"
    wanted = "feature files (query_MODEL.pkl with gallery_MODEL.pkl, or MODEL.npz)"
    return f"{path}: wanted {wanted}, found {found}; {remedy}"


def _labels(
    names: dict[str, Path], tables: dict[str, Path], tracks: tuple[Path, ...], wanted: tuple[str, ...]
) -> tuple[set[str], list[str], list[str]]:
    """The columns that lists and tables provide, what is wrong with these files, and what to know about them."""
    notes: list[str] = []
    columns = {f"gallery_{column}" for column in ("track", "order")} if tracks else set()
    problems: list[str] = []
    gallery: list[str] | None = None
    for side, file in names.items():
        with collecting(problems):
            listed = read_names(file)
            gallery = listed if side == "gallery" else gallery
    for side, file in tables.items():
        with collecting(problems):
            table = read_csv(file, wanted)
            columns |= {f"{side}_{column}" for column in table.columns}
            if table.unused:
                notes.append(f"{file}: columns that are not used: {examples(table.unused, 20)}")
            gallery = table.names if side == "gallery" and gallery is None else gallery
    for file in tracks:
        with collecting(problems):
            if gallery is None:  # the names of the gallery are not known before its features are read
                read_lines(file)
            else:
                read_tracks(file, gallery)
    return columns, problems, notes
