"""What the numbers of lists from elsewhere mean, held against the features that they are said to be of."""

import numpy as np

MEANT = {  # what else numbers may be, and what makes distances of them
    "Euclidean distances; give their squares": lambda d: d * d,
    "cosine distances; give twice these, of features of unit length": lambda d: 2 * d,
    "similarities; give 2 - 2 s, of features of unit length": lambda d: 2 - 2 * d,
}
NEAR = 1e-3  # of a distance, and of a squared length up to 1: how well numbers agree but for rounding


def refuse_other_numbers(given: np.ndarray, exact: np.ndarray, length: float) -> None:
    """Refuse distances (m,) that are plainly of another kind than the ``exact`` ones of the same pairs.

    length: the mean squared length of the features.
    """
    if not len(given) or _agree(given, exact, length):
        return
    for said, made in MEANT.items():
        if _agree(made(given.astype(np.float64)), exact, length):
            raise ValueError(f"distances: wanted squared Euclidean distances, found {said}")


def refuse_strange_numbers(given: np.ndarray, exact: np.ndarray, length: float, *, rough: bool) -> None:
    """The same, and numbers that are no distances of these features. ``rough``: they may be off, as of codes."""
    refuse_other_numbers(given, exact, length)
    right = _agree(given, exact, length)
    if rough and len(given):
        right = bool(np.mean(abs(given - exact) <= np.maximum(exact, exact.mean()) / 2) > 0.5)
    if len(given) and not right:
        raise ValueError(
            "neighbours: wanted lists of these features, found distances that are not theirs; give the images in "
            "the same order, and the same features"
        )


def _agree(numbers: np.ndarray, exact: np.ndarray, length: float) -> bool:
    return bool(np.mean(abs(numbers - exact) <= NEAR * np.maximum(min(1, length), abs(exact))) > 0.9)
