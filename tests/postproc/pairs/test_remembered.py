"""What is kept between calls changes no bit of any answer, and is really used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from postproc import ca_jaccard, cas, diffusion, distances, ecn, gcr, gnn_rerank, query_expansion, rerank
from postproc.pairs.nearest import of_all, of_cameras
from postproc.pairs.pairwise import same_camera, sqeuclidean
from postproc.pairs.remembered import Store, depth, fingerprint, remembering
from postproc.pairs.tiles import PairwiseTiles
from tests.support.worlds import lattices


def features(seed: int = 0, nq: int = 30, ng: int = 170) -> tuple[np.ndarray, np.ndarray]:
    """With many copies, so that classes of images and images differ."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(nq + ng, 6)).astype(np.float32)
    x[rng.integers(0, nq + ng, 60)] = x[rng.integers(0, 20, 60)]
    return x[:nq], x[nq:]


CAMERAS = np.arange(200) % 5
CALLS = {
    "k1": lambda q, g: rerank(q, g, k1=9, k2=3),
    "larger k1": lambda q, g: rerank(q, g, k1=90, k2=3),
    "larger k2": lambda q, g: rerank(q, g, k1=4, k2=70),
    "lambda": lambda q, g: rerank(q, g, k1=9, k2=3, lambda_value=0.9, power=4),
    "top_k": lambda q, g: rerank(q, g, k1=9, k2=3, top_k=7),
    "penalty": lambda q, g: rerank(q, g, CAMERAS[:30], CAMERAS[30:], k1=9, camera_penalty=0.5),
    "cameras": lambda q, g: ca_jaccard(q, g, CAMERAS[:30], CAMERAS[30:]),
    "classes": lambda q, g: cas(q, g),
    "gnn": lambda q, g: gnn_rerank(q, g, k1=5),
    "ecn": lambda q, g: ecn(q, g),
    "diffusion": lambda q, g: diffusion(q, g, k=7),
    "distances": lambda q, g: distances(q, g),
    "expansion": lambda q, g: query_expansion(q, g, k=4, expand="both")[1],
    "gcr": lambda q, g: gcr(q, g, CAMERAS[:30], CAMERAS[30:])[1],
}


def parts(answer):
    return answer if isinstance(answer, tuple) else (answer,)


def test_every_method_gives_the_same_bits_whoever_came_before():
    q, g = features()
    plain = {name: parts(call(q, g)) for name, call in CALLS.items()}
    store = Store()
    for names in (list(CALLS), list(reversed(CALLS)), list(CALLS)):
        for name in names:
            with remembering(store):
                found = parts(CALLS[name](q, g))
            for one, other in zip(found, plain[name], strict=True):
                assert_array_equal(one, other, err_msg=name)
    assert store.hits > 20


def test_the_second_call_walks_over_nothing(monkeypatch):
    q, g = features()
    store = Store()
    with remembering(store):
        first = rerank(q, g, k1=9), rerank(q, g, k1=9, top_k=5)
        monkeypatch.setattr(PairwiseTiles, "tile", lambda *_: pytest.fail("a tile was computed"))
        rerank(q, g, k1=20, k2=9, lambda_value=0.1)
        again = rerank(q, g, k1=9), rerank(q, g, k1=9, top_k=5)
    assert_array_equal(first[0], again[0])
    assert_array_equal(first[1].rows, again[1].rows)
    with pytest.raises(pytest.fail.Exception), remembering(store):
        rerank(q, g * 2)  # other features


@given(gallery=lattices(st.integers(1, 40)), query=lattices(st.integers(1, 10)), k=st.integers(1, 60))
def test_lists_are_the_beginning_of_longer_ones(gallery, query, k):
    cams = (np.arange(len(query)) % 3 - 1, np.arange(len(gallery)) % 3 - 1)
    for cameras in (None, cams):
        tiles = PairwiseTiles(sqeuclidean(query, gallery), cameras)
        wanted = [of_all(tiles, k)]
        wanted += [] if cameras is None else of_cameras(tiles, same=k, other=k)
        with remembering(Store()):
            for _ in range(2):  # the second time from memory
                found = [of_all(tiles, k)]
                found += [] if cameras is None else of_cameras(tiles, same=k, other=k)
                for one, other in zip(found, wanted, strict=True):
                    assert_array_equal(one.rows, other.rows)
                    assert_array_equal(one.values, other.values)
                    assert_array_equal(one.largest, other.largest)


def test_what_is_given_away_may_be_written_to():
    q, g = features()
    with remembering(Store()):
        for _ in range(3):
            found = distances(q, g)
            assert found[0, 0] != -1
            found[:] = -1
            lists = of_all(PairwiseTiles(sqeuclidean(q, g)), 5)
            assert lists.rows[0, 0] >= 0
            lists.rows[:] = -1


def test_everything_that_makes_a_distance_is_told_apart():
    q, g = features()
    cams = same_camera(CAMERAS[:30], CAMERAS[30:])
    pairs = sqeuclidean(q, g)
    kinds = [
        pairs,
        2.0 * pairs,
        -1.0 * pairs,
        pairs + cams,
        pairs + 2.0 * cams,
        pairs.zero_within_tracks(CAMERAS[:30], CAMERAS[30:]),
        sqeuclidean(g, q),
        sqeuclidean(q[:, :5], g[:, :5]),
        pairs.of_gallery(),
    ]
    prints = {PairwiseTiles(kind).fingerprint for kind in kinds}
    prints.add(PairwiseTiles(pairs, (CAMERAS[:30], CAMERAS[30:])).fingerprint)
    assert len(prints) == len(kinds) + 1
    assert PairwiseTiles(sqeuclidean(q.copy(), g.copy())).fingerprint in prints


def test_fingerprints_know_shapes_kinds_and_borders():
    x = np.zeros(4, np.float32)
    sequences = [[x], [x.reshape(2, 2)], [x.view(np.int32)], [x[:2], x[2:]], [x, None], [None, x], [x[:0], x], []]
    assert len({fingerprint(arrays) for arrays in sequences}) == len(sequences)


def test_too_small_a_store_changes_nothing():
    q, g = features()
    with remembering(Store(limit=1)):
        found = rerank(q, g, k1=9), rerank(q, g, k1=9, top_k=4).rows
    assert_array_equal(found[0], rerank(q, g, k1=9))
    assert_array_equal(found[1], rerank(q, g, k1=9, top_k=4).rows)


def test_more_are_found_than_asked_for():
    assert [depth(k) for k in (1, 24, 25, 48, 49, 96, 97, 128, 129)] == [24, 24, 48, 48, 96, 96, 128, 128, 256]
