"""The pictures of a report: where they are, and how large the page may become."""

import argparse
from pathlib import Path

from ensemble.base.errors import refuse_if_any
from ensemble.cli.numbers import bytes_of


def add_options(p: argparse.ArgumentParser) -> None:
    """``--images`` and ``--report-size``."""
    p.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="pictures for the report, found below by their names",
    )
    p.add_argument(
        "--report-size",
        metavar="SIZE",
        default="20MB",
        help="the report at most that large (default: %(default)s)",
    )


def add_report(p: argparse.ArgumentParser, what: str) -> None:
    """``--report``; ``what`` is written."""
    p.add_argument("--report", action="store_true", help=f"write {what}")


def size(options: argparse.Namespace) -> int:
    """``--report-size`` in bytes."""
    return bytes_of("--report-size", options.report_size)


def refuse_missing(options: argparse.Namespace) -> None:
    """Raise InputError with every folder of ``--images`` that is not there."""
    missing = [str(path) for path in options.images if not path.is_dir()]
    refuse_if_any([f"--images: wanted a folder with images, found none at {path}" for path in missing])
