"""Binary codes instead of features: bits that say which values are above a cut.

Heads that were trained to be hashed, as light-reid's, say that they are codes and how long each is; the features
of any other model become one code with ``codes=yes`` behind it. The bits are taken after all views were joined.
"""

from dataclasses import dataclass

import numpy as np

from extractors.model import Model


@dataclass(frozen=True)
class Codes:
    """``lengths`` of codes side by side, empty for one as long as the feature; bits are values above ``cut``."""

    lengths: tuple[int, ...] = ()
    cut: float = 0.0

    def bits(self, features: np.ndarray) -> np.ndarray:
        """(n, d) -> (n, d) float32 of 0 and 1."""
        return (features > np.float32(self.cut)).astype(np.float32)

    def of(self, width: int) -> tuple[int, ...]:
        """The lengths, for features of this width."""
        return self.lengths or (width,)


def codes_of(model: Model, text: str | None, problems: list[str]) -> Codes | None:
    """The codes that a model's features become; None where they stay numbers.

    text: the option ``codes``: yes, no, or the cut; without it as the model says itself.
    """
    lengths = tuple(int(length) for length in getattr(model, "code_lengths", ()))
    if text == "no" or (text is None and not lengths):
        return None
    if text in (None, "yes"):
        return Codes(lengths)
    try:
        cut = float(text or "")
    except ValueError:
        cut = np.nan
    if not abs(cut) < 1e9:
        problems.append(f"{model.name}: wanted codes=yes, no or the value that separates 0 from 1, found {text}")
        return None
    return Codes(lengths, cut)
