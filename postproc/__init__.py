"""Post-processing for re-identification: functions on arrays, the same answer everywhere.

>>> from postproc import rerank
>>> rerank.__name__
'rerank'

Layers, each importing only what stands above it:

``types``, ``checks``, ``runtime``   the vocabulary; refusals; threads, memory, progress
``kernels``                          numerical code, one module a back end
``pairwise``, ``tiles``, ``nearest`` distances described; computed a tile at a time; walked over
one file a technique                 the functions below

Positional parameters are data and carry names of :data:`postproc.types.VOCABULARY`; keyword-only parameters are
settings; the return annotation says what comes out. Importing this package loads NumPy and nothing heavier.
"""

from postproc.ca_jaccard import ca_jaccard
from postproc.camera_whitening import camera_whitening
from postproc.cas import cas
from postproc.csls import csls, csls_distances
from postproc.diffusion import diffusion
from postproc.dis_sim import dis_sim
from postproc.discriminative_expansion import discriminative_expansion
from postproc.distances import distances
from postproc.ecn import ecn
from postproc.gcr import gcr
from postproc.gnn_rerank import gnn_rerank
from postproc.kwf import kwf
from postproc.l2_normalize import l2_normalize
from postproc.lbr import lbr
from postproc.learned_metric import learned_distances, learned_metric
from postproc.learned_whitening import learned_whitening
from postproc.local_scaling import local_scaling
from postproc.merge_set_features import merge_set_features
from postproc.mutual_proximity import mutual_proximity
from postproc.nfc import nfc
from postproc.nnn import nnn
from postproc.offline_diffusion import offline_diffusion
from postproc.pairwise import Pairwise, same_camera, sqeuclidean
from postproc.quantile_transform import quantile_transform
from postproc.query_expansion import query_expansion
from postproc.query_mean import cluster_queries, multi_query, query_mean
from postproc.rank import rank
from postproc.rdp import rdp
from postproc.rerank import rerank, rerank_distances
from postproc.runtime import using
from postproc.signed_power import signed_power
from postproc.sinkhorn import sinkhorn, sinkhorn_distances
from postproc.subtract_negatives import subtract_negatives
from postproc.superglobal import superglobal
from postproc.track_mean import track_mean
from postproc.types import Nearest
from postproc.whiten import whiten

STEPS = (
    l2_normalize,
    track_mean,
    query_mean,
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
    distances,
    learned_distances,
    rerank,
    rerank_distances,
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
    rank,
)

__all__ = [
    "STEPS",
    "Nearest",
    "Pairwise",
    "ca_jaccard",
    "camera_whitening",
    "cas",
    "cluster_queries",
    "csls",
    "csls_distances",
    "diffusion",
    "dis_sim",
    "discriminative_expansion",
    "distances",
    "ecn",
    "gcr",
    "gnn_rerank",
    "kwf",
    "l2_normalize",
    "lbr",
    "learned_distances",
    "learned_metric",
    "learned_whitening",
    "local_scaling",
    "merge_set_features",
    "multi_query",
    "mutual_proximity",
    "nfc",
    "nnn",
    "offline_diffusion",
    "quantile_transform",
    "query_expansion",
    "query_mean",
    "rank",
    "rdp",
    "rerank",
    "rerank_distances",
    "same_camera",
    "signed_power",
    "sinkhorn",
    "sinkhorn_distances",
    "sqeuclidean",
    "subtract_negatives",
    "superglobal",
    "track_mean",
    "using",
    "whiten",
]
