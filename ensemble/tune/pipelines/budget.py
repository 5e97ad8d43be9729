"""How much of the time, and of the candidates, is spent; and what is too long to be begun."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ensemble.base.errors import InputError
from ensemble.io.ahead import ModelSize
from ensemble.pipeline import memory, rates
from ensemble.pipeline.plan import Plan
from ensemble.scores.protocol import Protocol

VERDICT = 0.12  # of the time, kept for the end: the queries held back, and what the recipe is compared with
LONGEST = 0.3  # of the time, that one candidate may take in all worlds, if nothing of it was kept from others
TOO_LONG = "too long for this budget"


@dataclass(eq=False)
class Budget:
    """``minutes`` of the clock from now on, and ``trials`` in all, None: as many as there is time for."""

    minutes: float
    trials: int | None = None
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def spent(self, tried: int) -> float:
        """The share that is gone, of the time that the search may take or of the candidates."""
        of_time = (self.clock() - self.began) / (60 * self.minutes * (1 - VERDICT))
        return max(of_time, tried / self.trials if self.trials else 0.0)

    def refuse_too_long(
        self, plan: Plan, sizes: Mapping[str, ModelSize], protocol: Protocol, *, worlds: int, threads: int
    ) -> None:
        """Raise InputError for a pipeline whose predicted time is out of proportion; steps without one may run."""
        if self.trials:
            return  # what is tried must not depend on the machine then
        found = memory.predict(plan, sizes, protocol=protocol, every_step=False, threads=threads)
        known = rates.of_machine(threads)
        seconds = worlds * sum(known.seconds(stage.work) for stage in found.stages if not stage.unknown)
        if seconds > LONGEST * 60 * self.minutes:
            raise InputError([f"{TOO_LONG}: about {seconds:.0f} s"])
