"""One query against an index is that query alone against the gallery."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import GalleryIndex, Nearest, l2_normalize, neighbours, rerank, using
from postproc.base.stored import Stored
from tests.support.each import each
from tests.support.worlds import lattices, world

SETTINGS = st.fixed_dictionaries(
    {
        "k1": st.integers(1, 12),
        "k2": st.integers(1, 6),
        "lambda_value": st.sampled_from([0.0, 0.3, 1.0]),
        "power": st.sampled_from([1.0, 2.0, 3.0, 4.0]),
        "count_self": st.booleans(),
        "normalize": st.booleans(),
    }
)


def agree(index, queries, gallery, top_k=None, **chosen):
    """The index's answers against those of the batch function: the distance of every image, and what is first."""
    found = index.rerank(queries, top_k)
    for at, query in enumerate(queries):
        wanted = rerank(query[None], gallery, **chosen)[0]
        rows = found.rows[at]
        assert_allclose(found.distances[at], wanted[rows], rtol=0, atol=2e-6)
        assert_allclose(found.distances[at], np.sort(wanted)[: len(rows)], rtol=0, atol=2e-6)
        assert len(set(rows.tolist())) == len(rows) == min(top_k or len(gallery), len(gallery))
        assert (np.diff(found.distances[at]) >= 0).all()


@given(lattices(st.integers(1, 40)), lattices(st.integers(1, 4)), SETTINGS)
@settings(max_examples=60, deadline=None)
def test_is_the_batch_function_where_everything_ties(gallery, queries, chosen):
    gallery, queries = gallery / 8, queries / 8  # so that exp(-p) is a weight without ``normalize`` too
    index = GalleryIndex(gallery, **chosen)
    agree(index, queries, gallery, **chosen)
    for query in queries:
        wanted = rerank(query[None], gallery, **chosen, top_k=len(gallery))
        found = index.rerank(query, len(gallery))
        assert_allclose(found.distances, wanted.distances, rtol=0, atol=1e-6)


@each("unit", [False, True])
@each(("k1", "k2"), [(20, 6), (7, 1), (3, 9), (200, 6)])
def test_is_the_batch_function_with_copies(unit, k1, k2):
    drawn = world(ng=150, seed=k1)
    gallery, queries = drawn["gallery"], drawn["query"]
    gallery[20:30] = gallery[19]
    queries = np.concatenate([queries, gallery[[3, 5, 19, 149]]])
    if unit:
        gallery, queries = l2_normalize(gallery), l2_normalize(queries)
    index = GalleryIndex(gallery, k1=k1, k2=k2)
    agree(index, queries, gallery, k1=k1, k2=k2)
    for query in queries[-4:]:
        assert_array_equal(index.rerank(query).rows, rerank(query[None], gallery, k1=k1, k2=k2, top_k=100).rows)


def test_is_the_batch_function_far_from_the_origin():
    drawn = world(ng=80)
    gallery, queries = drawn["gallery"] + 100, drawn["query"] + 100
    agree(GalleryIndex(gallery), queries, gallery)


def test_a_query_that_is_the_farthest_of_all():
    drawn = world(ng=60)
    far = 50 * drawn["query"][:2]
    agree(GalleryIndex(drawn["gallery"]), far, drawn["gallery"])


def test_a_power_beyond_float32_is_refused():
    data = world()
    index = GalleryIndex(3000 * data["gallery"], power=32)
    with pytest.raises(ValueError, match="power: wanted distances whose power float32 can hold"):
        index.rerank(data["query"])


def test_a_list_of_numbers_and_features_on_disk(tmp_path):
    drawn = world(ng=60)
    np.save(tmp_path / "x.npy", drawn["gallery"])
    index = GalleryIndex(Stored(np.load(tmp_path / "x.npy", mmap_mode="r")))
    wanted = GalleryIndex(drawn["gallery"]).rerank(drawn["query"][:1])
    for query in (drawn["query"][0].tolist(), [drawn["query"][0].tolist()], drawn["query"][0].astype(np.float64)):
        assert index.rerank(query).distances.tobytes() == wanted.distances.tobytes()


def test_zeros_and_one_image():
    gallery = np.zeros((5, 3), np.float32)
    agree(GalleryIndex(gallery), gallery[:1], gallery)
    agree(GalleryIndex(gallery[:1]), np.ones((1, 3), np.float32), gallery[:1])


@each("name", ["viper_feats", "cuhk03_train_feats", "lion_feats"])
def test_real_features(shared, name):
    drawn = np.load(shared / f"{name}.npz")
    key = next(key for key in drawn.files if drawn[key].ndim == 2 and drawn[key].dtype == np.float16)
    images = l2_normalize(drawn[key][:1000].astype(np.float32))
    queries, gallery = images[::50], np.delete(images, np.s_[::50], axis=0)
    index = GalleryIndex(gallery)
    for at, found in enumerate(zip(*index.rerank(queries), strict=True)):
        wanted = rerank(queries[at : at + 1], gallery, top_k=100)
        assert_allclose(found[0], wanted.distances[0], rtol=0, atol=1e-5)
        assert (found[1] == wanted.rows[0]).mean() > 0.97  # distances that are equal to rounding may change places


