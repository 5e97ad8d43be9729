"""What the user should know of a plan before it runs, in sentences."""

from collections.abc import Sequence

from ensemble.base.errors import examples
from ensemble.base.features import SIDES
from ensemble.io import Folder
from ensemble.pipeline import joins, steps
from ensemble.pipeline.chosen import meant
from ensemble.pipeline.flow import FROM_FEATURES, MADE, labels, on_distances, remedy
from ensemble.pipeline.recipe import Branch, Recipe


def branch_name(branch: Branch, place: int) -> str:
    """What weights call a branch: its name, that of its only model, or its number."""
    return branch.name or (branch.models[0] if len(branch.models) == 1 else f"branch {place + 1}")


def left_out(asked: Recipe, runs: Recipe, folder: Folder) -> list[str]:
    """A sentence for every optional step that will not run, with what is missing for it."""
    known, running = steps.catalogue(), {use.where for use in runs.uses()}
    notes = []
    for use in asked.uses():
        if use.where in running or use.name not in known:
            continue
        needed = [name for name in known[use.name].needs if name not in (*MADE, *folder.columns)]
        if "distances" in folder.columns and FROM_FEATURES & set(known[use.name].needs):
            lacking = "rank lists have no features"
        elif needed:
            lacking = f"wanted {', '.join(needed)}, found none; {remedy(needed, set())}"
        else:
            lacking = f"wanted the side models {use.aux or ''}".rstrip() + ", found none"
        notes.append(f"{use.where} ({use.name}): left out, as it is optional: {lacking}")
    return notes


def instead(runs: Recipe, folder: Folder) -> list[str]:
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


def unmet(recipe: Recipe, folder: Folder) -> list[str]:
    """A sentence where a recipe's similarities are none of the lists."""
    lacking = [entry for entry in recipe.similarity if not any(meant(entry, name) for name in folder.models)]
    if not (folder.given or "distances" in folder.columns) or not lacking:
        return []
    return [
        f"{recipe.name}, similarity: no list is called {', '.join(lacking)}; say which one with --similarity NAME"
    ]


def skipped(recipe: Recipe, models: Sequence[Sequence[str]], folder: Folder) -> list[str]:
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


def led(recipe: Recipe, models: Sequence[Sequence[str]]) -> list[str]:
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


def announced(recipe: Recipe, folder: Folder) -> list[str]:
    """What joins say of what they will do with the data that are there."""
    there = labels(recipe, folder)
    return [
        f"{use.where} ({use.name}): {said}"
        for use in (*(branch.join for branch in recipe.branches), recipe.join)
        if use is not None and use.name in joins.names()
        and not joins.objection(use.name, use.settings, 0)
        and (said := joins.told(use.name, use.settings, there))
    ]  # fmt: skip
