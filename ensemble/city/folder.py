"""A synthetic city as a folder, laid out as the AI City challenge and its entrants lay theirs out."""

import os
import pickle
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble.base.errors import InputError, examples
from ensemble.city import City, city, readme
from ensemble.city.readme import TITLE
from postproc.base.extras import install

README = "README.txt"
PARTIAL = ".demo-partial"
WRITTEN = ".demo-files"  # what a demo wrote, to be removed when another takes its place
SIDES = ("query", "gallery", "train")
SIDE = "side"  # the folder of side models
PICTURES = {"query": "image_query", "gallery": "image_test"}  # as the AI City challenge calls their folders


def make(
    folder: Path,
    *,
    size: str = "small",
    seed: int = 0,
    kind: str = "city",
    width: int | None = None,
    unknown: float | None = None,
    wrong: float | None = None,
    images: bool = False,
) -> City:
    """Write a :func:`city` into ``folder``, and return it; an earlier demo is replaced when this one is complete.

    Files:   query_MODEL.pkl, gallery_MODEL.pkl, train_MODEL.pkl (image name -> (d,) float32, in arbitrary order),
             the same of side models in side/, name_query.txt, name_test.txt, query.csv, gallery.csv, train.csv,
             README.txt; for vehicles test_track_id.txt and side/confusion_ATTRIBUTE.csv. ``images``: pictures of
             vehicles in image_query/ and image_test/ and the lists and tables of both, nothing else.
    Raises:  InputError if the folder holds anything but an earlier demo or cannot be written to,
             ValueError for a setting out of range.
    Cost:    0.5 s and 13 MB of files (small), 5 s and 210 MB (aicity2020); 10 ms and 5 KB a picture.
    """
    folder = Path(folder)
    try:
        refuse_foreign(folder)
        made = city(size, seed, kind=kind, width=8 if images else width, unknown=unknown, wrong=wrong)
        partial = folder / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        (partial / SIDE).mkdir(parents=True)
        try:
            if images:
                made = replace(made, features={}, train_features={}, side={}, confusions={})
                _write_images(partial, made, seed)
                _write_tables(partial, made, PICTURES)
                _write_text(partial / README, readme.of_images(made, kind, size, seed))
            else:
                _write_features(partial, made, seed)
                _write_tables(partial, made)
                _write_text(partial / README, readme.of_features(made, kind, size, seed))
            os.replace(partial / README, folder / README)  # first: it marks the rest as a demo
            take_over(partial, folder)
        finally:
            shutil.rmtree(partial)
    except OSError as error:
        problem = f"{folder}: wanted a folder to write to, found: {error.strerror}; name another one"
        raise InputError([problem]) from error
    return made


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that somebody else filled: nothing of theirs may be mixed with made-up data."""
    text = folder / README
    if not folder.exists() or (text.is_file() and text.read_bytes().startswith(TITLE.encode())):
        return
    found = sorted(path.name for path in folder.iterdir() if path.name != PARTIAL)
    if found:
        raise InputError(
            [f"{folder}: wanted an empty folder or an earlier demo, found {examples(found)}; name another one"]
        )


def take_over(partial: Path, folder: Path) -> None:
    """Move the files of a complete demo into the folder; what an earlier one wrote and this one did not goes."""
    new = sorted(str(path.relative_to(partial)) for path in partial.rglob("*") if path.is_file())
    record = folder / WRITTEN
    old = record.read_text("ascii").splitlines() if record.exists() else []
    _write_text(record, "".join(f"{file}\n" for file in dict.fromkeys([*old, *new])))
    for parent in {(folder / file).parent for file in new}:
        parent.mkdir(exist_ok=True)
    for file in new:
        os.replace(partial / file, folder / file)
    for file in set(old) - {*new, README}:
        (folder / file).unlink(missing_ok=True)
    _write_text(record, "".join(f"{file}\n" for file in new))
    for name in {Path(file).parts[0] for file in old if "/" in file}:
        if (folder / name).is_dir() and not any((folder / name).iterdir()):
            (folder / name).rmdir()


def _write_features(folder: Path, made: City, seed: int) -> None:
    random = np.random.Generator(np.random.PCG64([seed, 1]))
    tables = made.query, made.gallery, made.train
    for model, sides in made.features.items():
        _write_model(folder, model, ("query", "gallery"), tables, sides, random)
    random = np.random.Generator(np.random.PCG64([seed, 9]))
    for model, rows in made.train_features.items():
        _write_model(folder, model, ("train",), tables[2:], (rows,), random)
    for model, found in made.side.items():
        _write_model(folder / SIDE, model, SIDES, tables, found, random)


def _write_model(
    folder: Path,
    model: str,
    sides: Sequence[str],
    tables: Sequence[pd.DataFrame],
    arrays: Sequence[np.ndarray],
    random: np.random.Generator,
) -> None:
    for side, table, rows in zip(sides, tables, arrays, strict=False):
        names = table["name"].tolist()
        shuffled = OrderedDict((names[row], rows[row]) for row in random.permutation(len(rows)))
        with open(folder / f"{side}_{model}.pkl", "wb") as stream:
            pickle.dump(shuffled, stream, protocol=4)


def _write_images(folder: Path, made: City, seed: int) -> None:
    """Draw every image of both sides; needs Pillow."""
    from tqdm import tqdm

    from ensemble.city.drawing import draw

    try:
        import PIL.Image  # noqa: F401
    except ModuleNotFoundError:
        command = install("images", "pillow")
        raise InputError([f"--images: wanted the package pillow, found none; {command}"]) from None
    moments = pd.concat([_moments(made.query), _moments(made.gallery)], ignore_index=True)
    table = pd.concat([made.query, made.gallery], ignore_index=True)
    places = [PICTURES["query"]] * len(made.query) + [PICTURES["gallery"]] * len(made.gallery)
    for place in PICTURES.values():
        (folder / place).mkdir()
    rows = zip(table["name"], table["pid"], table["cam"], moments, table["quality"], places, strict=True)
    bar = tqdm(list(rows), desc="drawing", unit=" images", disable=None, leave=False)
    for row, (name, pid, cam, moment, area, place) in enumerate(bar):
        picture, quality = draw(seed, row, int(pid), int(cam), float(moment), float(area))
        picture.save(folder / place / name, quality=quality)


def _moments(table: pd.DataFrame) -> pd.Series:
    """How far the vehicle has passed, 0 to 1, by the frames of its passage."""
    passages = table.groupby(["pid", "cam"])["frame"]
    found: pd.Series = (passages.rank(method="first") - 0.5) / passages.transform("size")
    return found


def _write_tables(folder: Path, made: City, sides: Iterable[str] = SIDES) -> None:
    for side in sides:
        table = getattr(made, side).drop(columns="order", errors="ignore")
        _write_text(folder / f"{side}.csv", table.to_csv(index=False, lineterminator="\n"))
    for name, table in (("name_query.txt", made.query), ("name_test.txt", made.gallery)):
        _write_text(folder / name, "".join(f"{image}\n" for image in table["name"]))
    for attribute, counts in made.confusions.items():
        _write_text(
            folder / SIDE / f"confusion_{attribute}.csv",
            "".join(f"{','.join(map(str, row))}\n" for row in counts),
        )
    if "track" in made.gallery:
        numbers = 1 + made.gallery.sort_values(["track", "order"]).index.to_series()
        lines = numbers.groupby(made.gallery["track"]).agg(lambda ids: " ".join(map(str, ids)))
        _write_text(folder / "test_track_id.txt", "".join(f"{line} \n" for line in lines))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii", newline="\n")
