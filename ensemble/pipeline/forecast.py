"""What a run will take, before it starts: seconds and memory by stage, what is free, what to set otherwise.

Work and bytes are those of :mod:`ensemble.pipeline.memory`, seconds are by the rates of this machine
(:mod:`ensemble.pipeline.rates`). A stage with a step of which nobody has said how much work it is has no time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ensemble.base.errors import printable
from ensemble.io.ahead import ModelSize
from ensemble.pipeline import memory
from ensemble.pipeline.memory import MEGABYTE, Prediction
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.rates import SLOWEST, Rates
from ensemble.pipeline.rooms import Stage
from ensemble.scores.protocol import Protocol
from ensemble.scores.protocols import PROTOCOLS
from postproc.base import beforehand, progress
from postproc.base.progress import said
from postproc.base.work import NO_WORK

HEAD = "aicity"  # the protocol that looks at the first 100 alone
FEWER = 100  # images a query that are enough for most
QUICK = 20.0  # seconds of the slowest machine: then nobody has to know those of this one
LONG = 4.0  # seconds from which a run says first how long it will take
SAVES = 0.95  # of the memory: what saves less is no remedy


@dataclass(frozen=True)
class Forecast:
    """What is predicted, and what there is for it.

    rates:    of the machine; None where nobody knows them, as on a device.
    free:     bytes; None where the system does not tell.
    remedies: what could be set, and the bytes that the largest stage would need then; None where nobody knows.
    elsewhere: a step that is not in it, because workers do it.
    """

    prediction: Prediction
    rates: Rates | None
    free: int | None
    remedies: tuple[tuple[str, int | None], ...] = ()
    elsewhere: str | None = None

    @property
    def most(self) -> int:
        """Bytes of the stage that needs most."""
        return self.prediction.largest.bytes

    @property
    def fits(self) -> bool:
        """Whether what is free is enough, as far as anybody knows."""
        return self.free is None or self.most <= self.free

    @property
    def seconds(self) -> float:
        """Of all stages whose time is known."""
        return sum(self.of(stage) or 0.0 for stage in self.prediction.stages)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of what nobody knows the time of, each once."""
        return tuple(dict.fromkeys(name for stage in self.prediction.stages for name in stage.unknown))

    def of(self, stage: Stage) -> float | None:
        """Seconds of a stage, None where nobody knows."""
        return None if stage.unknown or self.rates is None else self.rates.seconds(stage.work)

    @property
    def stages(self) -> tuple[progress.Stage, ...]:
        """The stages as somebody watches them."""
        return tuple(progress.Stage(stage.step, self.of(stage)) for stage in self.prediction.stages)

    def line(self) -> str:
        """All of it in a sentence."""
        free = "" if self.free is None else f", {_gigabytes(self.free)} are free"
        others = "" if self.elsewhere is None else f"; {self.elsewhere} is done by workers, and is not in this"
        return f"predicted: {self._time()}; at most {_gigabytes(self.most)} of memory{free}{others}"

    def text(self) -> Iterator[str]:
        """A line a stage, the largest marked, and the sum."""
        yield f"{'memory':<24} {'what':<36} {'seconds':>8} {'peak MB':>8}"
        for stage in self.prediction.stages:
            mark = "  <- the most" if stage is self.prediction.largest else ""
            seconds = self.of(stage)
            time = "?" if seconds is None else f"{seconds:.2f}"
            what = f"{printable(stage.what):<36.36}"
            yield f"{stage.step:<24} {what} {time:>8} {stage.bytes / MEGABYTE:8.0f}{mark}"
        yield self.line()
        if not self.fits:
            yield self.remedy()

    def remedy(self) -> str:
        """What to set, where it does not fit."""
        found = [words if most is None else f"{words}: {_gigabytes(most)}" for words, most in self.remedies]
        return (
            f"memory: wanted at most the {_gigabytes(self.free or 0)} that are free, "
            f"found that {self.prediction.largest.said} needs about {_gigabytes(self.most)}; "
            f"set {', or '.join(found)}, or {beforehand.VARIABLE}=0 to try it all the same"
        )

    def _time(self) -> str:
        if self.rates is None:
            return "time unknown on a device"
        if not self.unknown:
            return f"about {said(self.seconds)}"
        names = ", ".join(self.unknown)
        return f"about {said(self.seconds)}, and as long as {names} may take, which nobody has said"


def is_quick(prediction: Prediction) -> bool:
    """Whether a run is over soon on any machine, so that nothing has to be measured for it."""
    work = sum((stage.work for stage in prediction.stages), NO_WORK)
    return SLOWEST.seconds(work) < QUICK and not any(stage.unknown for stage in prediction.stages)


def remedies(
    plan: Plan,
    sizes: Mapping[str, ModelSize],
    needed: Prediction,
    *,
    protocol: Protocol,
    scored: bool,
    threads: int,
) -> tuple[tuple[str, int | None], ...]:
    """What could be set so that a run needs less, each alone."""

    def most(plan: Plan = plan, protocol: Protocol = protocol, threads: int = threads) -> int:
        return memory.predict(plan, sizes, protocol=protocol, scored=scored, threads=threads).largest.bytes

    tried: list[tuple[str, Callable[[], int]]] = []
    if threads > 1:
        tried.append(("--threads 1", lambda: most(threads=1)))
    if scored and protocol.whole:
        tried.append((f"only the first 100 scored, --protocol {HEAD}", lambda: most(protocol=PROTOCOLS[HEAD])))
    elif plan.recipe.top_k > FEWER:
        fewer = replace(plan, recipe=replace(plan.recipe, top_k=FEWER))
        tried.append((f"top_k = {FEWER} in the recipe", lambda: most(fewer)))
    found: list[tuple[str, int | None]] = []
    for words, of in tried:
        bytes_then = of()
        if bytes_then < SAVES * needed.largest.bytes:
            found.append((words, bytes_then))
    if len(sizes) > 1:
        found.append(("fewer models", None))
    return (*found, ("a smaller gallery, or a machine with more", None))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count < 1e10 else f"{count / 1e9:.0f} GB"
