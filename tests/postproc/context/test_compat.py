"""``compat.re_ranking`` with features first, as reid-strong-baseline has it."""

import inspect

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, rerank, rerank_distances
from postproc.compat import re_ranking, re_ranking_cosine
from tests.support.worlds import world

DATA = world(nq=9, ng=40)
Q, G = DATA["query"], DATA["gallery"]
ALL = np.concatenate([Q, G])
SQUARED = distances(ALL, ALL)
LOCAL = abs(np.random.default_rng(0).normal(size=SQUARED.shape)).astype(np.float32)
LOCAL = LOCAL + LOCAL.T


def of(whole, **settings):
    return rerank_distances(whole[:9, 9:], whole[:9, :9], whole[9:, 9:], k1=8, k2=3, lambda_value=0.4, **settings)


def test_features_first():
    wanted = rerank(Q, G, k1=8, k2=3, lambda_value=0.4)
    tensors = torch.from_numpy(Q).requires_grad_(), torch.from_numpy(G)
    for found in (
        re_ranking(Q, G, 8, 3, 0.4),
        re_ranking(Q, G, 8, 3, 0.4, None, False),
        re_ranking(Q, G, k1=8, k2=3, lambda_value=0.4),
        re_ranking(probFea=Q, galFea=G, k1=8, k2=3, lambda_value=0.4),
        re_ranking(*(tensor.detach() for tensor in tensors), np.int64(8), 3, 0.4),
    ):
        assert_array_equal(found, wanted)
    assert_allclose(re_ranking(Q, G, 8, 3, 0.4), of(SQUARED, power=1), atol=1e-5)


def test_local_distances():
    assert_array_equal(re_ranking(Q, G, 8, 3, 0.4, LOCAL), of(SQUARED + LOCAL, power=1))
    assert_array_equal(re_ranking(Q, G, 8, 3, 0.4, LOCAL, True), of(LOCAL, power=1))
    with pytest.raises(ValueError, match=r"^local_distmat: wanted shape \(49, 49\), all by all, got \(9, 40\)"):
        re_ranking(Q, G, 8, 3, 0.4, LOCAL[:9, 9:])
    with pytest.raises(ValueError, match=r"^only_local: needs local_distmat"):
        re_ranking(Q, G, 8, 3, 0.4, only_local=True)


def test_distances_first_is_as_it_was():
    parts = SQUARED[:9, 9:], SQUARED[:9, :9], SQUARED[9:, 9:]
    assert_array_equal(re_ranking(*parts, 8, 3, 0.4), of(SQUARED, power=2))
    names = dict(zip(("q_g_dist", "q_q_dist", "g_g_dist"), parts, strict=True))
    assert_array_equal(re_ranking(**names, k1=8, k2=3, lambda_value=0.4), of(SQUARED, power=2))
    assert inspect.getdoc(re_ranking)


def test_similarities_and_distances_are_not_taken_for_each_other():
    unit = ALL / np.linalg.norm(ALL, axis=1, keepdims=True)
    near = unit @ unit.T
    far = 1 - near

    def parts(whole):
        return whole[:9, 9:], whole[:9, :9], whole[9:, 9:]

    assert re_ranking_cosine(*parts(near)).shape == (9, 40)
    with pytest.raises(ValueError, match=r"^query_distances: wanted distances, .* as in similarities; of simil"):
        re_ranking(*parts(near))
    with pytest.raises(ValueError, match=r"^gallery_distances: wanted distances"):
        rerank_distances(far[:1, 9:], far[:1, :1], near[9:, 9:])
    with pytest.raises(ValueError, match=r"^q_q_sim: wanted similarities, .* as in distances; hand distances to"):
        re_ranking_cosine(*parts(far))
