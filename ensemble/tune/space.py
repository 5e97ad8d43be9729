"""What may vary in a recipe, between which values, and how one choice becomes a recipe again.

``rerank``              every usual setting of that step, within a range around its value
``rerank.k1``           this setting, within that range
``rerank.k1=4..60``     whole numbers, or numbers, between two ends; ``0.01..10:log`` on a logarithmic scale
``rerank.power=2,4``    one of these values
``concat.weights``      the models' weights; ``concat.weights=0.2..5`` within these times their value

Nothing named: all of that for the steps that give or change distances, and the weights of all joins. A setting is
the same at every place where a recipe uses the step, as with ``--set``.
"""

import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ensemble.base.errors import near, refuse_if_any
from ensemble.pipeline import joins, steps
from ensemble.pipeline.changes import override
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe, Use, parse
from ensemble.pipeline.told import branch_name
from postproc.base.settings import Setting as Declared

WEIGHTS = "weights"
TIMES = 4  # a usual range: a quarter of the value to four times it
FEWER = 10  # of neighbours: a tenth, because the published numbers are for identities with many images
WEIGHT_TIMES = 10
TRIES = 8  # to draw an end in until the step takes it
DIGITS = 4  # of a number that goes into a recipe

Value = int | float | bool | str
Candidate = dict[str, Any]  # {"settings": {name: value}, "models": {place: [...]}, "weights": {place: [...]}}


@dataclass(frozen=True)
class Setting:
    """One setting, ``STEP.SETTING``: from ``low`` to ``high``, whole numbers or not, or one of ``choices``."""

    name: str
    now: Any
    low: float = 0
    high: float = 0
    whole: bool = False
    log: bool = False
    choices: tuple[Value, ...] = ()

    def distribution(self) -> Any:
        """The same for optuna."""
        from optuna import distributions

        if self.choices:
            return distributions.CategoricalDistribution(self.choices)
        if self.whole:
            return distributions.IntDistribution(int(self.low), int(self.high), log=self.log)
        return distributions.FloatDistribution(self.low, self.high, log=self.log)

    def text(self) -> str:
        """For the eye."""
        if self.choices:
            return f"{self.name} one of {', '.join(map(str, self.choices))}"
        return f"{self.name} {self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"


