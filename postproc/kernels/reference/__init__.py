"""The definitions, in plain NumPy and float64, loops and all. Tests compare with these; nothing else calls them.

Matrices of all by all are fine here. Ties are broken by row everywhere: every sort is stable.
"""

from postproc.kernels.reference.basic import rank, same_camera, sqeuclidean, track_mean, unit
from postproc.kernels.reference.expansion import query_expansion
from postproc.kernels.reference.rerank import rerank, rerank_matrix

__all__ = [
    "query_expansion",
    "rank",
    "rerank",
    "rerank_matrix",
    "same_camera",
    "sqeuclidean",
    "track_mean",
    "unit",
]
