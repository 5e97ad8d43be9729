"""What every join shares: checks of what comes in, rows in blocks, and what becomes of pairs nobody knows."""

from collections.abc import Callable, Sequence

import numpy as np

from postproc import checks, runtime

ENTRIES = 1 << 20  # of one matrix that are in work at a time; a few float64 arrays of that size a thread


def weights(value: Sequence[float] | None, count: int, smallest: float = -np.inf) -> np.ndarray:
    """``count`` finite numbers of ``smallest`` or more as float64; None is 1 each."""
    if value is None:
        return np.ones(count)
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if found.shape != (count,) or not np.isfinite(found).all() or (found < smallest).any():
        limit = f" of {smallest:g} or more" if smallest > -np.inf else ""
        raise ValueError(f"weights: wanted {count} numbers{limit}, one for each part, got {value!r}")
    return found


def matrices(value: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One float32 matrix a part, all of one shape; NaN and +inf are allowed. No copies of float32 matrices."""
    if isinstance(value, np.ndarray) and value.ndim != 3:
        raise ValueError(
            f"distances: wanted a list of matrices, one for each part, got one of shape {value.shape}"
        )
    found = []
    for number, part in enumerate(value, 1):
        array = np.asarray(part)
        if array.ndim != 2 or not np.issubdtype(array.dtype, np.number):
            raise ValueError(
                f"distances: wanted a matrix of numbers for each part, got {array.dtype} of shape {array.shape} "
                f"for part {number}"
            )
        found.append(np.ascontiguousarray(array, np.float32))
    if not found:
        raise ValueError("distances: wanted one part or more, got none")
    if len({part.shape for part in found}) > 1:
        shapes = ", ".join(str(part.shape) for part in found)
        raise ValueError(f"distances: wanted parts of one shape, got {shapes}")
    return found


def checked(
    value: Sequence[np.ndarray], missing: str = "any", choices: tuple[str, ...] = ("any",)
) -> list[np.ndarray]:
    """Matrices without -inf and, where ``missing`` is "refuse", without NaN; ``choices`` are those of it."""
    checks.one_of("missing", missing, choices)
    found = matrices(value)
    lacking = np.zeros((len(found), len(found[0])), np.int64)

    def look(start: int, stop: int) -> None:
        for number, part in enumerate(found):
            block = part[start:stop]
            lowest = block.min(initial=np.inf)  # NaN if any is
            if np.isfinite(lowest):
                continue
            if np.isneginf(block).any():
                raise ValueError(f"distances: wanted numbers, +inf or NaN, found -inf in part {number + 1}")
            lacking[number, start:stop] = np.isnan(block).sum(axis=1)

    runtime.over_rows(look, len(found[0]), what="checks", block=rows_at_a_time(found))
    if missing == "refuse" and lacking.any():
        counts = ", ".join(f"part {m + 1} lacks {n}" for m, n in enumerate(lacking.sum(axis=1)) if n)
        others = " or ".join(f'missing = "{choice}"' for choice in choices if choice != "refuse")
        raise ValueError(
            f"distances: wanted every pair known to all {len(found)} parts, found that {counts} "
            f"of {found[0].size} pairs; choose {others}"
        )
    return found


def used(
    value: Sequence[np.ndarray],
    weights_of: Sequence[float] | None,
    missing: str,
    choices: tuple[str, ...],
    smallest: float = 0,
) -> list[tuple[float, np.ndarray]]:
    """(weight, matrix) of every part whose weight is not 0; everything checked, the others too."""
    found = checked(value, missing, choices)
    numbers = weights(weights_of, len(found), smallest)
    if not numbers.any():
        raise ValueError(f"weights: wanted one other than 0, got {weights_of!r}")
    return [(float(weight), part) for weight, part in zip(numbers, found, strict=True) if weight]


def rows_at_a_time(parts: Sequence[np.ndarray]) -> int:
    """Rows whose float64 copies stay small; no result depends on it."""
    return max(1, min(1024, ENTRIES // max(1, parts[0].shape[1])))


def by_rows(parts: Sequence[np.ndarray], join: Callable[[slice], np.ndarray], *, what: str) -> np.ndarray:
    """(nq, n) float32 from ``join(rows)``, a block of rows after the other."""
    out = np.empty(parts[0].shape, np.float32)

    def fill(start: int, stop: int) -> None:
        with np.errstate(over="ignore"):  # too large for float32 is +inf
            out[start:stop] = join(slice(start, stop))

    runtime.over_rows(fill, len(out), what=what, block=rows_at_a_time(parts))
    return out


def settled(total: np.ndarray, never: np.ndarray, nobody: np.ndarray) -> np.ndarray:
    """float32: +inf where ``never``, and right behind the farthest of the row where ``nobody`` knows the pair."""
    with np.errstate(over="ignore", invalid="ignore"):
        out = total.astype(np.float32)
    if nobody.any():
        farthest = np.where(never | nobody, -np.inf, out).max(axis=1, initial=-np.inf).astype(np.float32)
        behind = np.where(np.isfinite(farthest), np.nextafter(farthest, np.float32(np.inf)), np.float32(0))
        out = np.where(nobody, np.minimum(behind, np.finfo(np.float32).max)[:, None], out)
    out[never] = np.inf
    return out
