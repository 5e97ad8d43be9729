"""Written by ``python -m tests.support.stub``: change the functions, and write it anew."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from postproc.base.runtime import using as using
from postproc.base.vocabulary import Nearest as Nearest
from postproc.clusters.components import connected_components as connected_components
from postproc.clusters.constrained_union import constrained_union as constrained_union
from postproc.clusters.dbscan import dbscan as dbscan
from postproc.clusters.hdbscan import hdbscan as hdbscan
from postproc.clusters.linkage import linkage as linkage
from postproc.clusters.refine_clusters import refine_clusters as refine_clusters
from postproc.codes.binary import binary_codes as binary_codes
from postproc.codes.binary import codes_to_hex as codes_to_hex
from postproc.codes.binary import hex_to_codes as hex_to_codes
from postproc.codes.coarse_to_fine import code_thresholds as code_thresholds
from postproc.constraints.assign_tracks import assign_tracks as assign_tracks
from postproc.constraints.attributes import attribute_confusions as attribute_confusions
from postproc.constraints.attributes import attribute_distances as attribute_distances
from postproc.constraints.attributes import attribute_mismatch as attribute_mismatch
from postproc.constraints.attributes import attribute_pairs as attribute_pairs
from postproc.constraints.camera_topology import apply_topology as apply_topology
from postproc.constraints.camera_topology import topology_matrix as topology_matrix
from postproc.constraints.cluster_gallery_soft import cluster_gallery_soft as cluster_gallery_soft
from postproc.constraints.exclude import exclude as exclude
from postproc.constraints.exclude import exclude_kinds as exclude_kinds
from postproc.constraints.one_track_per_camera import one_track_per_camera as one_track_per_camera
from postproc.constraints.one_track_per_camera import one_track_per_camera_ranking as one_track_per_camera_ranking
from postproc.constraints.prior import SpatioTemporalPrior as SpatioTemporalPrior
from postproc.constraints.prior import cumulative_frames as cumulative_frames
from postproc.constraints.prior import fit_prior as fit_prior
from postproc.context.list_uncertainty import list_uncertainty as list_uncertainty
from postproc.features.kmeans import kmeans as kmeans
from postproc.features.nfc import nfc as nfc
from postproc.features.signed_power import signed_power as signed_power
from postproc.identities.by_identity import Identities as Identities
from postproc.identities.by_identity import by_identity as by_identity
from postproc.identities.cut_at_gap import cut_at_gap as cut_at_gap
from postproc.identities.with_unknown import with_unknown as with_unknown
from postproc.online.gallery_index import GalleryIndex as GalleryIndex
from postproc.pairs.known import ApproximateNeighbours as ApproximateNeighbours
from postproc.pairs.l2_normalize import l2_normalize as l2_normalize
from postproc.pairs.listed import NeighbourLists as NeighbourLists
from postproc.pairs.neighbours import neighbours as neighbours
from postproc.pairs.pairwise import Pairwise as Pairwise
from postproc.pairs.pairwise import expected_same_camera as expected_same_camera
from postproc.pairs.pairwise import same_camera as same_camera
from postproc.pairs.pairwise import sqeuclidean as sqeuclidean
from postproc.pairs.rank import rank as rank
from postproc.pairs.recall import with_recall as with_recall
from postproc.tracks.build_gallery import build_gallery as build_gallery
from postproc.tracks.compete import compete as compete
from postproc.tracks.compete_tracks import compete_tracks as compete_tracks
from postproc.tracks.quality_track_mean import quality_track_mean as quality_track_mean
from postproc.tracks.query_mean import cluster_queries as cluster_queries
from postproc.tracks.query_mean import multi_query as multi_query
from postproc.tracks.query_mean import query_mean as query_mean
from postproc.tracks.rewrite_tracks import rewrite_ranking as rewrite_ranking
from postproc.tracks.rewrite_tracks import rewrite_tracks as rewrite_tracks
from postproc.tracks.track_augmentation import track_augmentation as track_augmentation
from postproc.tracks.track_distances import pool_distances as pool_distances
from postproc.tracks.track_mean import track_mean as track_mean
from postproc.tracks.track_votes import track_votes as track_votes

CPU_ONLY: tuple[Callable[..., Any], ...]
ON_CUDA: tuple[Callable[..., Any], ...]
STEPS: tuple[Callable[..., Any], ...]

@overload
def aim(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k1: int = 30,
    k2: int = 6,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def aim(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k1: int = 30,
    k2: int = 6,
    top_k: int,
) -> Nearest: ...
@overload
def bfs_tree(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    p: float = 0.7,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def bfs_tree(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    p: float = 0.7,
    top_k: int,
) -> Nearest: ...
@overload
def ca_jaccard(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k1_intra: int = 5,
    k1_inter: int = 20,
    k2_intra: int = 3,
    k2_inter: int = 3,
    camera_sets: bool = True,
    k1: int = 20,
    camera_means: bool = True,
    k2: int = 6,
    lambda_value: float = 0.0,
    power: float = 2.0,
    normalize: bool = False,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def ca_jaccard(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k1_intra: int = 5,
    k1_inter: int = 20,
    k2_intra: int = 3,
    k2_inter: int = 3,
    camera_sets: bool = True,
    k1: int = 20,
    camera_means: bool = True,
    k2: int = 6,
    lambda_value: float = 0.0,
    power: float = 2.0,
    normalize: bool = False,
    top_k: int,
) -> Nearest: ...
@overload
def ca_jaccard(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    k1_intra: int = 5,
    k1_inter: int = 20,
    k2_intra: int = 3,
    k2_inter: int = 3,
    camera_sets: bool = True,
    k1: int = 20,
    camera_means: bool = True,
    k2: int = 6,
    lambda_value: float = 0.0,
    power: float = 2.0,
    normalize: bool = False,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def ca_jaccard(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    k1_intra: int = 5,
    k1_inter: int = 20,
    k2_intra: int = 3,
    k2_inter: int = 3,
    camera_sets: bool = True,
    k1: int = 20,
    camera_means: bool = True,
    k2: int = 6,
    lambda_value: float = 0.0,
    power: float = 2.0,
    normalize: bool = False,
    top_k: int,
) -> Nearest: ...
@overload
def camera_penalty(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_cam_group: np.ndarray | None = None,
    gallery_cam_group: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    *,
    penalty: float = 1.0,
    group: float = 0.0,
    direction: float = 0.0,
    alike: float = 0.25,
) -> NDArray[np.float32]: ...
@overload
def camera_penalty(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
    *,
    query_cam_group: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    penalty: float = 1.0,
    group: float = 0.0,
    direction: float = 0.0,
    alike: float = 0.25,
) -> NDArray[np.float32]: ...
@overload
def camera_topology(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray,
    *,
    count: Literal["images", "identities"] = "images",
    weight: float = 1.0,
) -> NDArray[np.float32]: ...
@overload
def camera_topology(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
    *,
    train_pid: np.ndarray,
    train_cam: np.ndarray,
    count: Literal["images", "identities"] = "images",
    weight: float = 1.0,
) -> NDArray[np.float32]: ...
@overload
def camera_whitening(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    *,
    ridge: float = 0.18,
    center: bool = True,
    whiten: bool = True,
    per_camera: bool = True,
    min_images: int = 8,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def camera_whitening(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    ridge: float = 0.18,
    center: bool = True,
    whiten: bool = True,
    per_camera: bool = True,
    min_images: int = 8,
) -> NDArray[np.float32]: ...
@overload
def cas(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: int = 5,
    k2: int = 20,
    k3: int = 25,
    k4: int = 6,
    k5: int = 25,
    level: float = 2.0,
    sigma: float = 0.3,
    mu: float = 0.23,
    beta: float = 0.0,
    lambda_value: float = 0.3,
    keep: int | None = None,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def cas(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: int = 5,
    k2: int = 20,
    k3: int = 25,
    k4: int = 6,
    k5: int = 25,
    level: float = 2.0,
    sigma: float = 0.3,
    mu: float = 0.23,
    beta: float = 0.0,
    lambda_value: float = 0.3,
    keep: int | None = None,
    top_k: int,
) -> Nearest: ...
@overload
def cheb_gr(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    *,
    deviations: float = 3.0,
    beta: float = 0.2,
    most: int = 100,
    rounds: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def cheb_gr(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    deviations: float = 3.0,
    beta: float = 0.2,
    most: int = 100,
    rounds: int = 1,
) -> NDArray[np.float32]: ...
@overload
def coarse_to_fine(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    train: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    *,
    code_lengths: Sequence[int] = (),
    shortest: int = 32,
    growth: int = 4,
    cut: float = 0.0,
    thresholds: Sequence[int] = (),
    radius: float | None = None,
    beta: float = 2.0,
    start: Literal["moments", "half"] = "moments",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def coarse_to_fine(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    train: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    *,
    code_lengths: Sequence[int] = (),
    shortest: int = 32,
    growth: int = 4,
    cut: float = 0.0,
    thresholds: Sequence[int] = (),
    radius: float | None = None,
    beta: float = 2.0,
    start: Literal["moments", "half"] = "moments",
    top_k: int,
) -> Nearest: ...
@overload
def coarse_to_fine_codes(
    query_codes: Sequence[Any],
    gallery_codes: Sequence[Any] | None,
    thresholds: Sequence[int],
    *,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def coarse_to_fine_codes(
    query_codes: Sequence[Any],
    gallery_codes: Sequence[Any] | None,
    thresholds: Sequence[int],
    *,
    top_k: int,
) -> Nearest: ...
@overload
def complete_cameras(
    query_cam: NDArray[np.integer],
    gallery_cam: NDArray[np.integer],
    query_track: NDArray[np.integer],
    gallery_track: NDArray[np.integer],
) -> tuple[NDArray[np.integer], NDArray[np.integer]]: ...
@overload
def complete_cameras(
    query_cam: NDArray[np.integer],
    gallery_cam: None = None,
    *,
    query_track: NDArray[np.integer],
) -> NDArray[np.integer]: ...
@overload
def cprr(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    rounds: int = 2,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def cprr(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    rounds: int = 2,
    top_k: int,
) -> Nearest: ...
@overload
def csls(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 10,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def csls(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 10,
    top_k: int,
) -> Nearest: ...
@overload
def csls_distances(
    distances: NDArray[np.float32],
    *,
    k: int = 10,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def csls_distances(
    distances: NDArray[np.float32],
    *,
    k: int = 10,
    top_k: int,
) -> Nearest: ...
@overload
def diffusion(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 50,
    k_query: int = 10,
    alpha: float = 0.99,
    gamma: float = 3.0,
    query_gamma: float | None = None,
    solver: Literal["cg", "minres"] = "cg",
    iterations: int = 20,
    tolerance: float = 1e-06,
    eigenpairs: int | None = None,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def diffusion(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 50,
    k_query: int = 10,
    alpha: float = 0.99,
    gamma: float = 3.0,
    query_gamma: float | None = None,
    solver: Literal["cg", "minres"] = "cg",
    iterations: int = 20,
    tolerance: float = 1e-06,
    eigenpairs: int | None = None,
    top_k: int,
) -> Nearest: ...
@overload
def dis_sim(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 5,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def dis_sim(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 5,
    top_k: int,
) -> Nearest: ...
@overload
def discriminative_expansion(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    *,
    k: int = 5,
    negatives: int = 20,
    expand: Literal["query", "gallery"] = "query",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def discriminative_expansion(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    k: int = 5,
    negatives: int = 20,
    expand: Literal["query", "gallery"] = "query",
) -> NDArray[np.float32]: ...
@overload
def distances(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    metric: Literal["sqeuclidean", "euclidean", "cosine"] = "sqeuclidean",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def distances(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    metric: Literal["sqeuclidean", "euclidean", "cosine"] = "sqeuclidean",
    top_k: int,
) -> Nearest: ...
@overload
def ecn(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 25,
    t: int = 3,
    q: int = 8,
    measure: Literal["rank_lists", "cosine"] = "rank_lists",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def ecn(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 25,
    t: int = 3,
    q: int = 8,
    measure: Literal["rank_lists", "cosine"] = "rank_lists",
    top_k: int,
) -> Nearest: ...
@overload
def expected_camera_penalty(
    distances: NDArray[np.float32],
    query_cam_prob: np.ndarray,
    gallery_cam_prob: np.ndarray,
    *,
    penalty: float = 1.0,
) -> NDArray[np.float32]: ...
@overload
def expected_camera_penalty(
    distances: NDArray[np.float32],
    query_cam_prob: np.ndarray,
    *,
    penalty: float = 1.0,
) -> NDArray[np.float32]: ...
@overload
def explore_exploit(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 250,
    threshold: float = 0.42,
    depth: int = 1000,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def explore_exploit(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 250,
    threshold: float = 0.42,
    depth: int = 1000,
    top_k: int,
) -> Nearest: ...
@overload
def gcr(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k1: int = 15,
    k2: int = 3,
    beta1: float = 0.2,
    beta2: float = 0.2,
    scale: float = 0.3,
    rounds: int = 3,
    graph: Literal["directed", "symmetric", "local"] = "directed",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def gcr(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    k1: int = 15,
    k2: int = 3,
    beta1: float = 0.2,
    beta2: float = 0.2,
    scale: float = 0.3,
    rounds: int = 3,
    graph: Literal["directed", "symmetric", "local"] = "directed",
) -> NDArray[np.float32]: ...
@overload
def gnn_rerank(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: int = 26,
    k2: int = 7,
    lambda_value: float = 0.3,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def gnn_rerank(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: int = 26,
    k2: int = 7,
    lambda_value: float = 0.3,
    top_k: int,
) -> Nearest: ...
@overload
def hamming(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    code_lengths: Sequence[int] = (),
    cut: float = 0.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def hamming(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    code_lengths: Sequence[int] = (),
    cut: float = 0.0,
    top_k: int,
) -> Nearest: ...
@overload
def hamming_codes(
    query_codes: Any,
    gallery_codes: Any = None,
    *,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def hamming_codes(
    query_codes: Any,
    gallery_codes: Any = None,
    *,
    top_k: int,
) -> Nearest: ...
@overload
def knn_rank(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    rounds: int = 1,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def knn_rank(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    rounds: int = 1,
    top_k: int,
) -> Nearest: ...
@overload
def kwf(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 6,
    shortlist: int | None = 100,
    weighting: Literal["uniform", "similarity", "exponential"] = "similarity",
    own: float = 0.0,
    mean: float = 1.0,
    camera_penalty: float = 0.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def kwf(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 6,
    shortlist: int | None = 100,
    weighting: Literal["uniform", "similarity", "exponential"] = "similarity",
    own: float = 0.0,
    mean: float = 1.0,
    camera_penalty: float = 0.0,
    top_k: int,
) -> Nearest: ...
@overload
def kwf(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    k: int = 6,
    shortlist: int | None = 100,
    weighting: Literal["uniform", "similarity", "exponential"] = "similarity",
    own: float = 0.0,
    mean: float = 1.0,
    camera_penalty: float = 0.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def kwf(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    k: int = 6,
    shortlist: int | None = 100,
    weighting: Literal["uniform", "similarity", "exponential"] = "similarity",
    own: float = 0.0,
    mean: float = 1.0,
    camera_penalty: float = 0.0,
    top_k: int,
) -> Nearest: ...
@overload
def label_votes(
    distances: NDArray[np.float32],
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: NDArray[np.float32],
    train_pid: np.ndarray,
    *,
    k: int = 3,
    weight: float = 1.0,
) -> NDArray[np.float32]: ...
@overload
def label_votes(
    distances: NDArray[np.float32],
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: NDArray[np.float32],
    train_pid: np.ndarray,
    k: int = 3,
    weight: float = 1.0,
) -> NDArray[np.float32]: ...
@overload
def lbr(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 50,
    temperature: float = 0.1,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def lbr(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 50,
    temperature: float = 0.1,
    top_k: int,
) -> Nearest: ...
@overload
def learned_distances(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    *,
    method: Literal[
        "xqda",
        "nfst",
        "nfst_rbf",
        "kissme",
        "lfda",
        "sdml",
        "covariance",
        "rca",
        "itml",
        "lsml",
        "mmc",
        "lmnn",
        "nca",
        "mlkr",
        "scml",
    ] = "xqda",
    components: int | None = None,
    ridge: float | None = None,
    cross_camera: bool = True,
    different_weight: float = 1.0,
    pca: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
    psd: bool = False,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def learned_distances(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    *,
    method: Literal[
        "xqda",
        "nfst",
        "nfst_rbf",
        "kissme",
        "lfda",
        "sdml",
        "covariance",
        "rca",
        "itml",
        "lsml",
        "mmc",
        "lmnn",
        "nca",
        "mlkr",
        "scml",
    ] = "xqda",
    components: int | None = None,
    ridge: float | None = None,
    cross_camera: bool = True,
    different_weight: float = 1.0,
    pca: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
    psd: bool = False,
    top_k: int,
) -> Nearest: ...
@overload
def learned_distances(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    method: Literal[
        "xqda",
        "nfst",
        "nfst_rbf",
        "kissme",
        "lfda",
        "sdml",
        "covariance",
        "rca",
        "itml",
        "lsml",
        "mmc",
        "lmnn",
        "nca",
        "mlkr",
        "scml",
    ] = "xqda",
    components: int | None = None,
    ridge: float | None = None,
    cross_camera: bool = True,
    different_weight: float = 1.0,
    pca: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
    psd: bool = False,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def learned_distances(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    method: Literal[
        "xqda",
        "nfst",
        "nfst_rbf",
        "kissme",
        "lfda",
        "sdml",
        "covariance",
        "rca",
        "itml",
        "lsml",
        "mmc",
        "lmnn",
        "nca",
        "mlkr",
        "scml",
    ] = "xqda",
    components: int | None = None,
    ridge: float | None = None,
    cross_camera: bool = True,
    different_weight: float = 1.0,
    pca: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
    psd: bool = False,
    top_k: int,
) -> Nearest: ...
@overload
def learned_metric(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    *,
    method: Literal[
        "xqda",
        "nfst",
        "nfst_rbf",
        "kissme",
        "lfda",
        "sdml",
        "covariance",
        "rca",
        "itml",
        "lsml",
        "mmc",
        "lmnn",
        "nca",
        "mlkr",
        "scml",
    ] = "xqda",
    components: int | None = None,
    ridge: float | None = None,
    cross_camera: bool = True,
    different_weight: float = 1.0,
    pca: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def learned_metric(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    method: Literal[
        "xqda",
        "nfst",
        "nfst_rbf",
        "kissme",
        "lfda",
        "sdml",
        "covariance",
        "rca",
        "itml",
        "lsml",
        "mmc",
        "lmnn",
        "nca",
        "mlkr",
        "scml",
    ] = "xqda",
    components: int | None = None,
    ridge: float | None = None,
    cross_camera: bool = True,
    different_weight: float = 1.0,
    pca: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
) -> NDArray[np.float32]: ...
@overload
def learned_whitening(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    train: np.ndarray,
    train_pid: np.ndarray,
    *,
    components: int | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def learned_whitening(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: np.ndarray,
    train_pid: np.ndarray,
    components: int | None = None,
) -> NDArray[np.float32]: ...
@overload
def lhrr(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 18,
    depth: int = 400,
    rounds: int = 2,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def lhrr(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 18,
    depth: int = 400,
    rounds: int = 2,
    top_k: int,
) -> Nearest: ...
@overload
def local_scaling(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 5,
    query_k: int | None = None,
    method: Literal["ls", "nicdm", "bi_dakr", "inv_dakr"] = "ls",
    metric: Literal["euclidean", "sqeuclidean", "cosine"] = "euclidean",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def local_scaling(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 5,
    query_k: int | None = None,
    method: Literal["ls", "nicdm", "bi_dakr", "inv_dakr"] = "ls",
    metric: Literal["euclidean", "sqeuclidean", "cosine"] = "euclidean",
    top_k: int,
) -> Nearest: ...
@overload
def mask_same_camera(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
) -> NDArray[np.float32]: ...
@overload
def mask_same_camera(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
) -> NDArray[np.float32]: ...
@overload
def merge_set_features(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    *,
    k: int = 50,
    beta: float = 0.03,
    step: float = 0.2,
    rounds: int = 3,
    repel: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def merge_set_features(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    k: int = 50,
    beta: float = 0.03,
    step: float = 0.2,
    rounds: int = 3,
    repel: bool = True,
) -> NDArray[np.float32]: ...
@overload
def mutual_proximity(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    method: Literal["normal", "empirical"] = "normal",
    metric: Literal["euclidean", "sqeuclidean", "cosine"] = "euclidean",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def mutual_proximity(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    method: Literal["normal", "empirical"] = "normal",
    metric: Literal["euclidean", "sqeuclidean", "cosine"] = "euclidean",
    top_k: int,
) -> Nearest: ...
@overload
def nnn(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: NDArray[np.float32],
    *,
    k: int = 16,
    alpha: float = 0.75,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def nnn(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: NDArray[np.float32],
    *,
    k: int = 16,
    alpha: float = 0.75,
    top_k: int,
) -> Nearest: ...
@overload
def nnn(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: NDArray[np.float32],
    k: int = 16,
    alpha: float = 0.75,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def nnn(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: NDArray[np.float32],
    k: int = 16,
    alpha: float = 0.75,
    top_k: int,
) -> Nearest: ...
@overload
def offline_diffusion(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    truncate: int = 1000,
    k: int = 50,
    alpha: float = 0.99,
    gamma: float = 3.0,
    graph: Literal["all", "gallery"] = "all",
    k_query: int = 10,
    query_gamma: float | None = None,
    iterations: int = 20,
    tolerance: float = 1e-06,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def offline_diffusion(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    truncate: int = 1000,
    k: int = 50,
    alpha: float = 0.99,
    gamma: float = 3.0,
    graph: Literal["all", "gallery"] = "all",
    k_query: int = 10,
    query_gamma: float | None = None,
    iterations: int = 20,
    tolerance: float = 1e-06,
    top_k: int,
) -> Nearest: ...
@overload
def orientation_rule(
    distances: NDArray[np.float32],
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    gallery_track: np.ndarray | None = None,
    *,
    near: float = 0.03,
    far: float = 0.3,
    penalty: float = 0.5,
) -> NDArray[np.float32]: ...
@overload
def orientation_rule(
    distances: NDArray[np.float32],
    query_aux: np.ndarray,
    *,
    gallery_track: np.ndarray | None = None,
    near: float = 0.03,
    far: float = 0.3,
    penalty: float = 0.5,
) -> NDArray[np.float32]: ...
@overload
def part_distances(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    *,
    seen: float = 0.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def part_distances(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    *,
    seen: float = 0.0,
    top_k: int,
) -> Nearest: ...
@overload
def part_distances(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    query_aux: np.ndarray,
    seen: float = 0.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def part_distances(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    query_aux: np.ndarray,
    seen: float = 0.0,
    top_k: int,
) -> Nearest: ...
@overload
def part_penalty(
    distances: NDArray[np.float32],
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    gallery_track: np.ndarray | None = None,
    *,
    weight: float = 0.5,
    enough: float = 0.9,
    views: Sequence[int] = (),
    parts: Sequence[int] = (),
) -> NDArray[np.float32]: ...
@overload
def part_penalty(
    distances: NDArray[np.float32],
    query_aux: np.ndarray,
    *,
    gallery_track: np.ndarray | None = None,
    weight: float = 0.5,
    enough: float = 0.9,
    views: Sequence[int] = (),
    parts: Sequence[int] = (),
) -> NDArray[np.float32]: ...
@overload
def predict_camera_groups(
    query_aux: NDArray[np.float32],
    gallery_aux: NDArray[np.float32],
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    eps: float = 0.3,
    min_samples: int = 50,
    shortest: float = 0.0,
    complete: bool = False,
) -> tuple[NDArray[np.integer], NDArray[np.integer]]: ...
@overload
def predict_camera_groups(
    query_aux: NDArray[np.float32],
    gallery_aux: None = None,
    *,
    query_track: np.ndarray | None = None,
    eps: float = 0.3,
    min_samples: int = 50,
    shortest: float = 0.0,
    complete: bool = False,
) -> NDArray[np.integer]: ...
@overload
def predict_cameras(
    query_aux: NDArray[np.float32],
    gallery_aux: NDArray[np.float32],
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    eps: float = 0.3,
    min_samples: int = 50,
    shortest: float = 0.0,
    complete: bool = False,
) -> tuple[NDArray[np.integer], NDArray[np.integer]]: ...
@overload
def predict_cameras(
    query_aux: NDArray[np.float32],
    gallery_aux: None = None,
    *,
    query_track: np.ndarray | None = None,
    eps: float = 0.3,
    min_samples: int = 50,
    shortest: float = 0.0,
    complete: bool = False,
) -> NDArray[np.integer]: ...
@overload
def qb_norm(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: NDArray[np.float32],
    *,
    beta: float = 20.0,
    gallery_beta: float = 0.0,
    k: int = 1,
    dynamic: bool = True,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def qb_norm(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: NDArray[np.float32],
    *,
    beta: float = 20.0,
    gallery_beta: float = 0.0,
    k: int = 1,
    dynamic: bool = True,
    top_k: int,
) -> Nearest: ...
@overload
def qb_norm(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: NDArray[np.float32],
    beta: float = 20.0,
    gallery_beta: float = 0.0,
    k: int = 1,
    dynamic: bool = True,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def qb_norm(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: NDArray[np.float32],
    beta: float = 20.0,
    gallery_beta: float = 0.0,
    k: int = 1,
    dynamic: bool = True,
    top_k: int,
) -> Nearest: ...
@overload
def quantile_transform(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    train: np.ndarray | None = None,
    *,
    quantiles: int = 1000,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def quantile_transform(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: np.ndarray | None = None,
    quantiles: int = 1000,
) -> NDArray[np.float32]: ...
@overload
def query_expansion(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 10,
    alpha: float = 0.0,
    decay: bool = False,
    rounds: int = 1,
    metric: Literal["cosine", "dot", "sqeuclidean"] = "cosine",
    expand: Literal["query", "gallery", "both"] = "query",
    find_anew: bool = True,
    include_self: bool = True,
    average: bool = True,
    renormalize: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def query_expansion(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    neighbours: NeighbourLists | None = None,
    k: int = 10,
    alpha: float = 0.0,
    decay: bool = False,
    rounds: int = 1,
    metric: Literal["cosine", "dot", "sqeuclidean"] = "cosine",
    expand: Literal["query", "gallery", "both"] = "query",
    find_anew: bool = True,
    include_self: bool = True,
    average: bool = True,
    renormalize: bool = True,
) -> NDArray[np.float32]: ...
@overload
def rdp(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 30,
    sigma: float = 0.5,
    mu: float = 0.3,
    iterations: int = 20,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rdp(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 30,
    sigma: float = 0.5,
    mu: float = 0.3,
    iterations: int = 20,
    top_k: int,
) -> Nearest: ...
@overload
def rdpac(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 15,
    depth: int = 400,
    p: float = 0.6,
    p_list: float = 0.99,
    alpha: float = 0.95,
    rounds: int = 15,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rdpac(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 15,
    depth: int = 400,
    p: float = 0.6,
    p_list: float = 0.99,
    alpha: float = 0.95,
    rounds: int = 15,
    top_k: int,
) -> Nearest: ...
@overload
def recknn(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 15,
    depth: int = 200,
    rounds: int = 1,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def recknn(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 15,
    depth: int = 200,
    rounds: int = 1,
    top_k: int,
) -> Nearest: ...
@overload
def rerank(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    power: float = 2.0,
    camera_penalty: float = 0.0,
    auxiliary_weight: float = 0.0,
    count_self: bool = False,
    normalize: bool = True,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    power: float = 2.0,
    camera_penalty: float = 0.0,
    auxiliary_weight: float = 0.0,
    count_self: bool = False,
    normalize: bool = True,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_attributes(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    train_aux: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    confusions: Sequence[NDArray[np.float32]] | None = None,
    classes: Sequence[int] = (),
    weight: float = 0.2,
    expected: bool = False,
    k1: int = 4,
    k2: int = 4,
    lambda_value: float = 0.5,
    level: Literal["image", "track"] = "image",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_attributes(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    train_aux: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    confusions: Sequence[NDArray[np.float32]] | None = None,
    classes: Sequence[int] = (),
    weight: float = 0.2,
    expected: bool = False,
    k1: int = 4,
    k2: int = 4,
    lambda_value: float = 0.5,
    level: Literal["image", "track"] = "image",
    top_k: int,
) -> Nearest: ...
@overload
def rerank_attributes(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_aux: np.ndarray,
    train_aux: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    confusions: Sequence[NDArray[np.float32]] | None = None,
    classes: Sequence[int] = (),
    weight: float = 0.2,
    expected: bool = False,
    k1: int = 4,
    k2: int = 4,
    lambda_value: float = 0.5,
    level: Literal["image", "track"] = "image",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_attributes(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_aux: np.ndarray,
    train_aux: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    confusions: Sequence[NDArray[np.float32]] | None = None,
    classes: Sequence[int] = (),
    weight: float = 0.2,
    expected: bool = False,
    k1: int = 4,
    k2: int = 4,
    lambda_value: float = 0.5,
    level: Literal["image", "track"] = "image",
    top_k: int,
) -> Nearest: ...
@overload
def rerank_constrained(
    distances: NDArray[np.float32],
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    query_cam_group: np.ndarray | None = None,
    gallery_cam_group: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    power: float = 4.0,
    camera: float = 0.0,
    query_camera: float | None = None,
    group: float = 0.0,
    direction: float = 0.0,
    alike: float = 0.25,
    together: float | None = None,
    between: float = 0.0,
    alone: Literal["apart", "together", "exempt"] = "apart",
    clip: bool = False,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_constrained(
    distances: NDArray[np.float32],
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    query_cam_group: np.ndarray | None = None,
    gallery_cam_group: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    power: float = 4.0,
    camera: float = 0.0,
    query_camera: float | None = None,
    group: float = 0.0,
    direction: float = 0.0,
    alike: float = 0.25,
    together: float | None = None,
    between: float = 0.0,
    alone: Literal["apart", "together", "exempt"] = "apart",
    clip: bool = False,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_distances(
    distances: NDArray[np.float32],
    query_distances: NDArray[np.float32] | None = None,
    gallery_distances: NDArray[np.float32] | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    power: float = 2.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_distances(
    distances: NDArray[np.float32],
    query_distances: NDArray[np.float32] | None = None,
    gallery_distances: NDArray[np.float32] | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    power: float = 2.0,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_multiscale(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 10,
    scales: Any = ((3, 1), (6, 2), (10, 3), (20, 6), (40, 12)),
    lambda_value: float = 0.5,
    adapt: float = 1.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_multiscale(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 10,
    scales: Any = ((3, 1), (6, 2), (10, 3), (20, 6), (40, 12)),
    lambda_value: float = 0.5,
    adapt: float = 1.0,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_one_sided(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    k1: int = 20,
    query_k: int = 13,
    ways: int = 20,
    mean: int = 9,
    step_weight: float = 0.01,
    lambda_value: float = 0.3,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_one_sided(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    k1: int = 20,
    query_k: int = 13,
    ways: int = 20,
    mean: int = 9,
    step_weight: float = 0.01,
    lambda_value: float = 0.3,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    query_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    query_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_tracks(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    gallery_track: np.ndarray,
    *,
    k1: int = 7,
    k2: int = 2,
    lambda_value: float = 0.6,
    pool: Literal["mean", "weighted"] = "mean",
    threshold: float = 0.6,
    epsilon: float = 0.01,
    order: Literal["nearest", "row"] = "nearest",
    normalize_twice: bool = False,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_tracks(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    gallery_track: np.ndarray,
    *,
    k1: int = 7,
    k2: int = 2,
    lambda_value: float = 0.6,
    pool: Literal["mean", "weighted"] = "mean",
    threshold: float = 0.6,
    epsilon: float = 0.01,
    order: Literal["nearest", "row"] = "nearest",
    normalize_twice: bool = False,
    top_k: int,
) -> Nearest: ...
@overload
def rerank_tracks(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    gallery_track: np.ndarray,
    k1: int = 7,
    k2: int = 2,
    lambda_value: float = 0.6,
    pool: Literal["mean", "weighted"] = "mean",
    threshold: float = 0.6,
    epsilon: float = 0.01,
    order: Literal["nearest", "row"] = "nearest",
    normalize_twice: bool = False,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rerank_tracks(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    gallery_track: np.ndarray,
    k1: int = 7,
    k2: int = 2,
    lambda_value: float = 0.6,
    pool: Literal["mean", "weighted"] = "mean",
    threshold: float = 0.6,
    epsilon: float = 0.01,
    order: Literal["nearest", "row"] = "nearest",
    normalize_twice: bool = False,
    top_k: int,
) -> Nearest: ...
@overload
def rfe(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    slope: float = 0.1,
    rounds: int = 2,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def rfe(
    query: NDArray[np.float32] | Pairwise | NeighbourLists,
    gallery: NDArray[np.float32] | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: int = 20,
    depth: int = 400,
    slope: float = 0.1,
    rounds: int = 2,
    top_k: int,
) -> Nearest: ...
@overload
def scene_gate(
    distances: NDArray[np.float32],
    query_scene: np.ndarray,
    gallery_scene: np.ndarray,
    *,
    penalty: float = 10.0,
) -> NDArray[np.float32]: ...
@overload
def scene_gate(
    distances: NDArray[np.float32],
    query_scene: np.ndarray,
    *,
    penalty: float = 10.0,
) -> NDArray[np.float32]: ...
@overload
def sinkhorn(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    temperature: float = 0.05,
    half_rounds: int = 20,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def sinkhorn(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    temperature: float = 0.05,
    half_rounds: int = 20,
    top_k: int,
) -> Nearest: ...
@overload
def sinkhorn_distances(
    distances: NDArray[np.float32],
    *,
    temperature: float = 0.05,
    half_rounds: int = 20,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def sinkhorn_distances(
    distances: NDArray[np.float32],
    *,
    temperature: float = 0.05,
    half_rounds: int = 20,
    top_k: int,
) -> Nearest: ...
@overload
def sort_and_insert(
    distances: NDArray[np.float32],
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    train: NDArray[np.float32],
    train_pid: np.ndarray,
    *,
    k: int = 3,
    threshold: float = 0.6,
    depth: int = 100,
) -> NDArray[np.float32]: ...
@overload
def sort_and_insert(
    distances: NDArray[np.float32],
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: NDArray[np.float32],
    train_pid: np.ndarray,
    k: int = 3,
    threshold: float = 0.6,
    depth: int = 100,
) -> NDArray[np.float32]: ...
@overload
def spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    *,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    *,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: int,
) -> Nearest: ...
@overload
def spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    query_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def spatio_temporal(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    query_cam: np.ndarray,
    query_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    alpha: float = 5.0,
    gamma_similarity: float = 1.0,
    gamma_time: float = 2.0,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    top_k: int,
) -> Nearest: ...
@overload
def subtract_auxiliary(
    distances: NDArray[np.float32],
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    *,
    weight: float = 0.1,
    metric: Literal["sqeuclidean", "euclidean", "cosine"] = "sqeuclidean",
) -> NDArray[np.float32]: ...
@overload
def subtract_auxiliary(
    distances: NDArray[np.float32],
    query_aux: np.ndarray,
    *,
    weight: float = 0.1,
    metric: Literal["sqeuclidean", "euclidean", "cosine"] = "sqeuclidean",
) -> NDArray[np.float32]: ...
@overload
def subtract_negatives(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    train: NDArray[np.float32],
    *,
    k: int = 10,
    beta: float = 0.35,
    rounds: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def subtract_negatives(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: NDArray[np.float32],
    k: int = 10,
    beta: float = 0.35,
    rounds: int = 1,
) -> NDArray[np.float32]: ...
@overload
def superglobal(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    shortlist: int = 400,
    k: int = 9,
    beta: float = 0.15,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def superglobal(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None = None,
    *,
    shortlist: int = 400,
    k: int = 9,
    beta: float = 0.15,
    top_k: int,
) -> Nearest: ...
@overload
def tlift(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    *,
    tau: float = 100.0,
    sigma: float = 200.0,
    k: int = 10,
    alpha: float = 0.2,
) -> NDArray[np.float32]: ...
@overload
def tlift(
    distances: NDArray[np.float32],
    query_cam: np.ndarray,
    *,
    query_frame: np.ndarray,
    tau: float = 100.0,
    sigma: float = 200.0,
    k: int = 10,
    alpha: float = 0.2,
) -> NDArray[np.float32]: ...
@overload
def track_distances(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    gallery_track: np.ndarray,
    query_track: np.ndarray | None = None,
    *,
    reduce: Literal["min", "mean", "max"] = "min",
    k: int | None = None,
    query_reduce: Literal["min", "mean", "max"] = "min",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def track_distances(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None,
    gallery_track: np.ndarray,
    query_track: np.ndarray | None = None,
    *,
    reduce: Literal["min", "mean", "max"] = "min",
    k: int | None = None,
    query_reduce: Literal["min", "mean", "max"] = "min",
    top_k: int,
) -> Nearest: ...
@overload
def track_distances(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    gallery_track: np.ndarray,
    reduce: Literal["min", "mean", "max"] = "min",
    k: int | None = None,
    query_reduce: Literal["min", "mean", "max"] = "min",
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def track_distances(
    query: NDArray[np.float32] | Pairwise,
    gallery: None = None,
    *,
    gallery_track: np.ndarray,
    reduce: Literal["min", "mean", "max"] = "min",
    k: int | None = None,
    query_reduce: Literal["min", "mean", "max"] = "min",
    top_k: int,
) -> Nearest: ...
@overload
def visual_neighbours(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 5,
    weight: float = 1.0,
    top_k: None = None,
) -> NDArray[np.float32]: ...
@overload
def visual_neighbours(
    query: NDArray[np.float32] | Pairwise,
    gallery: NDArray[np.float32] | None = None,
    *,
    k: int = 5,
    weight: float = 1.0,
    top_k: int,
) -> Nearest: ...
@overload
def weighted_track_mean(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32] | None,
    gallery_track: np.ndarray,
    *,
    threshold: float = 0.6,
    epsilon: float = 0.01,
    renormalize: bool = False,
) -> NDArray[np.float32]: ...
@overload
def weighted_track_mean(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    gallery_track: np.ndarray,
    threshold: float = 0.6,
    epsilon: float = 0.01,
    renormalize: bool = False,
) -> NDArray[np.float32]: ...
@overload
def whiten(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    train: np.ndarray | None = None,
    *,
    components: int | None = None,
    power: float = 1.0,
    renormalize: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def whiten(
    query: NDArray[np.float32],
    gallery: None = None,
    *,
    train: np.ndarray | None = None,
    components: int | None = None,
    power: float = 1.0,
    renormalize: bool = True,
) -> NDArray[np.float32]: ...
