"""Post-processing for re-identification: functions on arrays, the same answer everywhere.

>>> from postproc import rerank
>>> rerank.__name__
'rerank'

Layers, each importing only what stands above it:

``types``, ``checks``, ``runtime``   the vocabulary; refusals; threads, memory, progress
``kernels``                          numerical code, one module a back end
``pairwise``, ``tiles``, ``nearest`` distances described; computed a tile at a time; walked over
``sparse``, ``graph``, ``linear``    rows over images; neighbour graphs; sums and maps of features
what several techniques share        ``kreciprocal``, ``shortlist``, ``hubness``, ``expansion``, ``dbscan``,
                                     ``tracks``, ``grouping``, ``adjusting``, ``prior``, ``metrics``
one file a technique                 the functions below

Positional parameters are data and carry names of :data:`postproc.base.vocabulary.VOCABULARY`; keyword-only
parameters are settings; the return annotation says what comes out. Importing this package loads NumPy and nothing
heavier.
"""

from postproc.base.runtime import using
from postproc.base.vocabulary import Nearest
from postproc.codes.binary import binary_codes, codes_to_hex, hamming, hamming_codes, hex_to_codes
from postproc.codes.coarse_to_fine import coarse_to_fine, coarse_to_fine_codes, code_thresholds
from postproc.constraints.assign_tracks import assign_tracks
from postproc.constraints.attributes import (
    attribute_confusions,
    attribute_distances,
    attribute_mismatch,
    attribute_pairs,
)
from postproc.constraints.camera_penalty import camera_penalty, mask_same_camera
from postproc.constraints.camera_topology import apply_topology, camera_topology, topology_matrix
from postproc.constraints.cluster_gallery_soft import cluster_gallery_soft
from postproc.constraints.exclude import exclude, exclude_kinds
from postproc.constraints.expected_camera_penalty import expected_camera_penalty
from postproc.constraints.one_track_per_camera import one_track_per_camera, one_track_per_camera_ranking
from postproc.constraints.orientation_rule import orientation_rule
from postproc.constraints.part_penalty import part_penalty
from postproc.constraints.predicted_cameras import complete_cameras, predict_camera_groups, predict_cameras
from postproc.constraints.prior import SpatioTemporalPrior, cumulative_frames, fit_prior
from postproc.constraints.rerank_attributes import rerank_attributes
from postproc.constraints.rerank_constrained import rerank_constrained
from postproc.constraints.scene_gate import scene_gate
from postproc.constraints.spatio_temporal import rerank_spatio_temporal, spatio_temporal
from postproc.constraints.subtract_auxiliary import subtract_auxiliary
from postproc.context.ca_jaccard import ca_jaccard
from postproc.context.cas import cas
from postproc.context.diffusion import diffusion
from postproc.context.ecn import ecn
from postproc.context.gnn_rerank import gnn_rerank
from postproc.context.kwf import kwf
from postproc.context.lbr import lbr
from postproc.context.offline_diffusion import offline_diffusion
from postproc.context.rdp import rdp
from postproc.context.rerank import rerank, rerank_distances
from postproc.context.superglobal import superglobal
from postproc.features.camera_whitening import camera_whitening
from postproc.features.discriminative_expansion import discriminative_expansion
from postproc.features.gcr import gcr
from postproc.features.learned_metric import learned_distances, learned_metric
from postproc.features.learned_whitening import learned_whitening
from postproc.features.merge_set_features import merge_set_features
from postproc.features.nfc import nfc
from postproc.features.quantile_transform import quantile_transform
from postproc.features.query_expansion import query_expansion
from postproc.features.signed_power import signed_power
from postproc.features.subtract_negatives import subtract_negatives
from postproc.features.whiten import whiten
from postproc.hubness.csls import csls, csls_distances
from postproc.hubness.dis_sim import dis_sim
from postproc.hubness.local_scaling import local_scaling
from postproc.hubness.mutual_proximity import mutual_proximity
from postproc.hubness.nnn import nnn
from postproc.hubness.sinkhorn import sinkhorn, sinkhorn_distances
from postproc.pairs.distances import distances
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import Pairwise, expected_same_camera, same_camera, sqeuclidean
from postproc.pairs.rank import rank
from postproc.tracks.build_gallery import build_gallery
from postproc.tracks.quality_track_mean import quality_track_mean
from postproc.tracks.query_mean import cluster_queries, multi_query, query_mean
from postproc.tracks.rerank_tracks import rerank_tracks
from postproc.tracks.rewrite_tracks import rewrite_ranking, rewrite_tracks
from postproc.tracks.track_augmentation import track_augmentation
from postproc.tracks.track_distances import pool_distances, track_distances
from postproc.tracks.track_mean import track_mean
from postproc.tracks.weighted_track_mean import weighted_track_mean

