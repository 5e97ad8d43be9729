"""SDML: a sparse metric near the Mahalanobis distance of all images, by the graphical lasso.

Source: Qi et al., "An Efficient Sparse Metric Learning in High-Dimensional Space via l1-Penalized Log-Determinant
Regularization", ICML 2009, here with means over all pairs in the place of sums over drawn ones.
"""

import numpy as np

from postproc.features.metrics import covariance
from postproc.features.metrics.metric import Metric, Unfit
from postproc.features.metrics.principal import principal_directions
from postproc.features.metrics.silence import silence

SMALLEST = 0.1  # eigenvalue of C, which must be positive definite
SPARSITY = 0.01


def fit(train: np.ndarray, pid: np.ndarray, cam: np.ndarray, *, components: int | None) -> Metric:
    """M minimises ``tr(C M) - log det M + SPARSITY |M|_1`` off the diagonal, on whitened images, with
    ``C = I + b (same - different)``, b as large as leaves the smallest eigenvalue of C at SMALLEST.
    """
    from sklearn.covariance import graphical_lasso

    variances, basis = principal_directions(train)
    basis = basis / np.sqrt(variances)
    same, different = covariance.of_pairs(train @ basis, pid, cam)
    away = float(np.linalg.eigvalsh(different - same)[-1])
    balance = (1 - SMALLEST) / away if away > 0 else 0.0
    wanted = np.eye(len(variances)) + balance * (same - different)
    if len(wanted) == 1:  # nothing is off the diagonal
        return Metric.of_matrix(1 / wanted, basis)
    with silence():
        try:
            found = graphical_lasso(wanted, alpha=SPARSITY)[1]
        except (ArithmeticError, UserWarning, ValueError) as error:
            raise Unfit(f"the graphical lasso gives up ({error}); set a smaller pca") from error
    return Metric.of_matrix(found, basis, components)
