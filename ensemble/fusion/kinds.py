"""Kinds of settings that joins have besides those of :mod:`postproc.base.settings`: weights, and others a part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from postproc.base.settings import Checked, Kind, Number, Setting, Within

AGREEMENT = "agreement"  # weights that are found from who agrees with whom, without labels


def _any(value: Any) -> None:
    """Nothing can be said about a value a part before the number of parts is known."""


@dataclass(frozen=True)
class OneAPart(Checked):
    """A value for each part: ``counted(value, parts)`` says what was wanted and what was given, or nothing."""

    wrong: Callable[[Any], str | None] = _any
    counted: Callable[[Any, int], str | None] = lambda value, parts: None


def weights(smallest: float = -np.inf, *, all_zero: bool = False, found: bool = False) -> OneAPart:
    """A number of ``smallest`` or more for each part, not all 0 unless ``all_zero``; None is 1 each.

    ``found``: or :data:`AGREEMENT`, for those that the parts' agreement says.
    """

    def counted(value: Any, parts: int) -> str | None:
        if value is None or (found and isinstance(value, str) and value == AGREEMENT):
            return None
        try:
            given = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            given = np.array(np.nan)
        if given.shape != (parts,) or not np.isfinite(given).all() or (given < smallest).any():
            limit = f" of {smallest:g} or more" if smallest > -np.inf else ""
            instead = f', or "{AGREEMENT}"' if found else ""
            return f"wanted {parts} numbers{limit}, one for each part{instead}, got {value!r}"
        return None if all_zero or given.any() else f"wanted one other than 0, got {value!r}"

    return OneAPart(counted=counted)


def not_written(weights: Any) -> bool:
    """Whether nobody has written weights down: 1 each, or those that are found."""
    return weights is None or isinstance(weights, str)


def share_without(*ends: float) -> Checked:
    """A number of 0 to 1, but not these ends."""
    whole = Setting("", None, "number", low=0, high=1)
    words = " and ".join("more than 0" if end == 0 else "less than 1" for end in ends)

    def wrong(value: Any) -> str | None:
        if not whole.allows(value):
            return f"wanted {whole.wanted()}"
        return f"wanted {words}" if value in ends else None

    return Checked(wrong)


def _negative(value: Any) -> str | None:
    number = Setting("", None, "number")
    if not number.allows(value):
        return f"wanted {number.wanted()}"
    return "wanted 0 or more" if value < 0 else None


def _no_part(value: Any, count: int) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count:
        return None
    return f"wanted the number of a part, 0 to {count - 1}, got {value!r}"


NOT_NEGATIVE = Checked(_negative)

Agreement = Literal["agreement"]
Weights = Annotated[Sequence[float] | None, weights(0)]  # how much each part counts; 0 leaves it out
FoundWeights = Annotated[Sequence[float] | Agreement | None, weights(0, found=True)]  # or as they agree
SignedWeights = Annotated[  # a part of negative weight is subtracted
    Sequence[float] | Agreement | None, weights(found=True)
]
NotNegative = Annotated[Number, Within(0), NOT_NEGATIVE]
RankConstant = Annotated[float, Kind("number", search="neighbours"), Within(0), NOT_NEGATIVE]  # added to a rank
Part = Annotated[int, OneAPart(counted=_no_part)]  # one of the parts, from 0; in recipes by its name
Inside = Annotated[Number, Within(0, 1), share_without(0, 1)]  # 0 and 1 left out
