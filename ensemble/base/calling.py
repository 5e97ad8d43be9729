"""A command's module that is a function as well: ``python -m ensemble.tune`` and ``ensemble.tune(…)``.

The module stays what ``import ensemble.tune`` gives, with everything in it; called, it does from Python what the
command does.
"""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


class _Command(ModuleType):
    """A module that can be called: what it does then is imported when it is."""

    _function: str

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._found()(*arguments, **keywords)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._found())

    def _found(self) -> Callable[..., Any]:
        module, _, name = self._function.partition(":")
        found: Callable[..., Any] = getattr(import_module(module), name)
        return found


def does(module: str, function: str) -> None:
    """Let the ``module`` be called in the place of a ``function``, "MODULE:NAME"."""
    found = sys.modules[module]
    found.__class__ = _Command
    found._function = function  # type: ignore[attr-defined]
