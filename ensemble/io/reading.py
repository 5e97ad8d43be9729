"""The way in: look at a folder, then read its models. Every problem of a folder comes in one message."""

from collections.abc import Sequence
from pathlib import Path

from ensemble.base.errors import examples, near, refuse_if_any
from ensemble.base.features import FeatureSet
from ensemble.io.alignment import aligned
from ensemble.io.both import together
from ensemble.io.folder import Folder
from ensemble.io.in_memory import with_parser
from ensemble.io.lists import Keys
from ensemble.io.looking import look
from ensemble.parsers import Parser


def scan(
    folder: Path | Folder,
    *,
    query_names: Path | None = None,
    gallery_names: Path | None = None,
    tracks: Path | None = None,
    rankings: bool = False,
    parser: Parser | None = None,
    keys: Keys | None = None,
    wanted: Sequence[str] = (),
    beside: Path | None = None,
    split: int | None = 0,
    of_one_set: bool = False,
) -> Folder:
    """Look at a folder: its models, lists and tables, and the names of the vocabulary that reading will provide.

    folder:                      a path; or models in memory (:func:`ensemble.io.in_memory.folder_of`), which have
                                 their names and labels with them.
    query_names, gallery_names:  name lists that take the place of the folder's; they set the order of the rows.
    tracks:                      a track list (ids or names) that takes the place of the folder's.
    wanted:                      columns of the tables to keep as labels, beside those of a FeatureSet.
    rankings:                    the folder holds rank lists, or matrices of distances, in the place of features.
    parser:                      reads labels out of the names of images that have no table.
    beside:                      a folder of rank lists, tables of pairs and matrices of distances, which are
                                 models too, beside the features.
    keys:                        labels that several columns make together, ``{"pid": ["species", "name"]}``.
    split:                       which of the splits of open-reid's splits.json says what is query, gallery and
                                 training; None: all of them together.
    of_one_set:                  of rank lists, tables of pairs and matrices: they are matrices of one set, unless
                                 a list or table is about queries.
    Raises: InputError with every problem. As soon as there is one, the features are read as well, so that the
            message holds theirs too.
    Cost:   a pass over files that hold a whole model (.npz and .safetensors: only over their keys), nothing for
            files that hold one side.
    """
    if isinstance(folder, Folder):
        found, problems = with_parser(folder, parser), list[str]()
    else:
        found, problems = look(
            Path(folder),
            query_names,
            gallery_names,
            tracks,
            rankings=rankings,
            parser=parser,
            keys=keys,
            wanted=wanted,
            split=split,
            of_one_set=of_one_set,
        )
    if problems and not rankings:
        aligned(found, list(found.models), problems)
    if beside is not None:
        lists, more = look(Path(beside), rankings=True)
        problems += more
        found = together(found, lists, problems)
    refuse_if_any(list(dict.fromkeys(problems)))
    return found


def read(folder: Folder, models: Sequence[str] | None = None, *, missing: str = "refuse") -> list[FeatureSet]:
    """Read the models of a folder, all or the named ones, in that order; float16 and float64 become float32.

    All sets share the order of their rows and the tables (``ensemble.io.alignment`` says which order).
    missing: what becomes of images that some model lacks: "refuse" them; "keep" them, as rows of NaN where a model
            does not know them; "drop" them from the gallery.
    Raises: InputError with every problem of all models and lists.
    Cost:   memory for all features and, for a moment, one more model.
    """
    chosen = folder.joined if models is None else list(models)
    unknown = [model for model in chosen if model not in folder.models]
    problems = []
    for model in unknown:
        problems.append(
            f"{folder.path}: wanted one of its models ({examples(list(folder.models))}), found {model}"
            f"{near(model, folder.models)}"
        )
    sets = aligned(folder, [model for model in folder.models if model in chosen], problems, missing=missing)
    refuse_if_any(list(dict.fromkeys(problems)))
    return [sets[model] for model in chosen]


def read_folder(
    folder: Path,
    *,
    query_names: Path | None = None,
    gallery_names: Path | None = None,
    tracks: Path | None = None,
) -> list[FeatureSet]:
    """``scan``, then ``read`` everything."""
    return read(scan(folder, query_names=query_names, gallery_names=gallery_names, tracks=tracks))
