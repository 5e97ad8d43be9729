"""Everything about a run that can be known before a feature is read: which model goes where, what fits what."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ensemble.base.distances import TRAIN_DISTANCES, TRAIN_HITS
from ensemble.base.errors import examples, near, refuse_if_any
from ensemble.base.features import SIDES
from ensemble.io import Folder
from ensemble.io.folder import NAME_LISTS, SIDE, is_side
from ensemble.pipeline import joins, steps, travel_times
from ensemble.pipeline.recipe import Branch, Group, Recipe, Use
from ensemble.scores.protocols import Protocol
from ensemble.submissions import formats
from postproc.base.settings import settings_of
from postproc.base.step import unit_of

PROGRAM = 250 << 20  # bytes of Python, NumPy and the libraries, where rank lists are joined
GIVEN = "distances of a file"  # the unit of models that are distances already
INSIDE = ("query_distances", "gallery_distances")
_MADE = ("features", "query", "gallery", "distances")  # what a run makes, whatever the folder holds
_FROM_FEATURES = {"features", *SIDES}
LABELLED = {TRAIN_DISTANCES, TRAIN_HITS}  # what a model that is distances already says of labelled pairs


class Lack(str):
    """A problem with data that are not there; ``of`` names these: models, columns, what a run makes."""

    of: tuple[str, ...]

    def __new__(cls, text: str, of: Iterable[str]) -> "Lack":
        found = super().__new__(cls, text)
        found.of = tuple(of)
        return found


@dataclass(frozen=True)
class Plan:
    """A checked recipe and, for each branch, the models of the folder that it takes and the groups beside them.

    ``recipe`` names models where it had patterns, and has its weights as lists; ``common`` are the groups of side
    models for the steps after the branches.
    """

    recipe: Recipe
    folder: Folder
    models: tuple[tuple[str, ...], ...]
    groups: tuple[Mapping[str, Group], ...]
    common: Mapping[str, Group]
    notes: tuple[str, ...] = ()  # what the user should know before it runs, in sentences

    @property
    def all_models(self) -> tuple[str, ...]:
        """Every model that is read, once."""
        side = [group.models for groups in (*self.groups, self.common) for group in groups.values()]
        return tuple(dict.fromkeys(model for models in (*self.models, *side) for model in models))


def check(recipe: Recipe, folder: Folder) -> Plan:
    """Match a recipe with a folder; raises InputError with every problem of both."""
    problems: list[str] = []
    if not recipe.asked:
        recipe = replace(recipe, submission=_usual_submission(folder))
    auxiliary = [recipe.auxiliary, *(branch.auxiliary for branch in recipe.branches)]
    beside = {name for groups in auxiliary for group in groups.values() for name in group.models}
    common = _groups(recipe.name, recipe.auxiliary, folder, problems)
    branches, models, groups = [], [], []
    turned = _similar(recipe, folder)
    for branch in recipe.branches:
        chosen = _choose(branch.where, branch.models, list(folder.models), beside, folder, problems)
        own = _groups(branch.where, branch.auxiliary, folder, problems)
        models.append(chosen)
        groups.append(common | own)
        also = {model: entry.split("|") for entry in branch.models for model in chosen if _meant(entry, model)}
        join = _by_name(branch.join, chosen, also, problems)
        join = _signed(join, chosen, turned)
        branches.append(replace(branch, models=chosen, auxiliary=own, join=join))
    names = [branch_name(branch, place) for place, branch in enumerate(branches)]
    join = _by_name(recipe.join, names, {}, problems)
    told = _unmet(recipe, folder)
    recipe = replace(recipe, branches=tuple(branches), auxiliary=common, join=join, similarity=turned)
    common = common or groups[0]
    plan = Plan(recipe, folder, tuple(models), tuple(groups), common)
    flow = _check_flow(plan, problems)
    plan = replace(
        plan,
        recipe=flow,
        notes=(
            *(*folder.notes, *_left_out(recipe, flow, folder), *_instead(flow, folder)),
            *(*told, *_led(flow, models), *_announced(flow, folder), *_skipped(recipe, models, folder)),
            *travel_times.notes(flow, folder),
        ),
    )
    problems += formats.lacking(recipe.submission)
    problems += _side_models(plan)
    problems += [
        f"{use.where} ({use.name}), top_k: wanted the recipe's {recipe.top_k} or more, found {top_k}"
        for use in recipe.uses()
        if isinstance(top_k := use.settings.get("top_k"), int) and top_k < recipe.top_k
    ]
    refuse_if_any(problems)
    return plan


def _side_models(plan: Plan) -> list[str]:
    """A problem for every side model that has no features."""
    beside = {
        model for groups in (*plan.groups, plan.common) for group in groups.values() for model in group.models
    }
    return [
        f"{plan.recipe.name}, auxiliary: wanted features of {model}, found distances; leave it out"
        for model in sorted(beside & plan.folder.given)
    ]


def _usual_submission(folder: Folder) -> str:
    """What is written where the recipe does not say it: AI City's file where its lists are, else a table."""
    lists = {side: path.name for side, path in folder.names.items()}
    return "track2" if lists == NAME_LISTS else "csv"


