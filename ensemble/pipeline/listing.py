"""What there is to choose from, in words: every step and join with its data, every setting's range and meaning."""

import inspect
import json
import math
import re
import textwrap
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from ensemble.pipeline import joins, steps
from postproc.base.settings import Setting, settings_of

WIDTH = 100
ENTRY = re.compile(r"^([a-z_0-9]+(?:, [a-z_0-9]+)*): +(\S.*)$")  # ``k1, k2: as there``
OTHER = re.compile(r":func:`~?([\w.]+)`")


def steps_text() -> Iterator[str]:
    """Every step: what it does, what it needs, its settings with range, default and meaning."""
    for step in steps.catalogue().values():
        yield f"{step.name}: {step.summary}"
        yield f"    needs {', '.join(step.needs)}; gives {', '.join(step.gives)}"
        if step.may_use:
            yield f"    may use {', '.join(step.may_use)}"
        yield from settings_text(step.function, step.settings)


def joins_text() -> Iterator[str]:
    """The same for joins."""
    for name in joins.names():
        function = joins.function(name)
        yield f"{name}: {(inspect.getdoc(function) or '').partition(chr(10))[0]}"
        yield f"    joins {', '.join(joins.needs(name))} of all parts"
        yield from settings_text(function, joins.settings(name))


def settings_text(function: Callable[..., Any], settings: Mapping[str, Setting]) -> Iterator[str]:
    """Two lines or more a setting: its default and range, and what it means."""
    for name, setting in settings.items():
        default = "(none)" if setting.default is None else json.dumps(setting.default)
        said = ", ".join(filter(None, (_range(setting), "or none" if setting.optional else "")))
        yield f"    {name} = {default}" + (f"    ({said})" if said else "")
        yield from textwrap.wrap(meaning(function, name), WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def meaning(function: Callable[..., Any], name: str) -> str:
    """What a function's description says of a setting; of those it refers to where it says nothing itself."""
    return _meaning(function, name, set())


def _meaning(function: Callable[..., Any], name: str, seen: set[str]) -> str:
    seen.add(function.__name__)
    text = inspect.getdoc(function) or ""
    found = _entries(text, settings_of(function)).get(name, "")
    if found and not found.startswith("as there"):
        return found
    for other in OTHER.findall(text):
        known = _named(other.rpartition(".")[2])
        if known and known.__name__ not in seen and (there := _meaning(known, name, seen)):
            return there
    return found


def _entries(text: str, settings: Container[str]) -> dict[str, str]:
    """The entries ``name: text`` of a description, each with the lines that are set in further below it."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in text.splitlines():
        entry = ENTRY.match(line)
        if entry and all(name in settings for name in entry[1].split(", ")):
            names = entry[1].split(", ")
            said = entry[2]
        elif names and line.startswith("    ") and line.strip():
            said = line.strip()
        else:
            names = []
            continue
        for word in re.findall(r"(?<= )([a-z_0-9]+): ", said):  # a second setting that begins in this line
            if word in settings:
                before, _, said = said.partition(f" {word}: ")
                found |= {name: f"{found.get(name, '')} {before}".strip() for name in names}
                names = [word]
        found |= {name: f"{found.get(name, '')} {said}".strip() for name in names}
    return found


def _range(setting: Setting) -> str:
    """``neighbours, 1 or more``: kind and range for the eye."""
    if setting.kind in ("switch", "choice", "other"):
        return setting.wanted()
    low, high = (f"{end:g}" for end in (setting.low, setting.high))
    if setting.low == -math.inf and setting.high == math.inf:
        return f"{setting.kind}, any finite"
    return f"{setting.kind}, {low} or more" if setting.high == math.inf else f"{setting.kind}, {low} to {high}"


def _named(name: str) -> Callable[..., Any] | None:
    """The step or join of this name."""
    step = steps.catalogue().get(name)
    if step:
        return step.function
    return joins.function(name) if name in joins.names() else None
