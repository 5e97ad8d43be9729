"""Images smoothed by those of their track: by hand, against the definition, against released code."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from postproc import l2_normalize, track_augmentation, track_mean
from postproc.kernels import reference
from tests.support.golden import load
from tests.support.tracked import labels
from tests.support.worlds import lattices, world


def test_by_hand():
    x = np.array([[0, 0], [3, 0], [7, 7], [0, 1]], np.float32)
    # squared distances 9, 1, 10 and weights 1, 1/10, 1/2, 1/11; the image of no track stays
    wanted = [
        [0.3 / 1.6, 0.5 / 1.6],
        [3 / (0.1 + 1 + 1 / 11), 1 / 11 / (0.1 + 1 + 1 / 11)],
        [7, 7],
        [3 / 11 / (0.5 + 1 / 11 + 1), 1 / (0.5 + 1 / 11 + 1)],
    ]
    track = np.array([2, 2, -1, 2])
    assert_allclose(track_augmentation(x, track, epsilon=1, renormalize=False), wanted, rtol=1e-6)
    assert_allclose(track_augmentation(x, track, epsilon=1), l2_normalize(np.float32(wanted)), rtol=1e-6)


@given(gallery=lattices(st.integers(1, 20), width=19), data=st.data(), epsilon=st.sampled_from([0.01, 1.0, 50.0]))
def test_equals_the_definition(gallery, data, epsilon):
    track = data.draw(labels(len(gallery)))
    found = track_augmentation(gallery, track, epsilon=epsilon, renormalize=False)
    assert_allclose(found, reference.tracks.track_augmentation(gallery, track, epsilon), atol=1e-6)


def test_between_the_image_and_the_mean_of_its_track():
    data = world()
    gallery, track = data["gallery"], data["gallery_track"]
    mean = track_mean(gallery, track)
    assert_allclose(track_augmentation(gallery, track, epsilon=1e9, renormalize=False), mean, atol=1e-5)
    found = [track_augmentation(gallery, track, epsilon=e, renormalize=False) for e in (1e-9, 0.1, 10, 1e9)]
    away = [np.linalg.norm(x - gallery, axis=1).mean() for x in found]
    assert away == sorted(away)
    assert away[0] < 1e-6 < 0.1 < away[-1]


def test_refuses():
    with pytest.raises(ValueError, match=r"^epsilon: wanted 1e-09 to 1000000000.0, got 0"):
        track_augmentation(np.zeros((2, 2)), np.zeros(2, int), epsilon=0)


def test_released_features(shared):
    golden = load(shared, "voc_helpers")
    found = track_augmentation(golden["g"], golden["g_track"])
    assert_allclose(found, golden["fg__voc_track_aug"], rtol=0, atol=1e-5)
