"""Keywords become the options of a command, so that both have one vocabulary, one check and one meaning."""

import argparse
import json
import numbers
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypedDict

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
SOURCES = {"features": in_memory.folder_of, "rankings": in_memory.folder_of_distances}
NOTHING: Mapping[str, Any] = MappingProxyType({})
NOT_HERE = {
    "out": "a value is returned; write it with its own methods",
    "json": "a value is returned",
    "csv": "a value is returned",
    "report": "the value has .report(path)",
    "images": "give them to .show() and .report()",
    "report_size": "give it to .report()",
}  # what a command does with files
WORDS = {int: "a whole number", float: "a number", Path: "a path", str: "text"}
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*[a-z])")


def options(
    parser: argparse.ArgumentParser,
    keywords: Mapping[str, Any],
    *,
    data: Data,
    described: Mapping[str, Data] = NOTHING,
    beside: Mapping[str, Callable[[], Any]] = NOTHING,
    source: str = "features",
    lacks: Sequence[str] = (),
) -> argparse.Namespace:
    """The options of a command with these keywords; None: as the command has it. All problems in one error.

    data:   what is read, ``described`` by names and labels, None for none; ``source``: the option that names it.
    lacks:  options that the command has and the function does not.
    beside: options that are values of Python, and what makes them.
    """
    found = parser.parse_args([])
    problems: list[str] = []
    place: Path | Folder | None = None
    with collecting(problems):
        place = _place(data, described, SOURCES[source])
    setattr(found, source, place)
    if isinstance(data, (str, os.PathLike)):
        keywords = {**keywords, **{name: described.get(name) for name in OF_FILES}}
    folders = [name for name in OF_FOLDERS if keywords.get(name) is not None and isinstance(place, Folder)]
    problems += [f"{name}: is for a folder, found arrays; give labels beside them" for name in folders]
    problems += _set_all(found, parser, {n: v for n, v in keywords.items() if n not in folders}, (source, *lacks))
    for name, make in beside.items():
        with collecting(problems):
            setattr(found, name, make())
    refuse_if_any(problems)
    return found


def own_options(parser: argparse.ArgumentParser, keywords: Mapping[str, Any]) -> argparse.Namespace:
    """The options of a command that reads nothing by itself."""
    found = parser.parse_args([])
    refuse_if_any(_set_all(found, parser, keywords))
    return found


def _set_all(
    found: argparse.Namespace,
    parser: argparse.ArgumentParser,
    keywords: Mapping[str, Any],
    lacks: Sequence[str] = (),
) -> list[str]:
    """Put keywords where options stand; what is wrong with them. None: as the command has it."""
    actions = {action.dest: action for action in parser._actions if action.dest not in ("help", *lacks)}
    problems = []
    for name, value in keywords.items():
        if value is None:
            continue
        if name in NOT_HERE:
            problems.append(
                f"{name}: wanted an option of the function, found one of the command; {NOT_HERE[name]}"
            )
        elif name not in actions:
            names = sorted({*actions, *LABELS} - {*NOT_HERE})
            problems.append(f"{name}: wanted one of {', '.join(names)}, found another{near(name, names)}")
        else:
            problems += _set(found, actions[name], value)
    return problems


def _place(
    given: Data, described: Mapping[str, Data], held: Callable[[Data, Mapping[str, Data]], Folder]
) -> Path | Folder:
    """A folder as its path, models in memory as what a look at them tells."""
    known = {name: values for name, values in described.items() if values is not None}
    if not isinstance(given, (str, os.PathLike)):
        return held(given, {_singular(name): values for name, values in known.items()})
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
    if isinstance(given, Mapping):
        given = [f"{name}={_toml(value)}" for name, value in given.items()]
    return [*(given or ()), *([] if top_k is None else [f"top_k={top_k}"])]


def using(chosen: argparse.Namespace) -> AbstractContextManager[object]:
    """The threads and the memory that were asked for, inside a ``with``."""
    return postproc.using(threads=chosen.threads, memory=machine.memory(chosen), progress=not chosen.quiet)


