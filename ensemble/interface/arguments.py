"""Keywords become the options of a command, so that both have one vocabulary, one check and one meaning."""

import argparse
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import postproc
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, near, refuse_if_any
from ensemble.cli import machine, program
from ensemble.io import Folder, in_memory
from ensemble.scores import Protocol, written

Data: TypeAlias = Any  # an array, a tensor, a column or a table of any package, or such in dictionaries
FilePath: TypeAlias = str | os.PathLike[str]
Rules: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Protocol
Changes: TypeAlias = Mapping[str, Any] | Sequence[str]

OF_FILES = ("query_names", "gallery_names")  # options that name a file, where a folder is read
OF_FOLDERS = ("tracks", "key")
NOT_HERE = {
    "out": "a value is returned; write it with its own methods",
    "json": "a value is returned",
    "csv": "a value is returned",
    "report": "the value has .report(path)",
    "images": "give them to .show() and .report()",
    "report_size": "give it to .report()",
}  # what a command does with files
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*[a-z])")


def options(
    parser: argparse.ArgumentParser,
    keywords: Mapping[str, Any],
    *,
    data: Data,
    described: Mapping[str, Data],
    beside: Mapping[str, Callable[[], Any]],
) -> argparse.Namespace:
    """The options of a command with these keywords; None: as the command has it. All problems in one error.

    data:   the features, ``described`` by names and labels, None for none.
    beside: options that are values of Python, and what makes them.
    """
    found = parser.parse_args([])
    actions = {action.dest: action for action in parser._actions if action.dest not in ("help", "features")}
    problems: list[str] = []
    with collecting(problems):
        found.features = _features(data, described)
    if not isinstance(found.features, Folder):
        keywords = {**keywords, **{name: described.get(name) for name in OF_FILES}}
    for name, value in keywords.items():
        if value is None:
            continue
        if name in NOT_HERE:
            problems.append(
                f"{name}: wanted an option of the function, found one of the command; {NOT_HERE[name]}"
            )
        elif name not in actions:
            names = sorted({*actions} - {*NOT_HERE})
            problems.append(f"{name}: wanted one of {', '.join(names)}, found another{near(name, names)}")
        elif name in OF_FOLDERS and isinstance(found.features, Folder):
            problems.append(f"{name}: is for a folder, found arrays; give labels beside them")
        else:
            problems += _set(found, actions[name], value)
    for name, make in beside.items():
        with collecting(problems):
            setattr(found, name, make())
    refuse_if_any(problems)
    return found


def _features(given: Data, described: Mapping[str, Data]) -> Path | Folder:
    """A folder as its path, models in memory as what a look at them tells."""
    known = {name: values for name, values in described.items() if values is not None}
    if not isinstance(given, (str, os.PathLike)):
        return in_memory.folder_of(given, {_singular(name): values for name, values in known.items()})
    wrong = [name for name in known if name not in OF_FILES]
    refuse_if_any(
        [
            f"{name}: wanted labels beside arrays, found a folder; write them into its query.csv and gallery.csv"
            for name in wrong
        ]
    )
    return Path(given)


def protocol(given: Rules | None) -> str | Protocol | None:
    """A protocol as commands take it: a name or a file, or the value itself."""
    if given is None or isinstance(given, (str, Protocol)):
        return given
    return written.read(given) if isinstance(given, Mapping) else os.fspath(given)


def changes(given: Changes | None, top_k: int | None = None) -> list[str]:
    """Settings that are changed, as ``--set`` has them."""
    known = {} if given is None else given
    texts = [f"{name}={_toml(value)}" for name, value in known.items()] if isinstance(known, Mapping) else list(known)
    return texts + ([] if top_k is None else [f"top_k={top_k}"])


def using(chosen: argparse.Namespace) -> AbstractContextManager[object]:
    """The threads and the memory that were asked for, inside a ``with``."""
    return postproc.using(threads=chosen.threads, memory=machine.memory(chosen), progress=not chosen.quiet)


@contextmanager
def in_python() -> Iterator[None]:
    """Inside, options are keywords in all that is refused, and plug-ins of installed packages are there."""
    try:
        program.load_plugins()
        yield
    except InputError as error:
        raise InputError([spoken(problem) for problem in error.problems]) from error.__cause__


def spoken(text: str) -> str:
    """``--query-names`` is ``query_names`` here.

    >>> spoken("--fit-on train: wanted labels, found none; --junk none keeps them")
    'fit_on train: wanted labels, found none; junk none keeps them'
    """
    return _OPTION.sub(lambda match: match[1].replace("-", "_"), text)


def _set(found: argparse.Namespace, action: argparse.Action, value: Any) -> list[str]:
    """Put a value where the command line would have put it; what is wrong with it."""
    several = isinstance(getattr(found, action.dest), list) or action.nargs is not None and action.nargs != 0
    if action.nargs == 0:
        if not isinstance(value, bool):
            return [f"{action.dest}: wanted True or False, found {value!r}"]
        setattr(found, action.dest, value)
        return []
    listed = list(value) if several and isinstance(value, (list, tuple)) else [value]
    given, problems = [], []
    for one in listed:
        kind = action.type if isinstance(action.type, type) else None
        try:
            one = one if kind is None or isinstance(one, kind) else kind(one)
        except (TypeError, ValueError):
            problems.append(f"{action.dest}: wanted {getattr(kind, '__name__', kind)}, found {one!r}")
        if action.choices is not None and one not in action.choices:
            choices = [str(choice) for choice in action.choices]
            problems.append(f"{action.dest}: wanted one of {', '.join(choices)}, found {one!r}{near(str(one), choices)}")
        given.append(one)
    setattr(found, action.dest, given if several else given[0])
    return problems


def _singular(name: str) -> str:
    """``query_names`` is the column ``query_name``."""
    return name.removesuffix("s") if name.endswith("_names") else name


def _toml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
