"""Where results go: a folder or file, a table, or JSON in the place of text."""

import argparse
from pathlib import Path

from ensemble.base.errors import refuse_if_any
from ensemble.io import refusals


def add_out(p: argparse.ArgumentParser, use: str, *, metavar: str = "DIR", required: bool = False) -> None:
    """``--out``; ``use`` says what is written there."""
    p.add_argument("--out", type=Path, required=required, metavar=metavar, help=use)


def add_csv(p: argparse.ArgumentParser, use: str) -> None:
    """``--csv``; ``use`` says what the lines are."""
    p.add_argument("--csv", type=Path, metavar="FILE", help=use)


def add_dry_run(p: argparse.ArgumentParser, use: str) -> None:
    """``--dry-run``; ``use`` says what is done without writing."""
    p.add_argument("--dry-run", action="store_true", help=use)


def add_json(p: argparse.ArgumentParser, what: str = "everything") -> None:
    """``--json``: ``what`` as one document."""
    p.add_argument("--json", action="store_true", help=f"print {what} as JSON and nothing else on stdout")


def refuse_unwritable(*paths: Path | None) -> None:
    """Raise InputError with every file that could not be written, before anything is computed; None is none."""
    refuse_if_any(refusals(path for path in paths if path is not None))
