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
from postproc.distances import distances
from postproc.ecn import ecn
from postproc.gnn_rerank import gnn_rerank
from postproc.l2_normalize import l2_normalize
from postproc.learned_whitening import learned_whitening
from postproc.pairwise import Pairwise, same_camera, sqeuclidean
from postproc.quantile_transform import quantile_transform
from postproc.query_expansion import query_expansion
from postproc.rank import rank
from postproc.rerank import rerank, rerank_distances
from postproc.runtime import using
from postproc.signed_power import signed_power
from postproc.track_mean import track_mean
from postproc.types import Nearest
from postproc.whiten import whiten

STEPS = (
    l2_normalize,
    track_mean,
    signed_power,
    quantile_transform,
    whiten,
    learned_whitening,
    camera_whitening,
    query_expansion,
    distances,
    rerank,
    rerank_distances,
    ca_jaccard,
    gnn_rerank,
    ecn,
    rank,
)

__all__ = [
    "STEPS",
    "Nearest",
    "Pairwise",
    "ca_jaccard",
    "camera_whitening",
    "distances",
    "ecn",
    "gnn_rerank",
    "l2_normalize",
    "learned_whitening",
    "quantile_transform",
    "query_expansion",
    "rank",
    "rerank",
    "rerank_distances",
    "same_camera",
    "signed_power",
    "sqeuclidean",
    "track_mean",
    "using",
    "whiten",
]
