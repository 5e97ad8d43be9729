"""One set of images, each against all others: where a query has more to say than as a query of all others."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    cas,
    diffusion,
    distances,
    ecn,
    gnn_rerank,
    kwf,
    lbr,
    offline_diffusion,
    rdp,
    rerank,
    rerank_distances,
    superglobal,
)
from postproc.kernels import reference
from postproc.testing import world
from tests.support.each import each

DATA = world(ng=60)
X, COUNT = DATA["gallery"], 60  # 0, 5 and 17 are copies
OWN = np.eye(COUNT, dtype=bool)


@each("settings", [{}, {"k_query": 1}, {"k_query": 4, "query_gamma": 1.0, "alpha": 0.9}])
def test_a_query_enters_the_graph_at_itself_and_its_nearest(settings):
    """The released code, too, finds a query that is in the graph among its own k_query nearest."""
    chosen = {"k_query": 10, "alpha": 0.99, "query_gamma": 3.0, "k": 8, "gamma": 3.0, "iterations": 20, **settings}
    wanted = -reference.diffusion.diffusion(X, X, **chosen)
    found = diffusion(X, **chosen)
    reached = (wanted < -1e-6) & ~OWN
    assert_allclose(found[reached], wanted[reached], rtol=2e-5, atol=1e-6)
    assert (found[OWN] == np.inf).all()
    assert (found[~reached & ~OWN] > -1e-6).all()


def test_offline_diffusion_from_the_gallery_enters_likewise():
    chosen = {"graph": "gallery", "k": 8, "truncate": 20, "k_query": 4}
    twice = offline_diffusion(X, X, **chosen)
    assert_array_equal(offline_diffusion(X, **chosen)[~OWN], twice[~OWN])


def test_rdp_is_the_process_on_a_graph_of_the_set():
    """A <- alpha S A S' + (1 - alpha) I, of one set of different images, written out."""
    some = np.delete(X, [5, 17], axis=0).astype(np.float64)
    count, alpha = len(some), 1 / 1.3
    squares = reference.basic.sqeuclidean(some, some)
    v = np.exp(-((squares / squares.max()) ** 2) / 0.5**2) * reference.diffusion.lists(some, 6)
    s = reference.diffusion.normalized((v + v.T) / 2)
    a = np.eye(count)
    for _ in range(5):
        a = alpha * s @ a @ s.T + (1 - alpha) * np.eye(count)
    found = rdp(some.astype(np.float32), k=6, iterations=5)
    assert_allclose(
        np.where(found < 0, found, 0)[~np.eye(count, dtype=bool)], -a[~np.eye(count, dtype=bool)], atol=1e-6
    )


@each("square", [np.inf, 0.0])
def test_rerank_distances_takes_one_square_matrix(square):
    d = np.sqrt(distances(X))
    np.fill_diagonal(d, square)
    found = rerank_distances(d, k1=7, k2=3)
    np.fill_diagonal(d, 0)
    wanted = reference.reciprocal.rerank_matrix(d, None, 7, 3, 0.3, 2)
    assert_allclose(found, np.where(OWN, np.inf, wanted), atol=2e-6)
    assert_allclose(found, rerank(X, k1=7, k2=3), atol=2e-6)
    lists = rerank_distances(d, k1=7, k2=3, top_k=4)
    assert_array_equal(lists.rows, np.argsort(found, axis=1, kind="stable")[:, :4])


def test_rerank_distances_reads_down_columns_as_ever():
    d = distances(X) * np.linspace(1, 1.3, COUNT, dtype=np.float32)[:, None]
    found = rerank_distances(d, k1=7, k2=3, power=1)
    np.fill_diagonal(d, 0)
    assert_allclose(
        found, np.where(OWN, np.inf, reference.reciprocal.rerank_matrix(d, None, 7, 3, 0.3)), atol=2e-6
    )


def test_rerank_distances_refuses_what_is_not_one_set():
    d = distances(X)
    with pytest.raises(
        ValueError, match=r"^distances: wanted one set against itself, a square, got shape \(9, 60\)$"
    ):
        rerank_distances(d[:9])
    with pytest.raises(
        ValueError, match=r"^distances: wanted finite numbers outside the diagonal, found 2 of \+inf$"
    ):
        rerank_distances(np.where(d == d[1, 2], np.inf, d))
    np.fill_diagonal(d, 0.25)
    with pytest.raises(ValueError, match=r"^distances: wanted \+inf or 0 on all of the diagonal.*got 0.25 first$"):
        rerank_distances(d)
    with pytest.raises((TypeError, ValueError), match=r"^gallery_distances: wanted "):
        rerank_distances(d, d)


def test_kwf_leaves_the_own_image_out_of_its_means():
    """Nobody's camera is known, so only the image itself is left out of a mean seen from it."""
    unknown = np.full(COUNT, -1)
    found = kwf(X, query_cam=unknown, k=3, shortlist=None, weighting="uniform")
    d = distances(X / np.linalg.norm(X, axis=1, keepdims=True))
    for image, other in ((1, 2), (9, 40)):
        row = np.where(np.arange(COUNT) == other, 0, d[other])  # itself is its nearest
        near = [j for j in np.argsort(row, kind="stable") if j != image][:3]
        assert_allclose(found[image, other], d[image, near].mean(), rtol=1e-5)


@each("step", [cas, diffusion, ecn, gnn_rerank, lbr, offline_diffusion, rdp, superglobal, rerank])
def test_an_image_alone_and_two(step):
    assert step(X[:1]).tolist() == [[np.inf]]
    found = step(X[:2])
    assert np.isfinite(found[~np.eye(2, dtype=bool)]).all()
    assert step(X[:2], top_k=5).rows.tolist() == [[1], [0]]
    assert step(X[:1], top_k=5).rows.tolist() == [[-1]]
