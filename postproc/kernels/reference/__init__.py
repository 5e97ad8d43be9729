"""The definitions, in plain NumPy and float64, loops and all. Tests compare with these; nothing else calls them.

Matrices of all by all are fine here. Ties are broken by row everywhere: every sort is stable.
"""

from postproc.kernels.reference.basic import rank, same_camera, sqeuclidean, track_mean, unit
from postproc.kernels.reference.cas import cas
from postproc.kernels.reference.context import ca_jaccard, ecn, gnn_rerank
from postproc.kernels.reference.diffusion import affinity, diffusion, entry, offline_rows, rdp
from postproc.kernels.reference.expansion import (
    dbscan,
    merge_set_features,
    nfc,
    query_expansion,
    subtract_negatives,
)
from postproc.kernels.reference.hubness import csls, dis_sim, local_scaling, mutual_proximity, nnn, sinkhorn
from postproc.kernels.reference.metrics import kissme, lfda, nfst, pair_covariances, xqda
from postproc.kernels.reference.neighbours import gcr, gcr_local, kwf, lbr, superglobal
from postproc.kernels.reference.rerank import rerank, rerank_matrix
from postproc.kernels.reference.whitening import (
    camera_whitening,
    learned_whitening,
    principal_components,
    quantile_transform,
)

__all__ = [
    "affinity",
    "ca_jaccard",
    "camera_whitening",
    "cas",
    "csls",
    "dbscan",
    "diffusion",
    "dis_sim",
    "ecn",
    "entry",
    "gcr",
    "gcr_local",
    "gnn_rerank",
    "kissme",
    "kwf",
    "lbr",
    "learned_whitening",
    "lfda",
    "local_scaling",
    "merge_set_features",
    "mutual_proximity",
    "nfc",
    "nfst",
    "nnn",
    "offline_rows",
    "pair_covariances",
    "principal_components",
    "quantile_transform",
    "query_expansion",
    "rank",
    "rdp",
    "rerank",
    "rerank_matrix",
    "same_camera",
    "sinkhorn",
    "sqeuclidean",
    "subtract_negatives",
    "superglobal",
    "track_mean",
    "unit",
    "xqda",
]
