"""From options to a checked plan: which recipe runs on which folder, and what it may cost."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ensemble import io
from ensemble.base.collecting import collecting
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.cli import files, machine, protocols, workers
from ensemble.cli.numbers import too_small
from ensemble.pipeline import changes, forecast, memory, plan, plugins, rates, recipe
from ensemble.pipeline.forecast import Forecast
from ensemble.pipeline.memory import Prediction
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.tree import Node
from ensemble.scores.protocol import Protocol
from postproc.base import beforehand, runtime
from postproc.base.machine import free_memory

FEWER = (("fewer models", None), ("fewer images, or a machine with more", None))  # remedies of who cannot read all


def add_options(
    p: argparse.ArgumentParser,
    *,
    otherwise: str = "default",
    rankings: bool = True,
    of_pairs: bool = False,
    scored: bool = True,
) -> None:
    """Everything that a command asks for which runs a recipe: what to read, how to run it, how to score it.

    otherwise: the recipe where none is asked for. rankings: whether the command takes rank lists; ``--rankings``
               of one that does not is understood, to be refused with the reason.
               of_pairs: it ranks nothing. scored: whether a protocol has a meaning.
    """
    files.add_features(p)
    files.add_rankings(p, shown=rankings)
    p.set_defaults(otherwise=otherwise)
    default = f"default: {otherwise}" + (
        "; of --rankings: lists, with matrices or --features: joined" if rankings else ""
    )
    p.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help=f"a name (reid-ensemble recipes lists them) or a .toml file ({default})",
    )
    p.add_argument(
        "--steps", action="append", default=[], metavar="MODULE", help="a module with steps or joins of your own"
    )
    p.add_argument("--set", action="append", default=[], metavar="STEP.SETTING=VALUE", help="change a setting")
    files.add_name_lists(p)
    files.add_meaning(p)
    files.add_keys(p)
    files.add_tracks(p)
    if scored:
        protocols.add_options(p, of_pairs=of_pairs)
    else:
        protocols.no_options(p)
    machine.add_options(p)


def prepare(
    options: argparse.Namespace,
    *,
    rules: Protocol | None = None,
    wanted: Sequence[str] = (),
    change: Callable[[Recipe], Recipe] = lambda recipe: recipe,
    of_one_set: bool = False,
) -> Plan:
    """Load, look and check; every problem that can be found before a feature is read, in one error.

    rules:  how it is scored where ``--protocol`` says nothing, in the place of the recipe's own.
    wanted: columns of the tables that somebody looks at beside the usual ones.
    change: what becomes of the recipe before it is checked.
    of_one_set:  rank lists, tables of pairs and matrices are wanted as matrices of one set.
    """
    if options.features is None and options.rankings is None:
        raise InputError(["--features: wanted a folder with feature files, found nothing; see --help"])
    problems = (
        too_small(options, threads=1)
        + machine.thread_problems(options)
        + protocols.problems(options)
        + machine.device_problems(options)
    )
    folder = loaded = checked = None
    for module in options.steps:
        with collecting(problems):
            plugins.load_module(module)
    with collecting(problems):
        loaded = change(_recipe(options, of_one_set=of_one_set))
        machine.memory(options)
    judged = None
    if loaded and not protocols.problems(options):
        with collecting(problems):
            judged = protocols.chosen(options, rules or loaded.rules)
    with collecting(problems):
        folder = files.scan(options, (*(judged.removes.columns if judged else ()), *wanted), of_one_set=of_one_set)
    if folder:
        problems += files.similarity_problems(options, sorted(folder.given) or list(folder.models))
    if folder and loaded:
        with collecting(problems):
            checked = plan.check(loaded, folder)
    if folder and judged:
        problems += protocols.lacking(judged, folder)
    refuse_if_any(problems)
    assert checked is not None
    _refuse_memory(options, checked)
    return checked


def protocol(options: argparse.Namespace, used: Recipe) -> Protocol:
    """The recipe's protocol or the one asked for, with single rules changed."""
    return protocols.chosen(options, used.rules)


def labelled(checked: Plan) -> bool:
    """Whether queries and gallery have labels, so that there will be scores."""
    return {"query_pid", "gallery_pid"} <= checked.folder.columns


def _recipe(options: argparse.Namespace, *, of_one_set: bool) -> Recipe:
    named = options.recipe or _usual(options, of_one_set=of_one_set)
    loaded = named if isinstance(named, Recipe) else recipe.load(named)
    changed = changes.override(loaded, options.set)
    return replace(changed, similarity=tuple(dict.fromkeys([*changed.similarity, *options.similarity])))


