"""open-reid's ``meta.json`` and ``splits.json``: whose images there are, and who is query, gallery and training.

``meta.json``: ``identities[pid][cam]`` is the list of the names of an identity's images in a camera; both count
from 0. ``splits.json``: a list of splits, each with the identities of ``trainval``, ``query`` and ``gallery``. An
image is known by its name without folders. Every image of an identity is both query and gallery where both lists
have it, as open-reid scores it. Source: Cysu/open-reid, reid/utils/data/dataset.py.
"""

import json
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ensemble.base.broken import BROKEN, reason
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.io.arrays import what
from ensemble.io.catalogue import Catalogue
from ensemble.io.lists import Labels, repeated

META, SPLITS = "meta.json", "splits.json"
KEYS = {"query": "query", "gallery": "gallery", "train": "trainval"}


def is_meta(path: Path) -> bool:
    """Whether a file is such a ``meta.json``, by its name and its key; a broken one is none."""
    if path.name != META:
        return False
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except BROKEN:
        return False
    return isinstance(content, dict) and "identities" in content


def read(meta: Path, splits: Path | None, *, split: int | None = 0) -> Catalogue:
    """What the files say. ``split``: which of the splits counts; None: all together, to be taken apart later.

    Raises InputError with all that is wrong with them.
    """
    identities = _content(meta)["identities"]
    images = [
        (name, pid, cam) for pid, cams in enumerate(_listed(identities)) for cam, names in enumerate(_listed(cams))
        for name in _listed(names)
    ]  # fmt: skip
    if not images or not all(isinstance(name, str) for name, _, _ in images):
        raise InputError(
            [f"{meta}: wanted identities as lists of cameras of names, found {what(identities)}; write it so"]
        )
    names = [PurePath(name).name for name, _, _ in images]
    twice = repeated(names)
    if twice:
        raise InputError([f"{meta}: wanted every name once, found again {examples(twice)}; remove the copies"])
    columns = {"pid": np.array([pid for _, pid, _ in images]), "cam": np.array([cam for _, _, cam in images])}
    found = Catalogue(meta, Labels(str(meta), names, columns), {}, (meta,))
    if splits is None:
        return found
    people, notes = _people(splits, len(identities), split)
    sides = {
        side: [name for name, pid in zip(names, columns["pid"].tolist(), strict=True) if pid in of]
        for side, of in people.items()
    }
    empty = [side for side in ("query", "gallery") if not sides.get(side)]
    if empty:
        raise InputError(
            [f"{splits}: wanted identities with images for {' and '.join(empty)}, found none; add them"]
        )
    there = {side: listed for side, listed in sides.items() if listed}
    return replace(found, sides=there, inputs=(meta, splits), notes=notes)


def _people(path: Path, count: int, split: int | None) -> tuple[dict[str, set[int]], tuple[str, ...]]:
    """The identities of each side, of one split or of all, and what there is to say of it."""
    content = _content(path)
    if not isinstance(content, list) or not content or not all(isinstance(one, dict) for one in content):
        raise InputError(
            [f"{path}: wanted a list of splits with query and gallery, found {what(content)}; write it so"]
        )
    problems = []
    for number, one in enumerate(content, 1):
        for key in KEYS.values():
            wrong = [pid for pid in _listed(one.get(key, [])) if type(pid) is not int or not 0 <= pid < count]
            if wrong:
                problems.append(
                    f"{path}, split {number}, {key}: wanted identities from 0 to {count - 1}, as {META} has them, "
                    f"found {examples(wrong)}; correct it"
                )
    refuse_if_any(problems)
    chosen = content if split is None else [content[split]]
    people = {side: {pid for one in chosen for pid in _listed(one.get(key, []))} for side, key in KEYS.items()}
    if len(content) == 1:
        return people, ()
    told = f"{path}: the sides are those of the first of {len(content)} splits"
    return people, () if split is None else (f"{told}; evaluate --splits {path} scores all",)


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except BROKEN as error:
        raise InputError([f"{path}: wanted JSON, found none ({reason(error)}); write it again"]) from None


def _listed(value: Any) -> list:
    """A list, or one of None where it is none, which fits nowhere."""
    return value if isinstance(value, list) else [None]
