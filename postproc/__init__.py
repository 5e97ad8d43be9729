"""Post-processing for re-identification: functions on arrays, the same answer everywhere.

>>> from postproc import rerank
>>> rerank.__name__
'rerank'

One family of techniques a folder, one technique a file. Every folder imports only from those above it::

    base         the vocabulary, kinds of settings, declarations, checks, threads, cache
    kernels      numerical code: cpu, cuda, and reference, which defines both
    pairs        distances described, computed a tile at a time, walked over; neighbours; ranks
    features     features in, features out: whitening, expansion, learned metrics
    hubness      distances measured against what is usual for their two ends
    context      re-ranking by neighbourhoods
    tracks       means and distances of tracklets, rankings by whole tracks
    codes        binary codes
    clusters     who belongs together: linkage, density, constrained union
    constraints  cameras, directions, attributes, space and time
    identities   images become identities, the unknown among them
    online       a gallery that answers one query at a time; feature steps fitted once
    testing      the laws of every step, for anybody's; small worlds to try it in
    compat       some of all that, under the signatures that other repositories call it by
    testing      the laws that every step keeps, for a step of your own

Positional parameters are data and carry names of :data:`postproc.base.vocabulary.VOCABULARY`; keyword-only
parameters are settings of the kinds of :mod:`postproc.base.settings`; the return annotation says what comes out.
What else there is to know about a step, :func:`postproc.base.step.step` declares where it is written. Importing
this package loads NumPy and nothing heavier.
"""

from types import ModuleType as _Module

from postproc.base import step as _step
from postproc.base.runtime import using
from postproc.base.vocabulary import Nearest
from postproc.clusters.components import connected_components
from postproc.clusters.constrained_union import constrained_union
from postproc.clusters.dbscan import dbscan
from postproc.clusters.hdbscan import hdbscan
from postproc.clusters.linkage import linkage
from postproc.clusters.refine_clusters import refine_clusters
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
from postproc.constraints.labels import label_votes, sort_and_insert
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
from postproc.constraints.tlift import tlift
from postproc.context.aim import aim
from postproc.context.bfs_tree import bfs_tree
from postproc.context.ca_jaccard import ca_jaccard
from postproc.context.cas import cas
from postproc.context.cheb_gr import cheb_gr
from postproc.context.cprr import cprr
from postproc.context.diffusion import diffusion
from postproc.context.ecn import ecn
from postproc.context.explore_exploit import explore_exploit
from postproc.context.gnn_rerank import gnn_rerank
from postproc.context.knn_rank import knn_rank
from postproc.context.kwf import kwf
from postproc.context.lbr import lbr
from postproc.context.lhrr import lhrr
from postproc.context.list_uncertainty import list_uncertainty
from postproc.context.offline_diffusion import offline_diffusion
from postproc.context.rdp import rdp
from postproc.context.rdpac import rdpac
from postproc.context.recknn import recknn
from postproc.context.rerank import rerank, rerank_distances
from postproc.context.rerank_multiscale import rerank_multiscale
from postproc.context.rerank_one_sided import rerank_one_sided
from postproc.context.rfe import rfe
from postproc.context.superglobal import superglobal
from postproc.context.visual_neighbours import visual_neighbours
from postproc.features.camera_whitening import camera_whitening
from postproc.features.discriminative_expansion import discriminative_expansion
from postproc.features.gcr import gcr
from postproc.features.kmeans import kmeans
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
from postproc.hubness.qb_norm import qb_norm
from postproc.hubness.sinkhorn import sinkhorn, sinkhorn_distances
from postproc.identities.by_identity import Identities, by_identity
from postproc.identities.cut_at_gap import cut_at_gap
from postproc.identities.with_unknown import with_unknown
from postproc.online.gallery_index import GalleryIndex
from postproc.pairs.distances import distances
from postproc.pairs.known import ApproximateNeighbours
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.neighbours import neighbours
from postproc.pairs.pairwise import Pairwise, expected_same_camera, same_camera, sqeuclidean
from postproc.pairs.part_distances import part_distances
from postproc.pairs.rank import rank
from postproc.pairs.recall import with_recall
from postproc.tracks.build_gallery import build_gallery
from postproc.tracks.compete import compete
from postproc.tracks.compete_tracks import compete_tracks
from postproc.tracks.quality_track_mean import quality_track_mean
from postproc.tracks.query_mean import cluster_queries, multi_query, query_mean
from postproc.tracks.rerank_tracks import rerank_tracks
from postproc.tracks.rewrite_tracks import rewrite_ranking, rewrite_tracks
from postproc.tracks.track_augmentation import track_augmentation
from postproc.tracks.track_distances import pool_distances, track_distances
from postproc.tracks.track_mean import track_mean
from postproc.tracks.track_votes import track_votes
from postproc.tracks.weighted_track_mean import weighted_track_mean

STEPS = tuple(value for value in vars().copy().values() if _step.is_step(value))
CPU_ONLY = tuple(
    step for step in STEPS if _step.declared_by(step).host_only
)  # these refuse CUDA tensors in a sentence
ON_CUDA = tuple(step for step in STEPS if step not in CPU_ONLY)  # and these take them, and give such back
__all__ = sorted(name for name, value in vars().items() if name[0] != "_" and not isinstance(value, _Module))
