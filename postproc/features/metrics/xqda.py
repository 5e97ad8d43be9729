"""XQDA: a subspace in which two identities differ most against two views of one, and KISSME in it.

Source: Liao et al., "Person Re-identification by Local Maximal Occurrence Representation and Metric Learning",
CVPR 2015, and the MATLAB code released with it: singular values and left singular vectors of ``I^-1 E``, not
eigenvalues; those above 1, at least one.
"""

import numpy as np

from postproc.features.metrics import covariance, kissme
from postproc.features.metrics.metric import Metric, Unfit

RIDGE = 0.001  # as released, for features of about unit length


def fit(
    train: np.ndarray, pid: np.ndarray, cam: np.ndarray, *, ridge: float | None, components: int | None
) -> Metric:
    """W and M; with fewer images than dimensions all happens in the space that the images span."""
    basis = None
    if train.shape[1] > len(train):
        basis, triangle = np.linalg.qr(train.T.astype(np.float64))
        train = np.ascontiguousarray(triangle.T)
    same, different = covariance.of_pairs(train, pid, cam)
    same[np.diag_indices_from(same)] += RIDGE if ridge is None else ridge
    left, values, _ = np.linalg.svd(kissme.inverse(same, "of one identity") @ different)
    if ridge is None and not (values > 1).any() and not np.linalg.eigvalsh(different)[-1] > RIDGE:
        raise Unfit(f"differences too small for its ridge of {RIDGE}; set ridge, or bring features to unit length")
    subspace = left[:, : min(max(1, int((values > 1).sum())), components or len(values))]
    found = kissme.matrix(subspace.T @ same @ subspace, subspace.T @ different @ subspace)
    return Metric.of_matrix(found, subspace if basis is None else basis @ subspace)
