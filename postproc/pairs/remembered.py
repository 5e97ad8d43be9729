"""Neighbour lists and distances kept between calls that look at the same images again.

A search over settings runs one method many times on the same features; what costs is the walk over all pairs, and
that does not depend on k1, k2 or lambda. Inside :func:`remembering` the two ways to walk
(:mod:`postproc.pairs.nearest`) look here first. Not a bit of any answer changes: a list of k neighbours is the
beginning of any longer one (ties are broken by image), distances are those of the same tiles, and what is compared
is the content of the arrays.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from postproc.base import checks, runtime

BLOCK = 16 << 20  # bytes that are hashed at a time, each block by a thread
SHORTEST = 64  # neighbours that are found where somebody remembers: the next call may want more


class Store:
    """Arrays by the fingerprint of what they were computed from, ``limit`` bytes of them; oldest use goes first.

    limit: 1 or more bytes. What is larger alone is not kept.
    """

    def __init__(self, limit: int = 2 << 30) -> None:
        checks.whole("limit", limit, 1)
        self.limit, self.bytes = limit, 0
        self.hits = self.misses = 0
        self._entries: OrderedDict[tuple[bytes, str], tuple[np.ndarray, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes, what: str) -> tuple[np.ndarray, ...] | None:
        """The arrays, read-only, or None."""
        with self._lock:
            found = self._entries.get((key, what))
            if found is not None:
                self._entries.move_to_end((key, what))
            self.hits, self.misses = self.hits + (found is not None), self.misses + (found is None)
            return found

    def put(self, key: bytes, what: str, arrays: tuple[np.ndarray, ...]) -> None:
        """Keep arrays that nobody writes to from now on; more neighbours take the place of fewer."""
        if not self.fits(sum(array.nbytes for array in arrays)):
            return
        for array in arrays:
            array.flags.writeable = False
        with self._lock:
            self._drop((key, what))
            self._entries[key, what] = arrays
            self.bytes += sum(array.nbytes for array in arrays)
            while self.bytes > self.limit:
                self._drop(next(iter(self._entries)))

    def fits(self, size: int) -> bool:
        """Whether ``size`` bytes could be kept at all."""
        return size <= self.limit

    def _drop(self, entry: tuple[bytes, str]) -> None:
        self.bytes -= sum(array.nbytes for array in self._entries.pop(entry, ()))


_store: ContextVar[Store | None] = ContextVar("store", default=None)


def current() -> Store | None:
    """The store of the innermost :func:`remembering`, or None."""
    return _store.get()


@contextmanager
def remembering(store: Store) -> Iterator[None]:
    """Keep neighbour lists and distances of what runs inside in ``store``, and take them from there."""
    token = _store.set(store)
    try:
        yield
    finally:
        _store.reset(token)


def generous(k: int) -> int:
    """How many neighbours to find where ``k`` are wanted and somebody remembers: room for the next ones."""
    return max(SHORTEST, 1 << (k - 1).bit_length())


def fingerprint(arrays: Iterable[np.ndarray | None]) -> bytes:
    """16 bytes that tell apart any two sequences of arrays: by their kinds, shapes and bytes (BLAKE2b)."""
    whole = hashlib.blake2b(digest_size=16)
    for array in arrays:
        if array is None:
            whole.update(b"none;")
            continue
        whole.update(f"{array.dtype.str} {array.shape};".encode())
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        digests: list[bytes] = [b""] * -(-flat.size // BLOCK)

        def hash_block(number: int, flat: np.ndarray = flat, digests: list[bytes] = digests) -> None:
            block = flat[number * BLOCK : (number + 1) * BLOCK]
            digests[number] = hashlib.blake2b(block.data, digest_size=16).digest()

        runtime.run(hash_block, range(len(digests)), what="fingerprint")
        whole.update(b"".join(digests))
    return whole.digest()
