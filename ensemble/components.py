"""Draw the features of a folder as points in three components, coloured by identity or camera.

    python -m ensemble.components --features DIR --out plots/
    python -m ensemble.components --features DIR --by cam --method tsne --sides query gallery --out plots/

For every model MODEL_METHOD_BY.svg, .png and .csv (name, group, three numbers an image). Principal components and
t-SNE are scikit-learn's; the axes of the former say how much of the variance they hold. Needs the extra report.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ensemble import io
from ensemble.base.errors import near, refuse_if_any
from ensemble.base.features import SIDES
from ensemble.cli import files, notes, outputs, program
from ensemble.cli.numbers import too_small

TASK = "look"  # of reid-ensemble --help

if TYPE_CHECKING:
    from ensemble.report.clouds import Cloud

COLUMNS = ("pid", "cam", "track", "scene")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    refuse_if_any(files.wanted(options) + too_small(options, groups=1, most=1, seed=0))
    from ensemble import report

    report.refuse_without_packages()
    from ensemble.report import clouds

    options.rankings = None
    folder = files.scan(options)
    refuse_if_any(
        [
            f"--model: wanted one of {', '.join(folder.models)}, found {model}{near(model, folder.models)}"
            for model in options.model or ()
            if model not in folder.models
        ]
    )
    models = options.model or folder.joined
    stems = {model: f"{model.replace('/', '_')}_{options.method}_{options.by}" for model in models}
    outputs.refuse_unwritable(*(options.out / f"{stem}.svg" for stem in stems.values()))
    sets = io.read(folder, models, missing="keep")
    notes.say((*folder.notes, *sets[0].notes))
    found = {
        features.model: clouds.cloud(
            features,
            options.sides,
            options.by,
            method=options.method,
            most_groups=options.groups,
            most=options.most,
            centres=options.centres,
            seed=options.seed,
        )
        for features in sets
    }
    for model, points in found.items():
        _write(options, stems[model], model, points)
    return program.FINE


def _write(options: argparse.Namespace, stem: str, model: str, points: "Cloud") -> None:
    """The figure in two formats, and the numbers."""
    from ensemble.report import clouds, plots
    from ensemble.report.figures import DPI

    what = "centres" if options.centres else "images"
    title = f"{model}: {len(points.names)} {what} by {options.by}"
    with plots.style():
        figure = clouds.draw(points, title)
        for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            with io.beside(options.out / f"{stem}.{kind}", "wb") as stream:
                figure.savefig(stream, format=kind, dpi=DPI, facecolor="white", metadata=metadata)
    rows = zip(points.names, points.groups, *points.points.T.tolist(), strict=True)
    io.write_csv(options.out / f"{stem}.csv", ("name", options.by, *("xyz")), rows)
    print(f"{options.out / stem}.svg, .png, .csv: {title}, {len(set(points.groups))} groups")


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.components", __doc__)
    files.add_features(p)
    files.add_name_lists(p)
    files.add_tracks(p)
    files.add_meaning(p)
    files.add_keys(p)
    outputs.add_out(p, "where the plots go", required=True)
    add = p.add_argument
    add("--model", nargs="+", metavar="NAME", help="models of the folder (default: all but side models)")
    add("--by", choices=COLUMNS, default="pid", help="what gives the colours (default: %(default)s)")
    add("--method", choices=("pca", "tsne"), default="pca", help="default: %(default)s")
    add("--sides", nargs="+", choices=SIDES, default=["gallery"], help="of which images (default: gallery)")
    add("--groups", type=int, default=10, metavar="N", help="the largest so many (default: %(default)s)")
    add("--most", type=int, default=2000, metavar="N", help="images at most (default: %(default)s)")
    add("--centres", action="store_true", help="one point a group, its mean")
    add("--seed", type=int, default=0, metavar="N", help="of t-SNE (default: %(default)s)")
    return p


if __name__ == "__main__":
    program.main(main)
