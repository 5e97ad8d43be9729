"""What can be tried on a folder: the rows whose data are there, and how a candidate becomes a recipe."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ensemble.base.errors import InputError
from ensemble.io import Folder
from ensemble.pipeline import plan
from ensemble.pipeline.recipe import Recipe
from ensemble.tune.pipelines import candidate as value
from ensemble.tune.pipelines.families import FAMILIES, Family

NAME = "pipelines"


@dataclass(frozen=True)
class Space:
    """Rows and models to choose from; ``base`` is what stands at the top of every recipe."""

    rows: tuple[Family, ...]
    models: tuple[str, ...]
    base: Mapping[str, Any]

    def recipe(self, candidate: value.Candidate) -> Recipe:
        """The recipe that a candidate stands for."""
        return value.recipe(candidate, self.base, NAME)

    def known(self, recipes: Iterable[Recipe], folder: Folder) -> list[value.Candidate]:
        """Recipes as candidates, without the optional steps that do not run here; those that fit the table."""
        found = []
        for one in recipes:
            with suppress(InputError):
                candidate = value.of_recipe(plan.check(one, folder).recipe, self.models, self.rows)
                if candidate is not None:
                    plan.check(self.recipe(candidate), folder)
                    found.append(candidate)
        return found


def read(asked: Recipe, models: Sequence[str], folders: Sequence[Folder]) -> Space:
    """The space of rows that run on all these folders: the worlds', and the one that the recipe is for."""
    top = asked.as_toml()
    base = {name: top[name] for name in top if name not in ("branch", "join", "steps", "auxiliary", "about")}
    space = Space((), tuple(models), base)
    start = value.plain(space.models)
    for folder in folders:
        plan.check(space.recipe(start), folder)
    rows = []
    for row in FAMILIES:
        with suppress(InputError):  # its data, or its package, are not there
            for folder in folders:
                plan.check(space.recipe(value.placed(start, row.place, row.uses)), folder)
            rows.append(row)
    return Space(tuple(rows), space.models, base)
