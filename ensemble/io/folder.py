"""What a look at a folder tells before any feature is read (:mod:`ensemble.io.looking`)."""

from dataclasses import dataclass, field
from pathlib import Path

from ensemble.io import name_lists
from ensemble.io.catalogue import Catalogue
from ensemble.io.draws import Draws
from ensemble.io.labelled import Labelled
from ensemble.io.layouts import Part
from ensemble.io.lists import Keys
from ensemble.io.matrices import Matrix
from ensemble.io.travel_times import TravelTimes
from ensemble.parsers import Parser

NAME_LISTS = name_lists.CITY
TRACK_LISTS = ("test_track_id.txt", "test_track.txt")
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
    keys: Keys = field(default_factory=dict)  # labels that several columns of the tables make together
    columns_of: dict[str, dict[str, Path]] = field(default_factory=dict)  # files of one column, by side and column
    wanted: tuple[str, ...] = ()  # columns of the tables that are kept beside those of a FeatureSet
    multi_queries: tuple[Path, ...] = ()  # files with more images of the queries' identities, for evaluation
    one_set: bool = False  # there are no queries: each image of the gallery is asked about all others
    given: frozenset[str] = frozenset()  # models that are distances already: matrices, and lists beside models
    orders: dict[str, Path] = field(default_factory=dict)  # what says in which order nameless matrices have a side
    catalogue: Catalogue | None = None  # labels of images by name, of all sides in one
    draws: Draws | None = None  # of the gallery, for protocols that draw
    identities: dict[str, Path] = field(default_factory=dict)  # lists of identities by name, for protocols
    times: TravelTimes | None = None  # histograms, for steps that learn them from training images otherwise
    labelled: dict[str, Labelled] = field(default_factory=dict)  # what models say of labelled images, of distances
    held: dict[str, dict[str, Part]] = field(default_factory=dict)  # models in memory, by side, not in files
    matrices: dict[str, Matrix] = field(default_factory=dict)  # those of the given models that are in memory

    def file(self, model: str) -> Path:
        """The file of a model, for messages; of one in memory its name."""
        return next(iter(self.models[model]), Path(model))

    @property
    def joined(self) -> list[str]:
        """The models that are no side models."""
        return [model for model in self.models if not is_side(model)]


def is_side(model: str) -> bool:
    """Whether a model is a side model, by its name."""
    return model.startswith(f"{SIDE}/")


def orders_of(names: dict[str, Path], tables: dict[str, Path], one_set: bool) -> dict[str, Path]:
    """What says in which order a nameless matrix has its rows and columns: lists, or else tables."""
    found = {side: file for side, file in (tables | names).items() if side != "train"}
    return dict.fromkeys(("query", "gallery"), found["gallery"]) if one_set and found else found
