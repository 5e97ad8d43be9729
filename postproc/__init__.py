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

from postproc.distances import distances
from postproc.l2_normalize import l2_normalize
from postproc.pairwise import Pairwise, same_camera, sqeuclidean
from postproc.query_expansion import query_expansion
from postproc.rank import rank
from postproc.rerank import rerank, rerank_distances
from postproc.runtime import using
from postproc.track_mean import track_mean
from postproc.types import Nearest

STEPS = (l2_normalize, track_mean, query_expansion, distances, rerank, rerank_distances, rank)

__all__ = [
    "STEPS",
    "Nearest",
    "Pairwise",
    "distances",
    "l2_normalize",
    "query_expansion",
    "rank",
    "rerank",
    "rerank_distances",
    "same_camera",
    "sqeuclidean",
    "track_mean",
    "using",
]
