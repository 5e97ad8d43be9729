"""Where results go: a folder or file, a table, or JSON in the place of text."""

import argparse
from pathlib import Path


def add_out(p: argparse.ArgumentParser, use: str, *, metavar: str = "DIR", required: bool = False) -> None:
    """``--out``; ``use`` says what is written there."""
    p.add_argument("--out", type=Path, required=required, metavar=metavar, help=use)


def add_csv(p: argparse.ArgumentParser, use: str) -> None:
    """``--csv``; ``use`` says what the lines are."""
    p.add_argument("--csv", type=Path, metavar="FILE", help=use)


def add_json(p: argparse.ArgumentParser, what: str = "everything") -> None:
    """``--json``: ``what`` as one document."""
    p.add_argument("--json", action="store_true", help=f"print {what} as JSON and nothing else on stdout")