def _left_out(asked: Recipe, runs: Recipe, folder: Folder) -> list[str]:
    """A sentence for every optional step that will not run, with what is missing for it."""
    known, running = steps.catalogue(), {use.where for use in runs.uses()}
    notes = []
    for use in asked.uses():
        if use.where in running or use.name not in known:
            continue
        needed = [name for name in known[use.name].needs if name not in (*_MADE, *folder.columns)]
        if "distances" in folder.columns and _FROM_FEATURES & set(known[use.name].needs):
            lacking = "rank lists have no features"
        elif needed:
            lacking = f"wanted {', '.join(needed)}, found none; {_remedy(needed, set())}"
        else:
            lacking = f"wanted the side models {use.aux or ''}".rstrip() + ", found none"
        notes.append(f"{use.where} ({use.name}): left out, as it is optional: {lacking}")
    return notes


def _instead(runs: Recipe, folder: Folder) -> list[str]:
    """A sentence for every setting whose value depends on data that are not there."""
    there, known = labels(runs, folder) | set(SIDES) & folder.columns, steps.catalogue()
    return [
        f"{use.where} ({use.name}), {note}"
        for use in runs.uses()
        if use.name in known
        for name, setting in known[use.name].settings.items()
        if setting.otherwise
        and (note := setting.otherwise.note(name, known[use.name].with_defaults(use.settings), there))
    ]


def branch_name(branch: Branch, place: int) -> str:
    """What weights call a branch: its name, that of its only model, or its number."""
    return branch.name or (branch.models[0] if len(branch.models) == 1 else f"branch {place + 1}")


def labels(recipe: Recipe, folder: Folder) -> frozenset[str]:
    """What steps find beside features: every column but the identities, cameras those that the recipe means."""
    found = {name for name in folder.columns if not name.endswith("_pid") or name.startswith("train")}
    if recipe.cameras != "cam":
        found -= {f"{side}_cam" for side in SIDES}
        found |= {f"{side}_cam" for side in SIDES if f"{side}_{recipe.cameras}" in found}
        found |= {"train_cam"} & folder.columns
    return frozenset(found)


def _check_flow(plan: Plan, problems: list[str]) -> Recipe:
    """Walk through the recipe as the run will, with the names of what there is in the place of arrays.

    Returns the recipe without the optional steps whose data are not there.
    """
    recipe, folder = plan.recipe, plan.folder
    known = labels(recipe, folder)
    if recipe.cameras != "cam" and "query_cam" not in known:
        problems.append(
            Lack(
                f"{recipe.name}, cameras: wanted the column {recipe.cameras}, found none; give it in query.csv "
                "and gallery.csv, or remove the line",
                [f"{side}_{recipe.cameras}" for side in ("query", "gallery")],
            )
        )
    reached, branches = [], []
    each = [use for branch in recipe.branches for use in branch.each if not use.optional]
    if "distances" in folder.columns and (len(recipe.branches) > 1 or each):
        problems.append(
            f"{recipe.name}: wanted one branch without each, since rank lists have no features, found more; "
            "join the lists and put steps after that"
        )
    for branch, models, groups in zip(recipe.branches, plan.models, plan.groups, strict=True):
        state = Reached(set(known))
        branches.append(_check_branch(branch, models, groups, state, plan, problems))
        reached.append(state)
    state = reached[0]
    if len(reached) > 1:
        problems += [
            f"{branch.where}: wanted distances at the end, to be joined; add a distance step, without top_k"
            for branch, end in zip(recipe.branches, reached, strict=True)
            if "distances" not in end.names
        ]
        state = Reached({*known, "distances"})
        if not recipe.join:
            problems.append(
                f"{recipe.name}: wanted a join for {len(recipe.branches)} branches, found none; "
                'add join = { use = "weighted_sum" }'
            )
    if recipe.join:
        apart = "keep" if any(branch.only for branch in recipe.branches) else recipe.missing
        _check_join(recipe.join, len(recipe.branches), reached, state, apart, problems)
    after = _check_steps(recipe.steps, state, known, plan.common, folder, problems)
    if not {"distances", "nearest"} & state.names:
        problems.append(
            f'{recipe.name}: wanted distances at the end; add {{ use = "distances" }} as the last step'
        )
    return replace(recipe, branches=tuple(branches), steps=after)


