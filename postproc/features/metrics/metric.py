"""What every method learns: a quadratic form, as directions with weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from postproc.features import linear
from postproc.features.linear import Change

NONE = 1e-10  # of the largest weight: rounding


class Unfit(Exception):
    """Why a method finds no metric in these training images."""


@dataclass(frozen=True)
class Metric:
    """``(a - b)ᵀ M (a - b) = sum_k weights_k (directions_kᵀ (a - b))²``, the largest weight first.

    ``directions`` (d, r) and ``weights`` (r,) float64, which may be negative: then M is indefinite. ``before`` is
    what happens to features first, where a method is not linear in them.
    """

    directions: np.ndarray
    weights: np.ndarray
    before: Change | None = None

    @staticmethod
    def of_matrix(matrix: np.ndarray, directions: np.ndarray, components: int | None = None) -> Metric:
        """``directions matrix directionsᵀ``, of which the ``components`` largest weights, whatever their sign."""
        weights, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        largest = np.argsort(-np.abs(weights), kind="stable")[:components]
        largest = np.sort(largest[np.abs(weights[largest]) > NONE * np.abs(weights).max()])[::-1]
        return Metric(linear.with_fixed_signs(directions @ vectors[:, largest]), weights[largest])

    @staticmethod
    def of_map(matrix: np.ndarray, before: Change | None = None) -> Metric:
        """Squared Euclidean distance after ``x -> before(x) matrix``."""
        return Metric(linear.with_fixed_signs(matrix), np.ones(matrix.shape[1]), before)

    def after(self, basis: np.ndarray) -> Metric:
        """The same metric for features of which ``basis`` (d, r) makes those that it was learned from."""
        inner = self.before
        if inner is None:
            return replace(self, directions=basis @ self.directions)
        return replace(self, before=lambda rows: inner(rows @ basis))
