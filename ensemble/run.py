"""``python -m ensemble.run``: a folder of feature files in; submission, resolved recipe and record out."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import postproc
from ensemble import errors, io, names, pipeline, plan, recipe, results, steps
from ensemble.errors import InputError
from ensemble.features import FeatureSet
from ensemble.protocols import AP_RULES, DENOMINATORS, JUNK, PROTOCOLS, Protocol
from ensemble.report import command
from ensemble.report.keeping import Keeper
from ensemble.tune import advice
from postproc import runtime

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    if options.list_steps:
        list_steps()
        return 0
    if options.list_recipes:
        list_recipes()
        return 0
    checked = prepare(options)
    if options.dry_run:
        describe(checked)
        return 0
    return execute(options, checked)


def parser() -> argparse.ArgumentParser:
    """The options, most of them shared with ``ensemble.evaluate``."""
    p = argparse.ArgumentParser(prog="python -m ensemble.run", description=__doc__)
    add_inputs(p)
    p.add_argument("--out", type=Path, metavar="DIR", help="where results go (default: runs/RECIPE)")
    p.add_argument("--report", action="store_true", help="write report.html too: see ensemble.report")
    command.add_options(p)
    p.add_argument("--dry-run", action="store_true", help="check everything, read no feature, write nothing")
    p.add_argument("--list-steps", action="store_true", help="what a recipe can use, with settings")
    p.add_argument("--list-recipes", action="store_true", help="the recipes that come with the package")
    return p


def add_inputs(p: argparse.ArgumentParser) -> None:
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


def walk(
    options: argparse.Namespace,
    checked: plan.Plan,
    sets: Mapping[str, FeatureSet] | None = None,
    watch: pipeline.Watch | None = None,
) -> pipeline.Result:
    """Run the plan under the options' threads and memory, printing a line a step; on ``sets`` if given."""
    limit = memory_limit(options)
    scored = {"query_pid", "gallery_pid"} <= checked.folder.columns
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    print(pipeline.heading(scored))

    def show(line: pipeline.Line) -> None:
        print(pipeline.text(line), flush=True)
        if line.step == "read":  # labels are known, and nothing has been computed yet
            for warning in advice.warnings(checked.recipe, advice.positives(run.columns | run.labels)):
                print(warning, file=sys.stderr)

    with postproc.using(threads=options.threads, memory=limit):
        run = pipeline.Run(
            checked, show, protocol=protocol(options, checked.recipe), memory=limit, sets=sets, watch=watch
        )
        return run()


def execute(options: argparse.Namespace, checked: plan.Plan) -> int:
    """Run and write; nothing is written before everything is computed."""
    keeper = None
    if options.images and not options.report:
        raise InputError(["--images: wanted --report too, found none; pictures are shown in the report alone"])
    if options.report:
        command.check_options(options)
        keeper = Keeper()
    result = walk(options, checked, watch=keeper)
    out = options.out or Path("runs") / checked.recipe.name
    written = results.write(out, checked, result, threads=options.threads or runtime.current().threads)
    print(results.score_text(result))
    if keeper:
        with postproc.using(threads=options.threads, memory=memory_limit(options)):
            written += command.write_run(out, keeper, checked, result, protocol(options, checked.recipe), options)
    for path in written:
        print(path)
    return 0


def describe(checked: plan.Plan) -> None:
    """Say what would run."""
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    for branch, models in zip(checked.recipe.branches, checked.models, strict=True):
        names = [use.name for use in (*branch.each, *([branch.join] if branch.join else []), *branch.steps)]
        print(f"  {errors.examples(models, 8)}: {' -> '.join(names) or 'nothing'}")
    tail = [use.name for use in (*([checked.recipe.join] if checked.recipe.join else []), *checked.recipe.steps)]
    if tail:
        print(f"  then {' -> '.join(tail)}")
    print(f"  provided: {', '.join(sorted(checked.folder.columns))}")
    print("everything fits; nothing was read or written")


def list_steps() -> None:
    """Every step: what it does, what it needs, its settings and their defaults."""
    for step in steps.catalogue().values():
        print(f"{step.name}: {step.summary}")
        print(f"    needs {', '.join(step.needs)}; gives {', '.join(step.gives)}")
        if step.may_use:
            print(f"    may use {', '.join(step.may_use)}")
        for name, default in step.settings.items():
            print(f"    {name} = {json.dumps(default) if default is not None else '(none)'}")


def list_recipes() -> None:
    """Every recipe of the package with its description."""
    for name in recipe.available():
        print(f"{name}: {recipe.load(name).about}")


if __name__ == "__main__":
    errors.main(main)
