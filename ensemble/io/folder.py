"""What lies in a folder: which files are models, which lists and tables say what their rows are.

Rules. ``query_MODEL`` with ``gallery_MODEL`` (and ``train_MODEL``, where there is one) in any format of features
is a model, ``query`` with ``gallery`` (or ``qf`` with ``gf``) the model "features"; every other file, or folder,
with query and gallery inside is one too, called like it. ``name_query.txt``, ``name_test.txt``,
``test_track_id.txt``, ``test_track.txt``, ``query.csv``, ``gallery.csv`` and ``train.csv`` describe the images
of all models.

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
from ensemble.io.blocks import UNNAMED
from ensemble.io.lists import read_csv, read_lines, read_names, read_tracks
from ensemble.io.models import find, is_folder, unused
from ensemble.io.write import LEFT_OVER
from ensemble.parsers import Parser, gives

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
    others += [] if rankings else _folders(path)
    if containers.is_one_set(path):
        others = [path]
    models, provided, ignored, problems = _lists(others) if rankings else find(others, list(tables.values()))
    tables = {side: file for side, file in tables.items() if file not in models.get(UNNAMED, ())}
    ignored |= {file: "left over from a write that was broken off" for file in found if file not in files}
    if not models and not problems:
        problems.append(f"{path}: wanted rank lists, found none" if rankings else _nothing(path, ignored))
    columns = set().union(*provided.values())
    learns = {model for model, names in provided.items() if "train" in names}
    if (path / SIDE).is_dir() and not rankings:
        beside, provided, more, side_problems = find(_files(path / SIDE) + _folders(path / SIDE))
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
    with collecting(problems):
        notes += unused(features)
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
        raise InputError([f"{path}: wanted a folder with feature files, found a file; give the folder"]) from None
    except OSError as error:
        raise InputError(
            [f"{path}: wanted a folder with feature files, found none ({error.strerror}); check the path"]
        ) from None


def _folders(path: Path) -> list[Path]:
    """The folders inside that hold features, as one file an image."""
    return sorted(
        inner
        for inner in path.iterdir()
        if inner.is_dir() and not inner.name.startswith(".") and inner.name != SIDE and is_folder(inner)
    )


def _lists(
    files: list[Path],
) -> tuple[dict[str, tuple[Path, ...]], dict[str, set[str]], dict[Path, str], list[str]]:
    """Rank lists, as :func:`find` has models: every file is one, called like it."""
    found: dict[str, tuple[Path, ...]] = {file.stem: (file,) for file in files}
    twice = [file for file in files if found[file.stem] != (file,)]
    problems = [f"{file}: wanted one file a name, found another called {file.stem}; rename it" for file in twice]
    return found, {name: {"distances"} for name in found}, {}, problems


def _nothing(path: Path, ignored: dict[Path, str]) -> str:
    left = [f"{file.name}: {reason}" for file, reason in ignored.items()]
    found = f"only {examples(left)}" if left else "an empty folder"
    return f"{path}: wanted feature files (query_MODEL.pkl with gallery_MODEL.pkl, or MODEL.npz), found {found}"


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
