"""Which step says who belongs together, and how that is refined: by options, or by the end of a recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ensemble.base.errors import InputError, examples
from ensemble.pipeline import steps
from ensemble.pipeline.recipe import Recipe, Use

REFINE = "refine_clusters"
METHODS: Mapping[str, Use] = MappingProxyType(
    {
        "average": Use("linkage", {"method": "average"}, "--method"),
        "complete": Use("linkage", {"method": "complete"}, "--method"),
        "single": Use("linkage", {"method": "single"}, "--method"),
        "components": Use("connected_components", {}, "--method"),
        "union": Use("constrained_union", {}, "--method"),
        "dbscan": Use("dbscan", {}, "--method"),
        "hdbscan": Use("hdbscan", {}, "--method"),
    }
)
THRESHOLDS = {
    "linkage": "threshold",
    "connected_components": "threshold",
    "constrained_union": "threshold",
    "dbscan": "eps",
}  # what a threshold is called by a step that has one


@dataclass(frozen=True)
class How:
    """``step`` and ``settings`` of what clusters, ``refine`` of what mends that; empty: nothing does."""

    step: str = "linkage"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"method": "average"})
    refine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> str | None:
        """The name of its threshold, None for a step without."""
        return THRESHOLDS.get(self.step)

    @property
    def links(self) -> bool:
        """Whether it keeps images apart that cannot be one."""
        return self.step == "constrained_union" or (
            self.step == "linkage" and self.settings.get("method", "average") != "single"
        )

    def text(self) -> str:
        """``average linkage``, with the settings that are not at their defaults."""
        said = [
            f"{name} {value}" for name, value in self.settings.items() if name not in ("method", self.threshold)
        ]
        called = f"{self.settings.get('method', 'average')} linkage" if self.step == "linkage" else self.step
        mended = [f"{name} {value}" for name, value in self.refine.items()]
        return ", ".join([called, *said, *(["refined: " + ", ".join(mended)] if mended else [])])


def split(recipe: Recipe) -> tuple[Recipe, list[Use]]:
    """A recipe without the steps at its end that cluster, and these steps.

    They are the last of the recipe or, where it has one branch, of the branch.
    """
    rest, found = _without_end(recipe.steps)
    recipe = replace(recipe, steps=rest)
    if not rest and len(recipe.branches) == 1:
        inside, more = _without_end(recipe.branches[0].steps)
        found = [*more, *found]
        recipe = replace(recipe, branches=(replace(recipe.branches[0], steps=inside),))
    return recipe, found


def _without_end(uses: Sequence[Use]) -> tuple[tuple[Use, ...], list[Use]]:
    known = steps.catalogue()
    count = len(uses)
    while count and uses[count - 1].name in known and known[uses[count - 1].name].clusters:
        count -= 1
    return tuple(uses[:count]), list(uses[count:])


def chosen(method: str | None, settings: Mapping[str, Any], refine: Mapping[str, Any], end: Sequence[Use]) -> How:
    """How images are clustered: by ``method`` and settings that were asked for, else by the end of the recipe.

    Raises InputError for settings that the step does not have or allow, and for an end that is no order of steps.
    """
    first = [use for use in end if use.name != REFINE]
    mend = [use for use in end if use.name == REFINE]
    problems = []
    if len(first) > 1 or len(mend) > 1 or (mend and first and end[0] is mend[0]):
        order = " -> ".join(use.name for use in end)
        problems.append(f"recipe: wanted one step that clusters and {REFINE} after it, found {order}")
    use = METHODS[method] if method else first[0] if first else METHODS["average"]
    use = replace(use, settings={**use.settings, **settings})
    mended = Use(REFINE, {**(mend[0].settings if mend else {}), **refine}, "refine")
    for each in (use, mended):
        step = steps.catalogue()[each.name]
        problems += step.problems(each.where, each.settings, {*step.needs, *step.may_use})
    if use.name not in {known.name for known in METHODS.values()}:
        problems.append(
            f"{use.where}: wanted one of {examples([known.name for known in METHODS.values()], 9)}, "
            f"found {use.name}"
        )
    if problems:
        raise InputError(problems)
    return How(use.name, dict(use.settings), dict(mended.settings))
