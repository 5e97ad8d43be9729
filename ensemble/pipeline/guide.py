"""What there is to choose from, in words: steps and joins, their data, every setting with range and meaning."""

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
        said = ", ".join(filter(None, (range_of(setting), "or none" if setting.optional else "")))
        yield f"    {name} = {default}" + (f"    ({said})" if said else "")
        yield from textwrap.wrap(meaning(function, name), WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def meaning(function: Callable[..., Any], name: str) -> str:
    """What a function's description says of a setting; of those it refers to where it says nothing itself."""
    return _meaning(function, name, set())


def entry(function: Callable[..., Any], name: str) -> str:
    """What a function's description says in its entry ``name: …``; "" where it has none."""
    return _entries(inspect.getdoc(function) or "", {name}).get(name, "")


def _meaning(function: Callable[..., Any], name: str, seen: set[str]) -> str:
    seen.add(function.__name__)
    text = inspect.getdoc(function) or ""
    found = _entries(text, settings_of(function)).get(name, "")
    if found and not found.startswith("as there"):
        return found
    for other in OTHER.findall(text):
        known = _named(function, other.rpartition(".")[2])
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


def range_of(setting: Setting) -> str:
    """``neighbours, 1 or more``: kind and range for the eye."""
    if setting.kind in ("switch", "choice", "other"):
        return setting.wanted()
    low, high = (f"{end:g}" for end in (setting.low, setting.high))
    if setting.low == -math.inf and setting.high == math.inf:
        return f"{setting.kind}, any finite"
    return f"{setting.kind}, {low} or more" if setting.high == math.inf else f"{setting.kind}, {low} to {high}"


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any] | None:
    """The function that a description means: of the same module, or the step or join of this name."""
    known = inspect.unwrap(function).__globals__.get(name)
    if not callable(known) and name in steps.catalogue():
        known = steps.catalogue()[name].function
    return known if callable(known) else joins.function(name) if name in joins.names() else None


def steps_table() -> Iterator[str]:
    """The steps as Markdown, a table a family: what each does, takes and gives, and its settings."""
    yield "# Techniques"
    yield ""
    yield "Made from what the steps declare, by `python -m tests.support.tables`. *Takes* names the data that a"
    yield "step needs, in brackets what it may use; a setting stands with its default and its range. Formulas and"
    yield "sources are in the functions' descriptions."
    family = ""
    for step in sorted(steps.catalogue().values(), key=lambda step: (step.family, step.name)):
        if step.family != family:
            family = step.family
            yield from ("", f"## {family.capitalize()}", "")
            yield from ("| step | what it does | takes | gives | CUDA | settings |", "|---|---|---|---|---|---|")
        takes = ", ".join(step.needs) + (f" ({', '.join(step.may_use)})" if step.may_use else "")
        settings = "; ".join(_brief(setting) for setting in step.settings.values())
        gives = ", ".join(step.gives) + (f" ({unit})" if (unit := _unit(step)) else "")
        cells = (f"`{step.name}`", step.summary, takes, gives, "" if step.host_only else "yes", settings)
        yield "| " + " | ".join(markdown(cell) for cell in cells) + " |"


def markdown(text: str) -> str:
    """Words of a description for a cell of a table."""
    return OTHER.sub(r"`\1`", text).replace("``", "`").replace("|", "\\|")


def _brief(setting: Setting) -> str:
    default = "none" if setting.default is None else json.dumps(setting.default)
    said = setting.wanted() if setting.kind == "choice" else range_of(setting)
    return f"`{setting.name} = {default}`" + (f" {said}" if said and setting.kind != "switch" else "")


def _unit(step: steps.Step) -> str:
    """The unit of its distances, if they have one that others share."""
    if "distances" not in step.gives:
        return ""
    unit = step.unit({})
    return "in the unit it finds" if not unit else "" if unit.startswith("values of") else unit
