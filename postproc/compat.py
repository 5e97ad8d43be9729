"""Functions that many repositories carry a copy of, under the signatures they call them by.

Change the import and keep the call:

* ``from postproc.compat import re_ranking`` for Zhong's, torchreid's and fast-reid's, which are handed distances,
  and for reid-strong-baseline's and its kin, which are handed features: the arguments tell which it is;
* ``from postproc.compat import re_ranking_cosine as re_ranking`` for layumi's, which is handed similarities;
* ``from postproc.compat import mergesetfeat`` for VisDA's (vimar-gu) and AI City 2021's (DMT).
"""

from typing import Any, overload

import numpy as np

from postproc.base import arrays, checks
from postproc.base.vocabulary import Floats, Unchecked
from postproc.context.rerank import rerank, rerank_distances
from postproc.features.merge_set_features import merge
from postproc.pairs.distances import distances
from postproc.pairs.matrices import refuse_similarities


@overload
def re_ranking(
    q_g_dist: Unchecked,
    q_q_dist: Unchecked,
    g_g_dist: Unchecked,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> Floats: ...


@overload
def re_ranking(
    probFea: Unchecked,
    galFea: Unchecked,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    local_distmat: Unchecked = None,
    only_local: bool = False,
) -> Floats: ...


def re_ranking(*given: Any, **named: Any) -> Floats:
    """Re-rank by distances, or by features, whichever the arguments are.

    ``re_ranking(q_g_dist, q_q_dist, g_g_dist, k1=20, k2=6, lambda_value=0.3)``: (nq, ng), (nq, nq), (ng, ng)
    distances -> (nq, ng) float32. The entries are squared, as everywhere. Hand over Euclidean distances for the
    method as published; those who hand over squared ones get theirs.

    ``re_ranking(probFea, galFea, k1=20, k2=6, lambda_value=0.3, local_distmat=None, only_local=False)``: (nq, d),
    (ng, d) features -> (nq, ng) float32, by squared Euclidean distances, and ``local_distmat`` (nq + ng, nq + ng)
    added to them, or with ``only_local`` in their place. So it is in reid-strong-baseline.

    Two arrays are features, three are distances. Tensors are welcome; a NumPy array comes back, as there.
    """
    matrices = [value for value in given[:3] if not isinstance(value, (int, float, np.generic))]
    is_distances = len(matrices) == 3 or {"q_g_dist", "q_q_dist", "g_g_dist"} & named.keys()
    return (_by_distances if is_distances else _by_features)(*given, **named)


def _by_distances(
    q_g_dist: Unchecked,
    q_q_dist: Unchecked,
    g_g_dist: Unchecked,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> Floats:
    return _full(q_g_dist, q_q_dist, g_g_dist, k1, k2, lambda_value)


def _by_features(
    probFea: Unchecked,
    galFea: Unchecked,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    local_distmat: Unchecked = None,
    only_local: bool = False,
) -> Floats:
    query, gallery = (
        checks.features(name, arrays.host(value)) for name, value in (("probFea", probFea), ("galFea", galFea))
    )
    checks.same_width("probFea", query, "galFea", gallery)
    checks.flag("only_local", only_local)
    if local_distmat is None:
        if only_local:
            raise ValueError("only_local: needs local_distmat, or false")
        found = rerank(query, gallery, k1=k1, k2=k2, lambda_value=lambda_value)
        assert isinstance(found, np.ndarray)
        return found
    nq, count = len(query), len(query) + len(gallery)
    local = checks.features("local_distmat", arrays.host(local_distmat))
    if local.shape != (count, count):
        raise ValueError(f"local_distmat: wanted shape {(count, count)}, all by all, got {local.shape}")
    whole = local
    if not only_local:
        everybody = np.concatenate([query, gallery])
        whole = local + distances(everybody, everybody)
    return _full(whole[:nq, nq:], whole[:nq, :nq], whole[nq:, nq:], k1, k2, lambda_value, power=1)


def re_ranking_cosine(
    q_g_sim: Unchecked,
    q_q_sim: Unchecked,
    g_g_sim: Unchecked,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> Floats:
    """The same for cosine similarities s, which become 2 - 2 s and are then squared."""
    across, query, gallery = (2 - 2 * np.asarray(arrays.host(s), np.float32) for s in (q_g_sim, q_q_sim, g_g_sim))
    for name, square in (("q_q_sim", query), ("g_g_sim", gallery)):
        if square.ndim == 2 and square.shape[0] == square.shape[1]:
            refuse_similarities(name, square, "hand distances to re_ranking", "distances")
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
    return merge(images, bank, k=knn, beta=beta, step=0.2, shrinking=True)[0]


def _full(
    across: Unchecked,
    query: Unchecked,
    gallery: Unchecked,
    k1: int,
    k2: int,
    lambda_value: float,
    power: float = 2,
) -> Floats:
    answer = rerank_distances(across, query, gallery, k1=k1, k2=k2, lambda_value=lambda_value, power=power)
    assert isinstance(answer, np.ndarray)
    return answer
