"""How tracklets become identities, as TOML, read with every mistake named at once.

    about = "what it is"
    appearance = "best"                    # a recipe of ensemble.run, by name or path; or a table, as they are;
                                           # left out: cosine distances of all models side by side
    tracklets = { kind = "quality", min_area = 2000 }    # how images become a tracklet's features
    travel = { distance = 0.4 }            # travel windows learned without labels, where nobody gives any
    associate = { use = "linkage", threshold = 0.37 }    # linkage, union, passes, votes
    clean = [{ use = "drop_small", cameras = 2 }]        # drop_small, drop_repeated, split_repeated, leftovers

Settings are those of the functions of these names.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from ensemble.base.broken import BROKEN, reason
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, near, refuse_if_any
from ensemble.pipeline import recipe as run_recipe
from ensemble.pipeline.recipe import Recipe as RunRecipe
from ensemble.track import cleaning, linking, pairs, passes, tracklets, travel, votes
from postproc.base.settings import settings_of

ASSOCIATIONS: Mapping[str, Callable[..., Any]] = {
    "linkage": linking.linkage, "union": linking.union, "passes": passes.passes, "votes": votes.votes
}  # fmt: skip
CLEANING: Mapping[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (cleaning.drop_small, cleaning.drop_repeated, cleaning.split_repeated, cleaning.leftovers)
}
BY_PAIR = ("passes", "votes")  # what goes from camera to camera along travel windows
TOP = ("about", "appearance", "tracklets", "travel", "associate", "clean")
COSINE: Mapping[str, Any] = {
    "branch": [
        {
            "each": [{"use": "l2_normalize"}],
            "join": {"use": "concat"},
            "steps": [{"use": "distances", "metric": "cosine"}],
        }
    ]
}


@dataclass(frozen=True)
class Use:
    """A function by name and the settings that are written down."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_toml(self) -> dict[str, Any]:
        """As it stands in a recipe."""
        return {"use": self.name, **self.settings}


@dataclass(frozen=True)
class Recipe:
    """All that there is to choose. ``travel`` None: windows are not learned without labels."""

    name: str
    about: str
    appearance: RunRecipe
    tracklets: Mapping[str, Any]
    travel: Mapping[str, Any] | None
    associate: Use
    clean: tuple[Use, ...]

    def as_toml(self) -> dict[str, Any]:
        """The table that :func:`parse` reads."""
        return {
            "about": self.about,
            "tracklets": dict(self.tracklets),
            **({"travel": dict(self.travel)} if self.travel is not None else {}),
            "associate": self.associate.as_toml(),
            "clean": [use.as_toml() for use in self.clean],
            "appearance": self.appearance.as_toml(),
        }


def available() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    folder = Path(str(resources.files("ensemble.track") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(name: str) -> Recipe:
    """A recipe of the package by its name, or one's own by its path (ending in .toml)."""
    known = available()
    path = known.get(name, Path(name))
    if name not in known and path.suffix != ".toml":
        raise InputError(
            [f"recipe: wanted one of {', '.join(known)} or a .toml file, found {name!r}{near(name, known)}"]
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([f"{path}: wanted a recipe, found {error}; check the path"]) from error
    except BROKEN as error:
        raise InputError([f"{path}: wanted TOML, found {reason(error)}"]) from error
    return parse(content, path.stem)


def parse(content: Mapping[str, Any], name: str) -> Recipe:
    """A nested dictionary -> a recipe; every key that does not fit is a problem, all in one error."""
    problems = _strangers(name, content, TOP)
    appearance = run_recipe.parse(COSINE, f"{name}, appearance")
    with collecting(problems):
        appearance = _appearance(content.get("appearance"), f"{name}, appearance")
    of_tracklets = _table(content.get("tracklets", {}), f"{name}, tracklets", tracklets.looks_of, problems)
    learned = None
    if "travel" in content:
        learned = _table(content["travel"], f"{name}, travel", travel.unlabelled, problems)
    associate = _use(content.get("associate"), f"{name}, associate", ASSOCIATIONS, problems)
    listed = content.get("clean", [])
    if not isinstance(listed, list):
        problems.append(f"{name}, clean: wanted a list, found {listed!r}")
        listed = []
    clean = [_use(one, f"{name}, clean {number}", CLEANING, problems) for number, one in enumerate(listed, 1)]
    refuse_if_any(problems)
    return Recipe(name, str(content.get("about", "")), appearance, of_tracklets, learned, associate, tuple(clean))


def changed(recipe: Recipe, texts: Sequence[str]) -> Recipe:
    """The recipe with ``NAME.SETTING=VALUE`` put in; NAME is tracklets, travel, or a function that it uses."""
    content, problems = recipe.as_toml(), []
    for text in texts:
        place, sign, value = text.partition("=")
        part, dot, setting = place.strip().partition(".")
        tables = [content["associate"], *content["clean"]]
        known = {one["use"]: one for one in tables} | {"tracklets": content["tracklets"]}
        if recipe.travel is not None:
            known["travel"] = content["travel"]
        if not (sign and dot and setting) or part not in known:
            wanted = f"NAME.SETTING=VALUE with one of {', '.join(known)}"
            problems.append(f"--set: wanted {wanted}, found {text!r}{near(part, known)}")
            continue
        known[part][setting] = _value(value.strip())
    refuse_if_any(problems)
    return replace(parse(content | {"appearance": {}}, recipe.name), appearance=recipe.appearance)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except BROKEN:
        return text


def _appearance(value: Any, where: str) -> RunRecipe:
    if isinstance(value, str):
        return run_recipe.load(value)
    if value is None or value == {}:
        return run_recipe.parse(COSINE, where)
    if not isinstance(value, Mapping):
        raise InputError([f"{where}: wanted the name of a recipe or a table, found {value!r}"])
    return run_recipe.parse(value, where)


def _strangers(where: str, table: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    return [
        f"{where}: wanted any of {', '.join(known)}, found {key!r}{near(key, known)}"
        for key in table
        if key not in known
    ]


def _use(value: Any, where: str, known: Mapping[str, Callable[..., Any]], problems: list[str]) -> Use:
    """``{ use = "linkage", threshold = 0.4 }``, checked."""
    if not isinstance(value, Mapping) or not isinstance(value.get("use"), str):
        problems.append(f'{where}: wanted {{ use = "{next(iter(known))}", … }}, found {value!r}')
        return Use("")
    name = value["use"]
    if name not in known:
        problems.append(f"{where}: wanted one of {', '.join(known)}, found {name!r}{near(name, known)}")
        return Use(name)
    settings = {key: one for key, one in value.items() if key != "use"}
    return Use(name, _table(settings, f"{where} ({name})", known[name], problems))


def _table(value: Any, where: str, function: Callable[..., Any], problems: list[str]) -> Mapping[str, Any]:
    """Settings of a function, checked by their kinds."""
    if not isinstance(value, Mapping):
        problems.append(f"{where}: wanted a table, found {value!r}")
        return {}
    known = settings_of(function)
    problems += _strangers(where, value, list(known) or ["nothing"])
    wrong = [known[key].problem(one) for key, one in value.items() if key in known]
    problems += [f"{where}, {problem}" for problem in wrong if problem]
    if "pairs" in value and not any(wrong):
        problems += pairs.problems(value["pairs"], where, {k: s for k, s in known.items() if k != "pairs"})
    return dict(value)
