"""What is not code on a page, and yet right or wrong: recipes, rules, parts of pyproject.toml, tables."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ensemble.base.features import COLUMNS
from ensemble.io import Folder
from ensemble.pipeline import plan, recipe
from ensemble.track import recipe as track

SIDES = ("query", "gallery", "train")


def check_toml(text: str, whole: bool) -> None:
    """Raise what a reader of the block would be told, if something in it is wrong.

    whole: its steps and settings too; not for a file that a command of the page will read, perhaps with plug-ins.
    """
    found = tomllib.loads(text)
    if "project" in found:  # of pyproject.toml
        return
    if "associate" in found:
        track.parse(found, "recipe")
        return
    asked = recipe.parse(with_branches(found), "recipe")
    if whole:
        plan.check(asked, everything(found))


def with_branches(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recipe; what a page shows without branches is a part of one, and gets some."""
    if "branch" in content:
        return content
    of = {"each": [{"use": "l2_normalize"}], "join": {"use": "concat"}, "steps": [{"use": "distances"}]}
    models = [["other"], ["another"]] if "join" in content else [["*"]]
    return {**content, "branch": [{"models": each, **of} for each in models]}


def everything(content: Mapping[str, Any]) -> Folder:
    """A folder that has whatever a recipe asks for, its models by the names that the recipe gives them."""
    models = dict.fromkeys(name.replace("*", "") for name in (*named(content), "other", "another"))
    columns = frozenset(f"{side}_{column}" for side in SIDES for column in COLUMNS) | {*SIDES}
    return Folder(Path("features"), dict.fromkeys(models, ()), columns, ())


def named(content: object) -> Iterator[str]:
    """Names and patterns of models anywhere in a recipe."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            listed = isinstance(value, list) and all(isinstance(each, str) for each in value)
            yield from value if listed and key != "only" else named(value)
    elif isinstance(content, list):
        for value in content:
            yield from named(value)


def check_csv(text: str) -> None:
    """Refuse lines of unequal length."""
    widths = {len(line.split(",")) for line in text.splitlines()}
    assert len(widths) == 1, f"lines of {sorted(widths)} cells"
