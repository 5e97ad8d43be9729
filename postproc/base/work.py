"""How much there is to do: what the time of a step follows from, before an array exists.

Work is counted in five kinds, each of which a machine does at a rate of its own. How long it takes is somebody
else's question: nobody here knows a second.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from postproc.base.sizes import Sizes

Known = Callable[[Sizes, Mapping[str, Any]], "Work"]
Spent = Callable[[Sizes, Mapping[str, Any]], "Work | None"]  # None: nobody knows with these settings


@dataclass(frozen=True)
class Work:
    """Counts of what is done, all threads together.

    products: multiply-adds of matrix products in float32; one in float64 counts as two.
    bytes:    read or written one after the other.
    entries:  numbers that are compared to find the smallest of many.
    sparse:   numbers that are looked up at places all over memory.
    objects:  names, lines and small calls of Python, which run in one thread however many there are.

    >>> 2 * Work(products=3) + Work(bytes=5)
    Work(products=6, bytes=5, entries=0, sparse=0, objects=0)
    """

    products: float = 0
    bytes: float = 0
    entries: float = 0
    sparse: float = 0
    objects: float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(*(getattr(self, kind) + getattr(other, kind) for kind in KINDS))

    def __rmul__(self, factor: float) -> "Work":
        return Work(*(factor * getattr(self, kind) for kind in KINDS))


KINDS = tuple(field.name for field in fields(Work))
NO_WORK = Work()
