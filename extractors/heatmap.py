"""Draw what a model looks at: the map of its last layer over the images, and the sums of its channels beside them.

    python -m extractors.heatmap --images pictures --model best.pth --out maps/

For ``pictures/a/1.jpg`` there are ``maps/a/1_heat.png`` (the image with the heat on it) and ``maps/a/1_sum.png``
(the image, and beside it the sums with a bar of colours). --layer names another layer of the network.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ensemble.base.errors import InputError, refuse_if_any
from ensemble.cli import outputs, program
from ensemble.cli.numbers import too_small
from ensemble.io import beside

TASK = "look"  # of reid-ensemble --help

if TYPE_CHECKING:
    from extractors.decode import Reading
    from extractors.model import Model

KINDS = ("heat", "sum")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff", ".webp")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = parser().parse_args(arguments)
    refuse_if_any(too_small(given, batch=1, most=1))
    files = list(_files(given.images))[: given.most]
    paths = {name: [given.out / f"{name}_{kind}.png" for kind in given.kinds] for _, name in files}
    if len(paths) < len(files):
        raise InputError(["--images: wanted every name once, found some again; draw the folders one by one"])
    outputs.refuse_unwritable(*(path for written in paths.values() for path in written))
    from extractors.calling import frames_of
    from extractors.decode import Reading
    from extractors.extras import need
    from extractors.maps import layer_of
    from extractors.models import load
    from extractors.options import split

    need("matplotlib", "matplotlib", "extractors.heatmap")
    spec, options = split(given.model)
    options.pop("codes", None)
    model = load(spec, device=given.device, **options)
    if frames_of(model) is not None:
        raise InputError([f"{model.name}: wanted a model of images, found one of clips"])
    reading = Reading(model.size, given.filter)
    layer = None
    for start in range(0, len(files), given.batch):
        some = files[start : start + given.batch]
        pixels = np.stack([_pixels(path, reading) for path, _ in some])
        batch = _normalised(model, pixels)
        if layer is None:
            layer = layer_of(model, batch[:1], given.layer)
            print(f"{model.name}, {layer}: {len(files)} images")
        _draw(model, batch, pixels, layer, [paths[name] for _, name in some], given.kinds)
    print(f"{given.out}: {len(files) * len(given.kinds)} pictures")
    return program.FINE


def _files(given: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Every image with the name of what is drawn of it."""
    missing = [path for path in given if not path.exists()]
    problems = [f"--images: wanted images or folders of them, found none at {path}" for path in missing]
    found = []
    for path in given:
        below = (
            sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        )
        found += [
            (one, str(one.relative_to(path if path.is_dir() else path.parent).with_suffix(""))) for one in below
        ]
    if not found and not problems:
        problems.append(f"--images: wanted images ({', '.join(SUFFIXES)}), found none in {given[0]}")
    refuse_if_any(problems)
    yield from found


def _pixels(path: Path, reading: "Reading") -> np.ndarray:
    from extractors.decode import read

    found = read(path, reading)
    if isinstance(found, str):
        raise InputError([f"{path}: {found}; leave it out"])
    return found


def _normalised(model: "Model", pixels: np.ndarray) -> np.ndarray:
    from extractors.views import normalised

    return np.ascontiguousarray(normalised(pixels[:, None], model.mean, model.std)[:, 0])


def _draw(
    model: "Model",
    batch: np.ndarray,
    pixels: np.ndarray,
    layer: str,
    paths: Sequence[Sequence[Path]],
    kinds: Sequence[str],
) -> None:
    """Write the pictures of some images."""
    from PIL import Image

    from extractors.maps import channel_sums, heat, overlay

    for sums, image, written in zip(channel_sums(model, batch, layer), pixels, paths, strict=True):
        for kind, path in zip(kinds, written, strict=True):
            with beside(path, "wb") as file:
                if kind == "heat":
                    Image.fromarray(overlay(image, heat(sums, image.shape[:2]))).save(file, "PNG")
                else:
                    _side_by_side(image, sums, file)


def _side_by_side(image: np.ndarray, sums: np.ndarray, file: IO[bytes]) -> None:
    """The image, and the sums with a bar that says what the colours are."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(image)
    shown = right.imshow(sums, cmap="viridis", extent=(0, image.shape[1], image.shape[0], 0))
    figure.colorbar(shown, ax=right)
    for axes in (left, right):
        axes.set_axis_off()
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("extractors.heatmap", __doc__)
    add = p.add_argument
    add("--images", nargs="+", type=Path, required=True, metavar="DIR|FILE", help="folders of images, or images")
    add("--model", required=True, metavar="SPEC[,OPTION=VALUE…]", help="as for reid-ensemble dump")
    outputs.add_out(p, "where the pictures go", required=True)
    add("--layer", metavar="NAME", help="a layer of the network (default: the last that puts out a map)")
    add("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="which pictures (default: heat sum)")
    add(
        "--filter",
        choices=("bilinear", "bicubic"),
        default="bilinear",
        help="of the resizing (default: %(default)s)",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--batch", type=int, default=16, metavar="N", help="images at once (default: %(default)s)")
    add("--most", type=int, metavar="N", help="draw so many images, in the order of their names (default: all)")
    return p


if __name__ == "__main__":
    program.main(main)
