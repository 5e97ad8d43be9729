"""A protocol written down: a name, or a table with the rules that differ from a named one.

    [protocol]
    base = "market1501"                      # left out: market1501
    average = "identities"                   # and any other rule by its name
    junk = ["bot", { same = ["pid", "clothes"] }, { same = ["cam"], within = { frame = 3 } }]
    draw = { each = "identity", trials = 10 }

``junk`` is the name of a rule, or a list: what any of its entries removes is removed. An entry is a name, or a
table of relations (:class:`ensemble.scores.rules.Rule`) that all have to hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from ensemble.base.errors import InputError, near, refuse_if_any
from ensemble.scores.protocol import Draw, Protocol
from ensemble.scores.protocols import PROTOCOLS
from ensemble.scores.rules import JUNK, Junk, Rule

Written = str | Mapping[str, Any]
BASE = "market1501"
_RULES = tuple(each.name for each in fields(Protocol))
Made = TypeVar("Made", Rule, Draw)


def read(value: object, where: str = "protocol") -> Protocol:
    """The protocol that a name or a table means; InputError with every problem."""
    if isinstance(value, str):
        return named(value, where)
    if not isinstance(value, Mapping):
        raise InputError([f"{where}: wanted the name of a protocol, or a table of rules, found {value!r}"])
    problems = _unknown(value, ("base", *_RULES), where)
    base = PROTOCOLS[BASE]
    rules: dict[str, Any] = {name: value[name] for name in _RULES if name in value}
    readers: dict[str, Callable[[object, str], Any]] = {"base": named, "junk": _junk, "draw": _draw}
    for name, reader in readers.items():
        if name not in value:
            continue
        try:
            rules[name] = reader(value[name], f"{where}, {name}")
        except InputError as error:
            problems += error.problems
            rules.pop(name, None)
    base = rules.pop("base", base)
    for name, rule in rules.items():  # one by one, so that every mistake is named
        try:
            base = replace(base, **{name: rule})
        except ValueError as error:
            problems.append(f"{where}, {error}")
    refuse_if_any(problems)
    return base


def named(name: object, where: str = "protocol") -> Protocol:
    """The protocol of a name."""
    if not isinstance(name, str) or name not in PROTOCOLS:
        close = near(name, PROTOCOLS) if isinstance(name, str) else ""
        raise InputError([f"{where}: wanted one of {', '.join(PROTOCOLS)}, found {name!r}{close}"])
    return PROTOCOLS[name]


def _junk(value: object, where: str) -> str | Junk:
    if isinstance(value, str):
        return _rules_of(value, where).name
    if not isinstance(value, list):
        raise InputError([f"{where}: wanted the name of a rule, or a list of rules, found {value!r}"])
    problems: list[str] = []
    rules: list[Rule] = []
    for number, entry in enumerate(value, 1):
        try:
            here = f"{where} {number}"
            rules += _rules_of(entry, here).rules if isinstance(entry, str) else [_rule(entry, here)]
        except InputError as error:
            problems += error.problems
    refuse_if_any(problems)
    return Junk(tuple(rules))


def _rules_of(name: str, where: str) -> Junk:
    if name not in JUNK:
        raise InputError([f"{where}: wanted one of {', '.join(JUNK)}, found {name!r}{near(name, JUNK)}"])
    return JUNK[name]


def _rule(value: object, where: str) -> Rule:
    return _made(Rule, value, where)


def _draw(value: object, where: str) -> Draw:
    return _made(Draw, value, where)


def _made(kind: type[Made], value: object, where: str) -> Made:
    """A value whose fields stand in a table by their names."""
    keys = tuple(each.name for each in fields(kind))
    if not isinstance(value, Mapping):
        raise InputError([f"{where}: wanted a table with any of {', '.join(keys)}, found {value!r}"])
    refuse_if_any(_unknown(value, keys, where))
    try:
        return kind(**value)
    except (ValueError, TypeError) as error:
        raise InputError([f"{where}, {error}"]) from None


def _unknown(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> list[str]:
    return [
        f"{where}: wanted any of {', '.join(keys)}, found {key!r}{near(str(key), keys)}"
        for key in table
        if key not in keys
    ]
