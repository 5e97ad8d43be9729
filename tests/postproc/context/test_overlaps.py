"""The first of a re-ranking by overlap: they are the head of the whole answer, whoever is looked at."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import rerank, using
from postproc.base.one_set import TwiceTheSame
from postproc.base.sizes import Sizes
from postproc.base.step import declared_by, with_defaults
from postproc.context import overlaps
from postproc.pairs import long_lists, pairwise
from tests.support.each import each

ALWAYS = patch.object(long_lists, "cheaper", lambda *sizes: True)
NEVER = patch.object(long_lists, "cheaper", lambda *sizes: False)


def images(rng, count, width=6, noise=0.4):
    """Images around some identities, copies among them."""
    centre = rng.standard_normal((max(1, count // 5), width))
    found = centre[rng.integers(0, len(centre), count)] + noise * rng.standard_normal((count, width))
    found[rng.integers(0, count, count // 8)] = found[0]
    return found.astype(np.float32)


def head(pairs, k, **chosen):
    """The first ``k`` by overlap, and how many queries were finished from their row of all distances."""
    everybody = overlaps.Finish.of_everybody
    with ALWAYS, patch.object(overlaps.Finish, "of_everybody", autospec=True, side_effect=everybody) as finish:
        found = rerank(pairs, top_k=k, **chosen)
    assert finish.call_count == 1
    return found, len(finish.call_args.args[1])


def must_be_the_head(found, whole, one_set):
    """The values are the smallest of the whole answer, and those of the rows named; nobody stands twice."""
    whole = whole.copy()
    if one_set:
        np.fill_diagonal(whole, np.inf)
    k = found.rows.shape[1]
    assert_allclose(found.distances, np.sort(whole, axis=1)[:, :k], rtol=1e-5, atol=2e-6)
    there = found.rows >= 0
    assert_array_equal(there, np.isfinite(found.distances))
    named = np.take_along_axis(whole, found.rows.clip(0), axis=1)
    assert_allclose(named[there], found.distances[there], rtol=1e-5, atol=2e-6)
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in found.rows)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(2, 60),
    share=st.none() | st.floats(0.05, 0.95),
    k=st.integers(1, 30),
    k1=st.integers(1, 12),
    k2=st.integers(1, 6),
    lambda_value=st.sampled_from([0.0, 0.3, 1.0]),
    power=st.sampled_from([1.0, 2.0, 4.0]),
    count_self=st.booleans(),
    normalize=st.booleans(),
    penalty=st.sampled_from([0.0, 0.3, -0.7]),
)
def test_the_head_of_the_whole_answer(seed, count, share, k, penalty, **chosen):
    rng = np.random.default_rng(seed)
    x, cam = images(rng, count), rng.integers(-1, 3, count)
    nq = None if share is None else min(max(1, int(share * count)), count - 1)
    sides = (x,) if nq is None else (x[:nq], x[nq:])
    pairs = pairwise.sqeuclidean(*sides)
    if penalty:
        pairs = pairs + penalty * pairwise.same_camera(*((cam,) if nq is None else (cam[:nq], cam[nq:])))
    found, _ = head(pairs, k, **chosen)
    must_be_the_head(found, rerank(pairs, **chosen), one_set=nq is None)
    with NEVER:
        assert rerank(pairs, top_k=k, **chosen).rows.shape == found.rows.shape


def test_by_hand_where_only_overlaps_count():
    """Two pairs far apart, k1 = 1, k2 = 1: V of each holds the pair, 1 and exp(-1/d) over their sum.

    Image 0 holds itself by 1 / (1 + e) and image 1 by e / (1 + e), e = exp(-1 / 17^2); image 1 the other way round
    with 16^2. They share the smaller ones. With 2 and 3 nothing is shared: these are at 1, and go by row.
    """
    x = np.array([[0.0], [1.0], [16.0], [17.0]], np.float32)
    p = 1 / 17**2  # 0 and 1, over the largest from 0
    smaller = np.exp(-p) / (1 + np.exp(-p))
    q = 1 / 16**2  # from 1 the largest is 16^2
    other = np.exp(-q) / (1 + np.exp(-q))
    shared = min(1 - smaller, other) + min(smaller, 1 - other)
    found, rest = head(x, 3, k1=1, k2=1, lambda_value=0.0)
    assert_array_equal(found.rows[0], [1, 2, 3])
    assert_allclose(found.distances[0], [1 - shared / (2 - shared), 1, 1], atol=1e-6)
    assert rest == 0


def test_who_shares_nothing_fills_the_list_by_row():
    x = np.repeat(np.arange(0, 3000, 100), 2).astype(np.float32)[:, None] + np.tile([0.0, 1.0], 30)[
        :, None
    ].astype("f4")
    found, rest = head(x, 40, k1=1, k2=1, lambda_value=0.0)
    assert rest == 0
    for query in (0, 7, 59):
        others = [row for row in range(60) if row not in (query, query ^ 1)]
        assert_array_equal(found.rows[query], [query ^ 1, *others[:39]])
        assert (found.distances[query, 1:] == 1).all()


@each("k, sides", [(10, 1), (10, 2), (30, 1)])
def test_nobody_is_looked_at_in_vain(k, sides):
    """Lists a little longer than the answer make nearly every query certain, and few pairs are measured."""
    x = images(np.random.default_rng(3), 400, width=16)
    x = np.unique(x, axis=0)
    pairs = pairwise.sqeuclidean(x) if sides == 1 else pairwise.sqeuclidean(x[:100], x[100:])
    _, rest = head(pairs, k)
    assert rest <= 0.02 * len(x)


def test_equal_distances_where_a_list_ends_are_finished_from_the_whole_row():
    """Corners of a cube around its centre: for the centre, all eight are equally far, wherever its list ends."""
    corners = np.array([[i & 1, i >> 1 & 1, i >> 2] for i in range(8)], np.float32) * 2 - 1
    far = np.array([[50.0 + i * i, 3 * i, 0] for i in range(40)], np.float32)
    x = np.concatenate([[[0, 0, 0]], corners, far]).astype(np.float32)
    with patch.object(long_lists, "MORE", 0):
        found, rest = head(x, 3, k1=2, k2=1)
    assert rest >= 1
    must_be_the_head(found, rerank(x, k1=2, k2=1), one_set=True)


@each("seed", range(3))
def test_same_bits_in_any_number_of_threads(seed):
    x = images(np.random.default_rng(seed), 700)
    found = []
    for threads in (1, 2, 5):
        with using(threads=threads):
            found.append(head(x, 12)[0])
    for other in found[1:]:
        assert_array_equal(found[0].rows, other.rows)
        assert_array_equal(found[0].distances, other.distances)


def test_same_bits_whatever_is_there_at_a_time():
    x = images(np.random.default_rng(5), 300)
    found, _ = head(x, 12)
    with patch.multiple(overlaps, BLOCK=7, PAIRS=11), patch.object(long_lists, "QUERIES", 13):
        other, _ = head(x, 12)
    assert_array_equal(found.rows, other.rows)
    assert_array_equal(found.distances, other.distances)


def test_a_power_that_float32_cannot_hold_is_refused_here_too():
    x = images(np.random.default_rng(1), 50) * np.float32(30)
    with pytest.raises(ValueError, match="power: wanted distances whose power"):
        head(x, 5, power=64.0, normalize=True)


@pytest.mark.filterwarnings("ignore", category=TwiceTheSame)
def test_real_features(shared):
    with np.load(shared / "cuhk03_train_feats.npz") as data:
        x = data["omz0277"][:900].astype(np.float32)
    found, rest = head(x, 100)
    must_be_the_head(found, rerank(x), one_set=True)
    assert rest == 0


def test_memory_stays_under_the_declaration():
    """640 images, of which lists and candidates, weights and tiles are all that is there."""
    x = images(np.random.default_rng(0), 640, width=16)
    sizes = Sizes(nq=640, ng=640, width=16, one_set=True)
    with ALWAYS, using(threads=1):
        rerank(x[:50], top_k=3)
        allowed = declared_by(rerank).memory(sizes, with_defaults(rerank, {"top_k": 20}))
        tracemalloc.start()
        found = rerank(x, top_k=20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= allowed + sum(part.nbytes for part in found) + (1 << 20)
