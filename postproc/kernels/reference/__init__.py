"""The definitions, in plain NumPy and float64, loops and all. Tests compare with these; nothing else calls them.

Matrices of all by all are fine here. Ties are broken by row everywhere: every sort is stable.
"""

from postproc.kernels.reference.basic import rank, same_camera, sqeuclidean, track_mean, unit
from postproc.kernels.reference.cas import cas
from postproc.kernels.reference.codes import build_gallery, coarse_to_fine, hamming
from postproc.kernels.reference.constrained import (
    camera_rules,
    cluster_gallery_soft,
    part_penalty,
    rerank_constrained,
)
from postproc.kernels.reference.constraints import (
    apply_topology,
    attribute_distances,
    expected_same_camera,
    label_penalty,
    orientation_rule,
    subtract_auxiliary,
    topology_matrix,
)
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
from postproc.kernels.reference.rewriting import best_assignment, exclude, one_track_per_camera, rewrite_tracks
from postproc.kernels.reference.spatio_temporal import spatio_temporal, time_prior
from postproc.kernels.reference.tracks import (
    nearest_first,
    pool_distances,
    quality_track_mean,
    rerank_tracks,
    track_augmentation,
    weighted_track_mean,
)
from postproc.kernels.reference.whitening import (
    camera_whitening,
    learned_whitening,
    principal_components,
    quantile_transform,
)

__all__ = [
    "affinity",
    "apply_topology",
    "attribute_distances",
    "best_assignment",
    "build_gallery",
    "ca_jaccard",
    "camera_rules",
    "camera_whitening",
    "cas",
    "cluster_gallery_soft",
    "coarse_to_fine",
    "csls",
    "dbscan",
    "diffusion",
    "dis_sim",
    "ecn",
    "entry",
    "exclude",
    "expected_same_camera",
    "gcr",
    "gcr_local",
    "gnn_rerank",
    "hamming",
    "kissme",
    "kwf",
    "label_penalty",
    "lbr",
    "learned_whitening",
    "lfda",
    "local_scaling",
    "merge_set_features",
    "mutual_proximity",
    "nearest_first",
    "nfc",
    "nfst",
    "nnn",
    "offline_rows",
    "one_track_per_camera",
    "orientation_rule",
    "pair_covariances",
    "part_penalty",
    "pool_distances",
    "principal_components",
    "quality_track_mean",
    "quantile_transform",
    "query_expansion",
    "rank",
    "rdp",
    "rerank",
    "rerank_constrained",
    "rerank_matrix",
    "rerank_tracks",
    "rewrite_tracks",
    "same_camera",
    "sinkhorn",
    "spatio_temporal",
    "sqeuclidean",
    "subtract_auxiliary",
    "subtract_negatives",
    "superglobal",
    "time_prior",
    "topology_matrix",
    "track_augmentation",
    "track_mean",
    "unit",
    "weighted_track_mean",
    "xqda",
]
