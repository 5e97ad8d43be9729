"""Write a synthetic city as a competition would: something to run without anybody's data.

    python -m ensemble.demo DIR [--kind KIND] [--size SIZE] [--seed N] [--width N] [--unknown S] [--wrong S]
    python -m ensemble.demo DIR --images [--kind KIND] [--size SIZE] [--seed N]

The folder is laid out as the AI City challenge and its entrants lay it out: a pair of pickles a model, name lists
and a track list; the answers lie beside them in ``query.csv`` and ``gallery.csv``, side models in ``side``, a
training set in ``train_MODEL.pkl`` and ``train.csv``, and a text that says that nothing of it is real. With
``--images`` there are drawn pictures of the vehicles in ``image_query`` and ``image_test`` instead of features.
"""

import argparse
import os
import pickle
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble.base import errors
from ensemble.base.errors import InputError, examples
from ensemble.city import KINDS, City, city
from ensemble.city.people import KINDS as PEOPLE

__all__ = ["City", "city", "main", "make"]

TITLE = "Synthetic city, made by ensemble.demo"
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
        _refuse_foreign(folder)
        made = city(size, seed, kind=kind, width=8 if images else width, unknown=unknown, wrong=wrong)
        partial = folder / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        (partial / SIDE).mkdir(parents=True)
        try:
            if images:
                made = replace(made, features={}, train_features={}, side={}, confusions={})
                _write_images(partial, made, seed)
                _write_tables(partial, made, PICTURES)
                _write_text(partial / README, _readme_of_images(made, kind, size, seed))
            else:
                _write_features(partial, made, seed)
                _write_tables(partial, made)
                _write_text(partial / README, _readme(made, kind, size, seed))
            os.replace(partial / README, folder / README)  # first: it marks the rest as a demo
            _take_over(partial, folder)
        finally:
            shutil.rmtree(partial)
    except OSError as error:
        problem = f"{folder}: wanted a folder to write to, found: {error.strerror}; name another one"
        raise InputError([problem]) from error
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.demo", description="Write a synthetic, labelled city to try everything on."
    )
    sizes = list(dict.fromkeys(size for kind in KINDS.values() for size in kind))
    parser.add_argument("folder", metavar="DIR", type=Path, help="new, empty, or an earlier demo to replace")
    parser.add_argument("--kind", choices=KINDS, default="city", help="default: %(default)s")
    of_each = "; ".join(f"{kind}: {', '.join(of)}" for kind, of in KINDS.items())
    parser.add_argument("--size", choices=sizes, default="small", help=f"default: %(default)s ({of_each})")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="0 or more, default: %(default)s")
    parser.add_argument("--images", action="store_true", help="drawn pictures instead of features (vehicles)")
    parser.add_argument("--width", metavar="N", type=int, help="values an image and model, default: as the size")
    for name, means in (("unknown", "are not told"), ("wrong", "are wrong")):
        parser.add_argument(
            f"--{name}", metavar="SHARE", type=float, help=f"of the predicted cameras that {means}"
        )
    given = parser.parse_args(arguments)
    settings = vars(given).copy()
    folder = settings.pop("folder")
    if given.seed < 0:
        raise InputError([f"--seed: wanted 0 or more, found {given.seed}; give another number"])
    if given.images and given.kind in PEOPLE:
        raise InputError(
            [f"--images: wanted a city of vehicles, found --kind {given.kind}; leave one of them out"]
        )
    if given.size not in KINDS[given.kind]:
        wanted = ", ".join(KINDS[given.kind])
        raise InputError(
            [f"--size: wanted one of {wanted} for --kind {given.kind}, found {given.size}; choose one"]
        )
    try:
        made = make(folder, **settings)
    except InputError:
        raise
    except ValueError as error:
        raise InputError([f"--{error}; give another number"]) from None
    print(f"synthetic data, not real: {_counts(made)}")
    print(f"written to {folder} (kind {given.kind}, size {given.size}, seed {given.seed})")
    return 0


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that somebody else filled: nothing of theirs may be mixed with made-up data."""
    readme = folder / README
    if not folder.exists() or (readme.is_file() and readme.read_bytes().startswith(TITLE.encode())):
        return
    found = sorted(path.name for path in folder.iterdir() if path.name != PARTIAL)
    if found:
        raise InputError(
            [f"{folder}: wanted an empty folder or an earlier demo, found {examples(found)}; name another one"]
        )


def _take_over(partial: Path, folder: Path) -> None:
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
        raise InputError(
            ["--images: wanted the package pillow, found none; python -m pip install pillow"]
        ) from None
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


def _counts(made: City) -> str:
    pids = pd.concat([made.query["pid"], made.gallery["pid"]])
    who = "vehicles" if "track" in made.gallery else "people"
    counts = [f"{len(made.query)} queries, {len(made.gallery)} gallery images"]
    counts[0] += f" in {made.gallery['track'].nunique()} tracks" if "track" in made.gallery else ""
    counts.append(f"{pids[pids > 0].nunique()} {who}")
    if "cam" in made.query:
        counts.append(f"{pd.concat([made.query['cam'], made.gallery['cam']]).nunique()} cameras")
    for rows in list(made.train_features.values())[:1]:
        counts.append(f"{len(made.features)} models x {rows.shape[1]}")
    return ", ".join(counts)


def _readme_of_images(made: City, kind: str, size: str, seed: int) -> str:
    columns = {*made.query, *made.gallery}
    return "\n".join(
        [
            TITLE,
            "",
            "This is not real data: the vehicles are drawn, from random numbers",
            f"(kind {kind}, size {size}, seed {seed}). Scores on it show that a method works, not how well it",
            "works on the road.",
            "",
            _counts(made),
            "",
            "image_query, image_test              the pictures of queries and gallery",
            "name_query.txt, name_test.txt        their names, in the order of a submission",
            *_tracks(made),
            "query.csv, gallery.csv               the answers: name and",
            *(f"    {column:<14} {means}" for column, means in COLUMNS.items() if column in columns),
            "",
        ]
    )


COLUMNS = {
    "pid": "who it is; other identities in train.csv",
    "cam": "the camera",
    "cam_predicted": "what a classifier says that the camera is, -1 unknown; some are wrong",
    "track": "images of one passage, from 0",
    "frame": "time in frames, comparable between cameras",
    "scene": "group of cameras; nobody moves from one to another",
    "quality": "area of the crop in pixels; the smaller, the more blurred",
    "type": "true type of the vehicle; brand and colour likewise",
}
MODELS_BESIDE = {
    "camera": "which camera it is, and nothing else; their errors are those of cam_predicted",
    "orientation": "from where the image is taken",
    "attributes": "probabilities of 7 types, 30 brands, 9 colours, side by side",
    "parts": "features of a part, zeros where it cannot be seen",
}


def _readme(made: City, kind: str, size: str, seed: int) -> str:
    columns = {*made.query, *made.gallery, *made.train}
    return "\n".join(
        [
            TITLE,
            "",
            "This is not real data: identities, cameras and features are random numbers",
            f"(kind {kind}, size {size}, seed {seed}), and there are no images. Scores on it show that a",
            "method works, not how well it works on the road.",
            "",
            _counts(made),
            f"{len(made.train)} images of {made.train['pid'].nunique()} other identities for training",
            "",
            "query_MODEL.pkl, gallery_MODEL.pkl, train_MODEL.pkl",
            "    features of one model: image name -> float32 values, in any order",
            "name_query.txt, name_test.txt        the images of both sides, in the order of a submission",
            *_tracks(made),
            "query.csv, gallery.csv, train.csv    the answers: name and",
            *(f"    {column:<14} {means}" for column, means in COLUMNS.items() if column in columns),
            *_nobodies(made),
            *_beside(made),
            "",
        ]
    )


def _nobodies(made: City) -> Iterator[str]:
    if (made.gallery["pid"] < 1).any():
        yield "    pid -1 is an image that a detector spoilt, pid 0 somebody whom no query shows"


def _tracks(made: City) -> Iterator[str]:
    if "track" in made.gallery:
        yield "test_track_id.txt                    one track a line: the numbers of its gallery images"


def _beside(made: City) -> Iterator[str]:
    if made.side:
        yield "side/                                models of something else, likewise"
    for start, means in MODELS_BESIDE.items():
        models = [model for model in made.side if model.startswith(start)]
        if models:
            yield f"    {', '.join(models)}: {means}"
    if made.confusions:
        yield "    confusion_ATTRIBUTE.csv: training images, true classes down, most probable ones across"


if __name__ == "__main__":
    errors.main(main)