def _check_branch(
    branch: Branch,
    models: Sequence[str],
    groups: Mapping[str, Group],
    state: "Reached",
    plan: Plan,
    problems: list[str],
) -> Branch:
    """Walk through a branch, which moves ``state`` on; the branch without the steps that will not run."""
    recipe, folder = plan.recipe, plan.folder
    known = labels(recipe, folder)
    for column in branch.only:
        if not {f"query_{column}", f"gallery_{column}"} <= folder.columns:
            problems.append(
                Lack(
                    f"{branch.where}, only: wanted the column {column} in query.csv and gallery.csv, found none",
                    [f"{side}_{column}" for side in ("query", "gallery")],
                )
            )
    for group in groups.values():
        side = Reached(set(known))
        for use in group.each:
            _check_step(use, side, known, {}, folder, problems)
    given = [model for model in models if model in folder.given]
    alone, each = _check_given(branch, state, known, groups, folder, problems) if given else (state, branch.each)
    if len(given) < len(models) or not models:
        each = _check_steps(branch.each, state, known, groups, folder, problems)
    elif given:
        state.become(alone if folder.labelled.keys() >= set(given) else alone.without(LABELLED))
    if branch.join:
        parts = [
            state if model not in given else alone if model in folder.labelled else alone.without(LABELLED)
            for model in models
        ]
        _check_join(branch.join, len(models), [replace(part) for part in parts], state, recipe.missing, problems)
    elif len(models) > 1:
        problems.append(
            f'{branch.where}: wanted a join for {len(models)} models, found none; add join = {{ use = "concat" }}'
        )
    return replace(branch, each=each, steps=_check_steps(branch.steps, state, known, groups, folder, problems))


def _check_given(
    branch: Branch,
    state: "Reached",
    known: frozenset[str],
    groups: Mapping[str, Group],
    folder: Folder,
    problems: list[str],
) -> tuple["Reached", tuple[Use, ...]]:
    """What models that are distances already have reached behind ``each``, and its steps for them."""
    alone = Reached(({*state.names, "distances"} | LABELLED) - set(SIDES), unit=GIVEN)
    theirs = on_distances(branch.each)
    run = _check_steps(theirs, alone, known, groups, folder, problems)
    return alone, tuple(use for use in branch.each if use in run or use not in theirs)


def on_distances(uses: Sequence[Use]) -> tuple[Use, ...]:
    """Those of the steps on every model that are for one that is distances already: they need no features."""
    known = steps.catalogue()
    return tuple(use for use in uses if use.name not in known or not _FROM_FEATURES & set(known[use.name].needs))


@dataclass
class Reached:
    """What a run has at some place: names of the vocabulary, features that are kept beside distances, the unit."""

    names: set[str]
    kept: set[str] = field(default_factory=set)
    unit: str = ""

    def become(self, other: "Reached") -> None:
        """Be at the place of another."""
        self.names, self.kept, self.unit = set(other.names), set(other.kept), other.unit

    def without(self, names: set[str]) -> "Reached":
        """The same place without some of what there is."""
        return replace(self, names=self.names - names, kept=set(self.kept))


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


