"""An open-set gallery: by hand, against the definition, whatever the blocks and threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from postproc import build_gallery, l2_normalize, using
from postproc.kernels import reference
from postproc.pairs import layout
from tests.support.each import each
from tests.support.worlds import cubes, world

COMING = np.array([[1, 0], [0, 1], [0.8, 0.6], [0, -2], [0.6, 0.8], [0.28, -0.96]])


def test_by_hand():
    # 1: cos 0 to image 0, new.  2: 0.8 to 0.  3: 0 to 0, new.  4: 0.96 to 2, which is of 0, before 0.8 to 1
    # 5: 0.96 to 3
    assert_array_equal(build_gallery(COMING), [0, 1, 0, 3, 0, 3])
    assert_array_equal(build_gallery(COMING, threshold=0.9), [0, 1, 2, 3, 2, 3])  # 2 is no longer of 0
    assert_array_equal(build_gallery(COMING, threshold=0.97), range(6))


def test_another_order_makes_other_identities():
    """Images at 0, 30 and 60 degrees: the one between joins those it finds, and joins none of them together."""
    angle = np.radians([0, 30, 60])
    images = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert_array_equal(build_gallery(images, threshold=0.8), [0, 0, 0])
    assert_array_equal(build_gallery(images[[0, 2, 1]], threshold=0.8), [0, 1, 0])


def test_extremes():
    data = world()["gallery"]
    assert_array_equal(build_gallery(data, threshold=-1.0), np.zeros(len(data)))
    assert_array_equal(build_gallery(data, threshold=1.0), np.arange(len(data)))
    assert_array_equal(build_gallery(data, threshold=0.9999)[[5, 17, 60]], [5, 5, 5])  # copies
    assert_array_equal(build_gallery(np.zeros((3, 2)), threshold=-1.0), range(3))
    assert_array_equal(build_gallery([[0, 0], [1, 0], [0, 0], [0, 1]], threshold=-0.5), [0, 1, 2, 1])


@settings(max_examples=80)
@given(
    images=cubes(st.integers(1, 40), (0.0, 1.0, 0.5)),
    threshold=st.sampled_from([-0.75, -0.25, 0.25, 0.75]),  # cosines here are halves
)
def test_equals_the_definition_with_ties_and_copies(images, threshold):
    assert_array_equal(
        build_gallery(images + 0.0, threshold=threshold), reference.gallery.build_gallery(images, threshold)
    )


def test_blocks_and_threads_change_nothing(monkeypatch):
    images = l2_normalize(world(ng=700, people=40)["gallery"])
    wanted = reference.gallery.build_gallery(images, 0.6)
    assert 30 < len(set(wanted)) < 500
    for threads in (1, 3):
        with using(threads=threads):
            assert_array_equal(build_gallery(images), wanted)
    monkeypatch.setattr(layout, "EDGE", 64)
    assert_array_equal(build_gallery(images), wanted)


@each("value", [1.5, -2, np.nan, "0.6", True, None])
def test_refuses_a_threshold(value):
    with pytest.raises(ValueError, match=r"^threshold: wanted -1 to 1, got "):
        build_gallery(COMING, threshold=value)


def test_refuses_features():
    with pytest.raises(ValueError, match=r"^features: wanted at least one image"):
        build_gallery(np.zeros((0, 2)))
    with pytest.raises(ValueError, match=r"^features: wanted finite numbers"):
        build_gallery([[np.nan, 1]])
