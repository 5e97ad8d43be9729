"""Intervals and tests: how they are drawn, and how they are written."""

import argparse
import math
from collections.abc import Mapping
from typing import Any

from ensemble.base.errors import refuse_if_any
from ensemble.cli.numbers import too_small
from ensemble.scores import statistics
from ensemble.scores.statistics import Difference


def add_options(
    p: argparse.ArgumentParser, *, resamples: int = statistics.RESAMPLES, of_queries: bool = True
) -> None:
    """``--seed``, ``--resamples``, ``--level`` and, of scores that queries have, ``--independent``."""
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn (default: %(default)s)")
    p.add_argument(
        "--resamples",
        type=int,
        default=resamples,
        metavar="N",
        help="draws for intervals and tests (default: %(default)s)",
    )
    p.add_argument(
        "--level",
        type=float,
        default=statistics.LEVEL,
        help="of the intervals, 0.5 to 0.999 (default: %(default)s)",
    )
    if not of_queries:
        return
    p.add_argument(
        "--independent",
        action="store_true",
        help="draw queries, not identities: gives narrower intervals than the queries of one identity deserve",
    )


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """The settings of :func:`ensemble.scores.statistics.difference`, checked."""
    problems = too_small(options, seed=0, resamples=100)
    if not 0.5 <= options.level <= 0.999:
        problems.append(f"--level: wanted 0.5 to 0.999, found {options.level}")
    refuse_if_any(problems)
    return {"seed": options.seed, "resamples": options.resamples, "level": options.level}


def method(used: Mapping[str, Any], *, by: str, comparisons: int) -> str:
    """What the numbers mean, in a sentence to be printed below them; ``used`` are the :func:`settings`."""
    corrected = f", corrected for {comparisons} comparisons (Holm)" if comparisons > 1 else ""
    return (
        f"interval: {used['level']:.4g} for each comparison by itself, BCa bootstrap by {by}; p: two-sided "
        f"permutation test by {by}{corrected}; {used['resamples']} draws, seed {used['seed']}"
    )


def interval_text(one: Difference) -> str:
    """``+0.0120 to +0.0310``, or ``-`` where there is none."""
    return "-" if math.isnan(one.low) else f"{one.low:+.4f} to {one.high:+.4f}"


def p_text(p: float) -> str:
    """Four places; ``-`` where there was no test."""
    return "-" if math.isnan(p) else f"{p:.4f}"
