"""A recipe as Python has it: by a name, from a file, a dictionary, or steps."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from ensemble.base import tabled
from ensemble.base.errors import InputError, near, refuse_if_any
from ensemble.fusion.join import is_join
from ensemble.interface.arguments import FilePath, changes, in_python
from ensemble.pipeline import plugins, recipe
from ensemble.pipeline.changes import override

Step: TypeAlias = str | Callable[..., Any] | Mapping[str, Any] | tuple[str | Callable[..., Any], Mapping[str, Any]]
RecipeGiven: TypeAlias = "Recipe | recipe.Recipe | FilePath | Mapping[str, Any] | Sequence[Step] | None"
OF_A_BRANCH = ("models", "only", "each", "join")


class Recipe:
    """A pipeline of models, steps and joins.

    ``Recipe("best")``, ``Recipe("mine.toml")``, a dictionary as the file would hold it, or steps in their order,
    each a name, a function, ``functools.partial`` of one, or ``(step, settings)``::

        Recipe([partial(l2_normalize), partial(rerank, k1=10)], join="concat", top_k=50)

    A step or join of your own is a function with ``@step`` or ``@join``. Keywords change keys of the recipe, of
    steps also ``each``, ``join``, ``models`` and ``only``. Raises InputError with every mistake in it.
    """

    def __init__(
        self, given: "Recipe | recipe.Recipe | FilePath | Mapping[str, Any] | Sequence[Step]", **keys: Any
    ) -> None:
        with in_python():
            self.value: recipe.Recipe = _with(_loaded(given, keys), keys)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.value.name

    @property
    def about(self) -> str:
        """What it is, in a sentence."""
        return self.value.about

    @property
    def steps(self) -> list[str]:
        """The steps and joins in the order in which they run."""
        return [use.name for use in self.value.uses()]

    def set(self, settings: "Mapping[str, Any] | Sequence[str]") -> "Recipe":
        """Another recipe with settings changed, as ``{"rerank.k1": 30}``; ``--set`` of the commands."""
        with in_python():
            return Recipe(override(self.value, changes(settings)))

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary that :class:`Recipe` reads."""
        return self.value.as_toml()

    def to_toml(self, path: "FilePath | None" = None) -> str:
        """As TOML, which runs again; written to ``path`` where one is given."""
        import tomli_w

        from ensemble import io

        text = tomli_w.dumps(self.to_dict())
        if path is not None:
            with io.beside(Path(path)) as stream:
                stream.write(text)
        return text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.to_toml())

    def __repr__(self) -> str:
        return f"Recipe({self.name}: {' -> '.join(self.steps) or 'nothing'})"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = [
            (use.name, ", ".join(f"{name} {value}" for name, value in use.settings.items()))
            for use in self.value.uses()
        ]
        return tabled.page(f"{self.name}: {self.about}", rows)


def recipe_of(given: object) -> "recipe.Recipe | str | None":
    """What commands take for ``--recipe``: a name or a path as text, or the recipe itself."""
    if given is None or isinstance(given, str):
        return given
    return os.fspath(given) if isinstance(given, os.PathLike) else Recipe(given).value  # type: ignore[arg-type]


def _loaded(given: Any, keys: dict[str, Any]) -> recipe.Recipe:
    if isinstance(given, Recipe):
        return given.value
    if isinstance(given, recipe.Recipe):
        return given
    if isinstance(given, (str, os.PathLike)):
        return recipe.load(os.fspath(given))
    if isinstance(given, Mapping):
        return recipe.parse(given, str(keys.pop("name", "recipe")))
    if not isinstance(given, Iterable):
        wanted = "a name, a .toml file, a dictionary or a list of steps"
        raise InputError([f"recipe: wanted {wanted}, found {type(given).__name__}"])
    branch: dict[str, Any] = {key: keys.pop(key) for key in OF_A_BRANCH if key in keys}
    branch["steps"] = [_use(each) for each in given]
    branch |= {"each": [_use(each) for each in branch["each"]]} if "each" in branch else {}
    branch |= {"join": _use(branch["join"])} if "join" in branch else {}
    return recipe.parse({"branch": [branch]}, str(keys.pop("name", "recipe")))


def _with(loaded: recipe.Recipe, keys: Mapping[str, Any]) -> recipe.Recipe:
    """The recipe with keys of the top changed."""
    refuse_if_any(
        [
            f"recipe: wanted any of {', '.join(recipe.TOP)}, found {key!r}{near(key, recipe.TOP)}"
            for key in keys
            if key not in recipe.TOP
        ]
    )
    return recipe.parse({**loaded.as_toml(), **keys}, loaded.name) if keys else loaded


def _use(step: Any) -> dict[str, Any]:
    """One step or join as it stands in a recipe's file."""
    if isinstance(step, str):
        return {"use": step}
    if isinstance(step, Mapping):
        return dict(step)
    if isinstance(step, tuple) and len(step) == 2:
        return {**_use(step[0]), **step[1]}
    if isinstance(step, partial):
        if step.args:
            raise InputError(
                [f"recipe: wanted settings by their names in partial(…), found {len(step.args)} without"]
            )
        return {**_use(step.func), **step.keywords}
    if not callable(step):
        raise InputError(
            [f"recipe: wanted a step as name, function, partial(…) or (step, settings), found {step!r}"]
        )
    plugins.add(**{"joins" if is_join(step) else "steps": [step]})
    return {"use": getattr(step, "__name__", repr(step))}
