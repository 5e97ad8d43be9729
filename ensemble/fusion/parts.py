"""What every join shares: checks of what comes in, rows in blocks, and what becomes of pairs nobody knows."""

from collections.abc import Callable, Sequence, Sized
from functools import reduce
from operator import or_
from typing import Any

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.sizes import DOUBLE, Sizes
from postproc.base.step import Chosen, Memory
from postproc.base.work import Known, Work

ENTRIES = 1 << 20  # of one matrix that are in work at a time; a few float64 arrays of that size a thread
ENTRIES_ON_CUDA = 1 << 25
SCALED, RANKED = 8, 20  # looks at a pair, to scale it
FEW = 4  # a row is joined among what is known of it where that is one in so many


def blocks(whole: float, each: float = 0) -> Memory:
    """What a join holds beside its parts: so many float64 blocks of rows in every thread, ``each`` more a part."""

    def needed(sizes: Sizes, chosen: Chosen) -> int:
        rows = max(1, min(1024, ENTRIES // max(1, sizes.ng), sizes.nq))
        threads = min(sizes.threads, -(-sizes.nq // rows))
        return int(DOUBLE * threads * rows * sizes.ng * (whole + each * sizes.parts))

    return needed


def looks(whole: float, each: float) -> Known:
    """What a join has to do: looks at every pair, ``each`` more a part, and those of scaling, if there is any."""

    def needed(sizes: Sizes, chosen: Chosen) -> Work:
        scaling = chosen.get("scaling", "none")
        scaled = 0 if scaling == "none" else RANKED if scaling.startswith("rank") else SCALED
        return Work(entries=(whole + (each + scaled) * sizes.parts) * sizes.nq * sizes.ng)

    return needed


def weights(value: Sequence[float] | str | None, count: int) -> np.ndarray:
    """The weights of ``count`` parts as float64; None is 1 each. Words have become numbers before."""
    return np.ones(count) if value is None else np.asarray(value, np.float64)


def matrices(value: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One float32 matrix a part, all of one shape and on one device; NaN and +inf are allowed.

    Matrices that are float32 already are not copied.
    """
    if getattr(value, "ndim", 3) != 3:
        shape = tuple(value.shape)  # type: ignore[attr-defined]
        raise ValueError(f"distances: wanted a list of matrices, one for each part, got one of shape {shape}")
    if len(set(map(arrays.on_cuda, value))) > 1:
        raise TypeError("distances: wanted NumPy arrays or CUDA tensors, got some of both")
    found = []
    for number, part in enumerate(value, 1):
        array = part if arrays.on_cuda(part) else np.asarray(part)
        if array.ndim != 2 or not _are_numbers(array):
            raise ValueError(
                f"distances: wanted a matrix of numbers for each part, got {array.dtype} of shape "
                f"{tuple(array.shape)} for part {number}"
            )
        found.append(arrays.contiguous(arrays.as_type(array, np.float32)))
    if not found:
        raise ValueError("distances: wanted one part or more, got none")
    if len({tuple(part.shape) for part in found}) > 1:
        shapes = ", ".join(str(tuple(part.shape)) for part in found)
        raise ValueError(f"distances: wanted parts of one shape, got {shapes}")
    return found


def _are_numbers(array: Any) -> bool:
    if arrays.on_cuda(array):
        return str(array.dtype) != "torch.bool"
    return np.issubdtype(array.dtype, np.number)


def checked(value: Sequence[np.ndarray], missing: str = "any", choices: Sequence[str] = ()) -> list[np.ndarray]:
    """Matrices without -inf and, where ``missing`` is "refuse", without NaN.

    ``choices``: what else ``missing`` may be, for the message.
    """
    found = matrices(value)
    xp = arrays.namespace(found[0])
    lacking = np.zeros((len(found), len(found[0])), np.int64)

    def look(start: int, stop: int) -> None:
        for number, part in enumerate(found):
            block = part[start:stop]
            if not block.shape[1] or np.isfinite(float(block.min())):  # NaN if any is
                continue
            if (block == -np.inf).any():
                raise ValueError(f"distances: wanted numbers, +inf or NaN, found -inf in part {number + 1}")
            lacking[number, start:stop] = arrays.host(xp.isnan(block).sum(axis=1))

    over_rows(look, found[0], what="checks")
    if missing == "refuse" and lacking.any():
        counts = ", ".join(f"part {m + 1} lacks {n}" for m, n in enumerate(lacking.sum(axis=1)) if n)
        others = " or ".join(f'missing = "{choice}"' for choice in choices if choice != "refuse")
        raise ValueError(
            f"distances: wanted every pair known to all {len(found)} parts, found that {counts} "
            f"of {len(found[0]) * found[0].shape[1]} pairs{f'; choose {others}' if others else ''}"
        )
    return found


def one_each(name: str, given: Sized, parts: Sized) -> None:
    """ValueError where not every part has what is to be said of each, with the parts that lack it."""
    if len(given) == len(parts):
        return
    lacking = ", ".join(map(str, range(len(given) + 1, len(parts) + 1)))
    found = f"none for part {lacking}" if lacking else f"{len(given)} for {len(parts)} parts"
    raise ValueError(
        f"{name}: wanted those of each of {len(parts)} parts, found {found}; give them in the order of parts"
    )


def used(
    value: Sequence[np.ndarray], weights_of: Sequence[float] | str | None, missing: str, choices: Sequence[str]
) -> list[tuple[float, np.ndarray]]:
    """(weight, matrix) of every part whose weight is not 0; the others are checked too."""
    found = checked(value, missing, choices)
    numbers = weights(weights_of, len(found))
    return [(float(weight), part) for weight, part in zip(numbers, found, strict=True) if weight]


def galleries(query: Sequence[np.ndarray], gallery: Sequence[np.ndarray] | None) -> list[np.ndarray | None]:
    """The gallery of every part; None for each where queries are one set, each image against all others."""
    return [None] * len(query) if gallery is None else list(gallery)


def shape(query: Sequence[np.ndarray], gallery: Sequence[np.ndarray] | None) -> tuple[int, int]:
    """How many queries and gallery images there are."""
    return len(query[0]), len((query if gallery is None else gallery)[0])


def rows_at_a_time(parts: Sequence[np.ndarray]) -> int:
    """Rows whose float64 copies stay small; no result depends on it."""
    width = max(1, parts[0].shape[1])
    if arrays.on_cuda(parts[0]):
        return max(1, ENTRIES_ON_CUDA // width)
    return max(1, min(1024, ENTRIES // width))


def over_rows(function: Callable[[int, int], None], matrix: np.ndarray, *, what: str) -> None:
    """Call ``function(start, stop)`` over ranges of the matrix's rows."""
    count, block = len(matrix), rows_at_a_time([matrix])
    kernels.of(matrix).walk.run(
        lambda start: function(start, min(start + block, count)), range(0, count, block), what=what
    )


def by_rows(parts: Sequence[np.ndarray], join: Callable[[slice], np.ndarray], *, what: str) -> np.ndarray:
    """(nq, n) float32 from ``join(rows)``, a block of rows after the other."""
    out: np.ndarray = arrays.empty(tuple(parts[0].shape), np.float32, parts[0])

    def fill(start: int, stop: int) -> None:
        with np.errstate(over="ignore"):  # too large for float32 is +inf
            out[start:stop] = join(slice(start, stop))

    if out.shape[1]:
        over_rows(fill, out, what=what)
    return out


def among_known(blocks: list[np.ndarray], join: Callable[[list[np.ndarray]], np.ndarray]) -> np.ndarray:
    """``join(blocks)`` (rows, n), with no work on pairs that no part knows where these are most.

    Short lists in a wide gallery know few pairs. Those that any part knows are put side by side, in their order,
    and a last one that nobody knows stands for all others of its row; what the join makes of it is theirs.
    """
    if arrays.on_cuda(blocks[0]):
        return join(blocks)
    known = any_of([block == block for block in blocks])
    row, column = np.nonzero(known)
    counts = np.bincount(row, minlength=len(known))
    width = int(counts.max(initial=0)) + 1
    if width * FEW > known.shape[1]:
        return join(blocks)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    narrow = []
    for block in blocks:
        few = np.full((len(block), width), np.nan, np.float32)
        few[row, place] = block[row, column]
        narrow.append(few)
    found = join(narrow)
    out = np.repeat(found[:, -1:], known.shape[1], axis=1)
    out[row, column] = found[row, place]
    return out


def least(block: np.ndarray) -> np.ndarray:
    """(rows, 1): the smallest value of every row."""
    return arrays.namespace(block).min(block, axis=1, keepdims=True)


def greatest(block: np.ndarray) -> np.ndarray:
    """(rows, 1): the largest value of every row."""
    return arrays.namespace(block).max(block, axis=1, keepdims=True)


def times(block: np.ndarray, weight: float) -> np.ndarray:
    """Every value times the weight, in float64."""
    if arrays.on_cuda(block):
        return arrays.as_type(block, np.float64) * weight
    return np.multiply(block, weight, dtype=np.float64)


def zeros(other: np.ndarray) -> np.ndarray:
    """float64 zeros where ``other`` is, of its shape."""
    return arrays.full(tuple(other.shape), 0, np.float64, other)


def any_of(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Where one of the masks is set."""
    return reduce(or_, masks)


def answer(total: np.ndarray, never: np.ndarray, nobody: np.ndarray) -> np.ndarray:
    """float32: +inf where ``never``, and right behind the farthest of the row where ``nobody`` knows the pair."""
    xp = arrays.namespace(total)
    with np.errstate(over="ignore", invalid="ignore"):
        out: np.ndarray = arrays.as_type(total, np.float32)
    if nobody.any():
        farthest = greatest(xp.where(never | nobody, -np.inf, out))
        behind = xp.nextafter(farthest, xp.full_like(farthest, np.inf))
        behind = xp.where(xp.isfinite(farthest), behind, 0)
        out = xp.where(nobody, xp.minimum(behind, float(np.finfo(np.float32).max)), out)
    out[never] = np.inf
    return out