def test_each_alone_at_any_number_of_threads():
    drawn = world(nq=11, ng=3000, d=32)
    with using(threads=1):
        index = GalleryIndex(drawn["gallery"])
        alone = [index.rerank(query) for query in drawn["query"]]
    with using(threads=3):
        again = GalleryIndex(drawn["gallery"])
        together = again.rerank(drawn["query"])
    for at, one in enumerate(alone):
        assert one.distances.tobytes() == together.distances[at].tobytes()
        assert one.rows.tobytes() == together.rows[at].tobytes()


def test_threads_may_ask_while_others_add_and_remove():
    drawn = world(nq=12, ng=400, d=16)
    gallery, more = drawn["gallery"][:390], drawn["gallery"][390:]
    index = GalleryIndex(gallery)
    states = [gallery, drawn["gallery"]]
    known = [[rerank(query[None], state, top_k=20) for query in drawn["query"]] for state in states]
    wrong, stop = [], threading.Event()

    def ask(first):
        at = first
        while not stop.is_set():
            at = (at + 1) % len(drawn["query"])
            found = index.rerank(drawn["query"][at], 20)
            if not any(np.allclose(found.distances, answers[at].distances, atol=1e-5) for answers in known):
                wrong.append(at)

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        index.remove(index.add(more))
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(index) == 390


def test_known_neighbours_spare_the_search():
    drawn = world(ng=120)
    lists = neighbours(drawn["gallery"], k=24)
    index = GalleryIndex(drawn["gallery"], neighbours=lists)
    found, wanted = index.rerank(drawn["query"]), GalleryIndex(drawn["gallery"]).rerank(drawn["query"])
    assert index.exact
    assert found.distances.tobytes() == wanted.distances.tobytes()
    with pytest.raises(
        ValueError, match=r"neighbours: wanted k = 20 or more .*, got NeighbourLists\(120 images, k=9"
    ):
        GalleryIndex(drawn["gallery"], neighbours=neighbours(drawn["gallery"], k=9))
    with pytest.raises(ValueError, match="neighbours: wanted lists of the distances that are used here"):
        GalleryIndex(drawn["gallery"] + 1, neighbours=lists)
    with pytest.raises(ValueError, match="neighbours: wanted lists of 50 images of one set"):
        GalleryIndex(drawn["gallery"][:50], neighbours=lists)


def test_ids_stay_when_others_leave():
    drawn = world(ng=40)
    index = GalleryIndex(drawn["gallery"], ids=np.arange(40) * 10)
    index.remove([0, 30])
    assert_array_equal(index.add(drawn["query"][0]), [391])
    assert_array_equal(index.ids, [10, 20, *range(40, 400, 10), 391])
    found = index.rerank(drawn["query"][:2], 5)
    assert_array_equal(index.rerank(drawn["query"][:2], 5, by_id=True).rows, index.ids[found.rows])
    assert isinstance(found, Nearest)
    assert found.rows[0, 0] == len(index) - 1  # itself


@each(
    ("call", "message"),
    [
        (lambda index, x: index.rerank(x[:, :3]), "query and gallery: wanted the same width, got 3 and 16"),
        (lambda index, x: index.rerank(np.full(16, np.nan)), "query: wanted finite numbers"),
        (lambda index, x: index.rerank(x, 0), "top_k: wanted a whole number, 1 or more, got 0"),
        (lambda index, x: index.rerank(x, cam=np.zeros(12, int)), "query: wanted cameras only where a transform"),
        (lambda index, x: index.rerank(x * 1e20), "features: wanted squared lengths that float32 can hold"),
        (lambda index, x: index.add(x, [5] * 12), "ids: wanted each once, got 5 12 times"),
        (lambda index, x: index.add(x[:1], [5]), "ids: wanted none that is taken, got 5"),
        (lambda index, x: index.add(x[:1], [-5]), "ids: wanted whole numbers, 0 or more, got -5"),
        (
            lambda index, x: index.remove([3, 90, 91]),
            "ids: wanted images of this index, got 90, and 2 such in all",
        ),
        (lambda index, x: index.remove(range(90)), "ids: wanted at least one image that stays, got all of them"),
        (lambda index, x: GalleryIndex(x, k1=0), "k1: wanted a whole number, 1 or more, got 0"),
        (lambda index, x: GalleryIndex(x[:0]), "gallery: wanted at least one image"),
    ],
)
def test_wrong_input_changes_nothing(call, message):
    drawn = world()
    index = GalleryIndex(drawn["gallery"])
    before = index.rerank(drawn["query"])
    with pytest.raises(ValueError, match=f"^{message}"):
        call(index, drawn["query"])
    assert index.rerank(drawn["query"]).distances.tobytes() == before.distances.tobytes()


def test_many_queries_leave_no_trace():
    gallery = world(ng=300)["gallery"]
    index = GalleryIndex(gallery)
    first = index.rerank(gallery[:20])
    for _ in range(5):
        index.rerank(gallery)
    again = index.rerank(gallery[:20])
    assert first.distances.tobytes() == again.distances.tobytes()
