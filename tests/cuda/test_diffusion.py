"""Diffusion and its relatives give on a device what they give in NumPy."""

import numpy as np
from numpy.testing import assert_allclose

from postproc import Nearest, diffusion, offline_diffusion, rdp, same_camera, sqeuclidean
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=5, ng=24, d=8, people=6, cameras=3)
Q, G = DATA["query"], DATA["gallery"]
SMALL = {"k": 5, "iterations": 4}


def same(on_device, found, wanted):
    """Up to rounding; -1 in the place of a row stays -1."""
    if isinstance(wanted, Nearest):
        assert (on_device.down(found.rows) == wanted.rows).all()
        found, wanted = found.distances, wanted.distances
    found = on_device.down(found)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


@each(
    "setting",
    [
        {"k_query": 3},
        {"solver": "minres", "alpha": 0.9, "gamma": 0.0},
        {"iterations": 12, "tolerance": 1e-2, "query_gamma": 1.0},
        {"eigenpairs": 4},
        {"k": 1},
        {"k": 1, "eigenpairs": 4},
        {"top_k": 7},
    ],
)
def test_diffusion(on_device, setting):
    wanted = diffusion(Q, G, **{**SMALL, **setting})
    same(on_device, diffusion(on_device.up(Q), on_device.up(G), **{**SMALL, **setting}), wanted)


@each(
    "setting",
    [
        {"truncate": 8},
        {"truncate": 100, "alpha": 0.9},
        {"truncate": 6, "k": 3, "top_k": 20},
        {"truncate": 1},
        {"graph": "gallery", "query_gamma": 0.0, "truncate": 6, "iterations": 2, "top_k": 7},
    ],
)
def test_offline_diffusion(on_device, setting):
    wanted = offline_diffusion(Q, G, **{**SMALL, **setting})
    same(on_device, offline_diffusion(on_device.up(Q), on_device.up(G), **{**SMALL, **setting}), wanted)


@each("setting", [{}, {"k": 1}, {"sigma": 5.0, "mu": 1.0}, {"top_k": 7}])
def test_rdp(on_device, setting):
    wanted = rdp(Q, G, **{**SMALL, **setting})
    same(on_device, rdp(on_device.up(Q), on_device.up(G), **{**SMALL, **setting}), wanted)


@each("step", [diffusion, offline_diffusion, rdp])
def test_a_pairwise(on_device, step):
    cameras = 0.2 * same_camera(DATA["query_cam"], DATA["gallery_cam"])
    wanted = step(sqeuclidean(Q, G) + cameras, **SMALL)
    same(on_device, step(sqeuclidean(on_device.up(Q), on_device.up(G)) + cameras, **SMALL), wanted)


@each("setting", [{}, {"top_k": 7}])
def test_the_gallery_on_the_host(on_device, setting):
    same(on_device, diffusion(on_device.up(Q), G, **SMALL, **setting), diffusion(Q, G, **SMALL, **setting))
    setting = {**SMALL, **setting, "graph": "gallery"}
    same(on_device, offline_diffusion(on_device.up(Q), G, **setting), offline_diffusion(Q, G, **setting))


def test_twice_the_same_bits(on_device):
    found = [on_device.down(diffusion(on_device.up(Q), on_device.up(G), **SMALL)) for _ in range(2)]
    assert np.array_equal(*found)
