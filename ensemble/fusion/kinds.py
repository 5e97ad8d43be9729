"""Kinds of settings that joins have besides those of :mod:`postproc.base.settings`: weights, and others a part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from postproc.base.settings import Checked, Kind, Number, Setting, Within


def _any(value: Any) -> None:
    """Nothing can be said about a value a part before the number of parts is known."""


@dataclass(frozen=True)
class OneAPart(Checked):
    """A value for each part: ``counted(value, parts)`` says what was wanted and what was given, or nothing."""

    wrong: Callable[[Any], str | None] = _any
    counted: Callable[[Any, int], str | None] = lambda value, parts: None


def weights(smallest: float = -np.inf, *, all_zero: bool = False) -> OneAPart:
    """A number of ``smallest`` or more for each part, not all 0 unless ``all_zero``; None is 1 each."""

    def counted(value: Any, parts: int) -> str | None:
        if value is None:
            return None
        try:
            found = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            found = np.array(np.nan)
        if found.shape != (parts,) or not np.isfinite(found).all() or (found < smallest).any():
            limit = f" of {smallest:g} or more" if smallest > -np.inf else ""
            return f"wanted {parts} numbers{limit}, one for each part, got {value!r}"
        return None if all_zero or found.any() else f"wanted one other than 0, got {value!r}"

    return OneAPart(counted=counted)


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

Weights = Annotated[Sequence[float] | None, weights(0)]  # how much each part counts; 0 leaves it out
SignedWeights = Annotated[Sequence[float] | None, weights()]  # a part of negative weight is subtracted
NotNegative = Annotated[Number, Within(0), NOT_NEGATIVE]
RankConstant = Annotated[float, Kind("number", search="neighbours"), Within(0), NOT_NEGATIVE]  # added to a rank
Part = Annotated[int, OneAPart(counted=_no_part)]  # one of the parts, from 0; in recipes by its name
Inside = Annotated[Number, Within(0, 1), share_without(0, 1)]  # 0 and 1 left out
