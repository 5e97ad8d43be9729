"""What a step has to say of its data, in a sentence, to whoever listens: a run makes notes of it.

Nobody listens unless :func:`listening` says so, and then a remark costs what it takes to make: ask :func:`wanted`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


def wanted() -> bool:
    """Whether anybody listens."""
    return _heard.get() is not None


def remark(sentence: str) -> None:
    """Say something of the data that is at hand; nothing happens where nobody listens."""
    heard = _heard.get()
    if heard is not None:
        heard.append(sentence)


@contextmanager
def listening() -> Iterator[list[str]]:
    """The remarks of what runs inside, in their order, in a list that grows.

    >>> with listening() as heard:
    ...     remark("the images are copies of each other")
    >>> heard
    ['the images are copies of each other']
    """
    heard: list[str] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)
