"""Every problem at once: go on after one, remember it, and refuse at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

from ensemble.base.errors import InputError


@contextmanager
def collecting(problems: list[str], where: str = "") -> Iterator[None]:
    """Add what goes wrong inside to ``problems`` instead of stopping, each with ``where`` in front."""
    try:
        yield
    except InputError as error:
        problems += [where + problem for problem in error.problems]
