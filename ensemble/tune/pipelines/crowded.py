"""Average precision as in a larger gallery: every wrong image stands for several.

Galleries of worlds are smaller than the real one, and what is easy tells little apart. With ``w_j`` wrong images
before the j-th right one of ``G``, and a gallery that is ``times`` as large,

    AP = 1/G sum_j j / (j + times w_j).

At 1 it is the usual AP. It takes the wrong images that are not there to be like those that are; what more images
would change in a neighbourhood, it does not see.
"""

from dataclasses import dataclass

import numpy as np

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.scores.labels import Labels
from ensemble.scores.matching import matches
from ensemble.scores.protocol import Protocol


@dataclass(frozen=True, eq=False)
class Crowd:
    """What every gallery image is to every query, (nq, ng) each: right, or removed by the protocol."""

    good: Bools
    hidden: Bools
    times: float

    @classmethod
    def of(cls, labels: Labels, protocol: Protocol, times: float) -> "Crowd | None":
        """None where the protocol counts otherwise: tracks, drawn galleries, the first places alone."""
        if protocol.rows != "images" or protocol.draw is not None or protocol.top_k is not None:
            return None
        from ensemble.scores.counting import cpu as counting

        shape = len(labels.query_pid), len(labels.gallery_pid)
        good, hidden = np.zeros(shape, bool), np.zeros(shape, bool)
        known = matches(protocol.removes, labels)
        for query in range(shape[0]):
            counting.hidden_rows(query, known, good[query], hidden[query])
        return cls(good & ~hidden, hidden, times)

    def precisions(self, ranking: Ints) -> Floats:
        """(nq, ng) gallery rows, nearest first, -1 none -> (nq,) AP, NaN for a query without a right image."""
        there, rows = ranking >= 0, np.maximum(ranking, 0)
        good = there & np.take_along_axis(self.good, rows, axis=1)
        wrong = there & ~good & ~np.take_along_axis(self.hidden, rows, axis=1)
        right, before = np.cumsum(good, axis=1), np.cumsum(wrong, axis=1)
        count = np.count_nonzero(self.good, axis=1)  # what a step never returns is not found
        share = np.where(good, right / np.maximum(right + self.times * before, 1), 0).sum(axis=1)
        out: Floats = np.where(count > 0, share / np.maximum(count, 1), np.nan)
        return out
