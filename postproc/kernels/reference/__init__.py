"""The definitions, in plain NumPy and float64, loops and all. Tests compare with these; nothing else calls them.

Matrices of all by all are fine here. Ties are broken by row everywhere: every sort is stable.
"""

from postproc.kernels.reference.basic import rank, same_camera, sqeuclidean, track_mean, unit
from postproc.kernels.reference.context import ca_jaccard, ecn, gnn_rerank
from postproc.kernels.reference.expansion import query_expansion
from postproc.kernels.reference.rerank import rerank, rerank_matrix
from postproc.kernels.reference.whitening import (
    camera_whitening,
    learned_whitening,
    principal_components,
    quantile_transform,
)

__all__ = [
    "ca_jaccard",
    "camera_whitening",
    "ecn",
    "gnn_rerank",
    "learned_whitening",
    "principal_components",
    "quantile_transform",
    "query_expansion",
    "rank",
    "rerank",
    "rerank_matrix",
    "same_camera",
    "sqeuclidean",
    "track_mean",
    "unit",
]
