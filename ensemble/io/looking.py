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

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
    split_tables,
    travel_times,
)
from ensemble.io.blocks import UNNAMED
from ensemble.io.catalogue import Catalogue
from ensemble.io.draws import Draws
from ensemble.io.files import broken_links, files_of, folders_of, nothing
from ensemble.io.folder import SIDE, TRACK_LISTS, Folder, orders_of
from ensemble.io.keys import ONE_SET
from ensemble.io.labelled import Labelled, taken_out
from ensemble.io.lists import Keys
from ensemble.io.models import MULTI_QUERIES, Found, find, lacks, may_be_cut, unused_columns
from ensemble.io.open_reid import META, SPLITS
from ensemble.io.travel_times import TRAVEL_TIMES, TravelTimes
from ensemble.io.write import LEFT_OVER
from ensemble.parsers import Parser, gives

KINDS = (TRAVEL_TIMES, *draws.WHAT.values())  # of files that belong to no model and say something of all
PROSE = re.compile(r".*\.(md|toml)|(readme|licen[cs]e)(\..*)?", re.IGNORECASE)  # nobody expects it to be read


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
    kept = tuple(column for column in dict.fromkeys(wanted) if column not in ("name", *COLUMNS))
    how = _How(rankings, parser, keys or {}, kept, split, of_one_set)
    given = {"query": query_names, "gallery": gallery_names}
    seen = _Look(path, how)
    seen.find_descriptions({side: Path(file) for side, file in given.items() if file is not None}, tracks)
    seen.find_models()
    seen.sort_out_the_rest()
    seen.tell_sides_apart()
    seen.find_side_models()
    seen.leave_out_descriptions_ofnothing()
    return seen.folder(), seen.problems


@dataclass(frozen=True)
class _How:
    """How somebody wants a folder to be read, as :func:`look` says."""

    rankings: bool
    parser: Parser | None
    keys: Keys
    wanted: tuple[str, ...]
    split: int | None
    of_one_set: bool


