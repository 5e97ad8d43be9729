"""What lies in a folder: which files are models, which lists and tables say what their rows are.

Rules. ``query_MODEL`` with ``gallery_MODEL`` (and ``train_MODEL``, where there is one) in any format of features
is a model, ``query`` with ``gallery`` (or ``qf`` with ``gf``) the model "features"; every other file, or folder,
with query and gallery inside is one too, called like it. ``name_query.txt``, ``name_test.txt`` and other lists of
names (:mod:`ensemble.io.name_lists`), ``test_track_id.txt``, ``test_track.txt``, and the tables ``query.csv``,
``gallery.csv`` and ``train.csv`` (or .tsv, .parquet, .feather) describe the images of all models.

Where no file, list or table is about queries, the gallery is one set, each image against all others; its files may
be called ``images_MODEL``, ``images.csv`` and so on.

The folder ``side`` inside holds side models in the same layouts: of cameras, orientation, attributes, parts. They
are called ``side/MODEL``, no pattern of a recipe takes them for models to join, and they need no ``train``.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples
from ensemble.base.features import COLUMNS, SIDES
from ensemble.io import (
    containers,
    descriptions,
    draws,
    label_arrays,
    matrices,
    name_lists,
    open_reid,
    travel_times,
)
from ensemble.io.blocks import UNNAMED
from ensemble.io.draws import Draws
from ensemble.io.keys import ONE_SET
from ensemble.io.labelled import Labelled, taken_out
from ensemble.io.layouts import Part
from ensemble.io.lists import Keys
from ensemble.io.matrices import Matrix
from ensemble.io.models import MULTI_QUERIES, Found, find, is_folder, lacks, may_be_cut, unused_columns
from ensemble.io.open_reid import META, SPLITS, Catalogue
from ensemble.io.travel_times import TRAVEL_TIMES, TravelTimes
from ensemble.io.write import LEFT_OVER
from ensemble.parsers import Parser, gives
from ensemble.parsers.parser import SUFFIXES

NAME_LISTS = name_lists.CITY
TRACK_LISTS = ("test_track_id.txt", "test_track.txt")
KINDS = (TRAVEL_TIMES, *draws.WHAT.values())  # of files that belong to no model and say something of all
SIDE = "side"  # the folder of side models
PROSE = re.compile(r".*\.(md|toml)|(readme|licen[cs]e)(\..*)?", re.IGNORECASE)  # nobody expects it to be read


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
    keys: Keys = field(default_factory=dict)  # labels that several columns of the tables make together
    columns_of: dict[str, dict[str, Path]] = field(default_factory=dict)  # files of one column, by side and column
    wanted: tuple[str, ...] = ()  # columns of the tables that are kept beside those of a FeatureSet
    multi_queries: tuple[Path, ...] = ()  # files with more images of the queries' identities, for evaluation
    one_set: bool = False  # there are no queries: each image of the gallery is asked about all others
    given: frozenset[str] = frozenset()  # models that are distances already: matrices, and lists beside models
    orders: dict[str, Path] = field(default_factory=dict)  # what says in which order nameless matrices have a side
    catalogue: Catalogue | None = None  # open-reid's labels of images by name
    draws: Draws | None = None  # of the gallery, for protocols that draw
    identities: dict[str, Path] = field(default_factory=dict)  # lists of identities by name, for protocols
    times: TravelTimes | None = None  # histograms, for steps that learn them from training images otherwise
    labelled: dict[str, Labelled] = field(default_factory=dict)  # what models say of labelled images, of distances
    held: dict[str, dict[str, Part]] = field(
        default_factory=dict
    )  # models that are in memory, by side, not in files
    matrices: dict[str, Matrix] = field(default_factory=dict)  # those of the given models that are in memory

    def file(self, model: str) -> Path:
        """The file of a model, for messages; of one in memory its name."""
        return next(iter(self.models[model]), Path(model))

    @property
    def joined(self) -> list[str]:
        """The models that are no side models."""
        return [model for model in self.models if not is_side(model)]


def holds_matrix(path: Path | Folder) -> bool:
    """Whether a folder of rank lists has a matrix of distances among them; of no folder, that it has none."""
    if isinstance(path, Folder):
        return bool(path.matrices)
    try:
        files = _files(path)
    except InputError:
        return False
    names = {file for of in name_lists.lists(files).values() for file in of}
    return any(
        matrices.is_matrix(file) for file in files if file not in names and not LEFT_OVER.fullmatch(file.name)
    )


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
    keys: Keys | None = None,
    wanted: Sequence[str] = (),
    split: int | None = 0,
    of_one_set: bool = False,
) -> tuple[Folder, list[str]]:
    """The folder as far as it can be understood, and every problem found on the way.

    A list that is given takes the place of the one in the folder. ``rankings``: whatever is no list of names or
    tracks and no table is a rank list or a matrix of distances, which stands in the place of a model. Where all
    are rank lists the folder provides ``distances``; with a matrix or labelled pairs among them all are ``given``.
    ``of_one_set``: they are given in any case, and about one set wherever no list or table is about queries.
    ``wanted``: columns of the tables that are kept as labels, beside those of a FeatureSet.
    ``split``: which of open-reid's splits divides the images; None: all of them together.
    Raises InputError if there is no such folder.
    """
    wanted = tuple(column for column in dict.fromkeys(wanted) if column not in ("name", *COLUMNS))
    found = _files(path)
    files = [file for file in found if not LEFT_OVER.fullmatch(file.name)]
    problems = _broken_links(path)
    given = {"query": query_names, "gallery": gallery_names}
    names, known = descriptions.lists(
        files, {s: Path(chosen) for s, chosen in given.items() if chosen is not None}, problems
    )
    track_lists = tuple(path / name for name in TRACK_LISTS if path / name in files)
    known |= {path / name: "--tracks is given" for name in TRACK_LISTS if tracks is not None}
    if tracks is not None:
        track_lists = (Path(tracks),)
    tables = descriptions.tables(files, problems)
    known |= dict.fromkeys([*names.values(), *track_lists, *tables.values()], "")
    alone = {} if rankings else label_arrays.find((file for file in files if file not in known), problems)
    known |= {file: "" for of in alone.values() for file in of.values()}
    catalogue = None
    if path / META in files and open_reid.is_meta(path / META) and not rankings:
        with collecting(problems):
            divided = path / SPLITS if path / SPLITS in files else None
            known |= {file: "" for file in (path / META, divided) if file}
            catalogue = open_reid.read(path / META, divided, split=split)
    others = [file for file in files if file not in known]
    others += [] if rankings else _folders(path)
    if containers.is_one_set(path):
        others = [path]
    models, provided, ignored, wrong, unread = (
        _lists(others) if rankings else find(others, list(tables.values()), catalogue)
    )
    taught: dict[str, Labelled] = {}
    if rankings:
        with collecting(problems):
            taught = taken_out(models, tables.get("train"), keys, problems)
        tables = {side: file for side, file in tables.items() if side != "train" or not taught}
    matrix = rankings and (of_one_set or bool(taught) or any(map(matrices.is_matrix, others)))
    tables = {side: file for side, file in tables.items() if file not in models.get(UNNAMED, ())}
    problems += wrong
    ignored |= {file: reason for file, reason in known.items() if reason and file in files}
    ignored |= {file: "left over from a write that was broken off" for file in found if file not in files}
    more_queries = tuple(sorted(file for file, why in ignored.items() if why == MULTI_QUERIES))
    unread += [f"{file}: {ignored.pop(file)}" for file in more_queries if models]
    of_kind = {kind: sorted(f for f, why in ignored.items() if why == kind) for kind in KINDS}
    times, drawn = None, None
    with collecting(problems):
        times = travel_times.chosen(of_kind[TRAVEL_TIMES])
    with collecting(problems):
        drawn = draws.chosen(of_kind[draws.WHAT[draws.DRAWS]])
    identities = {file.stem: file for file in of_kind[draws.WHAT[draws.IDENTITIES]]}
    if models:
        ignored = {file: why for file, why in ignored.items() if why not in KINDS}
    if not models and not problems:
        wanted_lists = f"{path}: wanted rank lists, tables of pairs or matrices of distances, found none"
        problems.append(wanted_lists if rankings else _nothing(path, ignored))
    columns = set().union(*provided.values())
    unasked = [model for model in models if "query" not in provided[model]]
    asked = bool({"query"} & {*names, *tables, *alone}) or len(unasked) < len(models) or rankings
    asked = asked or any(may_be_cut(paths) for paths in models.values())
    if rankings:  # whose files may have rows of both sides, or of the gallery alone
        described = [*names.values(), *tables.values()]
        whole = any(ONE_SET in file.stem.casefold() for file in described)  # lists name their queries themselves
        whole = whole or (bool(described) and all(matrices.is_matrix(of[0]) for of in models.values()))
        asked = bool({"query"} & {*names, *tables}) or not (of_one_set or whole)
    one_set = bool(models) and not asked
    if asked and not rankings:
        problems += [problem for model in unasked for problem in lacks("query", model, models[model])]
    learns = {model for model, names in provided.items() if "train" in names}
    if (path / SIDE).is_dir() and not rankings:
        inside = _files(path / SIDE)
        problems += _broken_links(path / SIDE)
        stray = {file for listed in name_lists.lists(inside).values() for file in listed}
        ignored |= dict.fromkeys(stray, "lists of names are looked for in the folder above")
        beside, provided, more, side_problems, more_unread = find(
            [file for file in inside if file not in stray] + _folders(path / SIDE)
        )
        if not one_set:
            problems += [p for m in beside if "query" not in provided[m] for p in lacks("query", m, beside[m])]
        models |= {f"{SIDE}/{model}": paths for model, paths in beside.items()}
        learns |= {f"{SIDE}/{model}" for model, names in provided.items() if "train" in names}
        ignored |= more
        problems += side_problems
        unread += more_unread
    for side in SIDES:
        if side not in columns and not (rankings and side != "train"):
            left_over = [of.pop(side) for of in (names, tables) if side in of]
            left_over += alone.pop(side, {}).values()
            ignored |= dict.fromkeys(left_over, f"no features of {side}")
    label_columns, label_problems, notes = descriptions.columns(names, tables, track_lists, wanted, keys or {})
    notes += unread
    label_columns |= {f"{side}_{column}" for side, of in alone.items() for column in of}
    if one_set:
        notes.append(f"{path}: one set: nothing in it is about queries, so each image is compared with all others")
    if matrix:
        columns = set()
        with collecting(problems):
            held = [of[0] for of in models.values() if matrices.is_matrix(of[0])]
            label_columns |= {name for file in held for name in matrices.labels_in(file)}
    said = {f: why for f, why in sorted(ignored.items()) if not (PROSE.fullmatch(f.name) or _tells_of(f, models))}
    left = [f"{f.relative_to(path)} ({why})" for f, why in said.items()]
    if left:
        notes.append(f"{path}: files that are not used: {examples(left, 20)}")
    if parser is not None:
        lists = ("query", "gallery") if rankings else ()
        named = [s for s in SIDES if s not in tables and (s in columns or s in names or s in lists)]
        label_columns |= {f"{side}_{column}" for side in named for column in gives(parser)}
    singles = [file for of in alone.values() for file in of.values()] + [*identities.values()]
    singles += [one.path for one in (times, drawn) if one]
    singles += [file for one in taught.values() for file in one.files]
    if catalogue is not None:
        labelled = [side for side in SIDES if side in columns and side not in tables]
        label_columns |= {f"{side}_{column}" for side in labelled for column in catalogue.labels.columns}
        notes += [] if labelled else [f"{catalogue.path}: not used, as there are tables"]
        singles += catalogue.inputs
    if one_set:
        columns = _on_both_sides(columns)
        label_columns = _on_both_sides(label_columns)
    features = [file for paths in models.values() for file in paths]
    with collecting(problems):
        notes += [] if rankings else unused_columns(features)
    folder = Folder(
        path=path,
        models=models,
        columns=frozenset(columns | label_columns),
        inputs=tuple(sorted({*features, *names.values(), *tables.values(), *track_lists, *singles})),
        names=names,
        tables=tables,
        tracks=track_lists,
        ignored=ignored,
        learns=frozenset(learns),
        notes=tuple(notes),
        parser=parser,
        keys=keys or {},
        columns_of=alone,
        wanted=wanted,
        multi_queries=more_queries,
        one_set=one_set,
        given=frozenset(models if matrix else ()),
        orders=orders_of(names, tables, one_set) if matrix else {},
        catalogue=catalogue,
        draws=drawn,
        identities=identities,
        times=times,
        labelled=taught,
    )
    return folder, problems + label_problems


def _on_both_sides(columns: set[str]) -> set[str]:
    """What is known of the images of one set, as of queries and gallery."""
    return columns | {name.replace("gallery", "query", 1) for name in columns if name.startswith("gallery")}


def orders_of(names: dict[str, Path], tables: dict[str, Path], one_set: bool) -> dict[str, Path]:
    """What says in which order a nameless matrix has its rows and columns: lists, or else tables."""
    found = {side: file for side, file in (tables | names).items() if side != "train"}
    return dict.fromkeys(("query", "gallery"), found["gallery"]) if one_set and found else found


def _tells_of(file: Path, models: dict[str, tuple[Path, ...]]) -> bool:
    """Whether it stands beside a model's file as what extraction has written down about it."""
    stems = {path.with_suffix("") for paths in models.values() for path in paths}
    return file.suffix == ".json" and file.with_suffix("") in stems


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