@dataclass(frozen=True)
class Join:
    """A join of several models or branches: ``place`` is the branch's number, "top" for the recipe's own.

    ``low`` and ``high`` times a weight's value is where it may go; None: weights stay as they are.
    """

    place: str
    name: str
    parts: tuple[str, ...]
    weights: tuple[float, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Space:
    """Everything that may vary, over the recipe of a plan."""

    plan: Plan
    settings: tuple[Setting, ...]
    joins: tuple[Join, ...]

    def start(self) -> Candidate:
        """The recipe as it is."""
        return {
            "settings": {setting.name: setting.now for setting in self.settings},
            "models": {join.place: list(join.parts) for join in self.joins if join.place != "top"},
            "weights": {join.place: list(join.weights) for join in self.joins},
        }

    def recipe(self, candidate: Candidate) -> Recipe:
        """The recipe that a candidate stands for."""
        content = self.plan.recipe.as_toml()
        for join in self.joins:
            weights = candidate["weights"][join.place]
            part = content if join.place == "top" else content["branch"][int(join.place)]
            if join.place != "top":
                part["models"] = candidate["models"][join.place]
            if len(weights) == 1:
                del part["join"]
            elif any(weight != 1 for weight in weights) or not isinstance(part["join"].get(WEIGHTS, ""), str):
                part["join"][WEIGHTS] = weights
        changed = parse(content, self.plan.recipe.name)
        used = {use.name for use in changed.uses()}
        settings = {name: value for name, value in candidate["settings"].items() if value is not None}
        return override(
            changed,
            [f"{name}={json.dumps(v)}" for name, v in settings.items() if name.partition(".")[0] in used],
        )


def key(candidate: Candidate) -> str:
    """One text for one candidate."""
    return json.dumps(candidate, sort_keys=True)


def rounded(value: float) -> float:
    """A number as it may stand in a recipe."""
    return float(f"{value:.{DIGITS}g}")


def read(texts: Sequence[str], plan: Plan) -> Space:
    """What ``--search`` names, or all that is usual; raises InputError with every text that does not fit."""
    problems: list[str] = []
    uses = {use.name: use for use in reversed(list(plan.recipe.uses()))}
    found = list(_joins(plan))
    settings: dict[str, Setting] = {}
    searched: dict[str, tuple[float, float]] = {}
    for text in texts or _usual(plan, found):
        target, equals, values = text.partition("=")
        step, _, name = target.partition(".")
        where = f"--search {text}"
        if step not in uses:
            problems.append(f"{where}: wanted a step or join of the recipe ({', '.join(uses)}), found {step!r}"
                            f"{near(step, uses)}")  # fmt: skip
            continue
        known = _settings(step)
        if name and name not in known:
            problems.append(f"{where}: wanted a setting ({', '.join(known) or 'it has none'}), found {name!r}"
                            f"{near(name, known)}")  # fmt: skip
            continue
        if equals and not name:
            problems.append(f"{where}: wanted STEP.SETTING=VALUES, for example rerank.k1=4..60, found no setting")
            continue
        for one in [name] if name else [name for name in known if name == WEIGHTS or _is_usual(uses[step], name)]:
            if one == WEIGHTS:
                _search_weights(where, step, values, found, searched, problems)
            else:
                setting = _setting(where, uses[step], one, values, plan, problems)
                if setting:
                    settings[setting.name] = setting
    refuse_if_any(problems)
    for place, (low, high) in searched.items():
        found = [replace(join, low=low, high=high) if join.place == place else join for join in found]
    return Space(plan, tuple(settings.values()), tuple(found))


def _usual(plan: Plan, found: Sequence[Join]) -> list[str]:
    """What is searched if nothing is named."""
    known = steps.catalogue()
    texts = [
        use.name
        for use in plan.recipe.uses()
        if use.name in known and "distances" in known[use.name].gives and any(_usual_names(use))
    ]
    texts += [f"{join.name}.{WEIGHTS}" for join in found if WEIGHTS in joins.settings(join.name)]
    return list(dict.fromkeys(texts))


def _settings(name: str) -> Mapping[str, Declared]:
    known = steps.catalogue()
    return known[name].settings if name in known else joins.settings(name)


def _now(use: Use, name: str) -> Any:
    return use.settings.get(name, _settings(use.name)[name].default)


def _usual_names(use: Use) -> Iterator[str]:
    return (name for name in _settings(use.name) if _is_usual(use, name))


def _is_usual(use: Use, name: str) -> bool:
    """Whether a setting is searched although nobody named it: a number that is in use and matters as a rule."""
    now = _now(use, name)
    if isinstance(now, bool) or not isinstance(now, (int, float)):
        return False
    search = _settings(use.name)[name].search
    return search == "whole range" or (now > 0 and search in ("neighbours", "around"))


def _setting(where: str, use: Use, name: str, values: str, plan: Plan, problems: list[str]) -> Setting | None:
    """One setting with its range or choices."""
    now = _now(use, name)
    full = f"{use.name}.{name}"
    if values:
        made = _given(where, Setting(full, now), values, problems)
    elif isinstance(now, bool):
        made = Setting(full, now, choices=(False, True))
    elif isinstance(now, (int, float)):
        made = _around(Setting(full, now), _settings(use.name)[name])
    else:
        problems.append(f"{where}: wanted values for it, since it is {json.dumps(now)} now, found none; "
                        f"write --search {full}=LOW..HIGH or {full}=A,B")  # fmt: skip
        return None
    if made and (wrong := _objection(use, name, made)):
        problems.append(f"{where}: {wrong}")
        return None
    return made


def _given(where: str, setting: Setting, values: str, problems: list[str]) -> Setting | None:
    """``LOW..HIGH``, ``LOW..HIGH:log`` or ``A,B,C``."""
    ends, _, scale = values.partition(":")
    low, dots, high = ends.partition("..")
    if dots:
        a, b = _value(low), _value(high)
        number = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (a, b))
        if not number or not -math.inf < a < b < math.inf or scale not in ("", "log") or (scale and a <= 0):
            wanted = "two numbers above 0" if scale else "two numbers, the smaller first"
            problems.append(f"{where}: wanted {wanted}, as 4..60, found {values!r}")
            return None
        whole = all(isinstance(v, int) for v in (a, b, setting.now))
        if isinstance(setting.now, int) and not isinstance(setting.now, bool) and not whole:
            problems.append(f"{where}: wanted whole numbers, found {values!r}")
            return None
        return replace(setting, low=a, high=b, whole=whole, log=bool(scale))
    choices = tuple(_value(text.strip()) for text in values.split(","))
    wrong = [choice for choice in choices if not isinstance(choice, (int, float, str))]
    if len(set(map(str, choices))) < 2 or wrong:
        problems.append(f"{where}: wanted LOW..HIGH or two values or more, as 2,4, found {values!r}")
        return None
    return replace(setting, choices=tuple(dict.fromkeys(choices)))


