"""Values that were computed once, kept within a number of bytes; what was used longest ago goes first."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from postproc.base import checks, forks

GIGABYTE = 1 << 30

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_lock = forks.waits_for(threading.RLock())  # of all caches: it is held for a moment


def size(value: object) -> int:
    """Bytes of a value: what its ``nbytes`` says, or those of its parts; whatever else there is counts nothing."""
    if isinstance(value, Mapping):
        return sum(map(size, value.values()))
    if isinstance(value, tuple):
        return sum(map(size, value))
    return int(getattr(value, "nbytes", 0))


class Cache(Generic[Key, Value]):
    """Values by key, at most ``limit`` bytes of them. Threads may share it.

    limit: 1 or more bytes. A value that is larger alone is not kept.
    """

    def __init__(self, limit: int = GIGABYTE) -> None:
        checks.whole("limit", limit, 1)
        self.limit = limit
        self.bytes = self.hits = self.misses = 0
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value, or None. It is the last to go now."""
        with _lock:
            found = self._entries.get(key)
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
                self._entries.move_to_end(key)
            return found

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, which nobody changes from now on, in the place of an earlier one of this key."""
        if not self.fits(size(value)):
            return
        with _lock:
            self._drop(key)
            self._entries[key] = value
            self.bytes += size(value)
            while self.bytes > self.limit:
                self._drop(next(iter(self._entries)))

    def fits(self, count: int) -> bool:
        """Whether so many bytes could be kept at all."""
        return count <= self.limit

    def _drop(self, key: Key) -> None:
        if key in self._entries:
            self.bytes -= size(self._entries.pop(key))
