"""Weights that were found without labels, for whoever listens: a join knows no names of its parts, a run does.

Nobody listens unless :func:`listening` says so, as with :mod:`postproc.base.remarks`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Weights = tuple[float, ...]
_heard: ContextVar[list[Weights] | None] = ContextVar("heard", default=None)


def tell(weights: Iterable[float]) -> None:
    """Say what was found, a number a part; nothing happens where nobody listens."""
    heard = _heard.get()
    if heard is not None:
        heard.append(tuple(float(weight) for weight in weights))


@contextmanager
def listening() -> Iterator[list[Weights]]:
    """The weights that are found inside, in their order, in a list that grows.

    >>> with listening() as heard:
    ...     tell([1, 0.5])
    >>> heard
    [(1.0, 0.5)]
    """
    heard: list[Weights] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)
