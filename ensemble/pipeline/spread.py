"""Rank lists as matrices: who wants them so, and what they take."""

from collections.abc import Sequence

from ensemble.base.errors import examples
from ensemble.pipeline import joins
from ensemble.pipeline.plan import Plan
from ensemble.scores.protocols import Protocol

PROGRAM = 250 << 20  # bytes of Python, NumPy and the libraries, where rank lists are joined


def lists_spread_for(plan: Plan, protocol: Protocol) -> list[str]:
    """The steps, joins and rules that want rank lists as a matrix of all queries and images; mostly none."""
    wants = []
    for use in plan.recipe.uses():
        if use.name not in joins.names() or joins.takes_lists(use.name, use.settings) in ("gallery", "whole"):
            wants.append(use.name)
    if {"query_pid", "gallery_pid"} <= plan.folder.columns and not protocol.takes_lists:
        wants.append("this protocol")
    return list(dict.fromkeys(wants))


def spread_text(nq: int, ng: int, wants: Sequence[str]) -> str:
    """What is said where rank lists become a matrix."""
    return (
        f"rank lists were spread to a matrix of {nq} x {ng} ({nq * ng * 4 / 1e9:.2f} GB) for {examples(wants)}; "
        "a recipe with a join alone takes the memory of the lists"
    )


def lists_memory_problems(
    lists: int, named: int, nq: int, ng: int, wants: Sequence[str], limit: int | None
) -> list[str]:
    """A problem with the figure if lists that name so many images in all need more than ``limit`` bytes."""
    needed = PROGRAM + (60 + 24 * lists) * named + (4 * nq * ng * 4 if wants else 0)
    if limit is None or needed <= limit:
        return []
    matrix = f" and a matrix of {nq} x {ng} for {examples(wants)}" if wants else ""
    return [
        f"--memory: wanted at most {limit / 1e9:.2f} GB, found that {lists} rank lists that name {named} "
        f"images in all{matrix} need about {needed / 1e9:.2f} GB; allow more, or cut the lists"
    ]