def _choose(
    where: str,
    entries: Iterable[str],
    offered: Sequence[str],
    without: set[str],
    folder: Folder,
    problems: list[str],
) -> tuple[str, ...]:
    """The models that a recipe names, in its order; no pattern stands for ``without``, nor for a side model unless
    it says so (``side/…``).
    """
    chosen: list[str] = []
    for entry in entries:
        others = [
            model
            for model in offered
            if model not in without and (not is_side(model) or entry.startswith(f"{SIDE}/"))
        ]
        patterns = (fnmatch.filter(others, pattern) for pattern in entry.split("|"))
        found = [entry] if entry in offered else next(filter(None, patterns), [])
        if not found:
            problems.append(
                Lack(
                    f"{where}, models: wanted {' or '.join(entry.split('|'))} in {folder.path}, "
                    f"found {examples(list(offered), 8) or 'none'}"
                    f"{near(entry, offered) or '; name your models in the recipe'}",
                    [entry],
                )
            )
        chosen += [name for name in found if name not in chosen]
    return tuple(chosen)


def _meant(entry: str, model: str) -> bool:
    return any(fnmatch.fnmatchcase(model, pattern) for pattern in entry.split("|"))


def _groups(where: str, groups: Mapping[str, Group], folder: Folder, problems: list[str]) -> dict[str, Group]:
    """Groups with the models of the folder in the place of patterns; a side model goes by its name alone.

    A group that is optional and has no model is left out.
    """
    found = {}
    for name, group in groups.items():
        noted: list[str] = []
        short = {model.removeprefix(f"{SIDE}/"): model for model in folder.models}
        short |= {model: model for model in folder.joined}
        patterns = [entry.removeprefix(f"{SIDE}/") for entry in group.models]
        chosen = _choose(f"{where}, auxiliary {name}".rstrip(), patterns, list(short), set(), folder, noted)
        if noted and group.optional:
            continue
        problems += noted
        found[name] = replace(group, models=tuple(dict.fromkeys(short[model] for model in chosen)))
    return found


def _by_name(
    join: Use | None, parts: Sequence[str], also: Mapping[str, Sequence[str]], problems: list[str]
) -> Use | None:
    """A join with its weights as a list and its main part as a number, where the recipe has names."""
    if join is None:
        return join
    settings, wrong = dict(join.settings), list[str]()
    if isinstance(weights := settings.get("weights"), Mapping):
        settings["weights"], wrong = joins.by_name(weights, parts, also)
    if isinstance(leader := settings.get("leader"), str):
        settings["leader"], more = joins.the_part(leader, parts, "leader")
        wrong += more
    problems += [f"{join.where} ({join.name}), {problem}" for problem in wrong]
    return replace(join, settings=settings)


def _similar(recipe: Recipe, folder: Folder) -> tuple[str, ...]:
    """The models that are similarities, where they are no features; of features what the recipe says, unused."""
    if not folder.given and "distances" not in folder.columns:
        return recipe.similarity
    there = folder.given or folder.models
    return tuple(
        name for name in folder.models if name in there and any(_meant(entry, name) for entry in recipe.similarity)
    )


def _unmet(recipe: Recipe, folder: Folder) -> list[str]:
    """A sentence where a recipe's similarities are none of the lists."""
    lacking = [entry for entry in recipe.similarity if not any(_meant(entry, name) for name in folder.models)]
    if not (folder.given or "distances" in folder.columns) or not lacking:
        return []
    return [
        f"{recipe.name}, similarity: no list is called {', '.join(lacking)}; say which one with --similarity NAME"
    ]


def _signed(join: Use | None, parts: Sequence[str], similar: Sequence[str]) -> Use | None:
    """A join that asks which of its parts are similarities with the sign changed, told so by the recipe."""
    if join is None or join.name not in joins.names() or "similarities" not in joins.settings(join.name):
        return join
    if not set(similar) & set(parts) or join.settings.get("similarities") is not None:
        return join
    return replace(join, settings={**join.settings, "similarities": [part in similar for part in parts]})


def _skipped(recipe: Recipe, models: Sequence[Sequence[str]], folder: Folder) -> list[str]:
    """A sentence for every branch with steps on features that some of its models go without."""
    notes = []
    for branch, chosen in zip(recipe.branches, models, strict=True):
        given = [model for model in chosen if model in folder.given]
        run = on_distances(branch.each)
        without = [use.name for use in branch.each if use not in run]
        if given and without:
            are, them = ("is", "it") if len(given) == 1 else ("are", "them")
            these = f"{examples(given, 8)} {are} distances already"
            notes.append(f"{branch.where}, each: {these}: {', '.join(without)} not for {them}")
    return notes


