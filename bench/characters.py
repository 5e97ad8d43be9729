"""Pictures to ranking on real images: handwritten characters as identities, their twenty writers as cameras.

    python -m bench.characters PATH/omniglot_small1.npz

Writers 1 to 3 are the queries, the others the gallery. The characters are written as PNG, shifted to their
centre of mass, scaled by their second moment and blurred a little (a stroke one pixel wide matches nothing but
itself); ``extractors.dump`` describes them by HOG at two scales and by pixels, ``ensemble.run`` joins and
re-ranks.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

SIDE = 32
MODELS = ("hog:4,size=32x32,grey=yes,name=hog4", "hog:8,size=32x32,grey=yes,name=hog8", "pixels,grey=yes")
QUERIES = (1, 2, 3)
RECIPES = ("baseline", "kreciprocal")


def write(data: Path, folder: Path) -> None:
    """The characters as ``query/PID_cCAM.png`` and ``gallery/PID_cCAM.png``."""
    with np.load(data) as file:
        shape = tuple(file["shape"])
        ink = np.unpackbits(file["img"])[: np.prod(shape)].reshape(shape)
        labels, drawers = file["label"], file["drawer"]
    for side in ("query", "gallery"):
        (folder / side).mkdir(parents=True)
    for character, label, drawer in zip(ink, labels, drawers, strict=True):
        side = "query" if drawer in QUERIES else "gallery"
        _centred(character).save(folder / side / f"{label:04d}_c{drawer:02d}.png")


def _centred(ink):  # type: ignore[no-untyped-def]
    from PIL import Image, ImageFilter

    rows, columns = np.nonzero(ink)
    spread = max(np.sqrt((rows.var() + columns.var()) / 2), 2.0)
    step = 4.4 * spread / SIDE  # 2.2 standard deviations to either side
    left, top = (place.mean() + (0.5 - SIDE / 2) * step for place in (columns, rows))
    image = Image.fromarray((255 * ink).astype(np.uint8))
    found = image.transform(
        (SIDE, SIDE), Image.Transform.AFFINE, (step, 0, left, 0, step, top), Image.Resampling.BICUBIC
    )
    return found.filter(ImageFilter.GaussianBlur(1))


def run(data: Path, folder: Path) -> dict[str, float]:
    """mAP of every model alone, of all joined, and re-ranked."""
    from ensemble import run as ensemble_run
    from extractors import dump

    write(data, folder / "images")
    models = [word for model in MODELS for word in ("--model", model)]
    out = folder / "features"
    labels = ["--pattern", r"(?P<pid>\d{4})_c(?P<cam>\d{2})"]
    dump.main(["--images", str(folder / "images"), *labels, *models, "--l2", "end", "--out", str(out)])
    found = {}
    for model in MODELS:
        name = model.rpartition("name=")[2].partition(",")[0]
        alone = folder / name
        alone.mkdir()
        for file in (f"{name}.npz", "query.csv", "gallery.csv"):
            (alone / file).write_bytes((out / file).read_bytes())
        found[name] = _map(ensemble_run, alone, "baseline", folder / f"run_{name}")
    for recipe in RECIPES:
        found[recipe] = _map(ensemble_run, out, recipe, folder / f"run_{recipe}")
    return found


def _map(command, features: Path, recipe: str, out: Path) -> float:  # type: ignore[no-untyped-def]
    command.main(["--features", str(features), "--recipe", recipe, "--out", str(out)])
    return float(json.loads((out / "run.json").read_text())["scores"]["mAP"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        scores = run(Path(sys.argv[1]), Path(place))
    for name, score in scores.items():
        print(f"{name:<10} mAP {100 * score:5.1f}")
