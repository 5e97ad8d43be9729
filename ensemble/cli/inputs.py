"""What every command that runs a recipe is told: files, recipe, protocol, how much of the machine."""

import argparse
from dataclasses import replace
from pathlib import Path

import postproc
from ensemble import io, names
from ensemble.base import errors
from ensemble.base.errors import InputError
from ensemble.pipeline import devices, plan, recipe
from ensemble.scores.protocols import AP_RULES, DENOMINATORS, JUNK, PROTOCOLS, Protocol

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "": 1}


def add_options(p: argparse.ArgumentParser) -> None:
    """Options that say what to read and how to run it."""
    p.add_argument("--features", type=Path, metavar="DIR", help="folder with the models' feature files")
    p.add_argument("--rankings", type=Path, metavar="DIR", help="in its place: folder with rank lists to join")
    p.add_argument("--recipe", metavar="NAME|FILE", help="see --list-recipes (default: default, or lists)")
    p.add_argument("--set", action="append", default=[], metavar="STEP.SETTING=VALUE", help="change a setting")
    p.add_argument("--query-names", type=Path, metavar="FILE", help="list of query names, one a line")
    p.add_argument("--gallery-names", type=Path, metavar="FILE", help="list of gallery names, one a line")
    p.add_argument("--names", metavar="SET", help="the data set whose names tell identities and cameras")
    p.add_argument("--pattern", metavar="REGEX", help="a pattern of your own that does, see ensemble.names")
    p.add_argument("--tracks", type=Path, metavar="FILE", help="track file, one track a line")
    p.add_argument("--protocol", choices=PROTOCOLS, help="how to score, instead of the recipe's")
    p.add_argument("--ap", choices=AP_RULES, help="change the protocol's rule of the average precision")
    p.add_argument("--denominator", choices=DENOMINATORS, help="change what the protocol averages over")
    p.add_argument("--junk", choices=JUNK, help="change what the protocol removes from a ranking")
    p.add_argument("--cut", type=int, metavar="K", help="score only the first K places")
    p.add_argument("--draws", type=int, metavar="N", help="change how often the protocol draws a gallery")
    p.add_argument("--draw-seed", type=int, metavar="N", help="change the seed of the protocol's draws")
    p.add_argument("--threads", type=int, metavar="N", help="threads (default: one a processor)")
    p.add_argument("--memory", metavar="SIZE", help="do not start what needs more, for example 4GB")
    p.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda or cuda:N (default: %(default)s)")


def prepare(options: argparse.Namespace) -> plan.Plan:
    """Load, look and check; every problem that can be found before a feature is read, in one error."""
    if (options.features is None) == (options.rankings is None):
        found = "nothing" if options.features is None else "--rankings too"
        raise InputError([f"--features: wanted a folder with feature files, found {found}; see --help"])
    problems: list[str] = []
    folder = loaded = None
    for name, least in (("threads", 1), ("cut", 1), ("draws", 1), ("draw_seed", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            problems.append(f"--{name.replace('_', '-')}: wanted {least} or more, found {value}")
    refused = devices.problem(options.device)
    problems += [f"--device: {refused}"] if refused else []
    try:
        chosen = options.recipe or ("default" if options.rankings is None else "lists")
        loaded = recipe.override(recipe.load(chosen), options.set)
        memory_limit(options)
    except InputError as error:
        problems += error.problems
    try:
        folder = io.scan(
            options.features or options.rankings,
            query_names=options.query_names,
            gallery_names=options.gallery_names,
            tracks=options.tracks,
            rankings=options.features is None,
            parser=names.choose(options.names, options.pattern),
        )
    except InputError as error:
        problems += error.problems
    checked = None
    if folder and loaded:
        try:
            checked = plan.check(loaded, folder)
        except InputError as error:
            problems += error.problems
    errors.refuse_if_any(problems)
    assert checked is not None
    sizes = plan.counts(checked.folder)
    if sizes is not None:
        with postproc.using(threads=options.threads):
            errors.refuse_if_any(
                plan.memory_problems(
                    checked, *sizes, memory_limit(options), whole_answer=needs_all(options, checked)
                )
            )
    return checked


def needs_all(options: argparse.Namespace, checked: plan.Plan) -> bool:
    """Whether there are labels and the protocol looks at whole rankings."""
    labelled = {"query_pid", "gallery_pid"} <= checked.folder.columns
    return labelled and protocol(options, checked.recipe).whole


def protocol(options: argparse.Namespace, used: recipe.Recipe) -> Protocol:
    """The recipe's protocol or the one asked for, with single rules changed."""
    named = PROTOCOLS[options.protocol or used.protocol]
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


def device(options: argparse.Namespace) -> devices.Device:
    """``--device``, which :func:`prepare` has checked."""
    return devices.Device(options.device)


def memory_limit(options: argparse.Namespace) -> int | None:
    """``--memory`` in bytes."""
    return None if options.memory is None else bytes_of("--memory", options.memory)


def bytes_of(option: str, given: str) -> int:
    """A size as people write it, in bytes."""
    text = given.strip().upper()
    digits = text.rstrip("KMGIB")
    unit = text[len(digits) :].strip()
    unit = unit if unit in UNITS or unit + "B" not in UNITS else unit + "B"
    try:
        size = float(digits) * UNITS[unit]
    except (ValueError, KeyError):
        size = 0
    if not 0 < size < float("inf"):
        raise InputError([f"{option}: wanted a size such as 4GB, found {given!r}"])
    return max(1, int(size))