def _led(recipe: Recipe, models: Sequence[Sequence[str]]) -> list[str]:
    """A sentence for every join that has a main model, with its name."""
    names = [branch_name(branch, place) for place, branch in enumerate(recipe.branches)]
    of = [*zip((branch.join for branch in recipe.branches), models, strict=True), (recipe.join, names)]
    return [
        f"{join.where} ({join.name}), leader: {parts[place]} is the main one of {', '.join(parts)}"
        for join, parts in of
        if join is not None
        and len(parts) > 1
        and join.name in joins.names()
        and "leader" in joins.settings(join.name)
        and isinstance(place := joins.with_defaults(join.name, join.settings)["leader"], int)
        and 0 <= place < len(parts)
    ]


def _announced(recipe: Recipe, folder: Folder) -> list[str]:
    """What joins say of what they will do with the data that are there."""
    there = labels(recipe, folder)
    return [
        f"{use.where} ({use.name}): {said}"
        for use in (*(branch.join for branch in recipe.branches), recipe.join)
        if use is not None and use.name in joins.names()
        and not joins.objection(use.name, use.settings, 0)
        and (said := joins.told(use.name, use.settings, there))
    ]  # fmt: skip


def _check_steps(
    uses: Sequence[Use],
    state: Reached,
    labels: frozenset[str],
    groups: Mapping[str, Group],
    folder: Folder,
    problems: list[str],
) -> tuple[Use, ...]:
    """Check one step after the other; those that will run."""
    return tuple(use for use in uses if _check_step(use, state, labels, groups, folder, problems))


def _check_step(
    use: Use,
    state: Reached,
    labels: frozenset[str],
    groups: Mapping[str, Group],
    folder: Folder,
    problems: list[str],
) -> bool:
    """Does the step exist, do its settings fit, is its data there? Moves ``state`` on to what it gives.

    False for an optional step without its data: it will not run.
    """
    known = steps.catalogue()
    step = known.get(use.name)
    if step is None:
        problems.append(
            f"{use.where}: wanted a step, found {use.name!r}{near(use.name, known)}; see --list-steps"
            + ("" if near(use.name, known) else ", and load what is not ours with --steps MODULE")
        )
        state.names.add("distances")  # so that the rest can still be checked
        return True
    if step.clusters:
        problems.append(
            f"{use.where} ({use.name}): wanted distances, found a step that says who belongs together; such steps "
            "end a recipe, and ensemble.cluster runs it"
        )
        return True
    if use.aux is not None and use.aux not in groups and use.optional:
        return False
    if use.aux is not None and use.aux not in groups:
        problems.append(
            f"{use.where} ({use.name}), aux: wanted a group of side models "
            f"({', '.join(groups) or 'there is none'}), found {use.aux!r}{near(use.aux, groups)}"
        )
        return True
    unknown = [name for name in use.settings if name not in step.settings]
    problems += [
        f"{use.where} ({use.name}): wanted a setting ({', '.join(step.settings) or 'it has none'}), "
        f"found {name!r}{near(name, step.settings)}"
        for name in unknown
    ]
    needs = ("query", "gallery") if step.needs == ("features",) else step.needs
    if not folder.one_set:  # of two sides, the distances across are not enough where those inside are looked at
        needs += tuple(name for name in step.may_use if name in INSIDE)
    there = state.names | _auxiliary(use, groups, folder) | set(travel_times.provided(step, folder))
    if "distances" in needs:
        there |= state.kept
    missing = [name for name in needs if name not in there]
    if missing and use.optional:
        return False
    if missing:
        problems.append(
            Lack(
                f"{use.where} ({use.name}): wanted {', '.join(missing)}, found "
                f"{', '.join(sorted(there))}; {_remedy(missing, state.names)}",
                missing,
            )
        )
    elif not unknown and (problem := step.problem(use.settings, there)):
        problems.append(f"{use.where} ({use.name}), {problem}")
    if "distances" in step.gives:
        state.names -= LABELLED
        state.kept |= state.names & set(SIDES)
        state.names -= set(SIDES)
        state.unit = _unit(step, use) or state.unit
        if use.settings.get("top_k") is not None:  # a list is the end: nothing can follow it
            state.names -= {"distances"}
            state.names |= {"nearest"}
            return True
    state.names |= {"query", "gallery"} if step.gives == ("features",) else set(step.gives)
    return True