class _Look:
    """A look at a folder, one stage after the other; each goes on after what is wrong, and remembers it."""

    def __init__(self, path: Path, how: _How) -> None:
        self.path, self.how = path, how
        self.found = files_of(path)
        self.files = [file for file in self.found if not LEFT_OVER.fullmatch(file.name)]
        self.problems = broken_links(path)
        self.unread: list[str] = []  # notes on what nobody looks at

    def find_descriptions(self, given: dict[str, Path], tracks: Path | None) -> None:
        """Names, tables, tracks, single columns and open-reid's labels: what says what the images of all models
        are. ``known``: all these files, each with the reason where it is left out.
        """
        path, files = self.path, self.files
        self.names, self.known = descriptions.lists(files, given, self.problems)
        usual = tuple(path / name for name in TRACK_LISTS)
        self.tracks = tuple(file for file in usual if file in files) if tracks is None else (Path(tracks),)
        self.known |= dict.fromkeys(() if tracks is None else usual, "--tracks is given")
        self.tables = descriptions.tables(files, self.problems)
        self.known |= dict.fromkeys([*self.names.values(), *self.tracks, *self.tables.values()], "")
        self.alone: dict[str, dict[str, Path]] = {}
        self.catalogue: Catalogue | None = None
        if self.how.rankings:
            return
        self.alone = label_arrays.find((file for file in files if file not in self.known), self.problems)
        self.known |= {file: "" for of in self.alone.values() for file in of.values()}
        if path / META in files and open_reid.is_meta(path / META):
            with collecting(self.problems):
                divided = path / SPLITS if path / SPLITS in files else None
                self.known |= {file: "" for file in (path / META, divided) if file}
                self.catalogue = open_reid.read(path / META, divided, split=self.how.split)

    def find_models(self) -> None:
        """The models, and the names of the vocabulary that each provides."""
        path, rankings = self.path, self.how.rankings
        others = [file for file in self.files if file not in self.known]
        others += [] if rankings else folders_of(path)
        if containers.is_one_set(path):
            others = [path]
        found = _lists(others) if rankings else find(others, list(self.tables.values()), self.catalogue)
        if not rankings and not found[0] and self.catalogue is None:
            found = self._divided(others) or found
        self.models, self.provided, ignored, wrong, unread = found
        self.taught: dict[str, Labelled] = {}
        if rankings:
            with collecting(self.problems):
                self.taught = taken_out(self.models, self.tables.get("train"), self.how.keys, self.problems)
            if self.taught:
                self.tables.pop("train", None)
        is_matrix = bool(self.taught) or any(map(matrices.is_matrix, others))
        self.matrix = rankings and (self.how.of_one_set or is_matrix)
        features = self.models.get(UNNAMED, ())
        self.tables = {side: file for side, file in self.tables.items() if file not in features}
        self.problems += wrong
        self.unread += unread
        self.ignored = ignored | {file: why for file, why in self.known.items() if why and file in self.files}
        left_over = [file for file in self.found if file not in self.files]
        self.ignored |= dict.fromkeys(left_over, "left over from a write that was broken off")

    def _divided(self, files: list[Path]) -> Found | None:
        """The models that a table of all images divides, where nothing else is one."""
        with collecting(self.problems):
            self.catalogue = split_tables.find(files, self.how.wanted, self.how.keys)
        if self.catalogue is None:
            return None
        table = self.catalogue.path
        return find([file for file in files if file != table], list(self.tables.values()), self.catalogue)

    def sort_out_the_rest(self) -> None:
        """Files that belong to no model and say something of all; where there is no model, that is said."""
        ignored, models = self.ignored, self.models
        self.multi_queries = tuple(sorted(file for file, why in ignored.items() if why == MULTI_QUERIES))
        self.unread += [f"{file}: {ignored.pop(file)}" for file in self.multi_queries if models]
        of_kind = {kind: sorted(file for file, why in ignored.items() if why == kind) for kind in KINDS}
        self.times: TravelTimes | None = None
        self.draws: Draws | None = None
        with collecting(self.problems):
            self.times = travel_times.chosen(of_kind[TRAVEL_TIMES])
        with collecting(self.problems):
            self.draws = draws.chosen(of_kind[draws.WHAT[draws.DRAWS]])
        self.identities = {file.stem: file for file in of_kind[draws.WHAT[draws.IDENTITIES]]}
        if models:
            self.ignored = {file: why for file, why in ignored.items() if why not in KINDS}
        elif not self.problems:
            lists = f"{self.path}: wanted rank lists, tables of pairs or matrices of distances, found none"
            self.problems.append(lists if self.how.rankings else nothing(self.path, ignored))

    def tell_sides_apart(self) -> None:
        """Whether there are queries, or the gallery is one set."""
        models = self.models
        unasked = [model for model in models if "query" not in self.provided[model]]
        if self.how.rankings:
            asked = self._lists_are_of_queries()
        else:
            asked = "query" in {*self.names, *self.tables, *self.alone} or len(unasked) < len(models)
            asked = asked or any(may_be_cut(files) for files in models.values())
        self.one_set = bool(models) and not asked
        if asked and not self.how.rankings:
            self.problems += [problem for model in unasked for problem in lacks("query", model, models[model])]

    def _lists_are_of_queries(self) -> bool:
        """The same of rank lists, which name their queries themselves, and of matrices: they may have rows of both
        sides or of the gallery alone.
        """
        if "query" in {*self.names, *self.tables}:
            return True
        described = [*self.names.values(), *self.tables.values()]
        whole = any(ONE_SET in file.stem.casefold() for file in described)
        matrices_alone = all(matrices.is_matrix(files[0]) for files in self.models.values())
        return not (self.how.of_one_set or whole or (bool(described) and matrices_alone))

    def find_side_models(self) -> None:
        """Those of the folder inside; and which of all models have training images."""
        self.learns = {model for model, names in self.provided.items() if "train" in names}
        inside = self.path / SIDE
        if self.how.rankings or not inside.is_dir():
            return
        files = files_of(inside)
        self.problems += broken_links(inside)
        stray = {file for listed in name_lists.lists(files).values() for file in listed}
        self.ignored |= dict.fromkeys(stray, "lists of names are looked for in the folder above")
        models, provided, ignored, wrong, unread = find([f for f in files if f not in stray] + folders_of(inside))
        if not self.one_set:
            unasked = [model for model in models if "query" not in provided[model]]
            self.problems += [p for model in unasked for p in lacks("query", model, models[model])]
        self.models |= {f"{SIDE}/{model}": files for model, files in models.items()}
        self.learns |= {f"{SIDE}/{model}" for model, names in provided.items() if "train" in names}
        self.ignored |= ignored
        self.problems += wrong
        self.unread += unread

    def leave_out_descriptions_ofnothing(self) -> None:
        """Names, tables and columns of a side of which no model has features."""
        self.columns = set().union(*self.provided.values())
        for side in SIDES:
            if side not in self.columns and not (self.how.rankings and side != "train"):
                left_over = [of.pop(side) for of in (self.names, self.tables) if side in of]
                left_over += self.alone.pop(side, {}).values()
                self.ignored |= dict.fromkeys(left_over, f"no features of {side}")

    def folder(self) -> Folder:
        """All that was found."""
        labels, wrong, notes = descriptions.columns(
            self.names, self.tables, self.tracks, self.how.wanted, self.how.keys
        )
        labels |= self._labels()
        features = [file for files in self.models.values() for file in files]
        columns = labels if self.matrix else self.columns | labels
        notes += [*self.unread, *self._notes()]
        with collecting(self.problems):
            notes += [] if self.how.rankings else unused_columns(features)
        self.problems += wrong
        described = [*self.names.values(), *self.tables.values(), *self.tracks]
        return Folder(
            path=self.path,
            models=self.models,
            columns=frozenset(_on_both_sides(columns) if self.one_set else columns),
            inputs=tuple(sorted({*features, *described, *self._single_files()})),
            names=self.names,
            tables=self.tables,
            tracks=self.tracks,
            ignored=self.ignored,
            learns=frozenset(self.learns),
            notes=tuple(notes),
            parser=self.how.parser,
            keys=self.how.keys,
            columns_of=self.alone,
            wanted=self.how.wanted,
            multi_queries=self.multi_queries,
            one_set=self.one_set,
            given=frozenset(self.models if self.matrix else ()),
            orders=orders_of(self.names, self.tables, self.one_set) if self.matrix else {},
            catalogue=self.catalogue,
            draws=self.draws,
            identities=self.identities,
            times=self.times,
            labelled=self.taught,
        )

    def _labels(self) -> set[str]:
        """Columns that come from elsewhere than lists and tables: single columns, matrices, names, open-reid."""
        found = {f"{side}_{column}" for side, of in self.alone.items() for column in of}
        if self.matrix:
            with collecting(self.problems):
                held = [files[0] for files in self.models.values() if matrices.is_matrix(files[0])]
                found |= {name for file in held for name in matrices.labels_in(file)}
        if self.how.parser is not None:
            there = {*(() if self.matrix else self.columns), *self.names}
            there |= {"query", "gallery"} if self.how.rankings else set()
            named = [side for side in SIDES if side not in self.tables and side in there]
            found |= {f"{side}_{column}" for side in named for column in gives(self.how.parser)}
        if self.catalogue is not None:
            found |= {
                f"{s}_{column}" for s in self._sides_without_table() for column in self.catalogue.labels.columns
            }
        return found

    def _notes(self) -> list[str]:
        """What the user should know beside what stands in the files."""
        notes, path = [], self.path
        if self.one_set:
            notes.append(
                f"{path}: one set: nothing in it is about queries, so each image is compared with all others"
            )
        said = {
            file: why
            for file, why in sorted(self.ignored.items())
            if not (PROSE.fullmatch(file.name) or _tells_of(file, self.models))
        }
        left = [f"{file.relative_to(path)} ({why})" for file, why in said.items()]
        if left:
            notes.append(f"{path}: files that are not used: {examples(left, 20)}")
        if self.catalogue is not None and not self._sides_without_table():
            notes.append(f"{self.catalogue.path}: not used, as there are tables")
        return notes

    def _sides_without_table(self) -> list[str]:
        return [side for side in SIDES if side in self.columns and side not in self.tables]

    def _single_files(self) -> list[Path]:
        """Files that a run depends on, and that are no model, list or table."""
        found = [file for of in self.alone.values() for file in of.values()] + [*self.identities.values()]
        found += [one.path for one in (self.times, self.draws) if one]
        found += [file for one in self.taught.values() for file in one.files]
        return found + list(self.catalogue.inputs if self.catalogue else ())


def holds_matrix(path: Path | Folder) -> bool:
    """Whether a folder of rank lists has a matrix of distances among them; of no folder, that it has none."""
    if isinstance(path, Folder):
        return bool(path.matrices)
    try:
        files = files_of(path)
    except InputError:
        return False
    names = {file for of in name_lists.lists(files).values() for file in of}
    return any(
        matrices.is_matrix(file) for file in files if file not in names and not LEFT_OVER.fullmatch(file.name)
    )


def _on_both_sides(columns: set[str]) -> set[str]:
    """What is known of the images of one set, as of queries and gallery."""
    return columns | {name.replace("gallery", "query", 1) for name in columns if name.startswith("gallery")}


def _tells_of(file: Path, models: dict[str, tuple[Path, ...]]) -> bool:
    """Whether it stands beside a model's file as what extraction has written down about it."""
    stems = {path.with_suffix("") for paths in models.values() for path in paths}
    return file.suffix == ".json" and file.with_suffix("") in stems


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
