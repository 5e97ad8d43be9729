"""``postproc/__init__.pyi``: the public functions with the types that a caller sees.

A step with ``top_k`` returns distances without it and the nearest images with it. Its annotation says both at
once, so that a typed caller would have to assert; the stub has one overload for each. It is written by::

    python -m tests.support.stub
"""

import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

import postproc

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
    two = {name: function for name, function in known.items() if returns_either(function)}
    imports = sorted(
        f"from {value.__module__} import {name} as {name}\n" for name, value in known.items() if name not in two
    )
    constants = [f"{name}: tuple[Callable[..., Any], ...]\n" for name in sorted(set(public) - set(known))]
    overloads = [
        text for name, function in two.items() for text in (first(name, function), second(name, function))
    ]
    return HEAD + "".join(imports) + "\n" + "".join(constants) + "\n" + "".join(overloads)


def returns_either(function: Callable[..., Any]) -> bool:
    """Whether a function returns distances or, with ``top_k``, the nearest images."""
    if not inspect.isfunction(function) or "top_k" not in inspect.signature(function).parameters:
        return False
    return postproc.Nearest in typing.get_args(typing.get_type_hints(function)["return"])


def first(name: str, function: Callable[..., Any]) -> str:
    """Without ``top_k``: distances."""
    return overload(name, function, "top_k: None = None", "NDArray[np.float32]")


def second(name: str, function: Callable[..., Any]) -> str:
    """With it: the nearest images."""
    return overload(name, function, "top_k: int", "Nearest")


def overload(name: str, function: Callable[..., Any], top_k: str, returned: str) -> str:
    """One overload, a parameter a line."""
    hints = typing.get_type_hints(function, include_extras=True)
    lines, star = [], True
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and star:
            lines.append("*")
            star = False
        if parameter.name == "top_k":
            lines.append(top_k)
            continue
        default = "" if parameter.default is parameter.empty else f" = {quoted(parameter.default)}"
        lines.append(folded(f"{parameter.name}: {written(hints[parameter.name])}{default}"))
    return f"@overload\ndef {name}(\n" + "".join(f"    {line},\n" for line in lines) + f") -> {returned}: ...\n"


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
