"""What is usual for an image of one set comes from all others, against definitions in a few lines."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    csls,
    csls_distances,
    dis_sim,
    distances,
    local_scaling,
    mutual_proximity,
    nnn,
    rank,
    sinkhorn,
    sinkhorn_distances,
)
from postproc.kernels import reference
from postproc.testing import world
from tests.support.each import each

DATA = world(ng=60)
X, COUNT = DATA["gallery"], 60  # 0, 5 and 17 are copies
UNIT = reference.basic.unit(X)
OWN = np.eye(COUNT, dtype=bool)


def without_own(matrix):
    return np.where(OWN, np.inf, matrix)


SQUARED = without_own(reference.basic.sqeuclidean(X, X))
COSINE = without_own(0.5 * reference.basic.sqeuclidean(UNIT, UNIT))
METRICS = {"euclidean": np.sqrt(SQUARED), "sqeuclidean": SQUARED, "cosine": COSINE}


def test_csls_by_hand():
    """0, 1 and 3 on a line: the nearest other is at 1, 1 and 2."""
    line = without_own_of([[0, 1, 3], [1, 0, 2], [3, 2, 0]])
    # 2 * 1 - 1 - 1, 2 * 3 - 1 - 2, 2 * 2 - 1 - 2
    assert_array_equal(csls_distances(line, k=1), without_own_of([[0, 0, 3], [0, 0, 1], [3, 1, 0]]))


def without_own_of(rows):
    matrix = np.array(rows, np.float32)
    np.fill_diagonal(matrix, np.inf)
    return matrix


@each("k", [1, 4, 200])
def test_csls(k):
    wanted = reference.hubness.csls(COSINE, k)
    assert_allclose(csls(X, k=k), wanted, atol=2e-6)
    assert_allclose(csls_distances(COSINE.astype(np.float32), k=k), wanted, atol=2e-6)


@each("k", [1, 5, 200])
def test_dis_sim(k):
    """All images are those of a gallery, which are in their own neighbourhoods."""
    near = np.argsort(np.where(OWN, 0, SQUARED), axis=1, kind="stable")[:, :k]
    away = ((X - X.astype(np.float64)[near].mean(axis=1)) ** 2).sum(axis=1)
    assert_allclose(dis_sim(X, k=k), SQUARED - away[:, None] - away, rtol=1e-5, atol=1e-4)


@each("method", ["ls", "nicdm", "bi_dakr", "inv_dakr"])
def test_local_scaling(method):
    for metric, d in METRICS.items():
        for k, query_k in ((1, 1), (5, 5), (3, 8)):
            wanted = reference.hubness.local_scaling(d, np.where(OWN, 0, d), k, query_k, method)
            found = local_scaling(X, k=k, query_k=query_k, method=method, metric=metric)
            assert_allclose(found[~OWN], wanted[~OWN], rtol=2e-5, atol=1e-6)
            assert (found[OWN] == np.inf).all()


@each("method", ["normal", "empirical"])
def test_mutual_proximity(method):
    for metric, d in METRICS.items():
        found = mutual_proximity(X, method=method, metric=metric)
        wanted = np.full((COUNT, COUNT), np.inf)
        others = [d[i][~OWN[i]] for i in range(COUNT)]
        for i in range(COUNT):
            for j in np.flatnonzero(~OWN[i]):
                if method == "empirical":
                    beyond = sum(d[i, x] > d[i, j] and d[j, x] > d[i, j] for x in range(COUNT) if x not in (i, j))
                    wanted[i, j] = 1 - beyond / (COUNT - 2)
                else:
                    a, b = (reference.hubness._share_below(d[i, j], others[end]) for end in (i, j))
                    wanted[i, j] = 1 - (1 - a) * (1 - b)
        if method == "normal":
            assert_allclose(found, wanted, atol=2e-6)
        else:  # rounding may take a tie for farther
            far = np.isclose(d[:, None], d[:, :, None], rtol=1e-5).sum(axis=2) > 1
            assert_allclose(found[~far], wanted[~far], atol=1e-6)
            assert (~far).sum() > COUNT


def test_mutual_proximity_by_hand():
    """Of 0, 1, 3 and 7 on a line: beyond 1 from 0 and from 1 are 3 and 7, beyond 3 from 0 and from 3 is 7."""
    line = np.array([[0], [1], [3], [7]], np.float32)
    found = mutual_proximity(line, method="empirical")
    assert_array_equal(found[0], [np.inf, 1 - 2 / 2, 1 - 1 / 2, 1])


def test_nnn_keeps_its_bank():
    found = nnn(X, train=DATA["train"], k=4)
    wanted = reference.hubness.nnn(UNIT @ UNIT.T, UNIT @ reference.basic.unit(DATA["train"]).T, 4, 0.75)
    assert_allclose(found, without_own(wanted), atol=2e-6)


@each("half_rounds", [0, 1, 2, 7])
def test_sinkhorn(half_rounds):
    setting = {"temperature": 0.1, "half_rounds": half_rounds}
    wanted = reference.hubness.sinkhorn(COSINE, 0.1, half_rounds)
    assert_allclose(sinkhorn(X, **setting), wanted, atol=2e-6)
    assert_allclose(sinkhorn_distances(distances(X, metric="cosine"), **setting), wanted, atol=2e-6)
    whole = sinkhorn(X, **setting)
    lists = sinkhorn(X, top_k=4, **setting)
    assert_array_equal(lists.rows, rank(whole, top_k=4))


def test_no_share_is_the_own():
    """exp(-out / temperature) without the diagonal has columns that sum to one."""
    found = sinkhorn(X, temperature=0.1, half_rounds=1)
    shares = np.exp(-np.float64(found) / 0.1)
    assert_allclose(shares.sum(axis=0), 1, rtol=1e-4)


@each("step", [csls, dis_sim, local_scaling, mutual_proximity, sinkhorn])
def test_an_image_alone_and_two(step):
    assert step(X[:1]).tolist() == [[np.inf]]
    found = step(X[:2])
    assert np.isfinite(found[~np.eye(2, dtype=bool)]).all()
    lists = step(X[:2], top_k=5)
    assert lists.rows.tolist() == [[1], [0]]
