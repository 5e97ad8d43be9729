"""One candidate on every fold, with everything kept between candidates that the next one can use again.

Runs that begin alike go on from there (``ensemble.pipeline.state``), neighbour lists and distances of the same
features are found once (``postproc.pairs.remembered``): a candidate that differs in k1, k2 or lambda alone walks
over no pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, near
from ensemble.io import Folder
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.plan import check
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.run import Run
from ensemble.pipeline.state import Memo
from ensemble.scores.folds import Fold
from ensemble.scores.protocol import Protocol
from postproc import using
from postproc.pairs.remembered import Store, remembering

OBJECTIVES = ("mAP", "rank1", "rank5", "rank10", "mINP")
KEPT = 2 << 30  # bytes for what is kept


@dataclass(frozen=True)
class Objective:
    """What is to be large, and the place where the ranking is cut for it, None: as the protocol has it."""

    score: str
    top_k: int | None = None

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        return self.score if self.top_k is None else f"{self.score}@{self.top_k}"


def objective(text: str) -> Objective:
    """``mAP``, ``rank1``, ``mINP``, or one of them with ``@K``."""
    score, at, cut = text.partition("@")
    if score not in OBJECTIVES or (at and not (cut.isdecimal() and int(cut) >= 1)):
        raise InputError(
            [
                f"--objective: wanted one of {', '.join(OBJECTIVES)}, or one with @K, as mAP@100, found {text!r}"
                f"{near(score, OBJECTIVES)}"
            ]
        )
    return Objective(score, int(cut) if at else None)


@dataclass(eq=False)
class Bench:
    """The folds' features, and how a recipe fares on each of them.

    ``folder`` says what columns there are; ``kept`` bytes are for what is remembered between recipes, 0: nothing.
    Everything runs on ``device``.
    """

    folder: Folder
    parts: Sequence[Mapping[str, ModelSet]]
    protocol: Protocol
    score: str
    threads: int | None = None
    kept: int = KEPT
    device: Device = CPU
    memos: list[Memo | None] = field(init=False)
    store: Store | None = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.parts)
        self.memos = [Memo(max(1, self.kept // (2 * count))) if self.kept else None for _ in range(count)]
        self.store = Store(self.kept // 2) if self.kept else None

    def __call__(self, recipe: Recipe) -> list[float]:
        """The score on every fold; raises InputError where a step refuses its settings."""
        plan = check(recipe, self.folder)
        found = []
        with using(threads=self.threads, progress=False):
            for sets, memo in zip(self.parts, self.memos, strict=True):
                run = Run(
                    plan,
                    lambda line: None,
                    protocol=self.protocol,
                    sets=sets,
                    memo=memo,
                    every_step=False,
                    device=self.device,
                )
                if self.store is None:
                    result = run()
                else:
                    with remembering(self.store):
                        result = run()
                if result.scores is None:
                    raise InputError(
                        [f"{recipe.name}: wanted scores on every fold, found none: {result.unscored}"]
                    )
                found.append(float(getattr(result.scores, self.score)))
        return found


def parts(sets: Mapping[str, ModelSet], folds: Sequence[Fold]) -> list[dict[str, ModelSet]]:
    """The features of each fold."""
    return [
        {name: found.take(query=fold.query, gallery=fold.gallery) for name, found in sets.items()}
        for fold in folds
    ]
