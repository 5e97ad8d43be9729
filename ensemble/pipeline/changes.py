"""``--set``: a recipe with single settings changed, and what is said where a change has no place in it."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ensemble.base.errors import near, refuse_if_any
from ensemble.pipeline import joins, steps
from ensemble.pipeline.recipe import TOP, Recipe, parse
from postproc.base.nearby import nearest

OF_ANY_STEP = ("aux", "optional")


def override(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """Apply ``STEP.SETTING=VALUE`` to every use of STEP, or ``KEY=VALUE`` to the recipe itself.

    VALUE is read as TOML (``0.3``, ``true``, ``[1, 2]``) and is text where that does not work.
    """
    problems = []
    content = recipe.as_toml()
    for change in changes:
        target, equals, text = change.partition("=")
        step, dot, setting = target.partition(".")
        used = [use for use in _tables(content) if use["use"] == step]
        known = _settings_of(step)
        if not equals or (dot and not setting):
            problems.append(f"--set {change}: wanted STEP.SETTING=VALUE, for example rerank.k1=30")
        elif not dot and target in TOP:
            content[target] = _value(text)
        elif dot and used and (known is None or setting in known):
            for use in used:
                use[setting] = _value(text)
            for own in _own_of(content, step):  # what is said here is said of every model
                own.pop(setting, None)
        else:
            names = list(dict.fromkeys(use["use"] for use in _tables(content)))
            problems.append(f"--set {change}: {_unknown(target, names)}")
    refuse_if_any(problems)
    return replace(parse(content, recipe.name), about=recipe.about)


def _settings_of(name: str) -> Sequence[str] | None:
    """What a recipe may say of a step or a join; None where there is none of that name."""
    known = steps.catalogue()
    if name in known:
        return (*known[name].settings, *OF_ANY_STEP)
    return (*joins.settings(name), *OF_ANY_STEP) if name in joins.names() else None


def _unknown(target: str, used: Sequence[str]) -> str:
    """What is wrong with a place that a recipe of these steps does not have, with the nearest one that it has."""
    step, dot, setting = target.partition(".")
    if not dot:
        found = nearest(target, [*TOP, *(place.partition(".")[2] for place in _all_places(used))])
        meant = near(found, [found]) if found in TOP else _places(target, used) or near(target, _all_places(used))
        return f"wanted STEP.SETTING=VALUE, or one of {', '.join(TOP)}, found {target!r}{meant}"
    if step in used:
        known = ", ".join(_settings_of(step) or ())
        return f"wanted a setting of {step} ({known}), found {setting!r}{_places(setting, [step])}"
    alike = nearest(step, used)
    meant = (_places(setting, [alike]) if alike else "") or near(step, used)
    return f"wanted a step of the recipe ({', '.join(sorted(used))}), found {step!r}{meant}"


def _all_places(used: Sequence[str]) -> list[str]:
    return [f"{step}.{setting}" for step in used for setting in _settings_of(step) or ()]


def _places(setting: str, used: Sequence[str]) -> str:
    """``; did you mean 'rerank.k1'?`` for a setting of these steps that is called so, or nearly."""
    found = nearest(setting, [place.partition(".")[2] for place in _all_places(used)])
    meant = [repr(place) for place in _all_places(used) if place.partition(".")[2] == found]
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


def _tables(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every ``{ use = … }`` of a recipe's dictionary."""
    for part in (*content["branch"], content):
        groups = part.get("auxiliary", {})
        for group in groups.values() if isinstance(groups, dict) else ():
            yield from (group.get("each", []) if isinstance(group, dict) else [])
        yield from (*part.get("each", []), *([part["join"]] if "join" in part else []), *part["steps"])


def _own_of(content: Mapping[str, Any], step: str) -> Iterator[dict[str, Any]]:
    """The settings of a step that single models have of their own."""
    for branch in content["branch"]:
        yield from (steps[step] for steps in branch.get("own", {}).values() if step in steps)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
