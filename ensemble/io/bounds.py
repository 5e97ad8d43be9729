"""How much a file may ask for: rows, values and bytes, against its own size, before anything is made of them."""

from collections.abc import Sequence
from math import prod

import numpy as np

from ensemble.base.errors import InputError

FREE = 64 << 20  # bytes that any file may become
PACKED = 100  # how often features pack into one byte at most; zeros do so a thousand times
EMPTY = 1 << 20  # rows or columns of an array without values
DIMENSIONS = 32
CONTAINERS = (np.ndarray, dict, list, tuple)
DEEP = 8  # containers in containers in which features are looked for


class TooLarge(Exception):
    """A file would become much larger than it is; the text says what and how much."""


class Budget:
    """Bytes that a file may still become: a hundred times its size, and always 64 MB.

    size:   bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self.most = self.left = max(FREE, PACKED * size)

    def spend(self, count: int, what: str) -> None:
        """Count what is about to be unpacked. Raises :class:`TooLarge`."""
        self.left -= count
        if self.left < 0:
            raise TooLarge(f"{what}: {count} bytes cannot come from a file of this size, {self.most} at most")


def refuse_size(shape: Sequence[int], itemsize: int, stored: int) -> None:
    """Raise EOFError if an array of this shape cannot come from ``stored`` bytes.

    Rows without values take no byte, nor does text without letters: of these there are a million at most.
    """
    if len(shape) > DIMENSIONS or any(length < 0 for length in shape):
        raise EOFError(f"an array of {len(shape)} dimensions {tuple(shape)[:4]}")
    count = prod(int(length) for length in shape)
    if count * itemsize > stored:
        raise EOFError(f"an array of {count} values of {itemsize} bytes does not fit into {stored} bytes")
    if count * itemsize == 0 and prod(int(length) or 1 for length in shape) > EMPTY:
        raise EOFError(f"an array without a value, of shape {tuple(shape)}")


def too_large(where: object, found: object) -> InputError:
    """What to say of a file that would become too large."""
    remedy = "write it again, uncompressed and without copies"
    return InputError([f"{where}: wanted what fits the size of the file, found {found}; {remedy}"])


def refuse_repeats(where: object, content: object) -> None:
    """Raise InputError if what a file holds takes much more, when it is all put side by side, than it does apart.

    A few bytes in a pickle point again and again to the same array or list.
    """
    own: dict[int, int] = {}  # bytes, by what holds them
    counted: dict[int, int] = {}  # values, by the container that they are in

    def values(part: object, depth: int) -> int:
        if isinstance(part, np.ndarray) and part.dtype != object:
            base, size = _base(part)
            own[id(base)] = size
            return part.size
        if not isinstance(part, CONTAINERS) or depth > DEEP:
            return 1
        if id(part) not in counted:
            counted[id(part)] = 0  # what holds itself has no more of it
            parts = list(part.values()) if isinstance(part, dict) else part
            size = part.size if isinstance(part, np.ndarray) else len(part)
            own[id(part)] = 8 * size
            plain = isinstance(part, (list, tuple)) and size > 0 and not isinstance(part[0], CONTAINERS)
            inner = parts.reshape(-1).tolist() if isinstance(parts, np.ndarray) else parts
            counted[id(part)] = size if plain else sum(values(item, depth + 1) for item in inner)
        return counted[id(part)]

    wanted = values(content, 0)
    if 4 * wanted > max(FREE, 8 * sum(own.values())):
        raise too_large(where, f"{4 * wanted} bytes that repeat the same {sum(own.values())}")


def _base(part: np.ndarray) -> tuple[object, int]:
    """What holds the memory of an array, and how many bytes that is."""
    base: object = part
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base, len(base) if isinstance(base, (bytes, bytearray)) else getattr(base, "nbytes", part.nbytes)
