"""The features of the models, or their distances, while a run needs them."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ensemble.base.distances import ModelSet
from ensemble.base.features import SIDES
from ensemble.base.kinds import Array
from ensemble.pipeline.devices import Device
from ensemble.pipeline.tree import Node, leaves


class Loaded(NamedTuple):
    """A model: as it was read, its arrays on the device, and the seconds that it took to bring them.

    ``arrays`` are features by side, or ``distances``.
    """

    read: ModelSet
    arrays: dict[str, Array]
    seconds: float


class Models:
    """Hands out every model as often as the tree below ``root`` asks for it.

    A model is brought to the device once, and let go after the last time.
    """

    def __init__(self, sets: Mapping[str, ModelSet], root: Node, device: Device) -> None:
        self._device = device
        self._times = Counter(leaves(root))
        self._read = dict(sets)
        self._up: dict[str, dict[str, Array]] = {}

    def take(self, name: str) -> Loaded:
        """The model, one time less."""
        read, seconds = self._read[name], 0.0
        if name not in self._up:
            started = time.perf_counter()
            names = SIDES if read.distances is None else ("distances",)
            found = {name: self._device.up(getattr(read, name)) for name in names}
            if read.one_set and read.distances is None:  # one array, on a device too
                found["query"] = found["gallery"]
            self._up[name] = {name: array for name, array in found.items() if array is not None}
            if self._device.is_cuda:
                self._device.wait()
                seconds = time.perf_counter() - started
        self._times[name] -= 1
        if self._times[name]:
            return Loaded(read, dict(self._up[name]), seconds)
        del self._read[name]
        return Loaded(read, self._up.pop(name), seconds)
