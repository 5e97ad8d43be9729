"""From scores to how likely two images show one identity.

Source: WildlifeDatasets/wildlife-tools ``wildlife_tools/similarity/calibration.py`` (WildFusion, Cermak et al.,
2024): isotonic regression smoothed by a monotone cubic spline, and logistic regression.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from ensemble.fusion.scaling import scaler
from postproc.base.step import checked

Method = Literal["isotonic", "isotonic-steps", "logistic"]
Calibration = Callable[[np.ndarray], np.ndarray]
UNIT = "1 - probability"


@checked
def calibration(
    scores: np.ndarray, hits: np.ndarray, *, method: Method = "isotonic", weights: np.ndarray | None = None
) -> Calibration:
    """Learn from pairs what a score means: a function from scores to probabilities.

    isotonic       the rising step function nearest to the hits; through the middles between its corners and both
                   ends of the scores a monotone cubic spline (PCHIP); outside, the smallest and largest hit
    isotonic-steps the rising function itself, straight between its corners, constant outside
    logistic       ``1 / (1 + exp(-(a s + b)))``, a with scikit-learn's usual penalty (C = 1), which is felt where
                   scores are small numbers

    Takes:   scores (n,), larger is more alike (minus a distance); hits (n,), 1 for one identity, 0 for two.
    Returns: a function: scores of any shape -> float64 of that shape, rising; the isotonic ones add 2.2e-16 times
             the score, so that float64 keeps an order where the probability is 0. To find the score at which a
             probability is reached, search it.
    method:  one of the three.
    weights: (n,) how many pairs each stands for, above 0; None: 1 each.
    Raises:  ValueError for a wrong setting, NaN, hits of one kind only.
    Cost:    O(n log n).

    >>> likely = calibration(np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 0, 1, 1]))
    >>> likely(np.array([0.0, 0.4, 1.0])).round(2)
    array([0. , 0.5, 1. ])
    """
    x = np.asarray(scores, np.float64)
    y = np.asarray(hits)
    if x.ndim != 1 or not x.size or not np.isfinite(x).all():
        raise ValueError(f"scores: wanted a row of finite numbers, got shape {x.shape}")
    if y.shape != x.shape or not np.isin(y, (0, 1)).all():
        raise ValueError(f"hits: wanted {len(x)} times 0 or 1, one a score, got shape {y.shape}")
    if y.all() or not y.any():
        raise ValueError(f"hits: wanted pairs of one identity and of two, got {len(y)} of one kind")
    number = None if weights is None else np.asarray(weights, np.float64)
    if number is not None and (number.shape != x.shape or not np.isfinite(number).all() or (number <= 0).any()):
        raise ValueError(f"weights: wanted {len(x)} numbers above 0, got shape {number.shape}")
    if method == "logistic":
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression().fit(x[:, None], y, sample_weight=number)
        return partial(_logistic, float(model.coef_[0, 0]), float(model.intercept_[0]))
    from sklearn.isotonic import IsotonicRegression

    rising = IsotonicRegression(out_of_bounds="clip").fit(x, y.astype(np.float64), sample_weight=number)
    corners = rising.X_thresholds_
    if method == "isotonic-steps" or x.min() == x.max():
        return partial(_steps, corners, rising.y_thresholds_)
    from scipy.interpolate import PchipInterpolator

    knots = np.unique([x.min(), *(corners[1:] + corners[:-1]) / 2, x.max()])
    spline = PchipInterpolator(knots, rising.predict(knots), extrapolate=False)
    return partial(_spline, spline, float(knots[0]), float(knots[-1]))


def improbable(distances: np.ndarray, likely: Calibration, order: float) -> np.ndarray:
    """(n, m) float64 ``1 - P + order * min-max distance`` of some rows of distances; NaN and +inf stay."""
    known = np.isfinite(distances)
    out = distances.astype(np.float64)
    out[known] = np.clip(1 - likely(-out[known]), 0, 1)
    return out + order * scaler(distances, "min-max")(distances) if order else out


def _logistic(slope: float, intercept: float, scores: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(slope * np.asarray(scores, np.float64) + intercept)


def _steps(corners: np.ndarray, values: np.ndarray, scores: np.ndarray) -> np.ndarray:
    x = np.asarray(scores, np.float64)
    return np.interp(x, corners, values) + x * np.finfo(np.float64).eps


def _spline(spline: Any, low: float, high: float, scores: np.ndarray) -> np.ndarray:
    x = np.asarray(scores, np.float64)
    inside = np.clip(spline(np.clip(x, low, high)), 0, 1)
    return np.where(x < low, 0, np.where(x > high, 1, inside)) + x * np.finfo(np.float64).eps
