"""How much data there is: what the memory of a step follows from, before an array exists."""

import re
from dataclasses import dataclass, field

import numpy as np

SINGLE = 4  # bytes of a float32, of an int32
DOUBLE = 8
BLOCK = 1024  # rows that are worked on at a time in float64
FEW = 128  # the same where little is done to each: a cache holds what is made of them
UNITS = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
LEAST = 10**6  # bytes: who writes less has forgotten the unit
SIZE = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)\s*", re.ASCII)


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
    on_disk:       the sides, "query" and "gallery", whose features are in files, and stay there.
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
    on_disk: frozenset[str] = field(default_factory=frozenset)

    @property
    def images(self) -> int:
        """Queries and gallery; in one set each image once."""
        return self.ng if self.one_set else self.nq + self.ng

    @property
    def sides(self) -> dict[str, int]:
        """Queries and gallery; of one set the gallery alone."""
        return {"gallery": self.ng} if self.one_set else {"query": self.nq, "gallery": self.ng}

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


def few(sizes: Sizes, chosen: object) -> int:
    """What a step holds that goes over FEW rows of features at a time in float64: three such blocks."""
    return 3 * DOUBLE * min(FEW, max(sizes.nq, sizes.ng)) * (sizes.width or sizes.aux)


def bytes_of(name: str, given: int | str, least: int = LEAST) -> int:
    """A size in bytes: a whole number of them, or as people write it, with its unit.

    Raises ValueError for what is no size, has no unit, or is less than ``least`` bytes.

    >>> bytes_of("memory", "4GB"), bytes_of("memory", "1.5 m"), bytes_of("memory", "512 MiB")
    (4000000000, 1500000, 536870912)
    """
    if isinstance(given, str):
        parts = SIZE.fullmatch(given)
        unit = parts[2].upper() if parts else ""
        unit = unit if unit in UNITS else unit + "B"
        if parts and not parts[2]:
            number = parts[1]
            raise ValueError(
                f"{name}: wanted a size with its unit, such as 4GB, found {given!r}; "
                f"write {number}GB, {number}MB or {number}KB"
            )
        count = int(float(parts[1]) * UNITS[unit]) if parts and unit in UNITS and len(parts[1]) < 20 else 0
        if not count:
            raise ValueError(f"{name}: wanted a size such as 4GB, found {given!r}")
    elif isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        count = int(given)
        if 0 < count < least:
            raise ValueError(
                f"{name}: wanted bytes, {least} or more, or a size with its unit, got {given!r}; "
                f'write "{given}GB" if that is meant'
            )
    else:
        raise ValueError(f'{name}: wanted bytes, or a size with its unit such as "4GB", got {given!r}')
    if count < least:
        raise ValueError(
            f"{name}: wanted {least // 10**6}MB or more, found {given!r}"
            if least >= LEAST
            else f"{name}: wanted {least} bytes or more, found {given!r}"
        )
    return count
