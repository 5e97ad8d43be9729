"""One set of images, tried against each of its images alone as a query before all others."""

from collections.abc import Callable
from typing import Any

import numpy as np

from postproc.testing import world

WORLD = world()
X, CAM, TRACK = WORLD["gallery"], WORLD["gallery_cam"], WORLD["gallery_track"]
N = len(X)
INSIDE = ~np.eye(N, dtype=bool)


def far(images: np.ndarray = X) -> np.ndarray:
    """(n, n) float32 squared distances, symmetric, with +inf on the diagonal."""
    found = ((images[:, None] - images) ** 2).sum(axis=2, dtype=np.float32)
    np.fill_diagonal(found, np.inf)
    return found


def one_by_one(step: Callable[..., Any], **given: Any) -> np.ndarray:
    """(n, n) what two-sided calls say: image i as the only query, all others as the gallery; +inf for itself.

    ``given``: ``distances`` (n, n), columns of the gallery (n, …), each a query's column too where the step has
    one, and settings.
    """
    count = len(given["distances"])
    out = np.full((count, count), np.inf, np.float32)
    for i in range(count):
        others = np.arange(count) != i
        data: dict[str, Any] = {}
        for name, value in given.items():
            twin = name.replace("gallery", "query", 1)
            if name == "distances":
                data[name] = value[i : i + 1, others]
            elif not name.startswith("gallery"):
                data[name] = value
            else:
                data[name] = value[others]
                if twin in _inputs(step):
                    data[twin] = value[i : i + 1]
        out[i, others] = step(**data)[0]
    return out


def _inputs(step: Callable[..., Any]) -> list[str]:
    code = step.__wrapped__.__code__  # type: ignore[attr-defined]
    return list(code.co_varnames[: code.co_argcount])
