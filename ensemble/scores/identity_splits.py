"""Half of the identities, again and again: how VIPeR, CUHK01, PRID and iLIDS-VID are scored.

A split is the rows of the queries and of the gallery that take part in it; scores are means over the splits with
their standard deviation. Splits are drawn by a seed, or stand in a file, as those that others have published.
Sources: Gray and Tao, "Viewpoint invariant pedestrian recognition", ECCV 2008; Hirzer et al., SCIA 2011.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np

from ensemble.base.broken import BROKEN, reason
from ensemble.base.collecting import collecting
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.kinds import Array, Ints
from ensemble.base.labels import among, of_cells
from ensemble.scores import values
from ensemble.scores.values import Scores

SIDES = ("query", "gallery")
TRAIN = ("trainval", "train")  # what a split calls the training images
WANTED = "identities or names of images, a list a split, or a table a split with query and gallery, or test"


class Split(NamedTuple):
    """Rows that take part, ascending; ``train``: None for all training images."""

    query: Ints
    gallery: Ints
    train: Ints | None = None


def drawn(features: ModelSet, count: int, seed: int) -> list[Split]:
    """``count`` times half of the identities with queries and gallery images, of an odd number the lesser half.

    All other images, as distractors, take part in every split. Raises InputError for fewer than two identities.
    """
    data = features.data()
    sides = [data[f"{side}_pid"] for side in SIDES]
    common = np.intersect1d(sides[0], sides[1])
    people = common[common >= 0]
    if len(people) < 2:
        raise InputError(
            [f"--splits: wanted two identities with queries and gallery images, found {len(people)}; label more"]
        )
    splits = []
    for split in range(count):
        random = np.random.Generator(np.random.PCG64([seed, split]))
        left = random.permutation(people)[len(people) // 2 :]
        splits.append(Split(*(np.flatnonzero(~np.isin(pid, left)) for pid in sides)))
    return splits


def read(path: Path, features: ModelSet) -> list[Split]:
    """The splits of a file: JSON, or lines of text with the identities of a split each.

    In JSON a list of splits, each a list of identities, of names of images or of ``[name, …]``, or a table with
    such lists for ``query`` and ``gallery``, or ``test`` for both (open-reid's and torchreid's ``splits.json``).
    Where there are training images, those of ``trainval`` or ``train``, if a split has that.
    Raises InputError with everything that is no image and no identity of these.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else _lines(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([f"{path}: wanted splits, found {error}; check the path"]) from None
    except BROKEN as error:
        raise InputError([f"{path}: wanted JSON, found {reason(error)}; write it again"]) from None
    if not isinstance(content, list) or not content:
        raise InputError([f"{path}: wanted {WANTED}, found {type(content).__name__}; write it so"])
    problems: list[str] = []
    splits = []
    for at, given in enumerate(content, start=1):
        of = given if isinstance(given, dict) else {"test": given}
        rows = []
        for side in SIDES:
            with collecting(problems):
                where = f"{path}, split {at}, {side}"
                rows.append(_rows(where, of.get(side, of.get("test")), features, side))
        learned = None
        if features.train is not None and (key := next((key for key in TRAIN if key in of), None)):
            with collecting(problems):
                learned = _rows(f"{path}, split {at}, {key}", of[key], features, "train")
        if len(rows) == len(SIDES):
            splits.append(Split(rows[0], rows[1], learned))
    refuse_if_any(problems)
    return splits


def _lines(text: str) -> list[list[str]]:
    return [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]


def _rows(where: str, given: Any, features: ModelSet, side: str) -> Ints:
    """The rows that a list of identities, or else of names, means; every one of them has to be known."""
    listed = [item[0] if isinstance(item, list) and item else item for item in given or ()]
    if not listed or not all(isinstance(item, (str, int)) and not isinstance(item, bool) for item in listed):
        raise InputError([f"{where}: wanted {WANTED}, found {type(given).__name__}; write it so"])
    wanted = list(dict.fromkeys(map(str, listed)))
    tables = {name: getattr(features, f"{name}_table") for name in dict.fromkeys((*SIDES, side))}
    people = {str(pid) for table in tables.values() for pid in table["pid"]}
    identities = among(of_cells(wanted), people)
    names = [PurePath(name).name for name in tables[side]["name"]]
    own = {PurePath(name).name for name in wanted}
    if identities.all():
        rows = np.flatnonzero(among(tables[side]["pid"].to_numpy(), wanted))
    elif features.named and own <= set(names):
        rows = np.flatnonzero(np.isin(names, list(own)))
        if len(rows) > len(own):
            raise InputError([f"{where}: wanted names of one image each, found one of several; name identities"])
    else:
        strange = [text for text, known in zip(wanted, identities, strict=True) if not known]
        raise InputError(
            [f"{where}: wanted identities or names of the images here, found {examples(strange)}; correct it"]
        )
    if not len(rows):
        raise InputError([f"{where}: wanted identities that are there, found none of {examples(wanted)}"])
    return rows


def take(features: ModelSet, split: Split) -> ModelSet:
    """The images of a split."""
    rows = {"query": split.query, "gallery": split.gallery}
    return features.take(**rows | ({} if split.train is None else {"train": split.train}))


def mean(found: Sequence[Scores], splits: Sequence[Split], queries: int, remark: str) -> Scores:
    """The means over the splits; each query's own scores are means over those in which it asks."""
    length = max(len(scores.cmc) for scores in found)
    trials = [_of_all(scores, split, queries, length) for scores, split in zip(found, splits, strict=True)]
    scores = values.mean(found[0].protocol, trials)
    asked = np.unique(np.concatenate([split.query for split in splits]))
    unknown = np.unique(np.concatenate([trial.unknown for trial in trials]))
    without = np.setdiff1d(np.intersect1d(asked, np.flatnonzero(np.isnan(scores.ap))), unknown)
    said = tuple(dict.fromkeys(remark for each in found for remark in each.remarks))
    return replace(scores, without_match=without, unknown=unknown, remarks=(remark, *said))


def _of_all(scores: Scores, split: Split, queries: int, length: int) -> Scores:
    """The scores of a split with a place for every query of all."""
    own: dict[str, Array] = {}
    for name, nothing in (("ap", np.nan), ("inp", np.nan), ("first_hit", -1)):
        given = getattr(scores, name)
        own[name] = np.full(queries, nothing, given.dtype)
        own[name][split.query] = given
    return replace(
        scores,
        **own,  # type: ignore[arg-type]
        cmc=np.pad(scores.cmc, (0, length - len(scores.cmc)), mode="edge"),
        without_match=split.query[scores.without_match],
        unknown=split.query[scores.unknown],
        trials=(),
    )
