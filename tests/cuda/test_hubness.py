"""Distances measured against the usual ones, settings that test_steps leaves alone."""

import numpy as np

from postproc import (
    csls,
    csls_distances,
    dis_sim,
    local_scaling,
    mutual_proximity,
    nnn,
    sinkhorn,
    sinkhorn_distances,
    sqeuclidean,
)
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=7, ng=31, d=8, people=8, cameras=3)
SIDES = DATA["query"], DATA["gallery"]
GIVEN = DATA["distances"].copy()
GIVEN[3, 5] = GIVEN[:, 9] = GIVEN[6] = np.inf


@each("settings", [{"k": 1}, {"k": 4, "top_k": 9}])
def test_csls(on_device, settings):
    same_step(on_device, csls, *SIDES, **settings)
    same_step(on_device, csls_distances, GIVEN, **settings)


def test_csls_of_a_sum(on_device):
    sides = [on_device.up(side) for side in SIDES]
    found = csls(sqeuclidean(*sides), k=3)
    np.testing.assert_allclose(on_device.down(found), csls(sqeuclidean(*SIDES), k=3), atol=1e-5)


@each("method", ["ls", "nicdm", "bi_dakr", "inv_dakr"])
@each("metric", ["euclidean", "cosine"])
def test_local_scaling(on_device, method, metric):
    same_step(on_device, local_scaling, *SIDES, k=3, query_k=2, method=method, metric=metric)


@each("method", ["normal", "empirical"])
@each("top_k", [None, 5])
def test_mutual_proximity(on_device, method, top_k):
    same_step(on_device, mutual_proximity, *SIDES, method=method, top_k=top_k)


@each("half_rounds", [0, 3, 4])
@each("top_k", [None, 5])
def test_sinkhorn(on_device, half_rounds, top_k):
    same_step(on_device, sinkhorn, *SIDES, half_rounds=half_rounds, top_k=top_k)
    same_step(on_device, sinkhorn_distances, GIVEN, temperature=9.0, half_rounds=half_rounds, top_k=top_k)


@each("top_k", [None, 5])
def test_dis_sim(on_device, top_k):
    same_step(on_device, dis_sim, *SIDES, k=3, top_k=top_k)


@each("top_k", [None, 5])
def test_nnn(on_device, top_k):
    same_step(on_device, nnn, *SIDES, DATA["train"], k=3, top_k=top_k)


@each("step", [csls, local_scaling, mutual_proximity, sinkhorn])
def test_a_gallery_on_the_host(step, on_device):
    found = step(on_device.up(SIDES[0]), SIDES[1])
    np.testing.assert_allclose(on_device.down(found), step(*SIDES), atol=1e-5)
