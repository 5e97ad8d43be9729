"""What steps gave, kept for runs on the same images that begin alike; the oldest goes when there is too much."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

GIGABYTE = 1 << 30


class Memo:
    """States by the key of what computes them, at most ``limit`` bytes of arrays; use it for one set of images."""

    def __init__(self, limit: int = GIGABYTE) -> None:
        self.limit, self.held = limit, 0
        self.states: OrderedDict[str, tuple[Mapping[str, Any], int]] = OrderedDict()

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The state, None where it is not known; it is the last to go now."""
        if key not in self.states:
            return None
        self.states.move_to_end(key)
        return self.states[key][0]

    def put(self, key: str, state: Mapping[str, Any]) -> None:
        """Keep a state, unless it alone is too large."""
        size = sum(_bytes(value) for value in state.values())
        if size > self.limit or key in self.states:
            return
        self.states[key] = state, size
        self.held += size
        while self.held > self.limit:
            self.held -= self.states.popitem(last=False)[1][1]


def _bytes(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    if isinstance(value, tuple):
        return sum(map(_bytes, value))
    return int(getattr(value, "nbytes", 0))
