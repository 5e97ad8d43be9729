"""Tables with one row an image: which of their columns are values of the features, a column a value."""

import re
from collections import defaultdict
from collections.abc import Sequence

from ensemble.base.errors import InputError, examples, printable
from ensemble.io.keys import column_of

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".feather", ".arrow", ".ipc")
FEATURES = "features"  # what the values are called, once they stand together
MANY = 8  # columns that are features whatever they are called
_NUMBERED = re.compile(r"(.*?)[\W_]*([0-9]{1,6})\]?")
_USUAL = ("x", "v", "d", "dim", "e", "z", "pc", "col", "column", "n", "h", "latent", "val", "value", "unnamed")


def values(where: object, titles: Sequence[str]) -> list[int]:
    """The places of the columns that are one value each, ``f0 … f511``, by their numbers; none where none are.

    Raises InputError where a number is missing or there twice, or where two groups of columns could be it.
    """
    groups: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, title in enumerate(titles):
        match = _NUMBERED.fullmatch(title)
        if match:
            groups[match[1].casefold()][int(match[2])].append(place)
    named = {prefix: group for prefix, group in groups.items() if len(group) >= _least(prefix) < MANY}
    chosen = named or {prefix: group for prefix, group in groups.items() if len(group) >= MANY}
    if not chosen or (not named and any(column_of(title) == "" for title in titles)):
        return []
    if len(chosen) > 1:
        said = examples(
            [f"{printable(prefix) or 'numbers alone'} ({len(group)})" for prefix, group in chosen.items()]
        )
        raise InputError([f"{where}: wanted one group of columns with values, found {said}; call one f0, f1, …"])
    ((prefix, group),) = chosen.items()
    numbers = sorted(group)
    first = min(numbers[0], 1)
    missing = sorted(set(range(first, numbers[-1] + 1)) - set(numbers))
    twice = [titles[place] for places in group.values() if len(places) > 1 for place in places]
    if missing or twice:
        found = f"no {prefix}{missing[0]}" if missing else f"{examples(twice)} for one"
        raise InputError(
            [f"{where}: wanted a column for every value of the features, found {found}; write them all"]
        )
    return [group[number][0] for number in numbers]


def _least(prefix: str) -> int:
    """How many columns of this name it takes: x1, y1, x2, y2 are a box."""
    return 2 if not prefix or column_of(prefix) == "" else 4 if prefix in _USUAL else MANY


def keys(where: object, titles: Sequence[str]) -> tuple[str, ...]:
    """The columns, those of the values as one."""
    places = set(values(where, titles))
    others = tuple(title for place, title in enumerate(titles) if place not in places)
    return (FEATURES, *others) if places else others
