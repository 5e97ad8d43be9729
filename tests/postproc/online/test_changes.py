"""Adding and removing give what building gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import GalleryIndex, l2_normalize
from postproc.online.state import SPARE
from tests.support.each import each
from tests.support.worlds import lattices, world


def sets(state):
    parts = zip(state.offsets[:-1], state.offsets[1:], strict=True)
    return [dict(zip(state.members[a:b].tolist(), state.distances[a:b].tolist(), strict=True)) for a, b in parts]


def as_given(state):
    return state.features if state.centre is None else state.features + state.centre


def same(index, fresh):
    """Lists, sets and answers of an index against one that was built of the same images."""
    found, wanted = index._state, fresh._state
    most = wanted.settings.most
    if found.centre is not None or wanted.centre is not None:  # rounding is another, and breaks ties otherwise
        assert_allclose(as_given(found), as_given(wanted), atol=1e-5)
        return
    assert_array_equal(found.features, wanted.features)
    assert_array_equal(found.rows[:, :most], wanted.rows[:, :most])
    assert_allclose(found.values[:, :most], wanted.values[:, :most], rtol=0, atol=1e-6)
    assert_allclose(found.largest, wanted.largest, rtol=1e-5)
    for mine, theirs in zip(sets(found), sets(wanted), strict=True):
        assert mine.keys() == theirs.keys()
    queries = np.concatenate([wanted.features[:2], wanted.features[-2:] + 1])
    assert_allclose(index.rerank(queries).distances, fresh.rerank(queries).distances, rtol=0, atol=1e-5)


@given(
    lattices(st.integers(4, 60)),
    st.integers(1, 12),
    st.integers(1, 6),
    st.booleans(),
    st.lists(st.tuples(st.booleans(), st.integers(0, 2**31)), min_size=1, max_size=5),
)
@settings(max_examples=50, deadline=None)
def test_any_order_of_changes(images, k1, k2, normalize, changes):
    images = images / 8  # so that exp(-p) is a weight without ``normalize`` too
    chosen = {"k1": k1, "k2": k2, "normalize": normalize}
    index = GalleryIndex(images[: len(images) // 2], **chosen)
    kept = images[: len(images) // 2]
    for add, seed in changes:
        rng = np.random.default_rng(seed)
        if add:
            rows = images[rng.integers(0, len(images), rng.integers(1, 9))]
            index.add(rows)
            kept = np.concatenate([kept, rows])
        elif len(kept) > 1:
            leaving = rng.choice(len(kept), rng.integers(1, max(2, len(kept) // 3)), replace=False)
            index.remove(index.ids[leaving])
            kept = np.delete(kept, leaving, axis=0)
    same(index, GalleryIndex(kept, **chosen))


@each("unit", [False, True])
def test_many_small_changes_of_real_valued_features(unit):
    drawn = world(ng=700, d=24, people=60)["gallery"]
    drawn = l2_normalize(drawn) if unit else drawn
    index, kept = GalleryIndex(drawn[:500], k1=10, k2=4), drawn[:500]
    rng = np.random.default_rng(0)
    for at in range(500, 700, 20):
        index.add(drawn[at : at + 20])
        leaving = rng.choice(len(kept), 9, replace=False)
        index.remove(index.ids[leaving])
        kept = np.delete(np.concatenate([kept, drawn[at : at + 20]]), leaving, axis=0)
    same(index, GalleryIndex(kept, k1=10, k2=4))


def test_the_farthest_of_everybody_leaves():
    drawn = world(ng=90)["gallery"]
    drawn[40] *= 100
    index = GalleryIndex(drawn)
    index.remove(40)
    same(index, GalleryIndex(np.delete(drawn, 40, axis=0)))


def test_a_crowd_of_neighbours_leaves():
    """More than a list has to spare."""
    drawn = world(ng=400, people=8)["gallery"]
    index = GalleryIndex(drawn, k1=8, k2=3)
    near = index._state.rows[7, 1 : 3 + 2 * SPARE]
    index.remove(near[near >= 0])
    same(index, GalleryIndex(np.delete(drawn, near[near >= 0], axis=0), k1=8, k2=3))


def test_nobody_leaves_and_no_number_is_left():
    index = GalleryIndex(world(ng=40)["gallery"][:3], ids=[0, 1, 2**63 - 1])
    index.remove([])
    assert_array_equal(index.ids, [0, 1, 2**63 - 1])
    with pytest.raises(ValueError, match="none is free behind 9223372036854775807"):
        index.add(world(ng=40)["gallery"][3])
    index.add(world(ng=40)["gallery"][3], ids=7)
    assert_array_equal(index.ids, [0, 1, 2**63 - 1, 7])


def test_images_of_another_length_join():
    drawn = world(ng=80)["gallery"]
    unit = l2_normalize(drawn[:60])
    index = GalleryIndex(unit)
    index.add(drawn[60:])
    same(index, GalleryIndex(np.concatenate([unit, drawn[60:]])))


def test_what_was_handed_over_is_not_written_to():
    drawn = world(ng=80)["gallery"]
    before = drawn.copy()
    index = GalleryIndex(drawn[:60])
    index.add(drawn[60:70])
    old = index._state
    index.add(drawn[70:])
    index.remove([0])
    assert_array_equal(drawn, before)
    assert_array_equal(old.features, before[:70])
