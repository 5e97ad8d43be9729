"""Recipes: a pipeline written down in TOML, read with every mistake named at once.

    about = "what it is"
    top_k = 100                       # images a query in the submission
    submission = "track2"             # visda, naic (top_k = 200), trec, csv, json, parquet, npz, sysu; left out:
                                      # track2 where AI City's lists of names are, else csv
    protocol = "aicity"               # how it is scored where there are labels; or a table, see scores.written

    cameras = "cam_predicted"         # the column that steps take for the camera; left out: "cam"
    similarity = ["mhn*"]             # rank lists (--rankings) whose numbers are larger for nearer images
    missing = "keep"                  # images that a model lacks: "refuse" (if left out), "drop", "keep" them

    [[branch]]
    name = "looks"                    # for weights by name; left out: the model's name, or branch 1, 2, …
    models = ["densenet*", "mgn"]     # names or patterns, "a|b": the first that exists; left out: all
    only = { scene = 1 }              # only images with this value in this column (a list: any of them)
    each = [{ use = "l2_normalize" }] # on every model, before they are joined
    join = { use = "concat", weights = { mgn = 2 } }
    auxiliary = ["camera_model"]      # models that are not joined: query_aux, gallery_aux, train_aux of the steps
    steps = [{ use = "rerank", k1 = 15 }]

With several branches, ``[join]`` says how their distances become one, and ``steps`` at the top what follows. Where
``each`` ends in distances, a branch's ``join`` adds distances too. Several kinds of side models are named groups,
and a step says which it means; a group may have steps of its own:

    auxiliary = { camera = ["camera*"], view = { models = ["orientation"], each = [{ use = "l2_normalize" }] } }
    steps = [{ use = "subtract_auxiliary", aux = "view", weight = 0.05 }]

A group with ``average = true`` counts as one model, however many it has: squared distances are the mean of theirs.
Settings of single models stand beside ``each``; a pattern that no model has says nothing:

    own = { "resnest*" = { camera_whitening = { ridge = 0.09 } } }

A step or a group with ``optional = true`` is left out where its data or its models are not there.
"""

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, near, refuse_if_any
from ensemble.base.features import COLUMNS
from ensemble.base.labels import LABELS
from ensemble.base.toml_files import toml_of
from ensemble.scores import written
from ensemble.scores.protocol import Protocol
from ensemble.scores.written import Written
from ensemble.submissions import writable

CAMERAS = ("cam", "cam_predicted")
MISSING = ("refuse", "drop", "keep")
TOP = (
    *("about", "top_k", "submission", "protocol", "cameras", "missing", "similarity"),
    *("auxiliary", "branch", "join", "steps"),
)
BRANCH = ("name", "models", "only", "each", "own", "join", "steps", "auxiliary")
GROUP = ("models", "each", "average", "optional")

Own = Mapping[str, Mapping[str, Mapping[str, Any]]]  # model or pattern: step: settings


@dataclass(frozen=True)
class Use:
    """One step of a recipe: its name, the settings written down, and where, for messages."""

    name: str
    settings: Mapping[str, Any]
    where: str
    aux: str | None = None
    optional: bool = False

    def as_toml(self) -> dict[str, Any]:
        """As it stands in a recipe."""
        aux = {"aux": self.aux} if self.aux is not None else {}
        return {"use": self.name, **aux, **self.settings, **({"optional": True} if self.optional else {})}


@dataclass(frozen=True)
class Group:
    """Side models that steps look at together, their values side by side; an ``average`` counts as one model."""

    models: tuple[str, ...]
    each: tuple[Use, ...] = ()
    optional: bool = False
    average: bool = False

    def as_toml(self) -> list[str] | dict[str, Any]:
        """As it stands in a recipe."""
        each = {"each": [use.as_toml() for use in self.each]} if self.each else {}
        flags = {name: True for name in ("average", "optional") if getattr(self, name)}
        more = each | flags
        return {"models": list(self.models), **more} if more else list(self.models)


