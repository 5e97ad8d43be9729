"""Neighbour lists and distances kept between calls that look at the same images again.

A search over settings runs one method many times on the same features; what costs is the walk over all pairs, and
that does not depend on k1, k2 or lambda. Inside :func:`remembering` the two ways to walk
(:mod:`postproc.pairs.nearest`) look here first. Not a bit of any answer changes: a list of k neighbours is the
beginning of any longer one (ties are broken by image), distances are those of the same tiles, and what is compared
is the content of the arrays.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from postproc.base import runtime
from postproc.base.cache import Cache, size

BLOCK = 16 << 20  # bytes that are hashed at a time, each block by a thread
DEPTHS = (24, 48, 96)  # of short lists: whether whole numbers find them sooner is one answer up to each

Found = tuple[np.ndarray, ...]
Store = Cache[tuple[bytes, str], Found]  # by the fingerprint of what they were computed from, and what they are

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


def keep(store: Store, key: tuple[bytes, str], arrays: Found) -> None:
    """Keep arrays, if they fit; nobody can write to them from then on. More neighbours take the place of fewer."""
    if not store.fits(size(arrays)):
        return
    for array in arrays:
        array.flags.writeable = False
    store.put(key, arrays)


def depth(k: int) -> int:
    """How many neighbours to find where ``k`` are wanted and somebody remembers: room for the next ones."""
    return next((most for most in DEPTHS if k <= most), 1 << (int(k) - 1).bit_length())


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
