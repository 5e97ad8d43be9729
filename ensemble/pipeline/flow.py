"""What fits what: a recipe is walked through as a run will, with names of data in the place of arrays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ensemble.base.distances import TRAIN_DISTANCES, TRAIN_HIT_LISTS, TRAIN_HITS
from ensemble.base.errors import near
from ensemble.base.features import SIDES
from ensemble.io import Folder
from ensemble.pipeline import joins, steps, travel_times
from ensemble.pipeline.recipe import Branch, Group, Recipe, Use
from postproc.base.settings import settings_of
from postproc.base.step import unit_of

GIVEN = "distances of a file"  # the unit of models that are distances already
INSIDE = ("query_distances", "gallery_distances")
MADE = ("features", "query", "gallery", "distances")  # what a run makes, whatever the folder holds
FROM_FEATURES = {"features", *SIDES}
LABELLED = {TRAIN_DISTANCES, TRAIN_HITS, TRAIN_HIT_LISTS}  # what a model that is distances says of labelled pairs


class Lack(str):
    """A problem with data that are not there; ``of`` names these: models, columns, what a run makes."""

    of: tuple[str, ...]

    def __new__(cls, text: str, of: Iterable[str]) -> "Lack":
        found = super().__new__(cls, text)
        found.of = tuple(of)
        return found


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


def labels(recipe: Recipe, folder: Folder) -> frozenset[str]:
    """What steps find beside features: every column but the identities, cameras those that the recipe means."""
    found = {name for name in folder.columns if not name.endswith("_pid") or name.startswith("train")}
    if recipe.cameras != "cam":
        found -= {f"{side}_cam" for side in SIDES}
        found |= {f"{side}_cam" for side in SIDES if f"{side}_{recipe.cameras}" in found}
        found |= {"train_cam"} & folder.columns
    return frozenset(found)


def on_distances(uses: Sequence[Use]) -> tuple[Use, ...]:
    """Those of the steps on every model that are for one that is distances already: they need no features."""
    known = steps.catalogue()
    return tuple(use for use in uses if use.name not in known or not FROM_FEATURES & set(known[use.name].needs))


def walked(
    recipe: Recipe,
    folder: Folder,
    models: Sequence[Sequence[str]],
    groups: Sequence[Mapping[str, Group]],
    common: Mapping[str, Group],
    problems: list[str],
) -> Recipe:
    """Walk through the recipe as the run will, with the names of what there is in the place of arrays.

    models, groups: those that each branch takes; ``common`` are the groups for the steps after the branches.

    Returns the recipe without the optional steps whose data are not there.
    """
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
    for branch, taken, own in zip(recipe.branches, models, groups, strict=True):
        state = Reached(set(known))
        branches.append(_check_branch(branch, taken, own, state, recipe, folder, problems))
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
    after = _check_steps(recipe.steps, state, known, common, folder, problems)
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
    recipe: Recipe,
    folder: Folder,
    problems: list[str],
) -> Branch:
    """Walk through a branch, which moves ``state`` on; the branch without the steps that will not run."""
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
        _check_own(branch, [model for model in models if model not in given], known, groups, folder, problems)
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


def _check_own(
    branch: Branch,
    models: Sequence[str],
    known: frozenset[str],
    groups: Mapping[str, Group],
    folder: Folder,
    problems: list[str],
) -> None:
    """Check the steps of models that have settings of their own."""
    for model in models:
        each, noted = branch.each_of(model), list[str]()
        if each != branch.each:
            _check_steps(each, Reached(set(known)), known, groups, folder, noted)
        problems += [f"{problem} (own of {model})" for problem in noted if problem not in problems]


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
    needs = ("query", "gallery") if step.needs == ("features",) else step.needs
    if not folder.one_set:  # of two sides, the distances across are not enough where those inside are looked at
        needs += tuple(name for name in step.may_use if name in INSIDE)
    there = state.names | _auxiliary(use, groups, folder) | set(travel_times.provided(step, folder))
    if "distances" in needs:
        there |= state.kept
    missing = [name for name in needs if name not in there]
    problems += step.problems(use.where, use.settings, None if missing else there)
    if missing and use.optional:
        return False
    if missing:
        problems.append(
            Lack(
                f"{use.where} ({use.name}): wanted {', '.join(missing)}, found "
                f"{', '.join(sorted(there))}; {remedy(missing, state.names)}",
                missing,
            )
        )
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
        then = "end each part in a distance step" if missing == ["distances"] else remedy(missing, state.names)
        if use.name == "calibrated" and any(LABELLED & part.names for part in parts):
            then = "matrices and tables of pairs are calibrated by calibrated_distances"
        problems.append(
            Lack(f"{use.where} ({use.name}): wanted {', '.join(missing)} in every part; {then}", missing)
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


def remedy(missing: list[str], state: set[str]) -> str:
    """What to do where data are missing at a place where ``state`` is there."""
    if LABELLED & set(missing):
        return (
            "it learns what each matrix, list or table of pairs says of labelled images: give train_MODEL (as "
            "MODEL, of other images) and train.csv (name, pid) in the folder of --rankings; features take "
            "calibrated"
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
    columns = [name for name in missing if name.endswith(("_cam", "_frame", "_pid", "_scene", "_quality"))]
    if columns:
        sides = [side for side in ("query", "gallery") if any(name.startswith(f"{side}_") for name in columns)]
        return f"give the column in {' and '.join(f'{side}.csv' for side in sides or ('query', 'gallery'))}"
    if "query_distances" in missing or "gallery_distances" in missing:
        return "it is for distances computed elsewhere, from Python; use rerank"
    if "nearest" in state:
        return "a step with top_k gives a list and has to be the last; leave top_k to the recipe"
    if "distances" in missing:
        return "a distance step has to come first"
    return "this step works on features and has to come before the distances"
