"""A property that is computed once, without a lock.

Before Python 3.12 that of functools holds one lock a class meanwhile: threads that ask different objects wait for
each other, and a process that forks then gets a lock that nobody opens. Without it two threads may compute the
same value.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

Value = TypeVar("Value")

if TYPE_CHECKING:
    from functools import cached_property
else:

    class cached_property(Generic[Value]):
        """A method whose first answer takes its place."""

        def __init__(self, function: Callable[[Any], Value]) -> None:
            self.function = function
            self.__doc__ = function.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self.name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            return instance.__dict__.setdefault(self.name, self.function(instance))
