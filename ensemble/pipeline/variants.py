"""What a recipe can do without: the same recipe with fewer models, fewer branches, or one step less."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ensemble.base.errors import InputError
from ensemble.pipeline import joins
from ensemble.pipeline.plan import Plan, check
from ensemble.pipeline.recipe import Branch, Group, Recipe, Use
from ensemble.pipeline.steps import catalogue
from ensemble.pipeline.told import branch_name

SAME = " = "  # between two names of one variant
Candidates = list[tuple[str, Recipe]]  # what it is called, and the recipe: the first that can run is taken


@dataclass(frozen=True)
class Variant:
    """A changed recipe by its name; where ``plan`` is None, ``why`` says what is missing then."""

    what: str
    plan: Plan | None
    why: str = ""


def variants(plan: Plan) -> list[Variant]:
    """Everything that one can leave out of a checked recipe, one thing at a time.

    Each model alone and left out, each branch alone and left out, each step left out. Where nothing runs without
    a step that makes distances, plain distances take its place. Two ways to the same recipe are one variant.
    """
    full = named(plan)
    found = {_content(full): Variant("all", plan)}
    for candidates in _changes(full):
        problems = []
        for what, recipe in candidates:
            content = _content(recipe)
            if content in found:
                known = found[content].what.split(SAME)
                found[content] = replace(found[content], what=SAME.join(dict.fromkeys([*known, what])))
                break
            try:
                found[content] = Variant(what, check(recipe, plan.folder))
                break
            except InputError as error:
                problems += error.problems
        else:
            found[candidates[0][0]] = Variant(candidates[0][0], None, problems[0])
    return list(found.values())[1:]


def named(plan: Plan) -> Recipe:
    """The recipe of a plan with its models by their names, not by patterns."""
    branches = zip(plan.recipe.branches, plan.models, strict=True)
    return replace(plan.recipe, branches=tuple(replace(branch, models=models) for branch, models in branches))


def with_models(recipe: Recipe, chosen: Collection[str]) -> Recipe:
    """Only these models; branches without any are gone, and so are the weights of what is gone."""
    places = [number for number, branch in enumerate(recipe.branches) if set(branch.models) & set(chosen)]
    fewer = with_branches(recipe, places)
    return replace(fewer, branches=tuple(_with_models(branch, chosen) for branch in fewer.branches))


def with_branches(recipe: Recipe, places: Sequence[int]) -> Recipe:
    """Only the branches at these places; a single one is not joined."""
    branches = tuple(recipe.branches[place] for place in places)
    return replace(recipe, branches=branches, join=_lighter(recipe.join, places))


def with_steps(recipe: Recipe, change: Callable[[Use], Use | None]) -> Recipe:
    """Every step that is no join as ``change`` gives it back, or left out where that is None."""

    def changed(uses: Sequence[Use]) -> tuple[Use, ...]:
        return tuple(new for use in uses if (new := change(use)) is not None)

    def groups(part: Recipe | Branch) -> dict[str, Group]:
        return {name: replace(group, each=changed(group.each)) for name, group in part.auxiliary.items()}

    branches = tuple(
        replace(branch, each=changed(branch.each), steps=changed(branch.steps), auxiliary=groups(branch))
        for branch in recipe.branches
    )
    return replace(recipe, branches=branches, steps=changed(recipe.steps), auxiliary=groups(recipe))


def _changes(full: Recipe) -> Iterator[Candidates]:
    models = list(dict.fromkeys(model for branch in full.branches for model in branch.models))
    if len(models) > 1:
        yield from ([(f"only {model}", with_models(full, {model}))] for model in models)
        yield from ([(f"without {model}", with_models(full, set(models) - {model}))] for model in models)
    if len(full.branches) > 1:
        names = dict(enumerate(branch_name(branch, place) for place, branch in enumerate(full.branches)))
        yield from ([(f"only {name}", with_branches(full, [place]))] for place, name in names.items())
        for place, name in names.items():
            yield [(f"without {name}", with_branches(full, [other for other in names if other != place]))]
    joins = [full.join, *(branch.join for branch in full.branches)]
    uses = [use for use in full.uses() if not any(use is join for join in joins)]
    times = Counter(use.name for use in uses)
    for use in uses:
        where = "" if times[use.name] == 1 else f" ({use.where.partition(', ')[2]})"
        yield _without(full, [use], use.name + where)
    for name, count in times.items():
        if count > 1:
            yield _without(full, [use for use in uses if use.name == name], f"{name} everywhere")


def _without(full: Recipe, uses: Sequence[Use], what: str) -> Candidates:
    """A recipe without some uses of one step, or with plain distances in their place."""
    removed = with_steps(full, lambda use: None if _among(use, uses) else use)
    found = [(f"without {what}", removed)]
    step = catalogue()[uses[0].name]
    if "distances" in step.gives and step.name != "distances":
        plain = with_steps(full, lambda use: Use("distances", {}, use.where) if _among(use, uses) else use)
        found.append((f"distances instead of {what}", plain))
    return found


def _among(use: Use, uses: Sequence[Use]) -> bool:
    return any(use is other for other in uses)


def _with_models(branch: Branch, chosen: Collection[str]) -> Branch:
    places = [place for place, model in enumerate(branch.models) if model in chosen]
    models = tuple(branch.models[place] for place in places)
    steps = branch.steps
    if (
        branch.join and joins.stage(branch.join.name) == "across" and len(places) == 1
    ):  # the distances that it made
        steps = (Use("distances", {}, branch.join.where), *steps)
    return replace(branch, models=models, join=_lighter(branch.join, places), steps=steps)


def _lighter(join: Use | None, places: Sequence[int]) -> Use | None:
    """A join of fewer parts, with what it says of each; none where one part is left.

    Where the main part is gone, the first of the others leads.
    """
    if join is None or len(places) < 2:
        return None
    settings = dict(join.settings)
    for name in ("weights", "similarities"):
        if isinstance(values := settings.get(name), list | tuple):
            settings[name] = [values[place] for place in places]
    if isinstance(leader := settings.get("leader"), int):
        settings["leader"] = places.index(leader) if leader in places else 0
    return replace(join, settings=settings)


def _content(recipe: Recipe) -> str:
    return json.dumps(recipe.as_toml(), sort_keys=True, default=str)
