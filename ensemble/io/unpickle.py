"""A pickle machine that builds only what is on the allow-list.

It is Python's own unpickler, the one written in Python: its memo is a dictionary, where the C one allocates a
table as long as the largest index that the file cares to name. ``find_class`` looks names up and imports
nothing, so it does not matter how a name is spelled or which opcode asks for it; opcodes that make objects in
other ways are refused. Python 2 text is read as Latin-1, which turns array data back into the same bytes.
"""

import io
import math
import mmap
import pickle
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from ensemble.base.errors import printable
from ensemble.io import allowed
from ensemble.io.allowed import CONSTRUCTORS, Refused
from ensemble.io.bounds import refuse_size

Source = io.BytesIO | mmap.mmap  # both give less, never allocate more, when asked for more than there is

STORAGE = "torch.storage", "_load_from_bytes"  # what torch tensors in a plain pickle are read by
_COPIED = (str, bytes, bytearray, list, tuple, set, frozenset)


def unpickle(
    source: Source,
    size: int,
    persistent: Callable[[Any], Any] | None = None,
    storage: Callable[[bytes], Any] | None = None,
) -> Any:
    """Read one pickle and leave ``source`` behind its last byte.

    size:        bytes of the source; no honest pickle builds more than its file holds.
    persistent:  answers the file's references to outside data (torch keeps its storages so).
    storage:     reads the bytes in which a torch tensor keeps its numbers in a plain pickle; None: refused, as
                 inside such bytes, which could call each other for ever.
    Raises:      :class:`Refused` naming what is not allowed; what a broken file raises is any of
                 ``ensemble.base.broken.BROKEN``.
    """
    return _Machine(source, size, persistent, storage).load()


class _Machine(pickle._Unpickler):
    """Overrides every opcode that calls, sets or allocates on behalf of the file."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list
    pop_mark: Callable[[], list]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    def __init__(
        self,
        source: Source,
        size: int,
        persistent: Callable[[Any], Any] | None,
        storage: Callable[[bytes], Any] | None,
    ) -> None:
        super().__init__(source, encoding="latin-1")
        self.budget = 8 * size + 4096
        self.persistent, self.storage = persistent, storage
        self.source, self.size = source, size

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == STORAGE and self.storage is not None:
            return lambda raw: self.stored(raw)
        try:
            return CONSTRUCTORS[module, name]
        except KeyError:
            raise Refused(printable(f"{module}.{name}", most=200)) from None

    def stored(self, raw: object) -> Any:
        if not isinstance(raw, bytes) or self.storage is None:
            raise Refused(f"a torch storage made from {type(raw).__name__}")
        return self.storage(raw)

    def persistent_load(self, pid: object) -> Any:
        if self.persistent is None:
            raise Refused("a reference to data outside the file")
        return self.persistent(pid)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not isinstance(function, FunctionType) or not isinstance(arguments, tuple):
            raise Refused(f"a call of {getattr(function, 'name', type(function).__name__)}")
        self.spend(*arguments)
        self.stack[-1] = function(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, np.ndarray):
            self.spend(*(state if isinstance(state, tuple) else ()))
            allowed.fill_array(target, state)
        elif isinstance(target, allowed.Dtype):
            allowed.fill_dtype(target, state)
        elif isinstance(target, allowed.Wrapper):
            if target.state is not None or not isinstance(state, dict):
                raise Refused("joblib array in an unknown form")
            target.state = state
            self.stack[-1] = self.behind(target)
        elif not isinstance(target, dict):  # torch hangs `_metadata` on its dictionaries: no data, left out
            raise Refused(f"attributes set on {type(target).__name__}")

    def load_newobj(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if kind is not allowed.WRAPPER or arguments != ():
            self.refuse()
        self.stack.append(allowed.Wrapper())

    def behind(self, wrapper: allowed.Wrapper) -> Any:
        """The array whose bytes joblib wrote into the file, behind the opcode that has just been read."""
        shape, kind, order, aligned = allowed.wrapped(wrapper)
        if kind.hasobject:
            return unpickle(self.source, self.size, storage=self.storage)
        if aligned:
            self.source.read(self.source.read(1)[0])
        count = math.prod(shape) * kind.itemsize
        raw = self.source.read(min(count, self.size))
        if len(raw) != count:
            raise EOFError("an array that is longer than the file")
        refuse_size(shape, kind.itemsize, count)
        return np.frombuffer(raw, kind).reshape(shape, order=order)  # type: ignore[call-overload]

    def load_setitem(self) -> None:
        item = self.stack[-2:]
        del self.stack[-2:]
        allowed.fill_mapping(self.stack[-1], item)

    def load_setitems(self) -> None:
        items = self.pop_mark()
        allowed.fill_mapping(self.stack[-1], items)

    def load_dict(self) -> None:
        made: dict = {}
        allowed.fill_mapping(made, self.pop_mark())
        self.stack.append(made)

    def load_additems(self) -> None:
        items = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise Refused(f"items added to {type(self.stack[-1]).__name__}")
        self.stack[-1].update(allowed.members(self.stack[-1], items))

    def load_frozenset(self) -> None:
        items = self.pop_mark()
        self.stack.append(frozenset(allowed.members(frozenset(), items)))

    def load_bytearray8(self) -> None:
        length = int.from_bytes(self.read(8), "little")
        self.stack.append(bytearray(self.read(length)))

    def load_global(self) -> None:
        self.stack.append(self.find_class(self.line(), self.line()))

    def load_inst(self) -> None:
        self.find_class(self.line(), self.line())
        self.refuse()

    def line(self) -> str:
        text = self.readline()
        if not text.endswith(b"\n"):
            raise EOFError("the file ends inside a name")
        return text[:-1].decode("utf-8")

    def load_append(self) -> None:
        self.extend([self.stack.pop()])

    def load_appends(self) -> None:
        self.extend(self.pop_mark())

    def extend(self, items: list) -> None:
        if not isinstance(self.stack[-1], list):
            raise Refused(f"items appended to {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def refuse(self) -> None:
        raise Refused("an object that is not a container or an array of numbers")

    def spend(self, *parts: object) -> None:
        """A few bytes can ask for one more copy of something large, again and again: count what is copied."""
        self.budget -= sum(len(part) for part in parts if isinstance(part, _COPIED))
        if self.budget < 0:
            raise Refused("copies of its own content that are larger than the file")


_OWN = {
    pickle.REDUCE: _Machine.load_reduce,
    pickle.BUILD: _Machine.load_build,
    pickle.SETITEM: _Machine.load_setitem,
    pickle.SETITEMS: _Machine.load_setitems,
    pickle.DICT: _Machine.load_dict,
    pickle.ADDITEMS: _Machine.load_additems,
    pickle.FROZENSET: _Machine.load_frozenset,
    pickle.BYTEARRAY8: _Machine.load_bytearray8,
    pickle.GLOBAL: _Machine.load_global,
    pickle.INST: _Machine.load_inst,
    pickle.NEWOBJ: _Machine.load_newobj,
    pickle.APPEND: _Machine.load_append,
    pickle.APPENDS: _Machine.load_appends,
}
for _opcode, _load in _OWN.items():
    _Machine.dispatch[_opcode[0]] = _load
for _opcode in (pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.OBJ, pickle.NEWOBJ_EX):
    _Machine.dispatch[_opcode[0]] = _Machine.refuse
