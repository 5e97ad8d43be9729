"""Which recipe is written: the one that was searched, or a simpler one that cannot be told from it.

Two things are measured. **The score** is that on the queries held back, which no search has seen: it had no say
in how the searched recipe was found. **The decision** looks at all identities, since few tell little apart:
those held back, and those of the search, where every part is answered by the candidate that the other parts like
best (as in :mod:`ensemble.tune.honest`), so that nobody's luck counts for itself. Every identity counts once:
those held back ask in every world, and it is people that differ, more than images of one. From the simplest on, a
recipe takes the place of the one before only where it is better and a paired test over whole identities says that
this was no luck (p times the number of these tests below 0.05).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.kinds import Floats, Ints
from ensemble.pipeline import recipe
from ensemble.pipeline.recipe import Recipe
from ensemble.scores import statistics
from ensemble.scores.statistics import Difference
from ensemble.tune.pipelines.bench import Measured
from ensemble.tune.pipelines.worlds import HELD, SEARCH

FOUND = "searched"
KNOWN = ("baseline", "default", "best")  # recipes of the package, the simplest first
ALPHA = 0.05
EACH = "identities"  # each counts once, however often it asks


@dataclass(frozen=True, eq=False)
class Judged:
    """A recipe: its mean and seconds on the queries held back, the searched one against it on all identities.

    ``values``: of the queries of the search, then of those held back.
    """

    name: str
    recipe: Recipe
    values: Floats
    seconds: float
    mean: float
    against: Difference | None = None


@dataclass(frozen=True, eq=False)
class Verdict:
    """All recipes, simplest first and the searched one last, the name of the one to take, and who was left out."""

    judged: tuple[Judged, ...]
    taken: str
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Judged:
        return next(one for one in self.judged if one.name == name)


def references(asked: Recipe) -> dict[str, Recipe]:
    """The recipes to compare with, the simplest first; ``asked``: the user's own, in the place of its namesake."""
    known = {name: recipe.load(name) for name in KNOWN}
    return {**known, asked.name: asked}


def crossed(values: Sequence[Floats], part: Ints, pid: Ints) -> Floats:
    """Every part by the candidate that the other parts like best; where there is one part, by the best there is.

    Takes:   values, (n,) of each candidate; part, pid (n,) of whom a query asks for. An identity, however often it
             asks, counts once.
    Returns: (n,).

    >>> one, two = np.array([0.5, 0.5, 0.9, 0.1]), np.array([0.9, 0.7, 0.2, 0.2])
    >>> part = np.array([0, 0, 1, 1])
    >>> crossed([one, two], part, np.arange(4))        # the last two like the first more, the first two the second
    array([0.5, 0.5, 0.2, 0.2])
    """
    table, numbers = np.stack(values), np.unique(part)
    weight = statistics.weights("identities", pid)
    out = np.empty(table.shape[1])
    for number in numbers:
        others = (part != number) | (len(numbers) == 1)
        known = others & ~np.isnan(table).any(axis=0)
        best = int(np.argmax(table[:, known] @ weight[known]))
        out[part == number] = table[best, part == number]
    return out


def judge(
    found: Recipe,
    cross: Floats,
    others: Mapping[str, Recipe],
    measure: Callable[[Recipe, str], Measured],
    pid: Mapping[str, Ints],
) -> Verdict:
    """Score all on the queries held back, and choose.

    found, cross: the searched recipe, and what the queries of the search got (:func:`crossed`). measure: values of
    a recipe on queries of a kind, whose identities are ``pid``.
    """
    notes, rows = [], []
    for name, one in (*others.items(), (FOUND, found)):
        try:
            values, seconds, mean = measure(one, HELD)
            searched = cross if name == FOUND else measure(one, SEARCH).values
        except InputError as error:
            if name == FOUND:
                raise
            notes.append(f"{name}: not compared with: {'; '.join(error.problems)}")
            continue
        rows.append(Judged(name, one, np.concatenate([searched, values]), seconds, mean))
    people = np.concatenate([pid[SEARCH], pid[HELD]])
    last = rows.pop()
    tests = [statistics.difference(one.values, last.values, people, average=EACH) for one in rows]
    judged = (*(replace(one, against=test) for one, test in zip(rows, tests, strict=True)), last)
    return Verdict(judged, _taken(judged, people), tuple(notes))


def _taken(judged: Sequence[Judged], pid: Ints) -> str:
    """The name of the simplest that none behind it is surely better than."""
    taken, *others = judged
    for other in others:
        test = statistics.difference(taken.values, other.values, pid, average=EACH)
        if test.difference > 0 and test.p * len(others) < ALPHA:
            taken = other
    return taken.name