def _usual(options: argparse.Namespace, *, of_one_set: bool) -> str:
    """The recipe where none is asked for, by what is read."""
    if options.rankings is None:
        return str(options.otherwise)
    lists = options.features is None and not of_one_set and not io.holds_matrix(options.rankings)
    return "lists" if lists else "joined"


def memory_of(options: argparse.Namespace, checked: Plan) -> memory.Prediction | None:
    """What a run will hold and do, stage by stage; None where that cannot be told before features are read."""
    found = _sizes(checked)
    if found is None:
        return None
    return memory.predict(
        checked,
        found,
        protocol=protocol(options, checked.recipe),
        scored=labelled(checked),
        threads=_threads(options),
    )


def forecast_of(
    options: argparse.Namespace, checked: Plan, sets: Mapping[str, ModelSet] | None = None, *, always: bool = False
) -> Forecast | None:
    """What a run will take; None where nobody can tell, and where it is over soon and fits, unless ``always``.

    sets: what has been read already. The rates of the machine are measured where a run takes longer, and kept.
    """
    sizes = _sizes(checked) if sets is None else memory.of_sets(sets)
    if sizes is None:
        return None
    used, scored, threads = protocol(options, checked.recipe), labelled(checked), _threads(options)
    elsewhere = workers.STEP if workers.wanted(options) else None
    lists = getattr(options, "neighbours", None) is not None
    needed = memory.predict(
        checked, sizes, protocol=used, scored=scored, threads=threads, elsewhere=elsewhere, lists=lists
    )
    free = free_memory()
    soon = forecast.is_quick(needed) and (free is None or needed.largest.bytes <= free)
    if soon and not always:
        return None
    found = Forecast(needed, None if machine.device(options).is_cuda else rates.of_machine(threads), free)
    found = replace(found, elsewhere=elsewhere)
    if found.fits:
        return found
    others = forecast.remedies(checked, sizes, needed, protocol=used, scored=scored, threads=threads)
    return replace(found, remedies=others)


def is_refused(options: argparse.Namespace, expected: Forecast) -> bool:
    """Whether a run wants more memory than is free, and that is all there is to it.

    It is not all on a device, which has memory of its own, with neighbour lists, which save most of it, and where
    REID_MEMORY_CHECK is 0, for who knows better.
    """
    known = not machine.device(options).is_cuda and getattr(options, "neighbours", None) is None
    return not expected.fits and known and beforehand.is_wanted()


def refuse_without_room(
    options: argparse.Namespace, checked: Plan, sets: Mapping[str, ModelSet] | None = None
) -> None:
    """Raise InputError where a run wants more memory than is free. Not of what was handed over in memory: how much
    of that is counted already, nobody knows.

    sets: what has been read already, in memory that is not free any more.
    """
    if sets is None and is_in_memory(checked):
        return
    expected = forecast_of(options, checked, sets)
    if expected and sets is not None and expected.free is not None:
        read = expected.prediction.stages[0].bytes
        expected = replace(expected, free=expected.free + read)
    if expected and is_refused(options, expected):
        raise InputError([expected.remedy()])


def refuse_without_room_for_features(
    options: argparse.Namespace, checked: Plan, until: Node | None = None
) -> None:
    """Raise InputError where models that are read want more memory than is free, or what is made of them ``until``
    a part of the plan."""
    sizes = _sizes(checked)
    if sizes is None or is_in_memory(checked):
        return
    rules = protocol(options, checked.recipe)
    needed = memory.predict(checked, sizes, protocol=rules, scored=False, threads=_threads(options), until=until)
    stages = needed.stages if until else needed.stages[:1]
    expected = Forecast(Prediction(stages), None, free_memory(), FEWER)
    if is_refused(options, expected):
        raise InputError([expected.remedy()])


def is_in_memory(checked: Plan) -> bool:
    """Whether features or distances were handed over, and are in no file."""
    return bool(checked.folder.held or checked.folder.matrices)


def _sizes(checked: Plan) -> Mapping[str, io.ModelSize] | None:
    """The sizes of all models, None where a file does not tell."""
    if "distances" in checked.folder.columns:
        return None
    found = io.sizes(checked.folder, checked.all_models)
    return None if len(found) < len(checked.all_models) else found


def _threads(options: argparse.Namespace) -> int:
    return options.threads or runtime.current().threads


def _refuse_memory(options: argparse.Namespace, checked: Plan) -> None:
    """Refuse what would need more than ``--memory``, where that is known already."""
    limit = machine.memory(options)
    needed = memory_of(options, checked) if limit is not None else None
    if needed is not None:
        whole = labelled(checked) and protocol(options, checked.recipe).whole
        refuse_if_any(memory.problems(needed, limit, whole=whole))
