"""Steps, joins, feature readers and submission formats of somebody else's.

They come from installed packages, by entry points; from a module that the command line names, ``--steps
my.module``; or from Python, by :func:`add`. A recipe can name them but never loads anything: it may come from a
stranger.

    [project.entry-points."reid_ensemble.steps"]          functions under ``postproc.base.step.step``
    [project.entry-points."reid_ensemble.joins"]          functions under ``ensemble.fusion.join.join``
    [project.entry-points."reid_ensemble.readers"]        ``ensemble.io.readers.reader.Reader``
    [project.entry-points."reid_ensemble.submissions"]    ``ensemble.submissions.format.Format``
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import postproc
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.fusion.join import is_join
from ensemble.io import containers
from ensemble.io.readers.reader import Reader
from ensemble.pipeline import joins, steps
from ensemble.submissions import formats
from ensemble.submissions.format import Format
from postproc.base.step import is_step

GROUP = "reid_ensemble"


@dataclass(frozen=True)
class Kind:
    """A kind of plug-in: its name, what it wants in words, what belongs to it, where that goes, what is there."""

    name: str
    wanted: str
    belongs: Callable[[Any], bool]
    take: Callable[..., None]
    there: Callable[[], Iterable[Any]]


KINDS = (
    Kind(
        "steps",
        "a function with @step",
        lambda value: is_step(value) and not is_join(value),
        steps.add,
        lambda: (*postproc.STEPS, *(known.function for known in steps.catalogue().values())),
    ),
    Kind("joins", "a function with @join", is_join, joins.add, lambda: joins.all_joins().values()),
    Kind("readers", "a Reader", lambda value: isinstance(value, Reader), containers.add, containers.all_readers),
    Kind(
        "submissions",
        "a Format",
        lambda value: isinstance(value, Format),
        formats.add,
        lambda: formats.all_formats().values(),
    ),
)


def add(
    *,
    steps: Iterable[Any] = (),
    joins: Iterable[Any] = (),
    readers: Iterable[Any] = (),
    submissions: Iterable[Any] = (),
) -> None:
    """Let recipes, folders and submissions use these; the same ones twice do no harm.

    Raises: InputError with everything that is none of its kind, or whose name exists already.
    """
    problems: list[str] = []
    for kind, values in zip(KINDS, (steps, joins, readers, submissions), strict=True):
        for value in values:
            problems += _taken(kind, value, f"plugins.add, {kind.name}")
    refuse_if_any(problems)


@cache
def load_installed() -> None:
    """Everything that installed packages offer, once.

    Raises: InputError that names the packages whose plug-ins cannot be used, and why.
    """
    problems: list[str] = []
    for kind, entry in _entries():
        origin = f"plug-in {entry.name} of the package {_package(entry)}"
        try:
            value = entry.load()
        except Exception as error:  # whatever somebody else's code trips over
            problems.append(
                f"{origin}: wanted to load {entry.value}, found {type(error).__name__}: {error}; update the "
                "package, or uninstall it"
            )
        else:
            problems += _taken(kind, value, origin)
    refuse_if_any(problems)


def load_module(name: str) -> None:
    """Everything of the four kinds that a module holds.

    Raises: InputError where there is no such module, it cannot be imported, or it holds nothing of that.
    """
    where = f"--steps {name}"
    if "" not in sys.path:
        sys.path.insert(0, "")  # a file in the user's folder is found, as with ``python -m``
    try:
        module = import_module(name)
    except Exception as error:  # whatever somebody else's code trips over
        raise InputError(
            [f"{where}: wanted a module, found {type(error).__name__}: {error}; check its name and the folder"]
        ) from error
    found = list(_held(module))
    if not found:
        wanted = ", ".join(kind.wanted for kind in KINDS)
        raise InputError([f"{where}: wanted {wanted} in it, found none; see docs/plugins.md"])
    refuse_if_any([problem for kind, value in found for problem in _taken(kind, value, where)])


def _held(module: ModuleType) -> Iterator[tuple[Kind, Any]]:
    """What of the four kinds a module holds, but for ours that it imports."""
    for kind in KINDS:
        ours = [value for value in kind.there() if getattr(value, "__module__", "") != module.__name__]
        for value in vars(module).values():
            if kind.belongs(value) and not any(value is known for known in ours):
                yield kind, value


def _taken(kind: Kind, value: Any, origin: str) -> list[str]:
    """Take it; what is wrong with it."""
    if not kind.belongs(value):
        return [f"{origin}: wanted {kind.wanted}, found {type(value).__name__}; see docs/plugins.md"]
    if kind.name == "steps" and value.__name__ in joins.all_joins():  # a recipe could not tell the two apart
        return [f"{origin}, {value.__name__}: wanted a name of its own, found a join of that name; rename it"]
    try:
        kind.take(value, origin=origin)
    except ValueError as error:
        return [str(error)]
    return []


def _entries() -> Iterator[tuple[Kind, EntryPoint]]:
    """The entry points of installed packages, in an order that does not depend on the machine."""
    for kind in KINDS:
        entries = entry_points(group=f"{GROUP}.{kind.name}")
        for entry in sorted(entries, key=lambda entry: (_package(entry), entry.name)):
            yield kind, entry


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "?"
