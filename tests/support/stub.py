"""``postproc/__init__.pyi``: the public functions with the types that a caller sees.

A step with ``top_k`` returns distances without it and the nearest images with it. A step on features returns both
sides, or of one set one array, and columns of one set are given once. An annotation says all that at once, so that
a typed caller would have to assert; the stub has an overload for each. It is written by::

    python -m tests.support.stub
"""

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

import postproc
from postproc.base.one_set import takes_one_set

FILE = Path(postproc.__file__).with_suffix(".pyi")
COMMAND = "python -m tests.support.stub"
HEAD = f'''"""Written by ``{COMMAND}``: change the functions, and write it anew."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

'''
LONGEST = 110  # letters of a parameter, as the formatter of the project has it


def stub() -> str:
    """The whole file."""
    public = {name: getattr(postproc, name) for name in postproc.__all__}
    known = {name: value for name, value in public.items() if hasattr(value, "__module__")}
    two = {name: function for name, function in known.items() if returns_either(function) or has_sides(function)}
    imports = sorted(
        f"from {value.__module__} import {name} as {name}\n" for name, value in known.items() if name not in two
    )
    constants = [f"{name}: tuple[Callable[..., Any], ...]\n" for name in sorted(set(public) - set(known))]
    overloads = [text for name, function in two.items() for text in overloads_of(name, function)]
    return HEAD + "".join(imports) + "\n" + "".join(constants) + "\n" + "".join(overloads)


def returns_either(function: Callable[..., Any]) -> bool:
    """Whether a function returns distances or, with ``top_k``, the nearest images."""
    if not inspect.isfunction(function) or "top_k" not in inspect.signature(function).parameters:
        return False
    return postproc.Nearest in typing.get_args(typing.get_type_hints(function)["return"])


def has_sides(function: Callable[..., Any]) -> bool:
    """Whether a call with one set is not like one with two: another answer, or columns that are given once."""
    if not hasattr(function, "__wrapped__") or not takes_one_set(inspect.unwrap(function)):
        return False  # columns given once reach both sides where calls are checked
    required = _required(function)
    twice = any(_twin(name) in required for name in required if name.startswith("query_"))
    return twice or "gallery" in required or len(_answers(function)) > 1


def overloads_of(name: str, function: Callable[..., Any]) -> Iterator[str]:
    """Both sides and then one set; distances without ``top_k``, and then the nearest images with it."""
    answers = _answers(function)
    for one_set in (False, True) if has_sides(function) else (False,):
        if returns_either(function):
            yield overload(name, function, one_set, "NDArray[np.float32]", "top_k: None = None")
            yield overload(name, function, one_set, "Nearest", "top_k: int")
        else:
            yield overload(name, function, one_set, answers[one_set and len(answers) > 1])


def overload(name: str, function: Callable[..., Any], one_set: bool, returned: str, top_k: str = "") -> str:
    """One overload, a parameter a line."""
    hints = typing.get_type_hints(function, include_extras=True)
    required, sides = _required(function), len(_answers(function)) > 1
    lines, star = [], True
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and star:
            lines.append("*")
            star = False
        if parameter.name == "top_k":
            lines.append(top_k)
            continue
        hint = written(hints[parameter.name])
        default = "" if parameter.default is parameter.empty else f" = {quoted(parameter.default)}"
        if one_set and _is_left_out(parameter.name, function):
            if star:  # those that follow are named
                lines += [f"{parameter.name}: None = None"] * (parameter.name == _gallery(function)) + ["*"]
                star = False
            continue
        if one_set and _twin(parameter.name) in required:
            hint, default = hint.removesuffix(" | None"), ""
        if not one_set and sides and (parameter.name == "gallery" or not default):
            hint, default = hint.removesuffix(" | None"), ""
        lines.append(folded(f"{parameter.name}: {hint}{default}"))
    lines = lines[:-1] if lines[-1] == "*" else lines
    return f"@overload\ndef {name}(\n" + "".join(f"    {line},\n" for line in lines) + f") -> {returned}: ...\n"


def _answers(function: Callable[..., Any]) -> list[str]:
    """What comes back of both sides, and of one set where that is one array instead."""
    hint = typing.get_type_hints(function, include_extras=True)["return"]
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    several = typing.get_origin(kinds[0]) is tuple
    return [written(kind) for kind in kinds] if several else [written(hint)]


def _required(function: Callable[..., Any]) -> list[str]:
    return [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]


def _gallery(function: Callable[..., Any]) -> str:
    """What may be None where there is one set: the gallery, or its first column where there are but columns."""
    names = list(inspect.signature(function).parameters)
    if {"gallery", "distances"} & set(names):
        return "gallery"
    return next((name for name in names if name.startswith("gallery_")), "gallery")


def _is_left_out(name: str, function: Callable[..., Any]) -> bool:
    """Whether one set has this once, under its other name: the queries', unless only the gallery's must be."""
    required, names = _required(function), inspect.signature(function).parameters
    if name == "gallery":
        return True
    if _twin(name) not in names:
        return False
    keeps_gallery = _twin(name, "gallery") in required and _twin(name, "query") not in required
    return name.startswith("gallery_") is not keeps_gallery


def _twin(name: str, side: str = "") -> str:
    """``query_cam`` for ``gallery_cam`` and the other way round, or that of a side; no column has no twin."""
    own, _, column = name.partition("_")
    if own not in ("query", "gallery") or column in ("", "distances"):
        return ""
    return f"{side or ('gallery' if own == 'query' else 'query')}_{column}"


def written(hint: Any) -> str:
    """A type as one writes it, without the marks that settings carry."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return written(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(written(part) for part in inner))
    if origin is Literal:
        return f"Literal[{', '.join(quoted(value) for value in inner)}]"
    if origin is np.ndarray:
        (scalar,) = typing.get_args(inner[1])
        return "np.ndarray" if scalar is Any else f"NDArray[np.{scalar.__name__}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(written, inner))}]"
    if hint is type(None):
        return "None"
    if hint is Any:
        return "Any"
    return "np.ndarray" if hint is np.ndarray else hint.__name__


def folded(parameter: str) -> str:
    """A choice of many words one word a line, where one line does not hold them."""
    if len(parameter) < LONGEST:
        return parameter
    before, rest = parameter.split("[", 1)
    words, after = rest.rsplit("]", 1)
    return f"{before}[\n" + "".join(f"        {word},\n" for word in words.split(", ")) + f"    ]{after}"


def quoted(value: object) -> str:
    """A value in the double quotes of the project."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    FILE.write_text(stub())
    print(f"wrote {FILE}")
