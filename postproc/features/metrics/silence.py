"""How the code of other packages is called: one fit at a time, one thread, no warnings let out."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_one = threading.Lock()  # filters of warnings and numbers of threads belong to the process


@contextmanager
def silence() -> Iterator[None]:
    """Silence warnings, but raise where something does not converge; hold all thread pools to one thread."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with _one, threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        yield
