"""Checks of what a caller hands over. Every message names the parameter, what was wanted and what was found."""

import math
from collections.abc import Callable

import numpy as np

from postproc.base import arrays
from postproc.base.nearby import near
from postproc.base.one_set import are_distances
from postproc.base.stored import Stored
from postproc.base.vocabulary import VOCABULARY, Array, Unchecked

CPU_ONLY = "wanted a NumPy array, got a CUDA tensor, and this function runs on the CPU only; give {}.cpu().numpy()"
ROWS = 1024  # that are looked at together
SOME, LOST = 50, 0.1  # rows that tell enough; the share of neighbouring numbers that float32 may take for the same


def finite(name: str, value: float) -> None:
    """Refuse what is not a finite number."""
    if not _is_number(value) or math.isinf(value):
        raise ValueError(f"{name}: wanted a finite number, got {value!r}")


def whole(name: str, value: int, smallest: int) -> None:
    """Refuse what is not a whole number of ``smallest`` or more."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < smallest:
        raise ValueError(f"{name}: wanted a whole number, {smallest} or more, got {value!r}")


def top_k(value: int | None) -> None:
    """Refuse what is neither None nor a whole number of 1 or more."""
    if value is not None:
        whole("top_k", value, 1)


def between(name: str, value: float, smallest: float, largest: float) -> None:
    """Refuse a number outside ``smallest .. largest``."""
    if not _is_number(value) or not smallest <= value <= largest:
        raise ValueError(f"{name}: wanted {smallest} to {largest}, got {value!r}")


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: wanted one of {', '.join(choices)}, got {value!r}{near(value, choices)}")


def flag(name: str, value: bool) -> None:
    """Refuse what is not a truth value."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}: wanted true or false, got {value!r}")


def features(name: str, value: Unchecked, *, cuda: bool = False) -> np.ndarray:
    """(n, d) numbers -> the same as C-ordered float32; refuses other shapes and NaN or infinite entries.

    ``cuda``: a tensor on a CUDA device is welcome and stays there. What is :class:`~postproc.base.stored.Stored`
    stays on disk.
    """
    array: Array = value if isinstance(value, Stored) else _numbers(name, value, 2, cuda)
    rows = _first_bad_row(array, arrays.namespace(array).isfinite)
    if rows is not None:
        raise ValueError(f"{name}: wanted finite numbers, found NaN or infinity first in row {rows}")
    return array


def probabilities(name: str, value: Unchecked, *, cuda: bool = False) -> np.ndarray:
    """:func:`features` whose rows are probabilities: none below 0, their sum 1 or less, with room for rounding."""
    array = features(name, value, cuda=cuda)
    row = _first_bad_row(array, lambda block: (block >= 0) & (block.sum(axis=1, keepdims=True) <= 1.01))
    if row is not None:
        raise ValueError(f"{name}: wanted rows of 0 or more with a sum of 1 or less, found another in row {row}")
    return array


