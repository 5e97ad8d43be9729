"""Write the synthetic city as a competition would: something to run without anybody's data.

    python -m ensemble.demo DIR [--size small|aicity2020] [--seed N]

The folder is laid out as the AI City challenge and its entrants lay it out: a pair of pickles a model, name
lists and a track list; the answers lie beside them in ``query.csv`` and ``gallery.csv``, and a text that says
that nothing of it is real.
"""

import argparse
import os
import pickle
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ensemble import errors
from ensemble.city import MODELS, SIZES, City, city
from ensemble.errors import InputError, examples

__all__ = ["City", "city", "main", "make"]

TITLE = "Synthetic city, made by ensemble.demo"
README = "README.txt"
PARTIAL = ".demo-partial"


def make(folder: Path, *, size: str = "small", seed: int = 0) -> None:
    """Write a :func:`city` into ``folder``; an earlier demo is replaced when this one is complete.

    Files:   query_MODEL.pkl, gallery_MODEL.pkl (image name -> (d,) float32, in arbitrary order),
             name_query.txt, name_test.txt, test_track_id.txt, query.csv, gallery.csv, README.txt.
    Raises:  InputError if the folder holds anything but an earlier demo or cannot be written to,
             ValueError for another size or seed.
    Cost:    0.2 s and 6 MB of files (small), 3 s and 160 MB (aicity2020).
    """
    folder = Path(folder)
    try:
        _refuse_foreign(folder)
        made = city(size, seed)
        partial = folder / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _write_features(partial, made, seed)
            _write_tables(partial, made)
            _write_text(partial / README, _readme(size, seed))
            os.replace(partial / README, folder / README)  # first: it marks the rest as a demo
            for path in sorted(partial.iterdir()):
                os.replace(path, folder / path.name)
        finally:
            shutil.rmtree(partial)
    except OSError as error:
        problem = f"{folder}: wanted a folder to write to, found: {error.strerror}; name another one"
        raise InputError([problem]) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.demo", description="Write a synthetic, labelled city to try everything on."
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="new, empty, or an earlier demo to replace")
    parser.add_argument("--size", choices=SIZES, default="small", help="default: %(default)s")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="0 or more, default: %(default)s")
    given = parser.parse_args(arguments)
    if given.seed < 0:
        raise InputError([f"--seed: wanted 0 or more, found {given.seed}; give another number"])
    make(given.folder, size=given.size, seed=given.seed)
    print(f"synthetic data, not real: {_counts(size=given.size)}")
    print(f"written to {given.folder} (size {given.size}, seed {given.seed})")
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


def _write_features(folder: Path, made: City, seed: int) -> None:
    random = np.random.Generator(np.random.PCG64([seed, 1]))
    for model, sides in made.features.items():
        for side, table, rows in zip(("query", "gallery"), (made.query, made.gallery), sides, strict=True):
            names = table["name"].tolist()
            shuffled = OrderedDict((names[row], rows[row]) for row in random.permutation(len(rows)))
            with open(folder / f"{side}_{model}.pkl", "wb") as stream:
                pickle.dump(shuffled, stream, protocol=4)


def _write_tables(folder: Path, made: City) -> None:
    for name, table in (("query.csv", made.query), ("gallery.csv", made.gallery.drop(columns="order"))):
        _write_text(folder / name, table.to_csv(index=False, lineterminator="\n"))
    for name, table in (("name_query.txt", made.query), ("name_test.txt", made.gallery)):
        _write_text(folder / name, "".join(f"{image}\n" for image in table["name"]))
    numbers = 1 + made.gallery.sort_values(["track", "order"]).index.to_series()
    lines = numbers.groupby(made.gallery["track"]).agg(lambda ids: " ".join(map(str, ids)))
    _write_text(folder / "test_track_id.txt", "".join(f"{line} \n" for line in lines))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii", newline="\n")


def _counts(size: str) -> str:
    scale = SIZES[size]
    return (
        f"{scale.queries} queries, {scale.gallery} gallery images in {scale.tracks} tracks, "
        f"{scale.vehicles} vehicles, {scale.cameras} cameras, {len(MODELS)} models x {scale.width}"
    )


def _readme(size: str, seed: int) -> str:
    return f"""{TITLE}

This is not real data: vehicles, cameras and features are random numbers (size {size}, seed {seed}), and there
are no images. Scores on it show that a method works, not how well it works on the road.

{_counts(size)}

query_MODEL.pkl, gallery_MODEL.pkl   features of one model: image name -> float32 values, in any order
name_query.txt, name_test.txt        the images of both sides, in the order of a submission
test_track_id.txt                    one track a line: the numbers of its gallery images
query.csv, gallery.csv               the answers: name, pid (vehicle), cam, and the track (from 0)
"""


if __name__ == "__main__":
    errors.main(main)