@dataclass(frozen=True)
class Branch:
    """Models that are brought together, and what happens to them before and after."""

    where: str
    models: tuple[str, ...] = ("*",)
    each: tuple[Use, ...] = ()
    join: Use | None = None
    steps: tuple[Use, ...] = ()
    auxiliary: Mapping[str, Group] = field(default_factory=dict)
    only: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    name: str = ""
    own: Own = field(default_factory=dict)

    def each_of(self, model: str) -> tuple[Use, ...]:
        """The steps on one model, with the settings that it has of its own."""
        return tuple(replace(use, settings={**use.settings, **self._own(model, use.name)}) for use in self.each)

    def _own(self, model: str, step: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for pattern, steps in reversed(list(self.own.items())):  # the first that fits has the last word
            if fnmatch.fnmatchcase(model, pattern):
                found |= steps.get(step, {})
        return found


@dataclass(frozen=True)
class Recipe:
    """A whole pipeline. ``branches`` has at least one entry; ``asked`` says that ``submission`` stands in it."""

    name: str
    about: str = ""
    top_k: int = 100
    submission: str = "csv"
    protocol: Written = written.BASE
    branches: tuple[Branch, ...] = ()
    join: Use | None = None
    steps: tuple[Use, ...] = ()
    auxiliary: Mapping[str, Group] = field(default_factory=dict)
    cameras: str = "cam"
    missing: str = "refuse"
    asked: bool = False
    similarity: tuple[str, ...] = ()

    @property
    def rules(self) -> Protocol:
        """How it is scored where there are labels."""
        return written.read(self.protocol, f"{self.name}, protocol")

    def uses(self) -> Iterator[Use]:
        """Every step, in the order in which it runs."""
        for group in self.auxiliary.values():
            yield from group.each
        for branch in self.branches:
            for group in branch.auxiliary.values():
                yield from group.each
            yield from (*branch.each, *([branch.join] if branch.join else []), *branch.steps)
        yield from (*([self.join] if self.join else []), *self.steps)

    def as_toml(self) -> dict[str, Any]:
        """The nested dictionary that :func:`parse` reads."""
        branches = [
            {
                **({"name": branch.name} if branch.name else {}),
                "models": list(branch.models),
                **({"only": {name: list(values) for name, values in branch.only.items()}} if branch.only else {}),
                "each": [use.as_toml() for use in branch.each],
                **_own(branch),
                **({"join": branch.join.as_toml()} if branch.join else {}),
                "steps": [use.as_toml() for use in branch.steps],
                **_groups(branch.auxiliary),
            }
            for branch in self.branches
        ]
        return {
            "about": self.about,
            "top_k": self.top_k,
            **({"submission": self.submission} if self.asked else {}),
            "protocol": self.protocol,
            **({"cameras": self.cameras} if self.cameras != "cam" else {}),
            **({"missing": self.missing} if self.missing != "refuse" else {}),
            **({"similarity": list(self.similarity)} if self.similarity else {}),
            **_groups(self.auxiliary),
            "steps": [use.as_toml() for use in self.steps],
            **({"join": self.join.as_toml()} if self.join else {}),
            "branch": branches,
        }


def available() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    folder = Path(str(resources.files("ensemble") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(name: str) -> Recipe:
    """A recipe of the package by its name, or one's own by its path (ending in .toml)."""
    known = available()
    path = known.get(name, Path(name))
    if name not in known and path.suffix != ".toml":
        raise InputError(
            [f"recipe: wanted one of {', '.join(known)} or a .toml file, found {name!r}{near(name, known)}"]
        )
    return parse(toml_of(path, "recipe"), path.stem)


def parse(content: Mapping[str, Any], name: str) -> Recipe:
    """A nested dictionary -> a recipe; every key that does not fit is a problem, all in one error."""
    problems: list[str] = []
    read = _Reader(problems)
    top = read.table(content, name, TOP)
    branches = []
    for number, item in enumerate(read.listed(top, "branch", name), 1):
        where = f"{name}, branch {number}"
        table = read.table(item, where, BRANCH)
        branches.append(
            Branch(
                where,
                read.models(table, where),
                read.uses(table, "each", where),
                read.use(table, "join", where),
                read.uses(table, "steps", where),
                read.groups(table, where),
                read.values(table, "only", where),
                read.text(table, "name", where),
                read.own(table, where),
            )
        )
    recipe = Recipe(
        name,
        about=read.text(top, "about", name),
        top_k=top.get("top_k", 100),
        submission=top.get("submission", "csv"),
        protocol=top.get("protocol", written.BASE),
        branches=tuple(branches) or (Branch(f"{name}, all models"),),
        join=read.use(top, "join", name),
        steps=read.uses(top, "steps", name),
        auxiliary=read.groups(top, name),
        cameras=top.get("cameras", "cam"),
        missing=top.get("missing", "refuse"),
        asked="submission" in top,
        similarity=tuple(read.texts(top, "similarity", name)),
    )
    if not isinstance(recipe.top_k, int) or isinstance(recipe.top_k, bool) or recipe.top_k < 1:
        problems.append(f"{name}, top_k: wanted a whole number, 1 or more, found {recipe.top_k!r}")
    named = [branch.name for branch in recipe.branches if branch.name]
    if len(set(named)) < len(named):
        problems.append(f"{name}: wanted every branch name once, found {', '.join(named)}; rename one")
    for key, choices in (
        ("submission", writable()), ("cameras", CAMERAS), ("missing", MISSING)
    ):  # fmt: skip
        if getattr(recipe, key) not in choices:
            found = getattr(recipe, key)
            problems.append(
                f"{name}, {key}: wanted one of {', '.join(choices)}, found {found!r}{near(found, choices)}"
            )
    with collecting(problems):
        _ = recipe.rules
    refuse_if_any(problems)
    return recipe


class _Reader:
    """Takes tables apart and notes what does not fit."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def table(self, value: Any, where: str, keys: tuple[str, ...] | None = None) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.problems.append(f"{where}: wanted a table, found {value!r}")
            return {}
        for key in value:
            if keys is not None and key not in keys:
                self.problems.append(f"{where}: wanted any of {', '.join(keys)}, found {key!r}{near(key, keys)}")
        return value

    def listed(self, table: Mapping[str, Any], key: str, where: str) -> list[Any]:
        value = table.get(key, [])
        if not isinstance(value, list):
            self.problems.append(f"{where}, {key}: wanted a list, found {value!r}")
            return []
        return value

    def texts(self, table: Mapping[str, Any], key: str, where: str) -> list[str]:
        values = self.listed(table, key, where)
        if not all(isinstance(value, str) for value in values):
            self.problems.append(f"{where}, {key}: wanted names in quotes, found {values!r}")
            return []
        return values

    def text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            self.problems.append(f"{where}, {key}: wanted text in quotes, found {value!r}")
            return ""
        return value

    def models(self, table: Mapping[str, Any], where: str) -> tuple[str, ...]:
        """``models`` of a branch: each once, since it is read once; without the key all."""
        names = self.texts(table, "models", where)
        if again := [name for number, name in enumerate(names) if name in names[:number]]:
            self.problems.append(
                f"{where}, models: wanted every model once, found again {examples(again)}; weights of a join say "
                "what counts more"
            )
        if table.get("models") == []:
            self.problems.append(f"{where}, models: wanted names, found none; leave models out to take all")
        return tuple(names) or ("*",)

    def groups(self, table: Mapping[str, Any], where: str) -> dict[str, Group]:
        """``auxiliary``: a list of models, which is one group without a name, or groups by name."""
        value = table.get("auxiliary", {})
        if isinstance(value, list):
            value = {"": value} if value else {}
        found = {}
        for group, content in self.table(value, f"{where}, auxiliary").items():
            here = f"{where}, auxiliary {group}".rstrip()
            inner = {"models": content} if isinstance(content, list) else self.table(content, here, GROUP)
            found[group] = Group(
                tuple(self.texts(inner, "models", here)),
                self.uses(inner, "each", here),
                self.flag(inner, "optional", here),
                self.flag(inner, "average", here),
            )
        return found

    def own(self, table: Mapping[str, Any], where: str) -> Own:
        """``own``: settings of steps by model, each of a step that stands in ``each``."""
        here, found = f"{where}, own", {}
        used = {use.get("use") for use in table.get("each", []) if isinstance(use, Mapping)}
        for model, steps in self.table(table.get("own", {}), here).items():
            found[model] = {
                step: dict(self.table(settings, f"{here} {model}, {step}"))
                for step, settings in self.table(steps, f"{here} {model}").items()
            }
            self.problems += [
                f"{here} {model}: wanted a step of each ({', '.join(map(str, used)) or 'it has none'}), "
                f"found {step!r}{near(step, [str(name) for name in used])}"
                for step in found[model]
                if step not in used
            ]
        return found

    def flag(self, table: Mapping[str, Any], key: str, where: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.problems.append(f"{where}, {key}: wanted true or false, found {value!r}")
        return value is True

    def values(self, table: Mapping[str, Any], key: str, where: str) -> dict[str, tuple[int | str, ...]]:
        """Whole numbers by column, or labels as text."""
        found = {}
        for column, value in self.table(table.get(key, {}), f"{where}, {key}", COLUMNS).items():
            listed = value if isinstance(value, list) else [value]
            kinds, wanted = ((int, str), "labels") if column in LABELS else ((int,), "whole numbers")
            if not all(isinstance(one, kinds) and not isinstance(one, bool) for one in listed):
                self.problems.append(f"{where}, {key} {column}: wanted {wanted}, found {value!r}")
            found[column] = tuple(listed)
        return found

    def uses(self, table: Mapping[str, Any], key: str, where: str) -> tuple[Use, ...]:
        items = self.listed(table, key, where)
        found = (self._use(item, f"{where}, {key} {number}") for number, item in enumerate(items, 1))
        return tuple(use for use in found if use)

    def use(self, table: Mapping[str, Any], key: str, where: str) -> Use | None:
        return self._use(table[key], f"{where}, {key}") if key in table else None

    def _use(self, value: Any, where: str) -> Use | None:
        if not isinstance(value, Mapping) or not isinstance(value.get("use"), str):
            self.problems.append(f'{where}: wanted {{ use = "STEP", … }}, found {value!r}')
            return None
        aux = value.get("aux")
        if aux is not None and not isinstance(aux, str):
            self.problems.append(f"{where}, aux: wanted the name of a group of side models, found {aux!r}")
        settings = {key: item for key, item in value.items() if key not in ("use", "aux", "optional")}
        optional = self.flag(value, "optional", where)
        return Use(value["use"], settings, where, aux if isinstance(aux, str) else None, optional)


def _own(branch: Branch) -> dict[str, Any]:
    """The key ``own`` as it stands in a recipe: of the steps that are there, nothing where there are none."""
    used = {use.name for use in branch.each}
    kept = {
        model: {step: dict(settings) for step, settings in steps.items() if step in used}
        for model, steps in branch.own.items()
    }
    found = {model: steps for model, steps in kept.items() if steps}
    return {"own": found} if found else {}


def _groups(auxiliary: Mapping[str, Group]) -> dict[str, Any]:
    """The key ``auxiliary`` as it stands in a recipe, nothing where there is none."""
    if set(auxiliary) == {""} and isinstance(auxiliary[""].as_toml(), list):
        return {"auxiliary": list(auxiliary[""].models)}
    return {"auxiliary": {name: group.as_toml() for name, group in auxiliary.items()}} if auxiliary else {}
