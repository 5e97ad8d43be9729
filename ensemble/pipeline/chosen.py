"""Which models of a folder a recipe takes, where it has names and patterns."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ensemble.base.errors import examples, near
from ensemble.io import Folder
from ensemble.io.folder import SIDE, is_side
from ensemble.pipeline import joins
from ensemble.pipeline.flow import Lack
from ensemble.pipeline.recipe import Branch, Group, Recipe, Use


def models_of(
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


def entries(branch: Branch, taken: Sequence[str]) -> dict[str, list[str]]:
    """What each model is called in the recipe of a branch, where that has patterns."""
    return {model: entry.split("|") for entry in branch.models for model in taken if meant(entry, model)}


def meant(entry: str, model: str) -> bool:
    """Whether an entry of a recipe, a name or patterns, is about a model."""
    return any(fnmatch.fnmatchcase(model, pattern) for pattern in entry.split("|"))


def groups_of(where: str, groups: Mapping[str, Group], folder: Folder, problems: list[str]) -> dict[str, Group]:
    """Groups with the models of the folder in the place of patterns; a side model goes by its name alone.

    A group that is optional and has no model is left out.
    """
    found = {}
    for name, group in groups.items():
        noted: list[str] = []
        short = {model.removeprefix(f"{SIDE}/"): model for model in folder.models}
        short |= {model: model for model in folder.joined}
        patterns = [entry.removeprefix(f"{SIDE}/") for entry in group.models]
        chosen = models_of(f"{where}, auxiliary {name}".rstrip(), patterns, list(short), set(), folder, noted)
        if noted and group.optional:
            continue
        problems += noted
        found[name] = replace(group, models=tuple(dict.fromkeys(short[model] for model in chosen)))
    return found


def by_name(
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


def similar(recipe: Recipe, folder: Folder) -> tuple[str, ...]:
    """The models that are similarities, where they are no features; of features what the recipe says, unused."""
    if not folder.given and "distances" not in folder.columns:
        return recipe.similarity
    there = folder.given or folder.models
    return tuple(
        name for name in folder.models if name in there and any(meant(entry, name) for entry in recipe.similarity)
    )


def signed(join: Use | None, parts: Sequence[str], similar: Sequence[str]) -> Use | None:
    """A join that asks which of its parts are similarities with the sign changed, told so by the recipe."""
    if join is None or join.name not in joins.names() or "similarities" not in joins.settings(join.name):
        return join
    if not set(similar) & set(parts) or join.settings.get("similarities") is not None:
        return join
    return replace(join, settings={**join.settings, "similarities": [part in similar for part in parts]})
