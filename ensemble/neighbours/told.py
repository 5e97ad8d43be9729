"""What the command says: what is made, how far it is, what it took."""

import sys

from ensemble.neighbours.engines import Engine
from ensemble.neighbours.source import Source
from ensemble.neighbours.tasks import Done
from postproc import NeighbourLists

ENOUGH = 0.98  # recall, below which lists are too poor to re-rank by


class Watch:
    """Sees tasks done."""

    def __init__(self, engine: Engine, budget: int) -> None:
        self.engine, self.budget = engine, budget
        self.count, self.peak, self.work = 0, 0, 0.0
        self.processes: set[int] = set()

    def begun(self, found: Source, k: int) -> str:
        """What is made, and by whom."""
        rows = " + ".join(str(len(side)) for side in found.sides)
        engine = self.engine
        workers = f"{engine.workers} worker{'s' if engine.workers > 1 else ''}"
        threads = f"{engine.threads} thread{'s' if engine.threads > 1 else ''}"
        return (
            f"neighbours: {rows} x {found.sides[0].shape[1]} as {found.step} compares them, k = {k}; {workers} of "
            f"{threads} and {self.budget / 1e9:.3g} GB"
        )

    def seen(self, done: Done) -> None:
        """A task is done."""
        self.count += 1
        self.peak = max(self.peak, done.peak)
        self.work += done.seconds
        self.processes.add(done.process)

    def ended(self, seconds: float) -> str:
        """What it took."""
        return (
            f"{self.count} tasks, {seconds:.1f} s, of which workers {self.work:.1f} s; the most that one held: "
            f"{self.peak / 1e6:.0f} MB"
        )


def say(text: str) -> None:
    """A note of what happens meanwhile."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def text(lists: NeighbourLists) -> str:
    """What was made."""
    images = (
        f"{lists.count} images"
        if lists.one_set
        else f"{lists.sizes[0]} queries and {lists.sizes[1]} gallery images"
    )
    found = f"recall {lists.recall:.4f} on a sample" if lists.recall is not None else "exact"
    return f"the {lists.k} nearest of {images}, {found}, features {lists.digest[:8]}"


def warning(lists: NeighbourLists) -> str | None:
    """What is to be said of lists that lack too many neighbours."""
    if lists.recall is None or lists.recall >= ENOUGH:
        return None
    return (
        f"recall {lists.recall:.4f} is below {ENOUGH}: re-ranking by these lists will differ; give more --probes"
    )
