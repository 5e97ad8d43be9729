"""Everything about a run that can be known before a feature is read: which model goes where, what fits what."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ensemble.base.errors import refuse_if_any
from ensemble.io import Folder
from ensemble.io.folder import NAME_LISTS
from ensemble.pipeline import chosen, flow, told, travel_times
from ensemble.pipeline.recipe import Group, Recipe
from ensemble.submissions import formats


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
    common = chosen.groups_of(recipe.name, recipe.auxiliary, folder, problems)
    branches, models, groups = [], [], []
    turned = chosen.similar(recipe, folder)
    for branch in recipe.branches:
        taken = chosen.models_of(branch.where, branch.models, list(folder.models), beside, folder, problems)
        own = chosen.groups_of(branch.where, branch.auxiliary, folder, problems)
        models.append(taken)
        groups.append(common | own)
        join = chosen.by_name(branch.join, taken, chosen.entries(branch, taken), problems)
        join = chosen.signed(join, taken, turned)
        branches.append(replace(branch, models=taken, auxiliary=own, join=join))
    names = [told.branch_name(branch, place) for place, branch in enumerate(branches)]
    join = chosen.by_name(recipe.join, names, {}, problems)
    asked = replace(recipe, branches=tuple(branches), auxiliary=common, join=join, similarity=turned)
    common = common or groups[0]
    runs = flow.walked(asked, folder, models, groups, common, problems)
    notes = (
        *(*folder.notes, *told.left_out(asked, runs, folder), *told.instead(runs, folder)),
        *(*told.unmet(recipe, folder), *told.led(runs, models), *told.announced(runs, folder)),
        *(*told.skipped(asked, models, folder), *travel_times.notes(runs, folder)),
    )
    plan = Plan(runs, folder, tuple(models), tuple(groups), common, notes)
    problems += formats.lacking(asked.submission)
    problems += _side_models(plan)
    problems += [
        f"{use.where} ({use.name}), top_k: wanted the recipe's {asked.top_k} or more, found {top_k}"
        for use in asked.uses()
        if isinstance(top_k := use.settings.get("top_k"), int) and top_k < asked.top_k
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
