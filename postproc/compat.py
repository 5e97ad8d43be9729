"""Functions that many repositories carry a copy of, under the signatures they call them by.

Change the import and keep the call:

* ``from postproc.compat import re_ranking`` for Zhong's, torchreid's, fast-reid's and reid-strong-baseline's;
* ``from postproc.compat import re_ranking_cosine as re_ranking`` for layumi's, which is handed similarities;
* ``from postproc.compat import mergesetfeat`` for VisDA's (vimar-gu) and AI City 2021's (DMT).
"""

import numpy as np

from postproc.base import checks
from postproc.base.vocabulary import Floats, Unchecked
from postproc.context.rerank import rerank_distances
from postproc.features.merge_set_features import merge


def re_ranking(
    q_g_dist: Unchecked,
    q_q_dist: Unchecked,
    g_g_dist: Unchecked,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> Floats:
    """(nq, ng), (nq, nq), (ng, ng) distances -> (nq, ng) float32. The entries are squared, as everywhere.

    Hand over Euclidean distances for the method as published; those who hand over squared ones get theirs.
    """
    return _full(q_g_dist, q_q_dist, g_g_dist, k1, k2, lambda_value)


def re_ranking_cosine(
    q_g_sim: Unchecked,
    q_q_sim: Unchecked,
    g_g_sim: Unchecked,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> Floats:
    """The same for cosine similarities s, which become 2 - 2 s and are then squared."""
    across, query, gallery = (2 - 2 * np.asarray(s, np.float32) for s in (q_g_sim, q_q_sim, g_g_sim))
    return _full(across, query, gallery, k1, k2, lambda_value)


def mergesetfeat(
    X: Unchecked, cams: Unchecked, gX: Unchecked, gcams: Unchecked, beta: float = 0.08, knn: int = 20
) -> Floats:
    """(n, d) and (m, d) features of unit length -> (n, d) float32: one :func:`postproc.merge_set_features` round
    of X towards the bank gX, in which a row with fewer similar images lowers ``knn`` for those after it.

    Cameras are handed over and not looked at. X itself is left as it is, so use what is returned.
    """
    images, bank = checks.features("X", X), checks.features("gX", gX)
    checks.same_width("X", images, "gX", bank)
    checks.not_empty("X", images)
    checks.not_empty("gX", bank)
    checks.between("beta", beta, 0.001, 1000)
    checks.whole("knn", knn, 1)
    return merge(images, bank, k=knn, beta=beta, step=0.2, shrinking=True)


def _full(
    across: Unchecked, query: Unchecked, gallery: Unchecked, k1: int, k2: int, lambda_value: float
) -> Floats:
    answer = rerank_distances(across, query, gallery, k1=k1, k2=k2, lambda_value=lambda_value, power=2)
    assert isinstance(answer, np.ndarray)
    return answer
