"""The options that say which processes do the work."""

import argparse

STEP = "rerank"  # what they do of a run


def add_options(p: argparse.ArgumentParser, what: str = "") -> None:
    """``--workers`` and ``--scheduler``; ``what``: of which part of the command."""
    where = p.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help=f"{what}processes on this machine (default: 1, without Dask)"
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help=f"{what}a Dask scheduler, as tcp://10.0.0.1:8786")


def wanted(options: argparse.Namespace) -> bool:
    """Whether somebody asks for them."""
    return getattr(options, "workers", None) is not None or getattr(options, "scheduler", None) is not None