def _unit(step: steps.Step, use: Use) -> str:
    """What the distances of a step are measured in, as far as its settings are right; "" if it keeps the unit."""
    known = settings_of(step.function)
    right = {name: v for name, v in use.settings.items() if name in known and not known[name].problem(v)}
    return unit_of(step.function, right)


def _auxiliary(use: Use, groups: Mapping[str, Group], folder: Folder) -> set[str]:
    """What the side models that a step looks at give."""
    models = [model for name, group in groups.items() if use.aux in (None, name) for model in group.models]
    if not models:
        return set()
    return {"query_aux", "gallery_aux"} | ({"train_aux"} if folder.learns.issuperset(models) else set())


def _check_join(
    use: Use, count: int, parts: Sequence[Reached], state: Reached, lack: str, problems: list[str]
) -> None:
    """Does the join exist, do its settings fit, have the parts what it joins? Moves ``state`` on.

    ``lack``: what the recipe does with images that a part does not know.
    """
    if use.name not in joins.names():
        problems.append(
            f"{use.where}: wanted one of {', '.join(joins.names())}, "
            f"found {use.name!r}{near(use.name, joins.names())}"
        )
        return
    missing = [name for name in joins.needs(use.name) if not all(name in part.names for part in parts)]
    if missing:
        remedy = "end each part in a distance step" if missing == ["distances"] else _remedy(missing, state.names)
        if use.name == "calibrated" and any(LABELLED & part.names for part in parts):
            remedy = "matrices and tables of pairs are calibrated by calibrated_distances"
        problems.append(
            Lack(f"{use.where} ({use.name}): wanted {', '.join(missing)} in every part; {remedy}", missing)
        )
    elif count:
        problem = joins.objection(use.name, use.settings, count)
        after = joins.stage(use.name) == "after" and count > 1
        if problem is None and after:
            problem = joins.units_problem(use.name, use.settings, [part.unit for part in parts])
        if problem:
            problems.append(f"{use.where} ({use.name}), {problem}")
        if after and lack == "keep" and joins.with_defaults(use.name, use.settings).get("missing") == "refuse":
            problems.append(
                f"{use.where} ({use.name}), missing: wanted what a pair means that a part does not know, as the "
                f'recipe keeps such images, found none; write join = {{ use = "{use.name}", missing = "…" }}'
            )
    if joins.stage(use.name) != "before":
        state.names -= set(SIDES)
        state.kept = set()
        state.names.add("distances")
        state.names -= LABELLED
        state.unit = joins.unit(use.name)


def _remedy(missing: list[str], state: set[str]) -> str:
    if LABELLED & set(missing):
        return (
            "it learns what each matrix or table of pairs says of labelled images: give train_MODEL (as MODEL, of "
            "other images) and train.csv (name, pid) in the folder of --rankings; features take calibrated"
        )
    if "train_frame" in missing:
        return (
            "this step learns travel times: give every model a train array and train.csv (name, pid, cam, frame), "
            "or the histograms of st-ReID, pytorch_result2.mat (key distribution)"
        )
    if any(name.startswith("train") for name in missing):
        return (
            "this step learns: give every model a train array and train.csv (name, pid, and cam where it is known)"
        )
    if any(name.endswith(("_track", "_order")) for name in missing):
        return "give the track file with --tracks or a track column in gallery.csv"
    if any(name.endswith("_aux") for name in missing):
        return 'name the side model in the branch, auxiliary = ["MODEL"]'
    if any(name.endswith("_cam_prob") for name in missing):
        return "it is for probabilities computed elsewhere, from Python; use camera_penalty"
    if any(name.endswith(("_cam", "_frame", "_pid", "_scene", "_quality")) for name in missing):
        return "give the column in query.csv and gallery.csv"
    if "query_distances" in missing or "gallery_distances" in missing:
        return "it is for distances computed elsewhere, from Python; use rerank"
    if "nearest" in state:
        return "a step with top_k gives a list and has to be the last; leave top_k to the recipe"
    if "distances" in missing:
        return "a distance step has to come first"
    return "this step works on features and has to come before the distances"
