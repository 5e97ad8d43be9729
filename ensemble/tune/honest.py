"""What a choice is worth: every fold is judged by the trial that all other folds like best.

The best of many trials is partly the luckiest, so its score on the folds that chose it is too high. Here the
choice for a fold never sees that fold: with ``s[t, f]`` the score of trial t on fold f,

    t(f) = argmax_t mean of s[t, g] over g != f,        reported: mean and standard deviation of s[t(f), f].

The trial to take is the best over all folds. Equal trials: the earlier one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Verdict:
    """``best``: the trial to take. ``chosen`` (folds,): that for each fold, ``held_out`` (folds,) its score."""

    best: int
    chosen: NDArray[np.int64]
    held_out: NDArray[np.float64]


def judge(scores: ArrayLike) -> Verdict:
    """(trials, folds) scores, higher is better, rows of NaN for trials that could not run -> what to take.

    >>> found = judge([[0.5, 0.5, 0.5], [0.9, 0.4, 0.4]])      # luck in fold 0 does not count there
    >>> found.chosen.tolist(), found.held_out.tolist(), found.best
    ([0, 1, 1], [0.5, 0.4, 0.4], 1)
    """
    s = np.asarray(scores, np.float64)
    folds = s.shape[1]
    mean = np.where(np.isnan(s), -np.inf, s)
    chosen = np.array([int(np.argmax(np.delete(mean, fold, axis=1).mean(axis=1))) for fold in range(folds)])
    return Verdict(int(np.argmax(mean.mean(axis=1))), chosen, s[chosen, np.arange(folds)])


def spread(values: ArrayLike) -> tuple[float, float]:
    """Mean and standard deviation (n - 1) of the folds' scores."""
    found = np.asarray(values, np.float64)
    return float(found.mean()), float(found.std(ddof=1))