class Options(TypedDict, total=False):
    """Options that all commands have which run a recipe, as keywords; see ``python -m ensemble.run --help``."""

    steps: Sequence[str]
    names: str
    pattern: str
    key: str | Sequence[str]
    tracks: FilePath
    ap: str
    denominator: str
    average: str
    junk: str
    cut: int
    divide: str
    draws: int
    draw_seed: int


class Beside(Options, total=False):
    """The same of commands that take rank lists and matrices beside features."""

    rankings: FilePath
    similarity: str | Sequence[str]


class Common(Beside, total=False):
    """The keywords of :func:`ensemble.rank` that other functions have too."""

    query_names: Data
    gallery_names: Data
    query_pid: Data
    gallery_pid: Data
    query_cam: Data
    gallery_cam: Data
    query_track: Data
    gallery_track: Data
    query_frame: Data
    gallery_frame: Data
    query_clothes: Data
    gallery_clothes: Data
    set: Changes
    protocol: Rules
    device: str
    threads: int
    memory: str
    quiet: bool


LABELS = tuple(name for name in Common.__annotations__ if name.startswith(("query_", "gallery_")))


def asked(
    parser: argparse.ArgumentParser,
    data: Data,
    recipe: Callable[[], Any],
    keywords: Mapping[str, Any],
    *,
    top_k: int | None = None,
    source: str = "features",
    lacks: Sequence[str] = (),
) -> argparse.Namespace:
    """The options of a command that runs a recipe; quiet, unless it is said otherwise.

    lacks: options that the command has and the function does not.
    """
    described = {name: keywords[name] for name in LABELS if keywords.get(name) is not None}
    beside = {
        "recipe": recipe,
        "set": lambda: changes(keywords.get("set"), top_k),
        "protocol": lambda: protocol(keywords.get("protocol")),
    }
    known = {action.dest for action in parser._actions}
    beside = {name: make for name, make in beside.items() if name in known}
    rest = {name: value for name, value in keywords.items() if name not in (*LABELS, *beside)}
    return options(
        parser, {"quiet": True, **rest}, data=data, described=described, beside=beside, source=source, lacks=lacks
    )


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
    several = isinstance(getattr(found, action.dest), list) or (action.nargs is not None and action.nargs != 0)
    if action.nargs == 0:
        if not isinstance(value, bool):
            return [f"{action.dest}: wanted True or False, found {value!r}"]
        setattr(found, action.dest, value)
        return []
    listed = list(value) if several and isinstance(value, (list, tuple)) else [value]
    problems = []
    if isinstance(action.nargs, int) and len(listed) != action.nargs:
        problems.append(f"{action.dest}: wanted {action.nargs} values, found {value!r}")
    for at, one in enumerate(listed):
        kind = action.type if isinstance(action.type, type) else str if action.type is None else None
        if kind is not None and not _fits(one, kind):
            problems.append(f"{action.dest}: wanted {WORDS.get(kind, kind.__name__)}, found {one!r}")
            continue
        listed[at] = one if kind is None else kind(one)
        if action.choices is not None and one not in action.choices:
            choices = [str(choice) for choice in action.choices]
            problems.append(
                f"{action.dest}: wanted one of {', '.join(choices)}, found {one!r}{near(str(one), choices)}"
            )
    setattr(found, action.dest, listed if several else listed[0])
    return problems


def _fits(value: Any, kind: type) -> bool:
    """Whether a value can be an option of this kind."""
    if kind is int or kind is float:
        return isinstance(value, numbers.Integral if kind is int else numbers.Real) and not isinstance(value, bool)
    return isinstance(value, (str, os.PathLike)) if kind in (Path, str) else isinstance(value, kind)


def _singular(name: str) -> str:
    """``query_names`` is the column ``query_name``."""
    return name.removesuffix("s") if name.endswith("_names") else name


def _toml(value: Any) -> str:
    """A value as TOML has it on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml(str(key))} = {_toml(each)}' for key, each in value.items())}}}"
    value = in_memory.plain(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(float(value)) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