def camera_probabilities(
    query: Unchecked, gallery: Unchecked, sizes: tuple[int, int] | None = None, *, cuda: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """``query_cam_prob`` and ``gallery_cam_prob`` as :func:`probabilities`: one width, one row an image."""
    found = []
    for at, (name, value) in enumerate((("query_cam_prob", query), ("gallery_cam_prob", gallery))):
        rows = probabilities(name, value, cuda=cuda)
        if sizes is not None:
            one_row_each(name, rows, sizes[at])
        found.append(rows)
    same_width("query_cam_prob", found[0], "gallery_cam_prob", found[1])
    return found[0], found[1]


def not_empty(name: str, array: np.ndarray) -> None:
    """Refuse an array without images or without values."""
    if 0 in array.shape:
        raise ValueError(f"{name}: wanted at least one image and one value, got shape {tuple(array.shape)}")


def one_row_each(name: str, array: np.ndarray, count: int) -> None:
    """Refuse an array that has not one row for each of ``count`` images."""
    if len(array) != count:
        raise ValueError(f"{name}: wanted {count} rows, one an image, got shape {tuple(array.shape)}")


def same_width(left_name: str, left: np.ndarray, right_name: str, right: np.ndarray) -> None:
    """Refuse two feature sets of different width."""
    if left.shape[1] != right.shape[1]:
        raise ValueError(
            f"{left_name} and {right_name}: wanted the same width, "
            f"got {left.shape[1]} and {right.shape[1]} numbers an image"
        )


def sides(query: Unchecked, gallery: Unchecked, *, cuda: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(nq, d) and (ng, d) features, checked, of one width, neither empty."""
    query, gallery = features("query", query, cuda=cuda), features("gallery", gallery, cuda=cuda)
    same_width("query", query, "gallery", gallery)
    not_empty("query", query)
    not_empty("gallery", gallery)
    return query, gallery


def images(name: str, value: Unchecked, *, cuda: bool = False) -> np.ndarray:
    """(n, d) features of one set, checked, not empty."""
    array = features(name, value, cuda=cuda)
    not_empty(name, array)
    if are_distances(array):
        raise ValueError(
            f"{name}: wanted features, found a symmetric square with zeros on its diagonal, as distances of all "
            "by all are; give them to a function of distances, as rerank_distances"
        )
    return array


def sides_or_one(query: Unchecked, gallery: Unchecked, *, cuda: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """:func:`sides`; of one set, where ``gallery`` is None, the same images as both."""
    if gallery is not None:
        return sides(query, gallery, cuda=cuda)
    found = images("query", query, cuda=cuda)
    return found, found


def of_same_width(
    name: str, value: Unchecked, other_name: str, other: np.ndarray, *, cuda: bool = False
) -> np.ndarray:
    """(n, d) features, checked, not empty, as wide as ``other``."""
    array = features(name, value, cuda=cuda)
    not_empty(name, array)
    same_width(other_name, other, name, array)
    return array


def side_features(name: str, value: Unchecked, count: int, *, like: Array = None) -> np.ndarray:
    """(count, a) features of a side model, checked, one row an image, not empty, where ``like`` is.

    None: they stay where they are. A CUDA tensor is welcome there and where ``like`` is one.
    """
    rows = features(name, value, cuda=like is None or arrays.on_cuda(like))
    rows = arrays.beside(rows, like)
    one_row_each(name, rows, count)
    not_empty(name, rows)
    return rows


def side_model(
    query_aux: Unchecked, gallery_aux: Unchecked, sizes: tuple[int, int], *, like: Array = None
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`side_features` of queries and gallery, of one width."""
    query = side_features("query_aux", query_aux, sizes[0], like=like)
    gallery = side_features("gallery_aux", gallery_aux, sizes[1], like=like)
    same_width("query_aux", query, "gallery_aux", gallery)
    return query, gallery


def distances(name: str, value: Unchecked, *, cuda: bool = False) -> np.ndarray:
    """(n, m) numbers -> the same as C-ordered float32; +inf is allowed, NaN and -inf are not."""
    array = _numbers(name, value, 2, cuda)
    row = _first_bad_row(array, lambda block: block > -np.inf)
    if row is not None:
        raise ValueError(f"{name}: wanted numbers or +inf, found NaN or -inf first in row {row}")
    if getattr(value, "dtype", None) == np.float64 and (said := made_equal(value)):
        raise ValueError(f"{name}: {said}")
    return array


def made_equal(distances: np.ndarray) -> str:
    """What is wrong with (n, m) float64 of which float32 makes many different numbers of a row the same, as some
    rows tell; empty if it does not."""
    rows = np.sort(distances[:SOME], axis=1)
    near, far = rows[:, :-1], rows[:, 1:]
    apart = (far > near) & np.isfinite(far)
    with np.errstate(over="ignore"):
        lost = apart & (far.astype(np.float32) == near.astype(np.float32))
    if lost.sum() <= LOST * apart.sum():
        return ""
    return (
        f"wanted numbers that float32 tells apart, found that {lost.sum() / apart.sum():.0%} of neighbouring ones "
        f"in a row become equal, as near {near[lost][0]:g}; subtract what is common to them, or scale them"
    )


def values(name: str, value: Unchecked, count: int) -> np.ndarray:
    """(count,) numbers -> the same as float32; refuses NaN and infinite entries."""
    array = _numbers(name, arrays.host(value), 1)
    if len(array) != count:
        raise ValueError(f"{name}: wanted {count} values, one an image, got shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ValueError(f"{name}: wanted finite numbers, found NaN or infinity first in row {bad[0]}")
    return array


def ranking(name: str, value: Unchecked, count: int) -> np.ndarray:
    """(n, k) rows of ``count`` gallery images, -1 for none -> the same as C-ordered int32."""
    if arrays.on_cuda(value):
        raise TypeError(f"{name}: {CPU_ONLY.format(name)}")
    array = _plain(name, value)
    if array.ndim != 2:
        raise ValueError(f"{name}: wanted 2 dimensions, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name}: wanted whole numbers, got {array.dtype}")
    wrong = array[(array < -1) | (array >= count)]
    if wrong.size:
        raise ValueError(f"{name}: wanted gallery rows 0 to {count - 1}, or -1, got {wrong[0]}")
    return np.ascontiguousarray(array, np.int32)


def labels(name: str, value: Unchecked, count: int) -> np.ndarray:
    """(count,) whole numbers -> int64, in NumPy wherever they were; refuses what int64 does not hold."""
    array = _plain(name, value)
    if array.shape != (count,):
        square = array.ndim == 2 and len(array) == array.shape[1] > 1
        remedy = (
            "; matrices of distances are for rerank_distances and postproc.compat.re_ranking" if square else ""
        )
        raise ValueError(f"{name}: wanted {count} values, one an image, got shape {array.shape}{remedy}")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name}: wanted whole numbers, got {array.dtype}")
    if array.dtype == np.uint64 and array.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError(
            f"{name}: wanted whole numbers up to {np.iinfo(np.int64).max}, got {array.max()}; number them, as "
            "np.unique(…, return_inverse=True) does, all sides together"
        )
    return array.astype(np.int64)


def labels_or_none(name: str, value: Unchecked, count: int) -> np.ndarray:
    """:func:`labels`, or -1 for every image where ``value`` is None."""
    return np.full(count, -1) if value is None else labels(name, value, count)


def labels_of_sides(
    what: str, query: Unchecked, gallery: Unchecked, sizes: tuple[int, int], *, optional: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """``query_<what>`` and ``gallery_<what>`` as :func:`labels`; if ``optional``, as :func:`labels_or_none`."""
    check = labels_or_none if optional else labels
    return check(f"query_{what}", query, sizes[0]), check(f"gallery_{what}", gallery, sizes[1])


def data(name: str, value: Unchecked, count: int | None) -> None:
    """Refuse what is not what the vocabulary says of this name, with one row for each of ``count`` images."""
    known = VOCABULARY[name]
    there = math.prod(np.shape(value)) if count is None else count
    if known.kind == "int":
        labels(name, value, there)
    elif len(known.axes) == 1:
        values(name, value, there)
    else:
        array = features(name, value, cuda=True)
        if count is not None:
            one_row_each(name, array, count)


def _is_number(value: object) -> bool:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return False
    return not math.isnan(float(value))


def _numbers(name: str, value: Unchecked, dimensions: int, cuda: bool = False) -> np.ndarray:
    if arrays.on_cuda(value):
        return _tensor(name, value, dimensions, cuda)
    if not hasattr(value, "__array__") and not isinstance(value, (list, tuple)):
        raise TypeError(f"{name}: wanted a NumPy array, got {type(value).__name__}")
    array = _plain(name, value)
    if array.ndim != dimensions:
        raise ValueError(f"{name}: wanted {dimensions} dimensions, got shape {array.shape}")
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise TypeError(f"{name}: wanted numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(array, np.float32)
    if found.dtype != array.dtype:
        _refuse_too_large(name, array, found)
        _refuse_too_small(name, array, found)
    return found


def _plain(name: str, value: Unchecked) -> np.ndarray:
    """What a caller holds as a NumPy array: of a tensor, of a list, of a masked array without masked values."""
    value = arrays.host(value)
    if isinstance(value, np.ma.MaskedArray):
        if masked := int(np.ma.count_masked(value)):
            raise ValueError(
                f"{name}: wanted values everywhere, got {masked} of {value.size} masked; fill them with "
                f"{name}.filled(…) or leave these images out"
            )
        return np.asarray(value.data)
    try:
        return np.asarray(value)
    except ValueError as error:
        if not isinstance(value, (list, tuple)):
            raise
        lengths = sorted({len(row) if hasattr(row, "__len__") else 0 for row in value})
        raise ValueError(f"{name}: wanted rows of one length, got lengths {lengths}") from error


def _refuse_too_large(name: str, given: Array, found: Array) -> None:
    """Refuse finite numbers that have become infinite as float32."""
    xp = arrays.namespace(found)
    row = _first_bad_row(found, lambda block: ~xp.isinf(block)) if found.ndim == 2 else None
    if found.ndim == 1 and bool(xp.any(xp.isinf(found))):
        row = int(np.argmax(arrays.host(xp.isinf(found))))
    if row is None:
        return
    lost = xp.isfinite(given) & xp.isinf(found)
    if bool(xp.any(lost)):
        value = float(given[lost][0])
        raise ValueError(f"{name}: wanted numbers that float32 can hold, up to 3.4e38, got {value:g}")


def _refuse_too_small(name: str, given: Array, found: Array) -> None:
    """Refuse rows that are zeros in float32 alone."""
    for start in range(0, len(found) if found.ndim == 2 else 0, ROWS):
        part = slice(start, start + ROWS)
        lost = ~(found[part] != 0).any(1)
        if bool(lost.any()):
            lost &= (given[part] != 0).any(1)
            if bool(lost.any()):
                row = start + int(np.argmax(arrays.host(lost)))
                value = float(abs(given[row]).max())
                raise ValueError(
                    f"{name}: wanted numbers that float32 can hold, from 1.2e-38, got none above {value:g} in "
                    f"row {row}"
                )


def _tensor(name: str, value: Array, dimensions: int, welcome: bool) -> Array:
    """The same for a tensor on a CUDA device."""
    if not welcome:
        raise TypeError(f"{name}: {CPU_ONLY.format(name)}")
    if value.ndim != dimensions:
        raise ValueError(f"{name}: wanted {dimensions} dimensions, got shape {tuple(value.shape)}")
    if value.is_complex() or str(value.dtype) == "torch.bool":
        raise TypeError(f"{name}: wanted numbers, got {value.dtype}")
    found = value.detach().float().contiguous()
    if value.element_size() > found.element_size():
        _refuse_too_large(name, value, found)
        _refuse_too_small(name, value, found)
    return found


def _first_bad_row(array: Array, is_good: Callable[[Array], Array]) -> int | None:
    """The first row with an entry that is not good; in blocks, so that no mask of the whole array exists."""
    block = (1 << 16) if arrays.on_cuda(array) else ROWS
    for start in range(0, len(array), block):
        good = is_good(array[start : start + block]).all(axis=1)
        if not good.all():
            return start + int(np.argmin(arrays.host(good)))
    return None
