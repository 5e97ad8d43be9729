"""Recipes: a pipeline written down in TOML, read with every mistake named at once.

    about = "what it is"
    top_k = 100                       # images a query in the submission
    submission = "track2"             # or "csv"
    protocol = "aicity"               # how it is scored where there are labels

    [[branch]]
    models = ["densenet*", "mgn"]     # names or patterns, "a|b": the first that exists; left out: all
    each = [{ use = "l2_normalize" }] # on every model, before they are joined
    join = { use = "concat" }
    auxiliary = ["camera_model"]      # models that are not joined: query_aux and gallery_aux of the steps
    steps = [{ use = "rerank", k1 = 15 }]

With several branches, ``[join]`` says how their distances become one, and ``steps`` at the top what follows.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from ensemble.errors import InputError, refuse_if_any
from ensemble.protocols import PROTOCOLS

SUBMISSIONS = ("track2", "csv")


@dataclass(frozen=True)
class Use:
    """One step of a recipe: its name, the settings written down, and where, for messages."""

    name: str
    settings: Mapping[str, Any]
    where: str

    def as_toml(self) -> dict[str, Any]:
        """As it stands in a recipe."""
        return {"use": self.name, **self.settings}


@dataclass(frozen=True)
class Branch:
    """Models that are brought together, and what happens to them before and after."""

    where: str
    models: tuple[str, ...] = ("*",)
    each: tuple[Use, ...] = ()
    join: Use | None = None
    steps: tuple[Use, ...] = ()
    auxiliary: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A whole pipeline. ``branches`` has at least one entry."""

    name: str
    about: str = ""
    top_k: int = 100
    submission: str = "track2"
    protocol: str = "market1501"
    branches: tuple[Branch, ...] = ()
    join: Use | None = None
    steps: tuple[Use, ...] = field(default=())

    def uses(self) -> Iterator[Use]:
        """Every step, in the order in which it runs."""
        for branch in self.branches:
            yield from (*branch.each, *([branch.join] if branch.join else []), *branch.steps)
        yield from (*([self.join] if self.join else []), *self.steps)

    def as_toml(self) -> dict[str, Any]:
        """The nested dictionary that :func:`parse` reads."""
        branches = [
            {
                "models": list(branch.models),
                "each": [use.as_toml() for use in branch.each],
                **({"join": branch.join.as_toml()} if branch.join else {}),
                "steps": [use.as_toml() for use in branch.steps],
                **({"auxiliary": list(branch.auxiliary)} if branch.auxiliary else {}),
            }
            for branch in self.branches
        ]
        return {
            "about": self.about,
            "top_k": self.top_k,
            "submission": self.submission,
            "protocol": self.protocol,
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
            [f"recipe: wanted one of {', '.join(known)} or a .toml file, found {name!r}{_near(name, known)}"]
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([f"{path}: wanted a recipe, found {error}; check the path"]) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([f"{path}: wanted TOML, found {error}"]) from error
    return parse(content, path.stem)


def parse(content: Mapping[str, Any], name: str) -> Recipe:
    """A nested dictionary -> a recipe; every key that does not fit is a problem, all in one error."""
    problems: list[str] = []
    read = _Reader(problems)
    top = read.table(content, name, ("about", "top_k", "submission", "protocol", "branch", "join", "steps"))
    branches = []
    for number, item in enumerate(read.listed(top, "branch", name), 1):
        where = f"{name}, branch {number}"
        table = read.table(item, where, ("models", "each", "join", "steps", "auxiliary"))
        branches.append(
            Branch(
                where,
                tuple(read.texts(table, "models", where)) or ("*",),
                read.uses(table, "each", where),
                read.use(table, "join", where),
                read.uses(table, "steps", where),
                tuple(read.texts(table, "auxiliary", where)),
            )
        )
    recipe = Recipe(
        name,
        about=str(top.get("about", "")),
        top_k=top.get("top_k", 100),
        submission=top.get("submission", "track2"),
        protocol=top.get("protocol", "market1501"),
        branches=tuple(branches) or (Branch(f"{name}, all models"),),
        join=read.use(top, "join", name),
        steps=read.uses(top, "steps", name),
    )
    if not isinstance(recipe.top_k, int) or isinstance(recipe.top_k, bool) or recipe.top_k < 1:
        problems.append(f"{name}, top_k: wanted a whole number, 1 or more, found {recipe.top_k!r}")
    for key, choices in (("submission", SUBMISSIONS), ("protocol", tuple(PROTOCOLS))):
        if getattr(recipe, key) not in choices:
            problems.append(f"{name}, {key}: wanted one of {', '.join(choices)}, found {getattr(recipe, key)!r}")
    refuse_if_any(problems)
    return recipe


def override(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """Apply ``STEP.SETTING=VALUE`` to every use of STEP, or ``KEY=VALUE`` to the recipe itself.

    VALUE is read as TOML (``0.3``, ``true``, ``[1, 2]``) and is text where that does not work.
    """
    problems = []
    content = recipe.as_toml()
    for change in changes:
        target, equals, text = change.partition("=")
        step, dot, setting = target.partition(".")
        if not equals or (dot and not setting):
            problems.append(f"--set {change}: wanted STEP.SETTING=VALUE, for example rerank.k1=30")
        elif not dot:
            content[target] = _value(text)
        else:
            used = [use for use in _tables(content) if use["use"] == step]
            if not used:
                names = {use["use"] for use in _tables(content)}
                problems.append(
                    f"--set {change}: wanted a step of the recipe ({', '.join(sorted(names))}), "
                    f"found {step!r}{_near(step, names)}"
                )
            for use in used:
                use[setting] = _value(text)
    refuse_if_any(problems)
    return replace(parse(content, recipe.name), about=recipe.about)


class _Reader:
    """Takes tables apart and notes what does not fit."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def table(self, value: Any, where: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.problems.append(f"{where}: wanted a table, found {value!r}")
            return {}
        for key in value:
            if key not in keys:
                self.problems.append(f"{where}: wanted any of {', '.join(keys)}, found {key!r}{_near(key, keys)}")
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
        return Use(value["use"], {key: item for key, item in value.items() if key != "use"}, where)


def _tables(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every ``{ use = … }`` of a recipe's dictionary."""
    for part in (*content["branch"], content):
        yield from (*part.get("each", []), *([part["join"]] if "join" in part else []), *part["steps"])


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _near(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
