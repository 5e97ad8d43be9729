"""How rankings are scored: a protocol by its name, with single rules changed."""

import argparse
from dataclasses import replace

from ensemble.base.errors import InputError
from ensemble.cli.numbers import too_small
from ensemble.scores.protocols import AP_RULES, DENOMINATORS, JUNK, PROTOCOLS, Protocol


def add_options(p: argparse.ArgumentParser) -> None:
    """``--protocol`` and what changes it."""
    p.add_argument("--protocol", choices=PROTOCOLS, help="how to score, instead of the recipe's")
    p.add_argument("--ap", choices=AP_RULES, help="change the protocol's rule of the average precision")
    p.add_argument("--denominator", choices=DENOMINATORS, help="change what the protocol averages over")
    p.add_argument("--junk", choices=JUNK, help="change what the protocol removes from a ranking")
    p.add_argument("--cut", type=int, metavar="K", help="score only the first K places")
    p.add_argument("--draws", type=int, metavar="N", help="change how often the protocol draws a gallery")
    p.add_argument("--draw-seed", type=int, metavar="N", help="change the seed of the protocol's draws")


def problems(options: argparse.Namespace) -> list[str]:
    """What is wrong with the numbers."""
    return too_small(options, cut=1, draws=1, draw_seed=0)


def chosen(options: argparse.Namespace, otherwise: str) -> Protocol:
    """The protocol that was asked for, or the one called ``otherwise``, with single rules changed."""
    named = PROTOCOLS[options.protocol or otherwise]
    rules = {"ap": options.ap, "denominator": options.denominator, "junk": options.junk, "top_k": options.cut}
    draws = {"trials": options.draws, "seed": options.draw_seed}
    changed = {name: value for name, value in draws.items() if value is not None}
    if changed and named.draw is None:
        drawing = ", ".join(name for name, known in PROTOCOLS.items() if known.draw)
        raise InputError([f"--draws and --draw-seed: wanted a protocol that draws ({drawing}), found none"])
    draw = replace(named.draw, **changed) if named.draw and changed else named.draw
    try:
        return replace(named, draw=draw, **{name: value for name, value in rules.items() if value is not None})
    except ValueError as error:
        raise InputError([f"--protocol: {error}"]) from error