def _broken_links(path: Path) -> list[str]:
    """A problem for each link that leads nowhere: a model may be missing."""
    return [
        f"{link}: wanted a file, found a link to {os.readlink(link)}, which is not there; mend or remove it"
        for link in sorted(path.iterdir())
        if link.is_symlink() and not link.exists() and not link.name.startswith(".")
    ]


def _folders(path: Path) -> list[Path]:
    """The folders inside that hold features, as one file an image."""
    return sorted(
        inner
        for inner in path.iterdir()
        if inner.is_dir() and not inner.name.startswith(".") and inner.name != SIDE and is_folder(inner)
    )


def _lists(files: list[Path]) -> Found:
    """Rank lists and matrices, as :func:`find` has models: every file is one, with its own lists of names."""
    own = matrices.own_lists(files)
    beside = {file for of in own.values() for file in of.values()}
    models = [file for file in files if file not in beside]
    found: dict[str, tuple[Path, ...]] = {containers.stem(file): (file,) for file in models}
    twice = [file for file in models if found[containers.stem(file)] != (file,)]
    problems = [
        f"{file}: wanted one file a name, found another called {containers.stem(file)}; rename it"
        for file in twice
    ]
    found |= {containers.stem(file): (file, *dict.fromkeys(of.values())) for file, of in own.items()}
    return found, {name: {"distances"} for name in found}, {}, problems, []


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
