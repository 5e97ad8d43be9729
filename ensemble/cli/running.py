"""The options of ``ensemble.run``, which ``extractors.rank`` hands on."""

import argparse
from pathlib import Path

from ensemble.cli import outputs, pictures, planning, program, shortlists, workers


def parser(description: str | None = None) -> argparse.ArgumentParser:
    """All options of the command."""
    p = program.parser("ensemble.run", description)
    planning.add_options(p)
    outputs.add_out(p, "where results go (default: runs/RECIPE)")
    pictures.add_report(p, "report.html too: see reid-ensemble report")
    pictures.add_options(p)
    shortlists.add_options(p)
    p.add_argument(
        "--neighbours",
        type=Path,
        metavar="DIR",
        help="lists that reid-ensemble neighbours has made of the features that a step compares, so that it need "
        "not; "
        "the recipe is kreciprocal then, where none is named",
    )
    workers.add_options(p, "re-ranking from --neighbours in tasks, --memory being a worker's: ")
    outputs.add_dry_run(p, "check everything, read no feature, write nothing")
    p.add_argument(
        "--list-steps", action="store_true", help="what a recipe can use, with every setting's range and meaning"
    )
    p.add_argument("--list-recipes", action="store_true", help="the recipes that come with the package")
    return p
