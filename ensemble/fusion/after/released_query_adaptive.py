"""Query-adaptive fusion as one winner released it: a main model, and others that share the rest query by query.

Source: IvyYZ/multi-model-fusion ``multi_model.py`` get_weights and compare_d, after Zheng et al., CVPR 2015.
Differs: any number of parts; no fixed sizes; a row without differences is 0 and does not divide by 0.

Kept as released: the reference is the mean of the first test queries' rows, the first one twice, in gallery
order and not sorted; raw values are sorted descending, so that the curve of distances begins with the farthest
image.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import Parts, checked, join
from ensemble.fusion.kinds import OneAPart, Part
from ensemble.fusion.scaling import scaler
from postproc.base.settings import Count, Number, Within
from postproc.base.vocabulary import Floats

TINY = 1e-12


def _no_flags(value: Any, count: int) -> str | None:
    if value is None or (
        not isinstance(value, str)
        and isinstance(value, Sequence | np.ndarray)
        and len(value) == count
        and all(isinstance(flag, (bool, np.bool_)) for flag in value)
    ):
        return None
    return f"wanted {count} times true or false, one for each part, got {value!r}"


References = Annotated[Count, Within(1)]
Top = Annotated[Count, Within(2)]
Similarities = Annotated[Sequence[bool] | None, OneAPart(counted=_no_flags)]


@join(host_only=True, lists="gallery", memory=parts.blocks(3.2, 0.45), work=parts.looks(3, 11))
def released_query_adaptive(
    distances: Parts,
    *,
    main: Annotated[Number, Within(0, 1)] = 0.81,
    leader: Part = 0,
    references: References = 71,
    top: Top = 335,
    similarities: Similarities = None,
) -> Floats:
    """Join a main model with others, which share ``1 - main`` by the shape of the query's scores.

    ``main u_1 + (1 - main) sum_m v_m u_m``, u the distances min-max by query, v as :func:`released_weights`.

    Takes:   distances, one (nq, n) float32 a part; all pairs known. +inf is never returned, and counts as the
             farthest of its row.
    Returns: (nq, n) float32 in 0..1. It depends on which queries come first: see the reference above.
    main:    0 to 1; 1 is the main model alone, 0 without it. With one part it is 1.
    leader:  which part is the main model: its number, from 0; in recipes its name, or a pattern as of models.
    references: 1 or more queries, cut to what there is.
    top:     2 or more entries of the sorted curve, cut to what there is.
    similarities: for every part whether its distances are similarities with the sign changed (as - cosine), whose
             curve was that of the similarity. None: none is.
    Raises:  ValueError for a wrong setting, parts of different shapes, NaN or -inf.
    Cost:    a sort of every row of every part but the main one; the result and some blocks of rows.
    """
    found = parts.checked(distances, "refuse")
    order = [leader, *(number for number in range(len(found)) if number != leader)]
    signs = [_signs(similarities, len(found))[number] for number in order]
    found = [found[number] for number in order]
    shares = [main] if len(found) > 1 else [1.0]
    means = [_reference(part, sign, references) for part, sign in zip(found[1:], signs[1:], strict=True)]
    changes = [scaler(part, "min-max") for part in found]

    def share(rows: slice) -> np.ndarray:
        blocks = [change(part[rows]) for part, change in zip(found, changes, strict=True)]
        never = np.any([np.isinf(block) for block in blocks], axis=0)
        others = [
            _inverse_area(_finite(part[rows]), sign, mean, top)
            for part, sign, mean in zip(found[1:], signs[1:], means, strict=True)
        ]
        whole = np.sum(others, axis=0)
        total = shares[0] * np.where(np.isfinite(blocks[0]), blocks[0], 1).astype(np.float64)
        for own, block in zip(others, blocks[1:], strict=True):
            total += (1 - main) * (own / whole)[:, None] * np.where(np.isfinite(block), block, 1)
        return parts.answer(total, never, np.zeros_like(never))

    return parts.by_rows(found, share, what="query-adaptive fusion")


@checked(host_only=True)
def released_weights(
    distances: Parts, *, references: References = 71, top: Top = 335, similarities: Similarities = None
) -> np.ndarray:
    """How the parts share a query: ``(1 / A_m) / sum(1 / A)``.

    x being a part's values, ``s = sorted descending x_i - (x_0 + x_0 + x_1 + ... + x_(references - 1)) /
    (references + 1)``, normalised by the extremes of its first ``top`` entries; A is the sum of entries 1 to
    ``top - 1`` of that.

    Takes:   distances, one (nq, n) float32 a part, without the main model.
    Returns: (nq, parts) float64, rows of sum 1. Settings: see :func:`released_query_adaptive`.
    """
    found = parts.checked(distances, "refuse")
    signs = _signs(similarities, len(found))
    inverse = np.stack(
        [
            _inverse_area(_finite(part), sign, _reference(part, sign, references), top)
            for part, sign in zip(found, signs, strict=True)
        ],
        axis=1,
    )
    return inverse / inverse.sum(axis=1, keepdims=True)


def _reference(part: np.ndarray, sign: float, references: int) -> np.ndarray:
    first = sign * _finite(part[:references]).astype(np.float64)
    return (first[:1].sum(axis=0) + first.sum(axis=0)) / (len(first) + 1)


def _inverse_area(values: np.ndarray, sign: float, reference: np.ndarray, top: int) -> np.ndarray:
    curve = np.sort(sign * values.astype(np.float64), axis=1)[:, ::-1] - reference
    head = curve[:, :top]
    low, high = head.min(axis=1, initial=np.inf, keepdims=True), head.max(axis=1, initial=-np.inf, keepdims=True)
    height = (head - low + TINY) / (high - low + TINY)
    return 1 / (height[:, 1:].sum(axis=1) + TINY)


def _finite(block: np.ndarray) -> np.ndarray:
    """+inf becomes the farthest of its row, 0 where nothing else is there."""
    known = np.isfinite(block)
    if known.all():
        return block
    high = np.where(known, block, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    return np.where(known, block, np.where(np.isfinite(high), high, 0))


def _signs(similarities: Sequence[bool] | None, count: int) -> list[float]:
    flags = [False] * count if similarities is None else similarities
    return [-1.0 if flag else 1.0 for flag in flags]
