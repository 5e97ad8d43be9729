"""What an image is to a query: right, wrong, or junk that the protocol removes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.base.kinds import Bools, Ints
from ensemble.report.history import GOOD, JUNK, UNKNOWN, WRONG
from ensemble.scores.labels import Labels
from ensemble.scores.matching import matches
from ensemble.scores.protocol import Protocol

if TYPE_CHECKING:
    from ensemble.scores.counting.cpu import Matches


@dataclass(frozen=True, eq=False)
class Judge:
    """The labels of all images under a protocol's junk rule; the first ``cut`` places count (None: all)."""

    matches: "Matches"
    query_cam: Ints | None
    gallery_cam: Ints | None
    cut: int | None

    @classmethod
    def under(cls, protocol: Protocol, labels: Labels) -> "Judge":
        """The judge of a protocol."""
        return cls(matches(protocol.removes, labels), labels.query_cam, labels.gallery_cam, protocol.top_k)

    def of(self, query: int) -> tuple[Bools, Bools]:
        """(ng,) whether an image is good for the query, and whether it is removed."""
        from ensemble.scores.counting import cpu as counting

        good, hidden = (np.zeros(len(self.matches.identity), bool) for _ in range(2))
        counting.hidden_rows(query, self.matches, good, hidden)
        return good, hidden


def relations(listed: NDArray[np.int32], good: Bools, hidden: Bools) -> NDArray[np.int8]:
    """(k,) what the images of a list are, UNKNOWN for -1; ``good`` and ``hidden`` as :meth:`Judge.of` has them."""
    found = np.where(hidden[listed], JUNK, np.where(good[listed], GOOD, WRONG))
    return np.where(listed >= 0, found, UNKNOWN).astype(np.int8)
