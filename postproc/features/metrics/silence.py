"""How the code of other packages is called: one fit at a time, one thread, no warnings let out."""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_one = threading.Lock()  # filters of warnings and numbers of threads belong to the process
_inside: tuple[int, ExitStack] | None = None  # the thread that has it, and what it has changed


@contextmanager
def silence() -> Iterator[None]:
    """Silence warnings, but raise where something does not converge; hold all thread pools to one thread."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    global _inside
    with _one, ExitStack() as changed:
        _inside = threading.get_ident(), changed
        try:
            changed.enter_context(threadpool_limits(limits=1))
            changed.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ConvergenceWarning)
            yield
        finally:
            _inside = None


def _in_child() -> None:
    """A fit goes on in the parent; a forked process has neither it nor what it has changed."""
    global _one, _inside
    inside = _inside
    if inside is None or inside[0] != threading.get_ident():
        _one, _inside = threading.Lock(), None
        if inside is not None:
            inside[1].close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
