"""What a run says of every step: one line of a table."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ensemble.base.errors import printable
from ensemble.pipeline.devices import CPU
from ensemble.pipeline.nodes import Outcome
from ensemble.pipeline.tree import Node
from ensemble.scores import Scores


@dataclass(frozen=True)
class Line:
    """What one step did: its name, on what, the shape of the result, seconds, peak memory, mAP or None, where.

    ``weights``: what a join found for its parts, by their names; none where it was told, or needs none.
    """

    step: str
    what: str
    shape: str
    seconds: float
    peak_bytes: int | None
    mAP: float | None
    device: str = CPU.name
    weights: Mapping[str, float] = field(default_factory=dict)


def reading(models: int, shape: tuple[int, int], seconds: float, *, one_set: bool = False) -> Line:
    """The line of what was read."""
    what = f"{models} model{'s' if models > 1 else ''}"
    queries = "" if one_set else f"{shape[0]} + "
    return Line("read", what, f"{queries}{shape[1]} images", seconds, peak_memory(), None)


def of_node(node: Node, outcome: Outcome, scores: Scores | None, leaf: str) -> Line:
    """The line of a node; ``leaf`` is the name of one without a step."""
    written = ", ".join(f"{name} {value}" for name, value in node.use.settings.items()) if node.use else ""
    return Line(
        step=node.use.name if node.use else leaf,
        what=" ".join(filter(None, (node.what, written))),
        shape=outcome.state.shape(),
        seconds=outcome.seconds,
        peak_bytes=peak_memory(),
        mAP=scores.mAP if scores else None,
        device=outcome.device,
        weights=dict(zip(node.parts, outcome.weights, strict=True)) if outcome.weights else {},
    )


def weights_text(weights: Mapping[str, float]) -> str:
    """``a 1.00, b 0.67, c 0.00``."""
    return ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())


def notes_of(lines: Iterable[Line]) -> list[str]:
    """What is to be said of the weights that joins found, a sentence a join."""
    return [
        f"{line.step}: weights by agreement, without labels: {weights_text(line.weights)}"
        + "; fewer than three cannot be told apart" * (len(line.weights) < 3)
        for line in lines
        if line.weights
    ]


def peak_memory() -> int | None:
    """The most memory this process has had, in bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def heading(scored: bool) -> str:
    """The heading of :func:`text`'s columns."""
    return f"{'step':<24} {'what':<36} {'shape':<24} {'seconds':>8} {'peak MB':>8}" + (
        "     mAP" if scored else ""
    )


def text(line: Line) -> str:
    """One line of the table."""
    peak = "-" if line.peak_bytes is None else f"{line.peak_bytes / 2**20:.0f}"
    mAP = "" if line.mAP is None else f" {line.mAP:7.4f}"
    return f"{line.step:<24} {printable(line.what):<36.36} {line.shape:<24} {line.seconds:8.2f} {peak:>8}{mAP}"
