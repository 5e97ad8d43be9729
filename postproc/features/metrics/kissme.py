"""KISSME: the difference of two inverse covariances, a likelihood ratio in closed form.

Source: Köstinger et al., "Large Scale Metric Learning from Equivalence Constraints", CVPR 2012, and its toolbox
(``LearnAlgoKISSME``).
"""

import numpy as np

from postproc.features.metrics import covariance
from postproc.features.metrics.metric import Metric, Unfit

SINGULAR = 1e-12  # of the largest eigenvalue


def fit(
    train: np.ndarray,
    pid: np.ndarray,
    cam: np.ndarray,
    *,
    ridge: float,
    different_weight: float,
    components: int | None,
) -> Metric:
    """M from all pairs, none of which is formed."""
    same, different = covariance.of_pairs(train, pid, cam)
    same[np.diag_indices_from(same)] += ridge
    found = matrix(same, different, different_weight)
    return Metric.of_matrix(found, np.eye(train.shape[1]), components)


def matrix(same: np.ndarray, different: np.ndarray, different_weight: float = 1.0) -> np.ndarray:
    """``same^-1 - different_weight different^-1``, which is indefinite as a rule."""
    return inverse(same, "of one identity") - different_weight * inverse(different, "of two identities")


def inverse(covariance: np.ndarray, whose: str) -> np.ndarray:
    """The symmetric inverse; :class:`Unfit` where there is none."""
    values, vectors = np.linalg.eigh(covariance)
    if not values[0] > SINGULAR * values[-1]:
        raise Unfit(f"the covariance of differences {whose} has no inverse; set ridge, or a smaller pca")
    return (vectors / values) @ vectors.T
