"""Recipes of ensemble.track on drawn cities: IDF1 and HOTA, with travel windows of every origin.

    python bench/tracking.py [--seeds 10 11 12] [--size small] [--recipes default baseline]

Windows: known (the table of the place, with zones), labels (learned from earlier traffic whose identities are
known), unlabelled (learned from the tracks themselves, as every recipe can), none. Means over the seeds.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ensemble.base.errors import InputError
from ensemble.boxes import scores
from ensemble.city import track_folder, tracks
from ensemble.track import given, recipe, result
from ensemble.track.given import Asked
from ensemble.track.recipe import BY_PAIR, Recipe

ORIGINS = ("known", "labels", "unlabelled", "none")


def asked(folder: Path, origin: str) -> Asked:
    """What is handed in."""
    found = Asked(
        folder / "features", [folder / "tracks"], cameras=folder / "cameras.csv", truth=[folder / "truth.txt"]
    )
    if origin == "known":
        return replace(found, windows=folder / "windows.csv", zones=folder / "zones.csv")
    return replace(found, learn_from=[folder / "earlier.txt"]) if origin == "labels" else found


def variants(names: Sequence[str]) -> Iterator[tuple[Recipe, str]]:
    """Recipes with every origin of windows that they can do with."""
    for name in names:
        used = recipe.load(name)
        for origin in ORIGINS:
            if origin == "none" and used.associate.name in BY_PAIR:
                continue
            travel = {"distance": 0.4} if origin == "unlabelled" else None
            yield replace(used, travel=travel), origin


def measured(folder: Path, used: Recipe, origin: str) -> tuple[float, ...]:
    """IDF1, IDP, IDR, HOTA, identities, seconds without the scores."""
    started = time.perf_counter()
    world = given.read(asked(folder, origin), used)
    identity = result.identities(world.world.tracklets, given.associated(world.world, used))
    boxes = result.boxes_of(world.world.tracklets, identity)
    seconds = time.perf_counter() - started
    assert world.truth is not None
    found = scores.score(world.truth, boxes)
    shares = [100 * value for value in (found.idf1, found.idp, found.idr, found.hota)]
    return (*shares, float(identity.max()), seconds)


def main() -> None:
    """Print a line a recipe and origin of windows."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    p.add_argument("--size", choices=tracks.SIZES, default="small")
    p.add_argument("--recipes", nargs="+", choices=list(recipe.available()), default=list(recipe.available()))
    options = p.parse_args()
    print(f"{'recipe':16} {'windows':10} {'IDF1':>6} {'IDP':>6} {'IDR':>6} {'HOTA':>6} {'ids':>5} {'s':>5}")
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / str(seed) for seed in options.seeds]
        for folder, seed in zip(folders, options.seeds, strict=True):
            track_folder.make(folder, size=options.size, seed=seed)
        for used, origin in variants(options.recipes):
            try:
                rows = [measured(folder, used, origin) for folder in folders]
            except InputError as error:
                print(f"{used.name:16} {origin:10} {error.problems[0]}")
                continue
            idf1, idp, idr, hota, ids, seconds = np.mean(rows, axis=0)
            shares = " ".join(f"{share:6.2f}" for share in (idf1, idp, idr, hota))
            print(f"{used.name:16} {origin:10} {shares} {ids:5.0f} {seconds:5.1f}", flush=True)


if __name__ == "__main__":
    main()