def _around(setting: Setting, declared: Declared) -> Setting:
    """A range around the value that a setting has, drawn in where the step refuses its ends."""
    now, allowed = setting.now, declared.allows
    if declared.search == "whole range":
        return replace(setting, now=float(now), low=float(declared.low), high=float(declared.high))
    whole = isinstance(now, int)
    low: float = now / TIMES
    high: float = now * TIMES
    if now <= 0:
        low, high = 0, 10 if whole else 1
    elif whole:
        times = FEWER if declared.search == "neighbours" else TIMES
        low, high = max(1, now // times), max(TIMES, high)
    elif now < 1:
        high = min(high, 1)
    for _ in range(TRIES):
        if not allowed(high):
            high = (high + now) // 2 if whole else rounded((high + now) / 2)
    low, high = (end if allowed(end) else now for end in (low, high))
    return replace(setting, low=low, high=high, whole=whole, log=now > 0)


def _objection(use: Use, name: str, setting: Setting) -> str | None:
    """Why a value, or an end of the range, is one that the step refuses."""
    tried = setting.choices or (
        (int(setting.low), int(setting.high)) if setting.whole else (setting.low, setting.high)
    )
    declared = _settings(use.name)[name]
    return next((problem for value in tried if (problem := declared.problem(value))), None)


def _joins(plan: Plan) -> Iterator[Join]:
    """Every join of two parts or more."""
    for number, branch in enumerate(plan.recipe.branches):
        if branch.join and len(plan.models[number]) > 1:
            yield _join(str(number), branch.join, plan.models[number])
    if plan.recipe.join and len(plan.recipe.branches) > 1:
        names = [branch_name(branch, place) for place, branch in enumerate(plan.recipe.branches)]
        yield _join("top", plan.recipe.join, names)


def _join(place: str, use: Use, parts: Sequence[str]) -> Join:
    given = use.settings.get(WEIGHTS)
    if not given or isinstance(given, str):  # in words: the search starts at 1
        given = [1.0] * len(parts)
    return Join(place, use.name, tuple(parts), tuple(float(weight) for weight in given))


def _search_weights(
    where: str,
    name: str,
    values: str,
    found: Sequence[Join],
    searched: dict[str, tuple[float, float]],
    problems: list[str],
) -> None:
    low, high = 1 / WEIGHT_TIMES, float(WEIGHT_TIMES)
    if values:
        given = _given(where, Setting(f"{name}.{WEIGHTS}", 1.0), values, problems)
        if given is None:
            return
        if given.choices or given.low <= 0:
            problems.append(f"{where}: wanted two numbers above 0, what times the weights may change, as 0.1..10")
            return
        low, high = given.low, given.high
    places = [join.place for join in found if join.name == name]
    if not places:
        problems.append(f"{where}: wanted a join of two models or more, found fewer; nothing is to be weighed")
    searched |= dict.fromkeys(places, (low, high))


def selectable(join: Join) -> bool:
    """Whether models can be left out of a join one by one: not out of one that learns from all."""
    return join.place != "top" and joins.stage(join.name) != "across"


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
