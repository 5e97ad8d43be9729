"""Arrays that one query after the other works in; two at a time have one each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class Workplace:
    """Room for one query against ``images``. ``stamps`` tell what is of this query from what is of others."""

    def __init__(self, images: int, nowhere: int, marks: int) -> None:
        self.place = np.full(images + 1, nowhere, np.int32)
        self.own_place = np.full(images + 1, nowhere, np.int32)
        self.marks = np.zeros((marks, images + 1), np.int32)
        self.value_of = np.zeros(images + 1, np.float32)
        self.entering = np.empty(images + 1, np.int32)
        self.asked = np.empty(images + 1, np.int32)
        self.answers = np.empty(images + 1, np.int32)
        self.jaccard = np.empty(images + 1, np.float32)
        self.stamps = np.zeros(1, np.int64)


@contextmanager
def lend(free: list[Workplace], images: int, nowhere: int, marks: int) -> Iterator[Workplace]:
    """One of those that are ``free``, or a new one. After an error it is not used again."""
    try:
        workplace = free.pop()
    except IndexError:
        workplace = Workplace(images, nowhere, marks)
    yield workplace
    free.append(workplace)
