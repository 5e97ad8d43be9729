"""The options of the command, and what is wrong with them."""

import argparse

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.cli import machine, outputs, planning, program, workers
from ensemble.cli.numbers import too_small
from ensemble.neighbours.lists import GIGABYTE
from ensemble.neighbours.plan import INDEXES


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.neighbours", description)
    planning.add_options(p, otherwise="baseline", rankings=False, scored=False)
    for action in p._actions:
        if action.dest == "memory":
            action.help = "what a worker may hold, with its unit (default: 2GB)"
    outputs.add_out(p, "where the lists go; DIR.work beside it holds the work until it is done", required=True)
    p.add_argument(
        "--k",
        type=int,
        metavar="N",
        help="neighbours of every image (default: as many as the recipe's answer wants, 100 or more)",
    )
    p.add_argument(
        "--model", metavar="M", help="the features of this model alone (default: those that are compared)"
    )
    workers.add_options(p)
    p.add_argument("--approximate", choices=INDEXES, help="lists from an index, their distances exact")
    p.add_argument(
        "--probes",
        type=int,
        metavar="N",
        help="with --approximate: cells of the index that are looked through; of faiss-hnsw images in hand",
    )
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of the index and of the sample (default: 0)")
    return p


def checked(options: argparse.Namespace) -> int:
    """The bytes that a worker may hold, which are no limit of the command itself; all problems in one error."""
    problems = too_small(options, k=1, workers=1, seed=0, probes=1)
    budget = 2 * GIGABYTE
    with collecting(problems):
        budget = machine.memory(options) or budget
    options.memory = None
    if options.device != "cpu":
        problems.append(f"--device: wanted cpu, where these lists are made, found {options.device}; leave it out")
    if options.probes is not None and options.approximate is None:
        problems.append("--probes: wanted --approximate too, found none; leave it out")
    if options.features is None:
        raise InputError([*problems, "--features: wanted a folder with feature files, found nothing; see --help"])
    refuse_if_any(problems)
    return budget
