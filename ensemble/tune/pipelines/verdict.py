"""Which recipe is written: the one that was searched, or a simpler one that cannot be told from it.

All ask the queries held back, which no search has seen, and are compared on the same queries, whole identities
at a time. From the simplest on, a recipe takes the place of the one before only where it is better and the test
says that this was no luck (p times the number of these tests below 0.05). The scores of all of them are shown:
that of the searched recipe had no say in how it was found; which of the few is written is decided on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ensemble.base.errors import InputError
from ensemble.base.kinds import Floats, Ints
from ensemble.pipeline import recipe
from ensemble.pipeline.recipe import Recipe
from ensemble.scores import statistics
from ensemble.scores.statistics import Difference
from ensemble.tune.pipelines.bench import Measured

FOUND = "searched"
KNOWN = ("baseline", "default", "best")  # recipes of the package, the simplest first
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Judged:
    """A recipe on the queries held back: values of the queries, seconds, and the searched recipe against it."""

    name: str
    recipe: Recipe
    values: Floats
    seconds: float
    mean: float
    against: Difference | None = None
    p: float = 1.0  # corrected


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


def judge(found: Recipe, others: Mapping[str, Recipe], held: Callable[[Recipe], Measured], pid: Ints) -> Verdict:
    """Score all on the queries held back, and choose."""
    notes, rows = [], []
    for name, one in (*others.items(), (FOUND, found)):
        try:
            values, seconds = held(one)
        except InputError as error:
            if name == FOUND:
                raise
            notes.append(f"{name}: not compared with: {'; '.join(error.problems)}")
            continue
        mean = statistics.difference(values, values, pid, resamples=100).first
        rows.append(Judged(name, one, values, seconds, mean))
    searched = rows.pop()
    tests = [statistics.difference(row.values, searched.values, pid) for row in rows]
    corrected = statistics.holm([test.p for test in tests])
    compared = [
        Judged(row.name, row.recipe, row.values, row.seconds, row.mean, test, float(p))
        for row, test, p in zip(rows, tests, corrected, strict=True)
    ]
    judged = (*compared, searched)
    return Verdict(judged, _taken(judged, pid), tuple(notes))


def _taken(judged: tuple[Judged, ...], pid: Ints) -> str:
    """The name of the simplest that none behind it is surely better than."""
    taken, *others = judged
    for other in others:
        test = statistics.difference(taken.values, other.values, pid)
        if test.difference > 0 and test.p * len(others) < ALPHA:
            taken = other
    return taken.name