STEPS = (
    l2_normalize,
    track_mean,
    quality_track_mean,
    weighted_track_mean,
    track_augmentation,
    cluster_queries,
    query_mean,
    predict_cameras,
    predict_camera_groups,
    complete_cameras,
    signed_power,
    quantile_transform,
    whiten,
    learned_whitening,
    learned_metric,
    camera_whitening,
    nfc,
    subtract_negatives,
    query_expansion,
    discriminative_expansion,
    merge_set_features,
    gcr,
    cluster_gallery_soft,
    distances,
    learned_distances,
    hamming,
    coarse_to_fine,
    track_distances,
    pool_distances,
    rerank,
    rerank_distances,
    rerank_tracks,
    rerank_constrained,
    rerank_attributes,
    ca_jaccard,
    gnn_rerank,
    ecn,
    kwf,
    lbr,
    superglobal,
    diffusion,
    offline_diffusion,
    rdp,
    cas,
    csls,
    csls_distances,
    local_scaling,
    mutual_proximity,
    dis_sim,
    sinkhorn,
    sinkhorn_distances,
    nnn,
    subtract_auxiliary,
    orientation_rule,
    part_penalty,
    camera_penalty,
    mask_same_camera,
    expected_camera_penalty,
    scene_gate,
    camera_topology,
    exclude,
    one_track_per_camera,
    assign_tracks,
    rewrite_tracks,
    spatio_temporal,
    rerank_spatio_temporal,
    rank,
)

# These refuse CUDA tensors in a sentence; all others take them, and give such back.
CPU_ONLY = (
    quantile_transform,
    learned_metric,
    discriminative_expansion,
    cluster_gallery_soft,
    learned_distances,
    coarse_to_fine,
    rerank_attributes,
    superglobal,
    assign_tracks,
)
ON_CUDA = tuple(step for step in STEPS if step not in CPU_ONLY)

__all__ = [
    "CPU_ONLY",
    "ON_CUDA",
    "STEPS",
    "Nearest",
    "Pairwise",
    "SpatioTemporalPrior",
    "apply_topology",
    "assign_tracks",
    "attribute_confusions",
    "attribute_distances",
    "attribute_mismatch",
    "attribute_pairs",
    "binary_codes",
    "build_gallery",
    "ca_jaccard",
    "camera_penalty",
    "camera_topology",
    "camera_whitening",
    "cas",
    "cluster_gallery_soft",
    "cluster_queries",
    "coarse_to_fine",
    "coarse_to_fine_codes",
    "code_thresholds",
    "codes_to_hex",
    "complete_cameras",
    "csls",
    "csls_distances",
    "cumulative_frames",
    "diffusion",
    "dis_sim",
    "discriminative_expansion",
    "distances",
    "ecn",
    "exclude",
    "exclude_kinds",
    "expected_camera_penalty",
    "expected_same_camera",
    "fit_prior",
    "gcr",
    "gnn_rerank",
    "hamming",
    "hamming_codes",
    "hex_to_codes",
    "kwf",
    "l2_normalize",
    "lbr",
    "learned_distances",
    "learned_metric",
    "learned_whitening",
    "local_scaling",
    "mask_same_camera",
    "merge_set_features",
    "multi_query",
    "mutual_proximity",
    "nfc",
    "nnn",
    "offline_diffusion",
    "one_track_per_camera",
    "one_track_per_camera_ranking",
    "orientation_rule",
    "part_penalty",
    "pool_distances",
    "predict_camera_groups",
    "predict_cameras",
    "quality_track_mean",
    "quantile_transform",
    "query_expansion",
    "query_mean",
    "rank",
    "rdp",
    "rerank",
    "rerank_attributes",
    "rerank_constrained",
    "rerank_distances",
    "rerank_spatio_temporal",
    "rerank_tracks",
    "rewrite_ranking",
    "rewrite_tracks",
    "same_camera",
    "scene_gate",
    "signed_power",
    "sinkhorn",
    "sinkhorn_distances",
    "spatio_temporal",
    "sqeuclidean",
    "subtract_auxiliary",
    "subtract_negatives",
    "superglobal",
    "topology_matrix",
    "track_augmentation",
    "track_distances",
    "track_mean",
    "using",
    "weighted_track_mean",
    "whiten",
]
