"""How much data there is: what the memory of a step follows from, before an array exists."""

from dataclasses import dataclass, field

SINGLE = 4  # bytes of a float32, of an int32
DOUBLE = 8
BLOCK = 1024  # rows that are worked on at a time in float64


@dataclass(frozen=True)
class Sizes:
    """The sizes of what a step or a join is handed, and in how many threads it runs.

    nq, ng, train: images of a side; a step that takes ``features`` of one set finds them as ``ng``.
    width:         values an image; of a join those of the widest part.
    aux:           values an image of the side models together.
    tracks:        of the gallery; as many as images where nobody knows.
    parts:         how many a join joins.
    given:         the names of the data that are there.
    one_set:       queries and gallery are the same images.
    """

    nq: int = 0
    ng: int = 0
    train: int = 0
    width: int = 0
    aux: int = 0
    tracks: int = 0
    parts: int = 1
    threads: int = 1
    given: frozenset[str] = field(default_factory=frozenset)
    one_set: bool = False

    @property
    def images(self) -> int:
        """Queries and gallery; in one set each image once."""
        return self.ng if self.one_set else self.nq + self.ng

    @property
    def features(self) -> int:
        """Bytes of the features of queries and gallery."""
        return SINGLE * self.images * self.width

    @property
    def matrix(self) -> int:
        """Bytes of all distances of queries and gallery."""
        return SINGLE * self.nq * self.ng


def block(sizes: Sizes, chosen: object) -> int:
    """What a step holds that goes over some rows of features at a time in float64: two such blocks."""
    return 2 * DOUBLE * min(BLOCK, max(sizes.nq, sizes.ng)) * (sizes.width or sizes.aux)
