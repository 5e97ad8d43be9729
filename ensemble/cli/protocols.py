"""How rankings are scored: a protocol by its name or from a file, with single rules changed."""

import argparse
from dataclasses import replace
from pathlib import Path

from ensemble.base.errors import InputError, near
from ensemble.base.toml_files import toml_of
from ensemble.cli.numbers import too_small
from ensemble.io import Folder
from ensemble.io.lists import read_labels
from ensemble.scores import written
from ensemble.scores.protocol import AP_RULES, AVERAGES, DENOMINATORS, DIVISORS, Protocol
from ensemble.scores.protocols import PROTOCOLS, SOURCES
from ensemble.scores.rules import JUNK

NOT_GIVEN = dict.fromkeys(("ap", "denominator", "average", "cut", "divide", "draws", "draw_seed"))


def no_options(p: argparse.ArgumentParser) -> None:
    """For a command that scores no ranking."""
    p.set_defaults(protocol=None, junk=None, **NOT_GIVEN)


def add_options(p: argparse.ArgumentParser, *, of_pairs: bool = False) -> None:
    """``--protocol`` and what changes it; ``of_pairs``: only what a command can change that ranks nothing."""
    use = "whose pairs count" if of_pairs else "how to score"
    p.add_argument(
        "--protocol",
        metavar="NAME|FILE",
        help=f"{use}, instead of the recipe's: a name (reid-ensemble protocols lists them) or a .toml file",
    )
    if of_pairs:
        p.add_argument("--junk", choices=JUNK, help="change which pairs of the protocol do not count")
        p.set_defaults(**NOT_GIVEN)
        return
    p.add_argument("--ap", choices=AP_RULES, help="change the protocol's rule of the average precision")
    p.add_argument("--denominator", choices=DENOMINATORS, help="change what the protocol averages over")
    p.add_argument(
        "--average", choices=AVERAGES, help="change whether queries or identities count once in the means"
    )
    p.add_argument("--junk", choices=JUNK, help="change what the protocol removes from a ranking")
    p.add_argument("--cut", type=int, metavar="K", help="score only the first K places")
    p.add_argument(
        "--divide",
        choices=DIVISORS,
        help="change what the sum of precisions is divided by: all good images, those found before the cut, or "
        "the cut where it is less than all",
    )
    p.add_argument("--draws", type=int, metavar="N", help="change how often the protocol draws a gallery")
    p.add_argument("--draw-seed", type=int, metavar="N", help="change the seed of the protocol's draws")


def listed() -> list[str]:
    """Every protocol and where it comes from, a line each."""
    wide = max(map(len, PROTOCOLS))
    return [f"{name:<{wide}}  {SOURCES[name]}" for name in PROTOCOLS]


def described(name: str) -> list[str]:
    """The rules of a protocol, and where it comes from."""
    return [f"{name}: {written.named(name, 'PROTOCOL').describe()}", f"    {SOURCES[name]}"]


def problems(options: argparse.Namespace) -> list[str]:
    """What is wrong with the numbers."""
    return too_small(options, cut=1, draws=1, draw_seed=0)


def chosen(options: argparse.Namespace, otherwise: Protocol) -> Protocol:
    """The protocol that was asked for, or ``otherwise``, with single rules changed."""
    asked = options.protocol
    given = otherwise if asked is None else asked if isinstance(asked, Protocol) else _read(asked)
    rules = {
        "ap": options.ap,
        "denominator": options.denominator,
        "average": options.average,
        "junk": options.junk,
        "top_k": options.cut,
        "divide": options.divide,
    }
    draws = {"trials": options.draws, "seed": options.draw_seed}
    changed = {name: value for name, value in draws.items() if value is not None}
    if changed and given.draw is None:
        drawing = ", ".join(name for name, known in PROTOCOLS.items() if known.draw)
        raise InputError([f"--draws and --draw-seed: wanted a protocol that draws ({drawing}), found none"])
    draw = replace(given.draw, **changed) if given.draw and changed else given.draw
    try:
        return replace(given, draw=draw, **{name: value for name, value in rules.items() if value is not None})
    except ValueError as error:
        raise InputError([f"--protocol: {error}"]) from error


def lacking(protocol: Protocol, folder: Folder) -> list[str]:
    """A problem for every column that the protocol's rules name and the tables lack; cameras may lack.

    None where nothing can be scored.
    """
    if not {"query_pid", "gallery_pid"} <= folder.columns:
        return []
    found = []
    for rule in protocol.removes.rules:
        for column in rule.columns:
            sides = [side for side in ("query", "gallery") if f"{side}_{column}" not in folder.columns]
            if sides and column != "cam":
                titles = [title for side in sides if side in folder.tables for title in _unused(folder, side)]
                files = " and ".join(f"{side}.csv" for side in sides)
                found.append(
                    f"{folder.path}: wanted the column {column} in {files}, as the protocol removes "
                    f"{rule.describe()!r}, found none{near(column, titles)}; add it, or choose another --protocol"
                )
    return list(dict.fromkeys(found))


def _unused(folder: Folder, side: str) -> tuple[str, ...]:
    unused = read_labels(folder.tables[side], folder.wanted, folder.keys).unused
    return tuple(title.partition(" (did you mean")[0] for title in unused)


def _read(asked: str) -> Protocol:
    return _file(Path(asked)) if asked.endswith(".toml") else _named(asked)


def _named(name: str) -> Protocol:
    try:
        return written.named(name, "--protocol")
    except InputError as error:
        raise InputError([str(error).replace("wanted one of", "wanted a .toml file or one of", 1)]) from None


def _file(path: Path) -> Protocol:
    """A file that holds a protocol's table, or a recipe with one."""
    content = toml_of(path, "protocol")
    return written.read(content.get("protocol", content), str(path))
